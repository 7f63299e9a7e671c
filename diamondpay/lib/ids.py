"""Numbers from sequences and the ids rendered from them.

Widths are least widths: a sequence grows past its zero padding and nothing may rely on the length.
Source: gateway-api.md, 1. Conventions.
"""

from django.conf import settings

from diamondpay.lib import sql

SEQUENCES = frozenset(
    {
        "payment_number",
        "payout_number",
        "merchant_number",
        "merchant_channel_number",
        "organisation_number",
        "attempt_number",
    }
)


def next_number(sequence: str) -> int:
    """Take the next number of a sequence; a rolled back transaction leaves a gap, never a double.

    Raises: ValueError for a name that is not one of SEQUENCES.
    """
    if sequence not in SEQUENCES:
        raise ValueError(f"unknown sequence {sequence!r}")
    return int(sql.rows("SELECT nextval(%(sequence)s::regclass)", {"sequence": sequence})[0][0])


def render(prefix: str, number: int, width: int) -> str:
    """Return prefix and zero-padded number.

    Raises: ValueError for a number below one, which no sequence gives.
    """
    if number < 1:
        raise ValueError("number must be at least 1")
    return f"{prefix}{number:0{width}d}"


def payment_id(number: int) -> str:
    """Return `PM00000145`, behind the deployment's brand."""
    return render(f"{settings.ORDER_PREFIX}PM", number, 8)


def payout_id(number: int) -> str:
    """Return `POT00000001`, behind the deployment's brand."""
    return render(f"{settings.ORDER_PREFIX}POT", number, 8)


def merchant_id(number: int) -> str:
    """Return `PF0060`."""
    return render("PF", number, 4)


def merchant_channel_id(number: int) -> str:
    """Return `PFC00000142`."""
    return render("PFC", number, 8)
