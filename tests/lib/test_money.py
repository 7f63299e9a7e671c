"""Amounts are exact or refused."""

from decimal import Context, Decimal

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamondpay.lib import money


@pytest.mark.parametrize(
    ("amount", "exponent", "wanted"),
    [
        ("0.005", 2, "0.01"),
        ("0.004999999999999999", 2, "0.00"),
        ("-0.005", 2, "-0.01"),
        ("2.5", 0, "3"),
        ("1.0000005", 6, "1.000001"),
        ("12345678901234567890.123456789012345678", 18, "12345678901234567890.123456789012345678"),
    ],
)
def test_quantise_rounds_half_up_and_keeps_38_digits(amount: str, exponent: int, wanted: str) -> None:
    assert str(money.quantise(Decimal(amount), exponent)) == wanted


@pytest.mark.parametrize("amount", ["1e20", "-1e20", "99999999999999999999.995", "1e999", "NaN", "Infinity"])
def test_quantise_refuses_what_the_book_cannot_hold(amount: str) -> None:
    with pytest.raises(money.AmountTooLarge):
        money.quantise(Decimal(amount), 2)


def test_hundredths_are_amount_times_one_hundred_for_every_currency() -> None:
    assert money.to_hundredths(Decimal("500.00")) == 50000
    assert money.to_hundredths(Decimal("0.010000000000000000")) == 1
    assert money.to_hundredths(Decimal("-12.3")) == -1230
    assert str(money.from_hundredths(50000)) == "500.00"
    assert str(money.from_hundredths(1)) == "0.01"
    assert str(money.from_hundredths(0)) == "0.00"


def test_to_hundredths_raises_rather_than_losing_a_digit() -> None:
    for text in ("0.001", "1.000000000000000001", "12345678901234567890.123", "NaN", "Infinity"):
        with pytest.raises(money.DigitsLost):
            money.to_hundredths(Decimal(text))


def test_units_of_a_token_keep_every_digit() -> None:
    amount = Decimal("12345678901234567890.123456789012345678")
    assert money.to_units(amount, 18) == 12345678901234567890123456789012345678
    assert money.from_units(12345678901234567890123456789012345678, 18) == amount


@pytest.mark.parametrize("power", [22, 30, 5000])
def test_from_hundredths_refuses_ten_to_the_thirtieth(power: int) -> None:
    """Bad input, API row 1: 10^30."""
    for units in (10**power, -(10**power)):
        with pytest.raises(money.AmountTooLarge):
            money.from_hundredths(units)


@hypothesis.settings(deadline=None)  # shared machines are slow at times
@given(st.integers(min_value=-(10**22) + 1, max_value=10**22 - 1))
def test_hundredths_survive_the_way_there_and_back(units: int) -> None:
    assert money.to_hundredths(money.from_hundredths(units)) == units


@pytest.mark.parametrize(
    "text", ["0", "12", "12.50", "-3.1", "0.000000000000000001", "9" * 38, "1" * 20 + "." + "2" * 18]
)
def test_parse_plain_reads_plain_decimals(text: str) -> None:
    assert str(money.parse_plain(text)) == str(Decimal(text))


@pytest.mark.parametrize(
    "text",
    [
        "１２", "1_000", " 12 ", "12\n", "1e2", "1E2", "+5", "-0", "-0.00", "NaN", "Infinity", "sNaN", "",
        "-", ".5", "5.", "007", "00", "1,000", "0x10", "1" * 39, "0." + "1" * 38, "٣", "1 000", "--1",
        "1.2.3", "1" * 1_000_000, "²",
    ],
)  # fmt: skip
def test_parse_plain_refuses_every_other_spelling(text: str) -> None:
    """Bad input, amounts: what Decimal() and plain serializers would accept."""
    with pytest.raises(money.NotPlain):
        money.parse_plain(text)


@hypothesis.settings(deadline=None)  # shared machines are slow at times
@given(st.text())
def test_parse_plain_returns_a_finite_number_or_raises(text: str) -> None:
    try:
        number = money.parse_plain(text)
    except money.NotPlain:
        return
    assert format(number, "f") == text


def test_fits_book_counts_twenty_digits_before_and_eighteen_after_the_point() -> None:
    assert money.fits_book(Decimal("9" * 20 + "." + "9" * 18))
    assert money.fits_book(Decimal("1." + "0" * 30))
    assert not money.fits_book(Decimal("0." + "0" * 18 + "1"))
    assert not money.fits_book(Decimal(10) ** 20)
    assert not money.fits_book(Decimal("NaN"))


def test_render_separates_thousands_and_hides_no_digit() -> None:
    assert money.render(Decimal("1250.5"), 2) == "1,250.50"
    assert money.render(Decimal("1250.500000000000000000"), 2) == "1,250.50"
    assert money.render(Decimal("1234567.12345678"), 2) == "1,234,567.12345678"
    assert money.render(Decimal("-1234567"), 0) == "-1,234,567"
    assert money.render(Decimal("0E-18"), 2) == "0.00"
    assert money.render(Decimal("0.020000000000000000"), 18) == "0.02000000"
    assert money.render(Decimal("0.020000000000000001"), 18) == "0.020000000000000001"
    assert money.render(Decimal("0E-18"), 18) == "0.00000000"
    assert (
        money.render(Decimal("12345678901234567890.123456789012345678"), 2)
        == "12,345,678,901,234,567,890.123456789012345678"
    )


@given(
    units=st.integers(-(10**38) + 1, 10**38 - 1), scale=st.integers(0, 18),
    exponent=st.sampled_from([0, 2, 3, 6, 8, 18]),
)  # fmt: skip
def test_render_writes_what_python_would_with_as_many_decimals(units: int, scale: int, exponent: int) -> None:
    amount = Decimal(units).scaleb(-scale, context=Context(prec=38))
    decimals = max(min(exponent, money.DECIMALS_SHOWN), money.decimals_used(amount))
    assert money.render(amount, exponent) == f"{amount:,.{decimals}f}"
    assert Decimal(money.render(amount, exponent).replace(",", "")) == amount


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
def test_render_refuses_what_is_no_amount(amount: str) -> None:
    with pytest.raises(money.AmountTooLarge):
        money.render(Decimal(amount), 2)


def test_is_within_takes_both_ends_exactly() -> None:
    def within(amount: str) -> bool:
        return money.is_within(
            Decimal(amount), expected=Decimal(100), below_percent=Decimal(50), above_percent=Decimal(20)
        )

    assert [within(amount) for amount in ("49.999999", "50", "120", "120.000001")] == [
        False,
        True,
        True,
        False,
    ]


def test_plain_keeps_every_digit_and_no_zero() -> None:
    texts = [money.plain(Decimal(text)) for text in ("1250.500", "100", "1E+3", "0.000000000000000001")]
    assert texts == ["1250.5", "100", "1000", "0.000000000000000001"]
    assert (
        money.plain(Decimal("12345678901234567890.123456789012345678"))
        == "12345678901234567890.123456789012345678"
    )


def test_convert_rounds_half_up_once() -> None:
    assert money.converted(Decimal("1234.56"), unit_price=Decimal("7.47"), exponent=2) == Decimal("165.27")
    assert money.converted(Decimal("1"), unit_price=Decimal("8"), exponent=2) == Decimal("0.13")
