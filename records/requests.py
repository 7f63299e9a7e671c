"""One order of a merchant by the numbers that the transaction-request API knows, deposit or payout alike."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors, sql
from records import told
from records.dialects import transaction_request as dialect
from records.models import Payment, Payout

# What only notifications need, and the numbers of other APIs.
_OTHERS = ("dialect", "sign_type", "notify_url", "version", "channel_order_no")
_PAYMENT = sql.Columns(Payment, table="payment", left_out=(*told.NOT_OF_PAYMENTS, *_OTHERS, "payment_id"))
_PAYOUT = sql.Columns(
    Payout, table="payout", at=_PAYMENT.end, left_out=(*told.NOT_OF_PAYOUTS, *_OTHERS, "payout_id")
)
_COLUMNS = f"{_PAYMENT}, {_PAYOUT}"
_CURRENCIES = ", ".join(f"'{code}'" for code in dialect.FIAT_CURRENCIES)
# Beside a merchant, whom the statement that they stand in calls `merchant`; a number is a merchant's once
# among its deposits and once among its payouts.
_OF_MERCHANT = f"""
    LEFT JOIN records_payment AS payment ON payment.merchant_id = merchant.id
        AND payment.merchant_order_no = %(number)s AND payment.currency_id IN ({_CURRENCIES})
    LEFT JOIN records_payout AS payout ON payout.merchant_id = merchant.id
        AND payout.merchant_order_no = %(number)s AND payout.currency_id IN ({_CURRENCIES})
"""


class ConflictingIdentifiers(errors.DomainError):
    """The numbers lead to more than one order."""

    code = "conflicting_identifiers"
    words = _("requestCode and merchantOrderNo name two different orders.")


def beside(*, merchant_order_no: str) -> sql.Beside:
    """Return how the orders of a number are read beside their merchant; `find` takes them out."""
    return sql.Beside(columns=_COLUMNS, joins=_OF_MERCHANT, parameters={"number": merchant_order_no})


def find(
    row: sql.Row, *, merchant_id: str, request_code: str = "", merchant_order_no: str = ""
) -> Payment | Payout:
    """Return the order that all given numbers name; one in a currency that the API does not carry is unknown.

    `row` is what was read beside the merchant, where `merchant_order_no` is given.
    Raises: OrderUnknown, also for another merchant's; ConflictingIdentifiers.
    """
    by_number = _by_number(row) if merchant_order_no else []
    if not request_code:
        if len(by_number) > 1:
            raise ConflictingIdentifiers(
                _("merchantOrderNo names a deposit and a withdrawal; ask by requestCode.")
            )
        if not by_number:
            raise errors.OrderUnknown
        return by_number[0]
    coded = _by_code(merchant_id, request_code)
    if not merchant_order_no:
        if coded is None:
            raise errors.OrderUnknown
        return coded
    if coded is not None and coded in by_number:
        return coded
    if coded is None and not by_number:
        raise errors.OrderUnknown
    raise ConflictingIdentifiers


def _by_number(row: sql.Row) -> list[Payment | Payout]:
    return [order for read in (_PAYMENT.read, _PAYOUT.read) if (order := read(row)) is not None]


def _by_code(merchant_id: str, request_code: str) -> Payment | Payout | None:
    opened = dialect.opened_code(request_code)
    if opened is None:
        return None
    trade_type, number = opened
    model: type[Payment] | type[Payout] = Payment if trade_type == dialect.DEPOSIT else Payout
    return model.objects.filter(pk=number, merchant=merchant_id, currency__in=dialect.FIAT_CURRENCIES).first()
