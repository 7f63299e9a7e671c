"""Fees. Source: backoffice.md, Fees; gateway-api.md §7 (400000 at 8 ‰ costs 3200)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.models import FeeType
from diamondpay.lib import errors
from merchants import pricing


def rule(
    fee_type: str, permillage: str = "0", fixed: str = "0", exponent: int = 2
) -> dict[str, str | Decimal | int]:
    return {
        "fee_type": fee_type,
        "fee_permillage": Decimal(permillage),
        "fee_fixed": Decimal(fixed),
        "exponent": exponent,
    }


@pytest.mark.parametrize(
    ("amount", "terms", "fee"),
    [
        ("4000", rule("permillage", "8"), "32.00"),
        ("1000", rule("permillage", "3"), "3.00"),
        ("1000", rule("fixed", fixed="2"), "2.00"),
        ("1000", rule("mixed", "2", "1"), "3.00"),
        # A permillage beside a fixed fee is not a mixed one.
        ("1000", rule("fixed", "900", "2"), "2.00"),
        ("1000", rule("permillage", "3", "900"), "3.00"),
    ],
)
def test_each_fee_type_costs_what_it_says(amount: str, terms: dict[str, object], fee: str) -> None:
    quote = pricing.quote(amount=Decimal(amount), **terms)  # type: ignore[arg-type]
    assert quote == pricing.Quote(fee=Decimal(fee), credited=Decimal(amount) - Decimal(fee))


@pytest.mark.parametrize(
    ("amount", "terms", "fee"),
    [
        ("1.50", rule("permillage", "10"), "0.02"),  # 0.015
        ("1.49", rule("permillage", "10"), "0.01"),  # 0.0149
        ("1500", rule("permillage", "1", exponent=0), "2"),  # 1.5
        ("0.0000015", rule("permillage", "500", exponent=6), "0.000001"),  # 0.00000075
        # Once, after the sum: 0.0049 + 0.0049 is a cent, rounded apart they would be none.
        ("4.90", rule("mixed", "1", "0.0049"), "0.01"),
    ],
)
def test_fees_are_rounded_half_up_once(amount: str, terms: dict[str, object], fee: str) -> None:
    assert pricing.fee_of(amount=Decimal(amount), **terms) == Decimal(fee)  # type: ignore[arg-type]


def test_no_digit_is_lost_before_the_rounding() -> None:
    amount = Decimal("12345678901234567890.123456789012345678")
    fee = pricing.fee_of(
        amount=amount,
        fee_type="permillage",
        fee_permillage=Decimal("999.9999"),
        fee_fixed=Decimal(0),
        exponent=18,
    )
    assert fee == Decimal("12345677666666677766.666667776666666777")


@pytest.mark.parametrize("fixed", ["5", "5.01"])
def test_a_fee_that_would_use_up_a_deposit_is_refused(fixed: str) -> None:
    with pytest.raises(errors.AmountBelowMinimum):
        pricing.quote(amount=Decimal(5), **rule("fixed", fixed=fixed))  # type: ignore[arg-type]


def test_a_payouts_fee_may_exceed_its_amount() -> None:
    assert pricing.fee_of(amount=Decimal(1), **rule("fixed", fixed="2")) == 2  # type: ignore[arg-type]


def test_an_unknown_fee_type_has_no_fee() -> None:
    with pytest.raises(errors.FeeTypeUnknown):
        pricing.quote(amount=Decimal(5), **rule("percent"))  # type: ignore[arg-type]


def test_what_arrived_is_booked_even_when_the_fee_takes_it_all() -> None:
    """L9: the fee never exceeds the settled amount."""
    quote = pricing.quote_settled(settled=Decimal("1.50"), **rule("fixed", fixed="2"))  # type: ignore[arg-type]
    assert quote == pricing.Quote(fee=Decimal("1.50"), credited=Decimal(0))


@given(
    st.decimals(min_value="0.01", max_value=10**15, places=2),
    st.sampled_from(list(FeeType)),
    st.decimals(min_value=0, max_value="999.9999", places=4),
    st.decimals(min_value=0, max_value=1000, places=2),
)
def test_fee_and_credit_always_make_the_settled_amount(
    settled: Decimal, fee_type: str, permillage: Decimal, fixed: Decimal
) -> None:
    """L9: credited + fee = settled, 0 ≤ fee ≤ settled."""
    quote = pricing.quote_settled(
        settled=settled, fee_type=fee_type, fee_permillage=permillage, fee_fixed=fixed, exponent=2
    )
    assert quote.credited + quote.fee == settled
    assert 0 <= quote.fee <= settled
