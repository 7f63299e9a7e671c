"""What the form of a new order offers, and the reason for everything that it does not. Seed 002, FAQ."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from channels.models import Channel, ChannelService, Service
from diamondpay.models import User
from merchants import queries
from merchants.models import Membership, Merchant, MerchantChannel, MerchantService
from merchants.registration import Registered
from operations import create_offer, routing, service_options
from tests import factories
from tests.admin import book
from tests.operations import creating
from tests.operations.creating import owner, staff
from tests.support.scripted_upstream import NAME, upstream

__all__ = ["owner", "staff", "upstream"]
pytestmark = pytest.mark.django_db

DEPOSIT, PAYOUT = "deposit", "payout"


def why(merchant: Registered, service_id: str, direction: str = DEPOSIT) -> str:
    """Return why a service is not offered."""
    services = create_offer.services_of(merchant=merchant.merchant, direction=direction)
    found = services.why_not(service_id)
    return str(found.words) if found else ""


def test_an_activated_open_service_is_offered_with_its_own_range(owner: Registered) -> None:
    services = create_offer.services_of(merchant=owner.merchant, direction=DEPOSIT)
    assert [(each.service.pk, str(each.range.explain())) for each in services.offered] == [
        ("SVC0001", "500 – 20,000 CNY (both bounds: service)")
    ]


@pytest.mark.parametrize(
    ("breakage", "words"),
    [
        (
            lambda: factories.remove_terms(MerchantService.objects.filter(service="SVC0001")),
            "The merchant has not activated it.",
        ),
        (
            lambda: factories.set_terms(MerchantService.objects, status="disabled", terms_since=None),
            "It is not in force yet: its first activation is decided by a second person.",
        ),
        (
            lambda: MerchantService.objects.update(status="disabled"),
            "It is activated, and disabled for this merchant.",
        ),
        (
            lambda: Service.objects.update(status="closed"),
            "It is activated, and the service itself is closed.",
        ),
        (
            lambda: factories.remove_terms(ChannelService.objects.filter(service="SVC0001")),
            "No channel is bound to it: none of the merchant's wallets is on a channel that carries it.",
        ),
        (
            lambda: Channel.objects.update(status="disabled"),
            "Its only channel cannot be used: The channel is disabled.",
        ),
        (
            lambda: MerchantChannel.objects.update(status="disabled"),
            "Its only channel cannot be used: The merchant's wallet on this channel is disabled.",
        ),
        (
            lambda: ChannelService.objects.update(status="disabled"),
            "Its only channel cannot be used: The service is disabled on this channel.",
        ),
        (
            lambda: factories.set_terms(Channel.objects, payment_lower_bound=30000),
            (
                "Its only channel cannot be used: no amount possible: at least 30,000 CNY"
                " and at most 20,000 CNY (lower bound: channel, upper bound: service)"
            ),
        ),
    ],
)
def test_every_service_that_is_not_offered_has_its_reason(
    owner: Registered, breakage: Callable[[], object], words: str
) -> None:
    breakage()
    assert why(owner, "SVC0001") == words


def test_several_channels_that_fail_are_told_together(owner: Registered) -> None:
    factories.make_channel("other", upstream=NAME, services=["SVC0001"])
    both = factories.make_merchant("Both", channels=[NAME, "other"])
    Channel.objects.filter(pk=NAME).update(status="disabled")
    ChannelService.objects.filter(channel="other").update(status="disabled")
    assert why(both, "SVC0001") == (
        "None of its 2 channels can be used: "
        "The channel is disabled. The service is disabled on this channel."
    )


def test_a_payout_channel_without_balance_is_left_out_with_that_reason(owner: Registered) -> None:
    poor = creating.make_owner("Poor")
    assert why(poor, "SVC0004", PAYOUT) == (
        "Its only channel cannot be used: The wallet has no available balance."
    )
    assert why(owner, "SVC0004", PAYOUT) == ""


def test_channels_are_offered_with_balance_and_left_out_with_reason(owner: Registered, staff: User) -> None:
    for code in ("off", "unbound"):
        factories.make_channel(code, upstream=NAME)
    two = factories.make_merchant("Two", channels=[NAME, "off"])
    Channel.objects.filter(pk="off").update(status="disabled")
    book.fund(two, "70")
    offered = create_offer.services_of(merchant=two.merchant, direction=DEPOSIT).offered[0]
    usable, left_out = create_offer.channels_of(offered=offered, user=staff)
    assert [(each.name, each.available, each.frozen) for each in usable] == [
        (f"{two.wallets[0].pk} {NAME}", Decimal(70), Decimal(0))
    ]
    assert [(each.name, str(each.words)) for each in left_out] == [
        (f"{two.wallets[1].pk} off", "The channel is disabled."),
        ("unbound", "It is not bound: the merchant has no wallet on this channel."),
    ]


def test_a_merchants_user_is_told_of_wallets_and_never_of_channels(owner: Registered) -> None:
    factories.make_channel("hidden", upstream=NAME)
    clerk = factories.make_merchant_user(owner.merchant)
    offered = create_offer.services_of(merchant=owner.merchant, direction=DEPOSIT).offered[0]
    usable, left_out = create_offer.channels_of(offered=offered, user=clerk)
    assert ([each.name for each in usable], left_out) == ([owner.wallets[0].pk], [])


def test_options_of_many_services_are_those_of_each_in_a_fixed_number_of_queries(owner: Registered) -> None:
    factories.make_channel("other", upstream=NAME, payment_lower_bound=700, payout_upper_bound=900)
    both = factories.make_merchant("Both", channels=[NAME, "other"])
    factories.bound_service(both.wallets[1], "SVC0001", 800, 900)
    book.fund(both, "9")
    activated = list(
        MerchantService.objects.filter(merchant=both.merchant).select_related("service__currency")
    )
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = service_options.by_service(merchant=both.merchant, activated=activated)
    assert len(queries) == 4
    for terms in activated:
        assert found[terms.service_id] == routing.options(
            merchant=both.merchant, merchant_service=terms, service=terms.service
        )


def test_merchants_are_those_of_the_right_and_of_the_membership(owner: Registered) -> None:
    rival = creating.make_owner("Rival")
    both = factories.make_user("both", role="Merchant user", merchants=[owner.merchant, rival.merchant])
    cases: dict[User, list[Merchant]] = {
        factories.make_operator(): [owner.merchant, rival.merchant],
        factories.make_merchant_user(rival.merchant): [rival.merchant],
        both: [owner.merchant, rival.merchant],
        factories.make_user("own", permissions=["operations.operation_payment_write"]): [],
        factories.make_user("root", is_superuser=True, merchants=[rival.merchant]): [rival.merchant],
        factories.make_user(
            "bound", merchants=[owner.merchant], permissions=["operations.operation_payment_global_write"]
        ): [],
        factories.make_finance(): [],
        factories.make_customer_service(): [],
    }
    for user, expected in cases.items():
        assert list(create_offer.merchants_for(user=user, direction=DEPOSIT)) == expected, user
        for merchant in (owner.merchant, rival.merchant):
            may = create_offer.may_create_for(user=user, direction=DEPOSIT, merchant_id=merchant.pk)
            assert may == (merchant in expected), (user, merchant)
    Membership.objects.filter(user=both, merchant=rival.merchant).delete()
    assert list(create_offer.merchants_for(user=both, direction=DEPOSIT)) == [owner.merchant]


def test_the_page_costs_the_same_however_many_services_there_are(
    client: Client, owner: Registered, staff: User
) -> None:
    asked = {"merchant": owner.merchant.pk, "service": "SVC0001"}
    client.get(creating.PAYMENT_PAGE, asked)
    with CaptureQueriesContext(connection) as few:
        client.get(creating.PAYMENT_PAGE, asked)
    for service in Service.objects.filter(currency="CNY", direction=DEPOSIT).exclude(pk="SVC0001"):
        factories.activate_service(owner.merchant, service.pk)
        factories.carry_service(NAME, service.pk)
    with CaptureQueriesContext(connection) as many:
        page = client.get(creating.PAYMENT_PAGE, asked)
    assert len(page.context["services"]) == 7
    assert len(many) == len(few)


def test_more_merchants_than_fit_are_found_by_typing(
    client: Client, owner: Registered, staff: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    creating.make_owner("Rival")
    creating.make_owner("Acme Two")
    monkeypatch.setattr(queries, "CHOICE_MAX", 1)
    page = client.post(creating.PAYMENT_PAGE, {"merchant": "acme"})
    assert [row.name for row in page.context["desk"].choice.found] == ["Acme", "Acme Two"]
    assert b"<datalist" in page.content
    chosen = client.post(creating.PAYMENT_PAGE, {"merchant": owner.merchant.pk.lower()})
    assert chosen.context["desk"].merchant == owner.merchant
