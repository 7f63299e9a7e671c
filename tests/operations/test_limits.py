"""The one function that decides limits. Source: backoffice.md, Limits; the seed's examples."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.models import Channel, ChannelService
from diamondpay.lib import errors
from merchants.models import MerchantService, ServiceBound
from operations import limits
from operations.limits import Bound, LimitSource, Range

CHANNEL, CHANNEL_SERVICE = LimitSource.CHANNEL, LimitSource.CHANNEL_SERVICE
SERVICE, BOUNDARY = LimitSource.SERVICE, LimitSource.SERVICE_BOUNDARY


def bound(source: LimitSource, lower: int | str, upper: int | str) -> Bound:
    return Bound(source, Decimal(lower), Decimal(upper))


def ends(allowed: Range) -> tuple[Decimal, Decimal]:
    return allowed.lower, allowed.upper


def amounts(lower: int, upper: int) -> tuple[Decimal, Decimal]:
    return Decimal(lower), Decimal(upper)


def test_the_seeds_normal_case_is_the_intersection() -> None:
    allowed = limits.intersect([bound(CHANNEL, 100, 50000), bound(SERVICE, 500, 20000)])
    assert ends(allowed) == amounts(500, 20000)
    assert (allowed.lower_source, allowed.upper_source) == (SERVICE, SERVICE)
    assert allowed.is_possible


def test_the_seeds_channel_without_upper_limit_takes_the_services() -> None:
    allowed = limits.intersect([bound(CHANNEL, 100, 0), bound(SERVICE, 500, 20000)])
    assert ends(allowed) == amounts(500, 20000)


def test_the_seeds_bounds_that_do_not_meet_leave_no_amount() -> None:
    allowed = limits.intersect([bound(CHANNEL, 10000, 50000), bound(SERVICE, 100, 5000)])
    assert not allowed.is_possible
    assert [allowed.contains(Decimal(amount)) for amount in (100, 5000, 7000, 10000, 50000)] == [False] * 5


def test_zero_is_no_limit_at_either_end() -> None:
    allowed = limits.intersect([bound(CHANNEL, 0, 0), bound(SERVICE, 0, 0)])
    assert ends(allowed) == amounts(0, 0)
    assert (allowed.lower_source, allowed.upper_source) == (None, None)
    assert allowed.contains(Decimal("0.01"))
    assert allowed.contains(Decimal(10) ** 19)


def test_no_bounds_at_all_allow_any_amount() -> None:
    assert limits.intersect([]).contains(Decimal(1))


@pytest.mark.parametrize(
    ("amount", "is_allowed"),
    [("99.99", False), ("100", True), ("100.00", True), ("500", True), ("500.01", False)],
)
def test_bounds_are_inclusive(amount: str, is_allowed: bool) -> None:
    assert limits.intersect([bound(CHANNEL, 100, 500)]).contains(Decimal(amount)) is is_allowed


def test_equal_ends_leave_exactly_one_amount() -> None:
    allowed = limits.intersect([bound(CHANNEL, 100, 0), bound(SERVICE, 0, 100)])
    assert allowed.is_possible
    assert allowed.contains(Decimal(100))
    assert not allowed.contains(Decimal("100.01"))


def test_the_service_boundary_is_named_when_several_bind_equally() -> None:
    allowed = limits.intersect(bound(source, 100, 500) for source in (CHANNEL, SERVICE, BOUNDARY))
    assert (allowed.lower_source, allowed.upper_source) == (BOUNDARY, BOUNDARY)


def test_a_looser_service_boundary_does_not_widen() -> None:
    allowed = limits.intersect([bound(BOUNDARY, 1, 90000), bound(SERVICE, 500, 20000)])
    assert ends(allowed) == amounts(500, 20000)
    assert allowed.upper_source == SERVICE


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ([], "any amount"),
        (
            [bound(CHANNEL, 100, 0), bound(SERVICE, 0, 20000)],
            "100 – 20,000 CNY (lower bound: channel, upper bound: service)",
        ),
        ([bound(BOUNDARY, "0.5", 10)], "0.5 – 10 CNY (both bounds: service boundary)"),
        ([bound(CHANNEL_SERVICE, 0, 300)], "up to 300 CNY (upper bound: channel service)"),
        ([bound(SERVICE, 50, 0)], "from 50 CNY (lower bound: service)"),
        (
            [bound(CHANNEL, 10000, 50000), bound(SERVICE, 100, 5000)],
            (
                "no amount possible: at least 10,000 CNY and at most 5,000 CNY "
                "(lower bound: channel, upper bound: service)"
            ),
        ),
    ],
)
def test_a_range_explains_itself(bounds: list[Bound], words: str) -> None:
    assert str(limits.intersect(bounds, currency="CNY").explain()) == words


def test_amounts_as_stored_explain_without_needless_zeros() -> None:
    stored = Decimal("100.000000000000000000")
    allowed = limits.intersect([Bound(SERVICE, stored, stored * 200)], currency="CNY")
    assert str(allowed.explain()) == "100 – 20,000 CNY (both bounds: service)"
    assert allowed.as_json() == {
        "lower": "100",
        "upper": "20000",
        "lower_source": "service",
        "upper_source": "service",
    }


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        ("99.99", errors.AmountBelowMinimum),
        ("500.01", errors.AmountAboveMaximum),
    ],
)
def test_check_refuses_with_the_range_and_what_binds(amount: str, refusal: type[errors.DomainError]) -> None:
    allowed = limits.intersect([bound(CHANNEL, 100, 0), bound(SERVICE, 0, 500)], currency="CNY")
    with pytest.raises(refusal) as caught:
        limits.check(allowed, Decimal(amount))
    expected = "100 – 500 CNY (lower bound: channel, upper bound: service)"
    assert str(caught.value) == f"The amount {amount} is outside what is allowed: {expected}."
    assert caught.value.details == {
        "lower": "100",
        "upper": "500",
        "lower_source": "channel",
        "upper_source": "service",
        "amount": amount,
    }


def test_check_says_that_no_amount_is_possible() -> None:
    allowed = limits.intersect([bound(CHANNEL, 100, 0), bound(SERVICE, 0, 50)])
    with pytest.raises(errors.NoAmountPossible):
        limits.check(allowed, Decimal(75))


def test_check_passes_what_is_allowed() -> None:
    allowed = limits.intersect([bound(CHANNEL, 100, 500)])
    limits.check(allowed, Decimal(100))
    assert (allowed.lower, allowed.upper) == (Decimal(100), Decimal(500))
    assert allowed.contains(Decimal(100)) is True


def test_a_negative_limit_is_not_a_limit() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        bound(CHANNEL, -1, 0)


@pytest.mark.parametrize(("direction", "expected"), [("deposit", (20, 90)), ("payout", (30, 80))])
def test_bounds_of_an_order_are_those_of_its_direction(direction: str, expected: tuple[int, int]) -> None:
    found = limits.bounds_of(
        direction=direction,
        channel=Channel(
            payment_lower_bound=Decimal(10),
            payment_upper_bound=Decimal(90),
            payout_lower_bound=Decimal(30),
            payout_upper_bound=Decimal(95),
        ),
        channel_service=ChannelService(lower_bound=Decimal(5), upper_bound=Decimal(0)),
        merchant_service=MerchantService(
            single_limit_lower_bound=Decimal(20), single_limit_upper_bound=Decimal(100)
        ),
        service_bound=None
        if direction == "deposit"
        else ServiceBound(lower_bound=Decimal(0), upper_bound=Decimal(80)),
    )
    assert ends(limits.intersect(found)) == amounts(*expected)


def test_the_range_to_tell_is_the_one_nearest_to_the_amount() -> None:
    low = limits.intersect([bound(CHANNEL, 10, 100)])
    high = limits.intersect([bound(CHANNEL, 500, 1000)])
    never = limits.intersect([bound(CHANNEL, 200, 0), bound(SERVICE, 0, 150)])
    assert limits.widest([never, low, high], Decimal(5)) == low
    assert limits.widest([never, low, high], Decimal(120)) == low
    assert limits.widest([never, low, high], Decimal(450)) == high
    assert limits.widest([never, low, high], Decimal(9999)) == high
    assert limits.widest([never], Decimal(160)) == never


AMOUNTS = st.decimals(min_value=0, max_value=10**6, places=2)
BOUNDS = st.builds(Bound, st.sampled_from(list(LimitSource)), AMOUNTS, AMOUNTS)
MANY = st.lists(BOUNDS, max_size=5)


@given(MANY, st.randoms(use_true_random=False))
def test_the_order_of_bounds_does_not_matter(bounds: list[Bound], random: object) -> None:
    shuffled = list(bounds)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert limits.intersect(shuffled) == limits.intersect(bounds)


@given(MANY)
def test_saying_bounds_twice_changes_nothing(bounds: list[Bound]) -> None:
    assert limits.intersect(bounds + bounds) == limits.intersect(bounds)


@given(MANY, BOUNDS, AMOUNTS)
def test_a_further_bound_never_widens(bounds: list[Bound], further: Bound, amount: Decimal) -> None:
    if limits.intersect([*bounds, further]).contains(amount):
        assert limits.intersect(bounds).contains(amount)


@given(MANY, AMOUNTS)
def test_an_amount_is_allowed_exactly_when_every_bound_allows_it(
    bounds: list[Bound], amount: Decimal
) -> None:
    wanted = all(one.lower <= amount and (one.upper == 0 or amount <= one.upper) for one in bounds)
    assert limits.intersect(bounds).contains(amount) is wanted


@given(MANY, AMOUNTS)
def test_check_raises_exactly_for_what_is_not_allowed(bounds: list[Bound], amount: Decimal) -> None:
    allowed = limits.intersect(bounds)
    try:
        limits.check(allowed, amount)
        is_passed = True
    except (errors.AmountBelowMinimum, errors.AmountAboveMaximum, errors.NoAmountPossible):
        is_passed = False
    assert is_passed is allowed.contains(amount)
