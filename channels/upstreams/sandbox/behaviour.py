"""How an account of the sandbox behaves: well, or in one of the ways in which real upstreams do not."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from channels.upstreams.sandbox import wire

DELAY_SECONDS_MAX = 600

# Longer than any adapter waits.
TIMEOUT_DELAY_SECONDS = 20.0
SLOW_DELAY_SECONDS = 3.0


class Mode(enum.StrEnum):
    """Modes that spoil an answer hold for new orders; those that spoil a callback, when an order ends.

    In every mode an order asked for by reference is answered, so that what was left unknown can be found out:
    late in SLOW, and wrongly signed in BAD_SIGNATURE.
    """

    NORMAL = "normal"
    SLOW = "slow"
    ERROR_500_BUT_DONE = "error_500_but_done"
    TIMEOUT_BUT_DONE = "timeout_but_done"
    RESET_BUT_DONE = "reset_but_done"
    HTML_BUT_DONE = "html_but_done"
    HALF_ANSWER_BUT_DONE = "half_answer_but_done"
    LOST_CALLBACK = "lost_callback"
    DOUBLE_CALLBACK = "double_callback"
    REORDERED = "reordered"
    WRONG_AMOUNT = "wrong_amount"
    BAD_SIGNATURE = "bad_signature"
    REFUSE = "refuse"
    REFUSE_ACCOUNT = "refuse_account"


EXPLANATIONS: dict[Mode, str] = {
    Mode.NORMAL: "answers at once and tells the truth",
    Mode.SLOW: "answers after delay_seconds",
    Mode.ERROR_500_BUT_DONE: "makes the order, answers HTTP 500",
    Mode.TIMEOUT_BUT_DONE: "makes the order, hangs for delay_seconds, never answers",
    Mode.RESET_BUT_DONE: "makes the order, resets the connection",
    Mode.HTML_BUT_DONE: "makes the order, answers a page of HTML",
    Mode.HALF_ANSWER_BUT_DONE: "makes the order, answers half a JSON document",
    Mode.LOST_CALLBACK: "never sends the callback",
    Mode.DOUBLE_CALLBACK: "sends the callback twice at once",
    Mode.REORDERED: "order paid at once, callback sent before the answer to its creation",
    Mode.WRONG_AMOUNT: "the amount that moves is not the amount ordered",
    Mode.BAD_SIGNATURE: "signs answers and callbacks wrongly",
    Mode.REFUSE: "refuses every new order, signed",
    Mode.REFUSE_ACCOUNT: "refuses every new order: there is no such account",
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How one account is told to behave.

    Units: delays in seconds, None for the mode's or the process's own; display_amount_add × 100, added to
    what the payer is asked to send.
    """

    mode: Mode = Mode.NORMAL
    delay_seconds: float | None = None
    payout_delay_seconds: float | None = None
    display_amount_add: int = 0

    def seconds_to_wait(self) -> float:
        """Return how long an answer is held back."""
        if self.mode is Mode.SLOW:
            return SLOW_DELAY_SECONDS if self.delay_seconds is None else self.delay_seconds
        if self.mode is Mode.TIMEOUT_BUT_DONE:
            return TIMEOUT_DELAY_SECONDS if self.delay_seconds is None else self.delay_seconds
        return 0.0

    def fields(self) -> dict[str, object]:
        """Return the behaviour as the control API shows it."""
        return {
            "mode": self.mode.value,
            "delay_seconds": self.delay_seconds,
            "payout_delay_seconds": self.payout_delay_seconds,
            "display_amount_add": self.display_amount_add,
        }


def _seconds(fields: Mapping[str, object], name: str) -> float | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    try:
        # A form sends text, JSON a number; True is neither.
        seconds = (
            None if isinstance(value, bool) or not isinstance(value, str | int | float) else float(value)
        )
    except ValueError:
        seconds = None
    if seconds is None or not 0 <= seconds <= DELAY_SECONDS_MAX:
        raise wire.Unreadable(f"{name} must be seconds from 0 to {DELAY_SECONDS_MAX}")
    return seconds


def hundredths(fields: Mapping[str, object], name: str) -> int | None:
    """Return a field of the control API that is an amount × 100, as a number or as text; None where absent.

    Raises: wire.Unreadable.
    """
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 20:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**20:
        return value
    raise wire.Unreadable(f"{name} must be a whole number, the amount × 100")


def read(fields: Mapping[str, object]) -> Behaviour:
    """Return the behaviour that a body of POST /behaviour asks for; what it leaves out is as in normal.

    Raises: wire.Unreadable.
    """
    try:
        mode = Mode(str(fields.get("mode", Mode.NORMAL.value)))
    except ValueError:
        raise wire.Unreadable("mode must be one of " + ", ".join(mode.value for mode in Mode)) from None
    return Behaviour(
        mode=mode,
        delay_seconds=_seconds(fields, "delay_seconds"),
        payout_delay_seconds=_seconds(fields, "payout_delay_seconds"),
        display_amount_add=hundredths(fields, "display_amount_add") or 0,
    )


def wrong_amount(amount: Decimal) -> Decimal:
    """Return an amount near the ordered one that is not it.

    Units: major units.
    """
    return amount - 1 if amount > 1 else amount + 1
