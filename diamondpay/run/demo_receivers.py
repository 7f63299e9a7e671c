"""The merchants' receivers of the demo's history: what they answer to notifications, without a network call.

Claiming, signing, judging the answer and what follows from it are `records.delivery`'s own; only the HTTP
exchange between them is rehearsed. Most say yes at once, some after a retry, a few never.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from diamondpay.run import demo_people
from diamondpay.run.demo_plan import NUMBER_DIGITS
from records import delivery, dialects
from records.models import Notification

WORKER = "demo"
CLAIMED_AT_ONCE = 16
ANSWERED_AFTER = timedelta(milliseconds=180)
_YES = (200, '{"error_code":"0000","error_msg":"ok"}')
_NOT_YET = (
    (503, "<html><body>503 Service Unavailable</body></html>"),
    (200, '{"error_code":"1003","error_msg":"order is being written, try again"}'),
    (500, "Internal Server Error"),
)


def deliver_due(*, now: datetime) -> list[datetime]:
    """Deliver what is due at this moment; return when what was not accepted is due again."""
    unheard: list[int] = []
    while True:
        sendings, _exhausted = delivery.claim(now=now, worker=WORKER, count=CLAIMED_AT_ONCE)
        results = [(sending, _answered(sending)) for sending in sendings]
        if results:
            delivery.record(results=results, now=now + ANSWERED_AFTER)
        unheard += [sending.notification_pk for sending, result in results if not result.is_success]
        if len(sendings) < delivery.IN_FLIGHT_MAX:
            break
    if not unheard:
        return []
    retrying = Notification.objects.filter(pk__in=unheard, due_at__isnull=False)
    return sorted(due_at for due_at in retrying.values_list("due_at", flat=True) if due_at is not None)


def _answered(sending: delivery.Sending) -> delivery.Result:
    """Answer as the receiver of this notification does; the mood is the notification's, for all attempts."""
    if sending.headers is None:
        return delivery.Result(
            is_success=False, reason="Not sent: the merchant has no live key to sign with."
        )
    facts = json.loads(sending.body)
    order_no: str = facts.get("payment_cl_id") or facts["payout_cl_id"]
    # By the order's place in the plan, so that the same merchants are unheard of on every machine.
    throw = demo_people.dice("shop", order_no[-NUMBER_DIGITS:])
    mood, duration_ms = throw.random(), throw.randrange(20, 900)
    failures = 9 if mood < 0.012 else 3 if mood < 0.03 else 1 if mood < 0.07 else 0
    if sending.number > failures:
        status, answer = _YES
    elif failures == 1 and mood < 0.05:
        return delivery.Result(is_success=False, reason="no answer within 15 seconds", duration_ms=15_000)
    else:
        status, answer = throw.choice(_NOT_YET)
    is_success, reason = dialects.get(sending.dialect).is_acknowledged(http_status=status, answer=answer)
    return delivery.Result(
        is_success=is_success, reason=reason, duration_ms=duration_ms, http_status=status, answer=answer
    )
