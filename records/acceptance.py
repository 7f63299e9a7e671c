"""What an upstream named when it accepted a deposit, written on the order together with the call.

One statement, because every deposit takes this road: it locks the order, looks whether a callback or another
submission came first, and fills in only what is still empty.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from channels.upstreams import base
from diamondpay.lib import sql, transactions
from records import parties
from records.models import Payment, UpstreamCall

FIRST_QUERY_SECONDS = 60
_ACCEPTED = """
    WITH call AS (
        INSERT INTO records_upstreamcall
            (payment_id, purpose, outcome, request, response, http_status, duration_ms, reason, created_at)
        VALUES (%(payment)s, %(purpose)s, %(outcome)s, %(request)s, %(response)s, %(http_status)s,
            %(duration_ms)s, %(reason)s, %(submitted_at)s)
    )
    UPDATE records_payment SET
        submitted_at = %(submitted_at)s,
        updated_at = %(submitted_at)s,
        link = %(link)s,
        qr_text = %(qr_text)s,
        display_amount = %(display_amount)s,
        receiver_encrypted = %(receiver_encrypted)s,
        channel_order_no = CASE channel_order_no WHEN '' THEN %(channel_order_no)s ELSE channel_order_no END,
        next_query_at = CASE WHEN next_query_at IS NOT NULL THEN %(next_query_at)s END
    WHERE id = %(payment)s AND submitted_at IS NULL
    RETURNING version, channel_order_no, next_query_at
"""


@transactions.statement_with_retries
def write(*, payment: Payment, submission: base.Submission, now: datetime) -> bool:
    """Keep the call and what the upstream named, on the row and on the object.

    Returns whether the order was accepted by this very call, and not by another one before it.

    Raises: IntegrityError of `payment_channel_order_no_once`; nothing is written then.
    Locks: the order's row.
    """
    exchange = submission.exchange
    named: dict[str, object] = {
        "submitted_at": now,
        "link": submission.link,
        "qr_text": submission.qr_text,
        "display_amount": submission.display_amount,
        "receiver_encrypted": parties.sealed_receiver(submission.receiver),
    }
    call: dict[str, object] = {
        "payment": payment.pk,
        "purpose": UpstreamCall.Purpose.SUBMIT.value,
        "outcome": submission.outcome.value,
        "request": exchange.request,
        "response": exchange.response,
        "http_status": exchange.http_status,
        "duration_ms": exchange.duration_ms,
        "reason": submission.reason[:500],
        "channel_order_no": submission.channel_order_no,
        "next_query_at": now + timedelta(seconds=FIRST_QUERY_SECONDS),
    }
    found = sql.rows(_ACCEPTED, named | call)
    if not found or found[0][0] != payment.version:
        # Somebody else changed the order since it was read.
        payment.refresh_from_db()
        return bool(found)
    _version, payment.channel_order_no, payment.next_query_at = found[0]
    payment.updated_at = now
    for name, value in named.items():
        setattr(payment, name, value)
    return True
