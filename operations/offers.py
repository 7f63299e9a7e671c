"""Which of a merchant's services carries an order that names no service but a currency and ways to pay.

Source: transaction-request-api.md, Endpoints (paymentMethod).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from channels.models import Direction, PaymentMethod, Service
from diamondpay.lib import errors
from merchants.models import Merchant, MerchantService
from operations import routing
from records.models import Payment, Payout


def service_for(
    *,
    merchant: Merchant,
    direction: Direction,
    currency: str,
    methods: Sequence[PaymentMethod],
    merchant_order_no: str,
    amount: Decimal | None = None,
) -> str:
    """Return the id of the service: that of the order which has the number already, else the first that can.

    Services are tried in the order of the methods, then by id; where none can carry the amount, the first is
    named, so that whoever places the order is told why.
    Units: amount in major units of the currency; None where it is not known yet.
    Raises: ServiceNotActivated when the merchant has none of the kind.
    """
    found = list(
        MerchantService.objects.filter(
            merchant=merchant,
            status=MerchantService.Status.ENABLED,
            service__status=Service.Status.OPEN,
            service__direction=direction,
            service__currency=currency,
            service__payment_method__in=methods,
        ).select_related("service__currency")
    )
    found.sort(
        key=lambda terms: (methods.index(PaymentMethod(terms.service.payment_method)), terms.service_id)
    )
    if len(found) == 1:
        return found[0].service_id
    # What was accepted once is the same order, also when its service is no longer offered.
    model: type[Payment] | type[Payout] = Payment if direction == Direction.DEPOSIT else Payout
    numbered = model.objects.filter(merchant=merchant, merchant_order_no=merchant_order_no)
    for service_id in numbered.values_list("service_id", flat=True):
        return service_id
    if not found:
        raise errors.ServiceNotActivated
    for terms in found:
        if _can_carry(merchant, terms, amount):
            return terms.service_id
    return found[0].service_id


def is_number_taken(*, merchant: Merchant, merchant_order_no: str) -> bool:
    """Say whether a deposit or a payout of the merchant has the number."""
    return any(
        model.objects.filter(merchant=merchant, merchant_order_no=merchant_order_no).exists()
        for model in (Payment, Payout)
    )


def refuse_number_of_the_other_kind(
    *, merchant: Merchant, direction: Direction, merchant_order_no: str
) -> None:
    """Refuse a deposit under a payout's number and the other way round, where one number must name one order.

    Only a courtesy: two at once may pass, and are then told apart by their codes.
    Raises: DuplicateOrderNumber.
    """
    other: type[Payment] | type[Payout] = Payout if direction == Direction.DEPOSIT else Payment
    if other.objects.filter(merchant=merchant, merchant_order_no=merchant_order_no).exists():
        raise errors.DuplicateOrderNumber


def _can_carry(merchant: Merchant, terms: MerchantService, amount: Decimal | None) -> bool:
    return any(
        option.obstacle is None
        and option.range is not None
        and (amount is None or option.range.contains(amount))
        for option in routing.options(merchant=merchant, merchant_service=terms, service=terms.service)
    )
