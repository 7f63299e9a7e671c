"""One deposit of a merchant by the numbers that the payment-detail API knows.

Every deposit is here, whichever API it was made through; payouts are unknown to that API.
"""

from __future__ import annotations

from channels.models import Currency, Token
from diamondpay.lib import errors, sql
from merchants.models import Merchant
from records import told
from records.models import ChainPayment, Payment

_PAYMENT = sql.Columns(Payment, table="payment", left_out=told.NOT_OF_DETAILS)
_CURRENCY = sql.Columns(Currency, table="currency", at=_PAYMENT.end, left_out=["name"])
_SETTLEMENT = sql.Columns(Currency, table="settlement", at=_CURRENCY.end, left_out=["name"])
_CHAIN_PAYMENT = sql.Columns(
    ChainPayment, table="chain_payment", at=_SETTLEMENT.end, left_out=told.NOT_OF_CHAIN_PAYMENTS
)
_TOKEN = sql.Columns(Token, table="token", at=_CHAIN_PAYMENT.end, left_out=told.NOT_OF_TOKENS)
_COLUMNS = f"{_PAYMENT}, {_CURRENCY}, {_SETTLEMENT}, {_CHAIN_PAYMENT}, {_TOKEN}"
# Beside a merchant, whom the statement that they stand in calls `merchant`.
_OF_MERCHANT = "LEFT JOIN records_payment AS payment ON payment.merchant_id = merchant.id"
_NUMBERS = {
    "merchant_order_no": " AND payment.merchant_order_no = %(merchant_order_no)s",
    "payment_id": " AND payment.payment_id = %(payment_id)s",
}
_OF_PAYMENT = """
    LEFT JOIN channels_currency AS currency ON currency.code = payment.currency_id
    LEFT JOIN channels_currency AS settlement ON settlement.code = payment.settlement_currency_id
    LEFT JOIN records_chainpayment AS chain_payment ON chain_payment.payment_id = payment.id
    LEFT JOIN channels_token AS token ON token.id = chain_payment.token_id
"""


def beside(*, merchant_order_no: str = "", payment_id: str = "") -> sql.Beside:
    """Return how the deposit that all given numbers name is read beside its merchant; `find` takes it out.

    One number at least is given.
    """
    numbers = {"merchant_order_no": merchant_order_no, "payment_id": payment_id}
    given = {name: number for name, number in numbers.items() if number}
    if not given:
        raise ValueError("an order is asked for by a number")
    joins = _OF_MERCHANT + "".join(_NUMBERS[name] for name in given) + _OF_PAYMENT
    return sql.Beside(columns=_COLUMNS, joins=joins, parameters=given)


def find(row: sql.Row, *, merchant: Merchant) -> Payment:
    """Return the deposit that was read beside its merchant, with all that is told of it.

    Raises: OrderUnknown, also for another merchant's, and when the numbers name two orders.
    """
    payment = _PAYMENT.read(row)
    if payment is None:
        raise errors.OrderUnknown
    payment.merchant = merchant
    payment.currency, payment.settlement_currency = _CURRENCY.take(row), _SETTLEMENT.take(row)
    chain_payment = _CHAIN_PAYMENT.read(row)
    # Also that there is none is known now, and is not asked for again.
    Payment._meta.get_field("chain_payment").set_cached_value(payment, chain_payment)
    if chain_payment is not None:
        chain_payment.payment, chain_payment.token = payment, _TOKEN.read(row)
    return payment
