"""A repeat of a placed order is that order (D1), also when it would be refused as a new one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from channels.models import Channel, Service
from diamondpay.lib import errors
from merchants.models import MerchantService
from operations import placement
from records.models import Payment
from tests import factories
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


def close_service() -> None:
    Service.objects.filter(pk="SVC0001").update(status="closed")


def end_service() -> None:
    MerchantService.objects.filter(service="SVC0001").update(status="disabled")


def narrow_limits() -> None:
    factories.set_terms(
        MerchantService.objects.filter(service="SVC0001"), single_limit_lower_bound=Decimal(500)
    )


def disable_channels() -> None:
    Channel.objects.update(status="disabled")


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (close_service, errors.ServiceClosed),
        (end_service, errors.ServiceNotActivated),
        (narrow_limits, errors.AmountBelowMinimum),
        (disable_channels, errors.NoChannelAvailable),
    ],
)
def test_a_repeat_gives_the_first_order_whatever_changed_since_d1(
    desk: Desk, change: Callable[[], None], refusal: type[errors.DomainError]
) -> None:
    order = desk.new_payment()
    first = placement.place_payment(order=order)
    change()
    assert placement.place_payment(order=order) == first
    with pytest.raises(refusal):
        desk.deposit()
    with pytest.raises(errors.DuplicateOrderNumber):
        desk.deposit("101", merchant_order_no=order.merchant_order_no)
    assert Payment.objects.count() == len(desk.upstream.requests) == 1


def test_a_repeat_is_not_handed_over_again_d1(desk: Desk) -> None:
    order = desk.new_payment()
    first = placement.place_payment(order=order)
    before = Payment.objects.filter(pk=first.pk).values().get()
    assert placement.place_payment(order=order) == first
    assert len(desk.upstream.requests) == 1
    assert Payment.objects.filter(pk=first.pk).values().get() == before
