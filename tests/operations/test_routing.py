"""Which wallet carries an order, and why the others do not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels.models import Channel, ChannelService, Service
from diamondpay.lib import clock, errors
from merchants.models import MerchantChannel, MerchantService
from merchants.registration import Registered
from operations import routing
from records import ledger
from tests import factories

pytestmark = pytest.mark.django_db


def pick(
    merchant: Registered,
    amount: int | str = 100,
    service_id: str = "SVC0001",
    merchant_channel_id: str = "",
    channel_code: str = "",
) -> routing.Decision:
    return routing.pick(
        merchant=merchant.merchant,
        merchant_service=MerchantService.objects.get(merchant=merchant.merchant, service=service_id),
        service=Service.objects.get(pk=service_id),
        amount=Decimal(amount),
        needed=Decimal(amount),
        merchant_channel_id=merchant_channel_id,
        channel_code=channel_code,
    )


def fund(wallet: MerchantChannel, amount: int) -> None:
    ledger.adjust(
        merchant_channel=wallet,
        amount=Decimal(amount),
        reason="float",
        request_id=f"fund-{wallet.pk}",
        now=clock.now(),
    )


def why(decision: routing.Decision) -> dict[str, str]:
    return {out.channel_code: out.reason.value for out in decision.ruled_out}


@pytest.fixture
def two() -> Registered:
    """A merchant with a wallet on `alpha` and one on `beta`, of equal weight and without limits."""
    factories.make_channel("alpha")
    factories.make_channel("beta")
    return factories.make_merchant("Two", channels=("alpha", "beta"))


def test_the_greater_weight_is_preferred(two: Registered) -> None:
    Channel.objects.filter(pk="beta").update(weight=200)
    decision = pick(two)
    assert decision.choice.channel.pk == "beta"
    assert why(decision) == {"alpha": "not_preferred"}


def test_equal_weight_goes_to_the_older_wallet(two: Registered) -> None:
    assert pick(two).choice.merchant_channel == two.wallets[0]


def test_payouts_of_equal_weight_go_to_the_greater_balance(two: Registered) -> None:
    fund(two.wallets[0], 500)
    fund(two.wallets[1], 900)
    decision = pick(two, service_id="SVC0004")
    assert decision.choice.channel.pk == "beta"
    assert decision.choice.available == 900


def test_weight_goes_before_balance(two: Registered) -> None:
    fund(two.wallets[0], 500)
    fund(two.wallets[1], 900)
    Channel.objects.filter(pk="alpha").update(weight=101)
    assert pick(two, service_id="SVC0004").choice.channel.pk == "alpha"


def test_a_wallet_that_cannot_pay_is_passed_over(two: Registered) -> None:
    fund(two.wallets[0], 99)
    fund(two.wallets[1], 100)
    Channel.objects.filter(pk="alpha").update(weight=200)
    decision = pick(two, service_id="SVC0004")
    assert decision.choice.channel.pk == "beta"
    assert str(decision.ruled_out[0].words) == (
        "The available balance of 99 is below the 100 that are needed."
    )
    assert why(decision) == {"alpha": "balance_too_low"}


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("not_bound", "The channel does not carry this service."),
        ("wallet_disabled", "The merchant's wallet on this channel is disabled."),
        ("channel_disabled", "The channel is disabled."),
        ("channel_service_disabled", "The service is disabled on this channel."),
        ("amount_outside_range", "The amount is outside from 500 CNY (lower bound: channel)."),
    ],
)
def test_each_channel_that_is_ruled_out_says_why(two: Registered, reason: str, words: str) -> None:
    alpha = ChannelService.objects.filter(channel="alpha", service="SVC0001")
    match reason:
        case "not_bound":
            factories.remove_terms(alpha)
        case "wallet_disabled":
            MerchantChannel.objects.filter(pk=two.wallets[0].pk).update(status="disabled")
        case "channel_disabled":
            Channel.objects.filter(pk="alpha").update(status="disabled")
        case "channel_service_disabled":
            alpha.update(status="disabled")
        case "amount_outside_range":
            factories.set_terms(Channel.objects.filter(pk="alpha"), payment_lower_bound=Decimal(500))
    decision = pick(two)
    assert decision.choice.channel.pk == "beta"
    (out,) = decision.ruled_out
    assert (out.channel_code, out.merchant_channel_id) == ("alpha", two.wallets[0].pk)
    assert (out.reason.value, str(out.words)) == (reason, words)


def test_an_empty_range_rules_a_channel_out(two: Registered) -> None:
    factories.set_terms(Channel.objects.filter(pk="alpha"), payment_lower_bound=Decimal(500))
    factories.bound_service(two.wallets[0], "SVC0001", 0, 400)
    assert why(pick(two)) == {"alpha": "range_empty"}


def test_a_named_wallet_is_taken(two: Registered) -> None:
    decision = pick(two, merchant_channel_id=two.wallets[1].pk)
    assert decision.choice.merchant_channel == two.wallets[1]
    assert decision.ruled_out == ()


def test_a_pinned_channel_is_taken(two: Registered) -> None:
    assert pick(two, channel_code="beta").choice.channel.pk == "beta"


def test_another_merchants_wallet_is_unknown(two: Registered) -> None:
    rival = factories.make_merchant("Rival", channels=("alpha",))
    with pytest.raises(errors.ChannelUnknown):
        pick(two, merchant_channel_id=rival.wallets[0].pk)


def test_a_wallet_and_a_channel_that_disagree_are_unknown(two: Registered) -> None:
    with pytest.raises(errors.ChannelUnknown):
        pick(two, merchant_channel_id=two.wallets[0].pk, channel_code="beta")


def test_a_service_can_require_that_the_wallet_is_named(two: Registered) -> None:
    Service.objects.filter(pk="SVC0004").update(requires_merchant_channel=True)
    fund(two.wallets[0], 500)
    with pytest.raises(errors.ChannelRequired):
        pick(two, service_id="SVC0004")
    named = pick(two, service_id="SVC0004", merchant_channel_id=two.wallets[0].pk)
    assert named.choice.merchant_channel == two.wallets[0]


def test_no_channel_left_says_for_each_one_why(two: Registered) -> None:
    Channel.objects.filter(pk="alpha").update(status="disabled")
    factories.remove_terms(ChannelService.objects.filter(channel="beta", service="SVC0001"))
    with pytest.raises(errors.NoChannelAvailable) as caught:
        pick(two)
    assert caught.value.details == {
        two.wallets[0].pk: "alpha: The channel is disabled.",
        two.wallets[1].pk: "beta: The channel does not carry this service.",
    }


@pytest.mark.parametrize(
    ("amount", "refusal", "lower", "upper"),
    [
        (5, errors.AmountBelowMinimum, "10", "100"),
        (101, errors.AmountAboveMaximum, "10", "100"),
        (190, errors.AmountBelowMinimum, "200", "300"),
        (301, errors.AmountAboveMaximum, "200", "300"),
    ],
)
def test_when_only_the_amount_is_wrong_the_nearest_range_is_told(
    two: Registered, amount: int, refusal: type[errors.DomainError], lower: str, upper: str
) -> None:
    factories.set_terms(Channel.objects.filter(pk="alpha"), payment_lower_bound=10, payment_upper_bound=100)
    factories.set_terms(Channel.objects.filter(pk="beta"), payment_lower_bound=200, payment_upper_bound=300)
    with pytest.raises(refusal) as caught:
        pick(two, amount)
    assert (caught.value.details["lower"], caught.value.details["upper"]) == (lower, upper)


def test_a_disabled_channels_range_is_not_told(two: Registered) -> None:
    factories.set_terms(Channel.objects.filter(pk="alpha"), payment_upper_bound=100)
    factories.set_terms(Channel.objects.filter(pk="beta"), payment_upper_bound=1000, status="disabled")
    with pytest.raises(errors.AmountAboveMaximum) as caught:
        pick(two, 500)
    assert caught.value.details["upper"] == "100"


def test_limits_that_leave_no_amount_anywhere_are_told(two: Registered) -> None:
    factories.set_terms(
        MerchantService.objects.filter(merchant=two.merchant), single_limit_lower_bound=Decimal(900)
    )
    factories.set_terms(Channel.objects, payment_upper_bound=Decimal(100))
    with pytest.raises(errors.NoAmountPossible):
        pick(two, 500)


def test_when_only_money_is_missing_the_balance_is_told(two: Registered) -> None:
    factories.set_terms(Channel.objects.filter(pk="beta"), payout_upper_bound=Decimal(50))
    fund(two.wallets[1], 900)
    with pytest.raises(errors.InsufficientBalance):
        pick(two, service_id="SVC0004")


def test_a_payouts_fee_counts_as_needed(two: Registered) -> None:
    fund(two.wallets[0], 100)
    terms = MerchantService.objects.get(merchant=two.merchant, service="SVC0004")
    service = Service.objects.get(pk="SVC0004")
    with pytest.raises(errors.InsufficientBalance):
        routing.pick(
            merchant=two.merchant,
            merchant_service=terms,
            service=service,
            amount=Decimal(100),
            needed=Decimal("100.01"),
        )


def test_the_decision_can_be_stored_on_the_order(two: Registered) -> None:
    factories.set_terms(Channel.objects.filter(pk="alpha"), weight=200, payment_lower_bound=10)
    assert pick(two).as_json() == {
        "channel": "alpha",
        "merchant_channel": two.wallets[0].pk,
        "weight": 200,
        "range": {"lower": "10", "upper": "0", "lower_source": "channel", "upper_source": ""},
        "ruled_out": [
            {
                "channel": "beta",
                "merchant_channel": two.wallets[1].pk,
                "reason": "not_preferred",
                "words": "Another channel is preferred.",
            }
        ],
    }


def test_forms_are_offered_each_wallet_or_told_why_not(two: Registered) -> None:
    fund(two.wallets[1], 70)
    offered = routing.options(
        merchant=two.merchant,
        merchant_service=MerchantService.objects.get(merchant=two.merchant, service="SVC0004"),
        service=Service.objects.get(pk="SVC0004"),
    )
    assert [(option.channel.pk, option.available) for option in offered] == [
        ("beta", Decimal(70)),
        ("alpha", Decimal(0)),
    ]
    assert offered[0].obstacle is None
    assert offered[1].obstacle is not None
    assert offered[1].obstacle.reason == routing.Reason.BALANCE_TOO_LOW


def test_routing_takes_as_many_queries_for_twelve_channels_as_for_two(two: Registered) -> None:
    def queries(merchant: Registered) -> int:
        terms = MerchantService.objects.get(merchant=merchant.merchant, service="SVC0004")
        service = Service.objects.get(pk="SVC0004")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            routing.options(merchant=merchant.merchant, merchant_service=terms, service=service)
        return len(captured)

    twelve = factories.make_merchant("Twelve", channels=[f"c{number}" for number in range(12)])
    assert queries(two) == queries(twelve) == 1
