"""Telling a merchant of a deposit because the merchant asks, whatever was told before.

Source: payment-detail-api.md, GET /payment/notify.
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors, sql, wake
from records import dialects
from records.models import Notification, Payment

# One in so many seconds for each order.
WINDOW_SECONDS = 30


class ToldJustNow(errors.DomainError):
    """The order was told on request within this window. Units: `retry_after` in seconds."""

    code = "told_just_now"
    words = _("This order was told just now. Ask again in a moment.")

    def __init__(self, retry_after: int) -> None:
        super().__init__()
        self.retry_after = retry_after


def tell_now(*, payment: Payment, now: datetime) -> Notification:
    """Leave one more notification of a deposit as it is now, due at once, in the order's own language.

    Raises: InvalidInput when nobody is to be told; ToldJustNow.
    """
    if not payment.notify_url:
        raise errors.InvalidInput({"outTradeNo": _("the order was made without an address to notify")})
    seconds = int(now.timestamp())
    window, passed = divmod(seconds, WINDOW_SECONDS)
    notification = Notification(
        # The window is part of the id, which is unique: two at once cannot both be the first.
        webhook_id=f"{payment.payment_id}-{payment.version}-{window:x}",
        merchant_id=payment.merchant_id,
        payment=payment,
        order_no=payment.payment_id,
        order_version=payment.version,
        order_status=payment.status,
        dialect=payment.dialect,
        sign_type=payment.sign_type,
        url=payment.notify_url,
        facts=dialects.get(payment.dialect).payment_facts(payment),
        attempt_count_max=1 + len(settings.NOTIFICATION_RETRY_SECONDS),
        due_at=now,
        created_at=now,
        asked_at=now,
    )
    if not sql.insert_once(notification, key=("webhook_id",)):
        raise ToldJustNow(WINDOW_SECONDS - passed)
    wake.after_commit("notifications")
    return notification
