"""One order of a merchant by the numbers that the transaction-request API knows, deposit or payout alike."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors, sql
from records.dialects import transaction_request as dialect
from records.models import Payment, Payout

# How an order found its channel is nobody's concern here.
_PAYMENT = sql.Columns(Payment, table="payment", left_out=["routing"])
_PAYOUT = sql.Columns(Payout, table="payout", at=_PAYMENT.end, left_out=["routing"])
# One row always; a number is a merchant's once among its deposits and once among its payouts.
_BY_NUMBER = f"""
    SELECT {_PAYMENT}, {_PAYOUT}
    FROM (SELECT 1) AS asked
    LEFT JOIN records_payment AS payment ON payment.merchant_id = %(merchant)s
        AND payment.merchant_order_no = %(number)s AND payment.currency_id = ANY(%(currencies)s)
    LEFT JOIN records_payout AS payout ON payout.merchant_id = %(merchant)s
        AND payout.merchant_order_no = %(number)s AND payout.currency_id = ANY(%(currencies)s)
"""  # noqa: S608 - our own names


class ConflictingIdentifiers(errors.DomainError):
    """The numbers lead to more than one order."""

    code = "conflicting_identifiers"
    words = _("requestCode and merchantOrderNo name two different orders.")


def find(*, merchant_id: str, request_code: str = "", merchant_order_no: str = "") -> Payment | Payout:
    """Return the order that all given numbers name; one in a currency that the API does not carry is unknown.

    Raises: OrderUnknown, also for another merchant's; ConflictingIdentifiers.
    """
    by_number = _by_number(merchant_id, merchant_order_no) if merchant_order_no else []
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


def _by_number(merchant_id: str, merchant_order_no: str) -> list[Payment | Payout]:
    found = sql.rows(
        _BY_NUMBER,
        {"merchant": merchant_id, "number": merchant_order_no, "currencies": list(dialect.FIAT_CURRENCIES)},
    )
    return [order for read in (_PAYMENT.read, _PAYOUT.read) if (order := read(found[0])) is not None]


def _by_code(merchant_id: str, request_code: str) -> Payment | Payout | None:
    opened = dialect.opened_code(request_code)
    if opened is None:
        return None
    trade_type, number = opened
    model: type[Payment] | type[Payout] = Payment if trade_type == dialect.DEPOSIT else Payout
    return model.objects.filter(pk=number, merchant=merchant_id, currency__in=dialect.FIAT_CURRENCIES).first()
