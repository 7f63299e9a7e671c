"""An upstream in process that accepts every deposit at once: what remains is the product's own cost."""

from __future__ import annotations

from collections.abc import Mapping

from channels.upstreams import base

NAME = "instant"
_EXCHANGE = base.Exchange(
    request="POST /orders", response='{"accepted": true}', http_status=200, duration_ms=0
)
_RECEIVER = base.Receiver(
    card_name="Zhang San", card_number="6222020200012345678", bank_code="ICBC", bank_name="ICBC"
)


class InstantAdapter:
    """Accepts and names a receiving account; knows every order as pending; sends no callbacks."""

    setting_fields: tuple[base.SettingField, ...] = ()
    is_submit_idempotent = True

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Take the channel's settings, of which it needs none."""

    def submit_payment(self, request: base.PaymentRequest) -> base.Submission:
        """Accept at once."""
        return base.Submission(
            outcome=base.SubmissionOutcome.ACCEPTED,
            exchange=_EXCHANGE,
            channel_order_no=f"UP-{request.reference}",
            receiver=_RECEIVER,
        )

    def submit_payout(self, request: base.PayoutRequest) -> base.Submission:
        """Accept at once."""
        return base.Submission(
            outcome=base.SubmissionOutcome.ACCEPTED,
            exchange=_EXCHANGE,
            channel_order_no=f"UP-{request.reference}",
        )

    def query(self, *, direction: base.Direction, reference: str) -> base.Inquiry:
        """Say that nothing has happened yet."""
        return base.Inquiry(state=base.UpstreamState.PENDING, exchange=_EXCHANGE)

    def parse_callback(self, callback: base.RawCallback) -> base.CallbackMessage:
        """Refuse: this upstream sends none."""
        raise base.CallbackRefused("this upstream sends no callbacks")

    def answer_callback(self, *, is_accepted: bool) -> base.CallbackAnswer:
        """Answer in two letters."""
        return base.CallbackAnswer(200 if is_accepted else 400, "text/plain", "ok" if is_accepted else "no")
