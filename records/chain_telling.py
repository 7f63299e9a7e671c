"""Telling merchants how an open order over a chain goes on: seen, partly paid, or seen no more.

After what is confirmed was booked, so that an order which is paid is told of as paid, once. Only changes are
told, and of several that nobody was told yet the last one alone. What is due stands in the rows: `detail` is
what is, `told` what the merchant heard last.

Source: payment-detail-api.md, paymentStatus and Callbacks.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.db.models import F

from channels.models import Channel
from diamondpay.lib import transactions
from records import chain_transfers, notifications, payments
from records.models import ChainPayment, Notification, PaymentStatus

logger = logging.getLogger(__name__)


def tell_due(*, channel: Channel, now: datetime) -> None:
    """Leave the notifications that are due of a channel's open orders, each in a transaction of its own."""
    due = ChainPayment.objects.filter(channel=channel, is_open=True).exclude(told=F("detail"))
    for payment_pk in list(due.order_by("pk").values_list("pk", flat=True)):
        try:
            tell(payment_pk=payment_pk, now=now)
        except Exception:
            logger.exception("The merchant is not told yet how deposit %s goes on.", payment_pk)


@transactions.atomic_with_retries
def tell(*, payment_pk: int, now: datetime) -> Notification | None:
    """Leave a notification of what an order waits for now, unless it was told; None where nothing is.

    Locks: the order.
    """
    payment = payments.locked(payment_pk)
    found = ChainPayment.objects.select_related("token").get(pk=payment_pk)
    if payment.status != PaymentStatus.IN_PROGRESS or found.told == found.detail:
        return None
    if found.detail == ChainPayment.Detail.PARTIAL and not chain_transfers.waits_for_more(payment, found):
        # What is confirmed could not be booked yet; what becomes of it is told then.
        return None
    ChainPayment.objects.filter(pk=payment_pk).update(told=found.detail)
    return notifications.enqueue_progress(payment=payment, now=now)
