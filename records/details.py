"""One deposit of a merchant by the numbers that the payment-detail API knows.

Every deposit is here, whichever API it was made through; payouts are unknown to that API.
"""

from __future__ import annotations

from diamondpay.lib import errors
from records.models import Payment

_RELATED = ("merchant", "currency", "settlement_currency", "chain_payment__token")


def find(*, merchant_id: str, merchant_order_no: str = "", payment_id: str = "") -> Payment:
    """Return the deposit that all given numbers name. At least one must be given.

    Raises: OrderUnknown, also for another merchant's, and when the numbers name two orders.
    """
    numbers = {"merchant_order_no": merchant_order_no, "payment_id": payment_id}
    given = {name: number for name, number in numbers.items() if number}
    if not given:
        raise ValueError("an order is asked for by a number")
    found = Payment.objects.filter(merchant=merchant_id, **given).select_related(*_RELATED).first()
    if found is None:
        raise errors.OrderUnknown
    return found
