"""One signature, one body: for APIs whose signature does not cover what is sent.

The first call with a credential and timestamp is taken together with a hash of what it says. The same again
is answered as the first one was; anything else under that signature is a replay.
Source: transaction-request-api.md, Authentication.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import crypto, errors, sql
from merchants.models import Credential, SignedCall

CONTEXT = "signed_call.answer"
FORGOTTEN_AT_ONCE_MAX = 10_000
_FORGET = """
    WITH old AS (
        SELECT id FROM merchants_signedcall WHERE created_at < %(before)s ORDER BY created_at LIMIT %(count)s
    )
    DELETE FROM merchants_signedcall USING old WHERE merchants_signedcall.id = old.id RETURNING 1
"""


class Replayed(errors.DomainError):
    """The signature came before, with another body."""

    code = "replayed"
    words = _("This timestamp and signature were used for another body. Sign each call anew.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A call that may go on; with an `answer` it was made before and that is what it gets."""

    credential_pk: int
    timestamp_ms: int
    answer_status: int | None = None
    answer: bytes = b""


def take(*, credential: Credential, timestamp_ms: int, path: str, body: bytes, now: datetime) -> Taken:
    """Take a call, or say how the same one was answered before.

    One that is still being answered goes on: the order number makes both the same order.
    Raises: Replayed.
    """
    digest = hashlib.sha256(path.encode() + b"\n" + body).digest()
    call = SignedCall(credential=credential, timestamp_ms=timestamp_ms, body_hash=digest, created_at=now)
    taken = Taken(credential_pk=credential.pk, timestamp_ms=timestamp_ms)
    if sql.insert_once(call, key=("credential_id", "timestamp_ms")):
        return taken
    first = SignedCall.objects.get(credential=credential, timestamp_ms=timestamp_ms)
    if bytes(first.body_hash) != digest:
        raise Replayed
    if first.answer_status is None or first.answer_encrypted is None:
        return taken
    return Taken(
        credential_pk=credential.pk,
        timestamp_ms=timestamp_ms,
        answer_status=first.answer_status,
        answer=crypto.decrypt(first.answer_encrypted, CONTEXT).encode(),
    )


def keep(*, taken: Taken, status: int, answer: bytes) -> None:
    """Keep the first answer, for the same call again; a later one changes nothing."""
    SignedCall.objects.filter(
        credential=taken.credential_pk, timestamp_ms=taken.timestamp_ms, answer_status__isnull=True
    ).update(answer_status=status, answer_encrypted=crypto.encrypt(answer.decode(), CONTEXT))


def forget(*, now: datetime) -> int:
    """Remove the calls whose timestamps are refused by now in any case; return how many were removed."""
    before = now - timedelta(seconds=2 * settings.REQUEST_TIME_SECONDS + 60)
    return len(sql.rows(_FORGET, {"before": before, "count": FORGOTTEN_AT_ONCE_MAX}))
