"""Keys that were ended and are still used: the audit trail says so, because somebody forgot them or has them.

Asked only after a call was refused; the answer to the caller is the same as for any wrong key.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from diamondpay.identity import refusals
from merchants import credentials
from merchants.models import Credential

# Older keys prove no more than that somebody keeps old things.
_LOOKED_BACK = timedelta(days=90)
_COUNT_MAX = 3


def note_token(token: str, *, address: str | None, now: datetime) -> bool:
    """Note a refused call with the token of an ended credential; say whether it was one."""
    if len(token) != credentials.TOKEN_LENGTH or not token.isascii():
        return False
    found = Credential.objects.filter(token_hash=credentials.hash_of(token), ends_at__lte=now).first()
    return found is not None and _note(found, address=address, now=now)


def note_signature(
    *, merchant_id: str, api: str, is_signer: Callable[[str], bool], address: str | None, now: datetime
) -> bool:
    """Note a refused call that an ended credential signed; say whether it was one.

    `is_signer` says whether a secret made the signature.
    """
    ended = Credential.objects.filter(
        merchant_id=merchant_id, api=api, ends_at__lte=now, ends_at__gt=now - _LOOKED_BACK
    )
    for credential in ended.order_by("-ends_at")[:_COUNT_MAX]:
        if is_signer(credentials.secret_of(credential)):
            return _note(credential, address=address, now=now)
    return False


def _note(credential: Credential, *, address: str | None, now: datetime) -> bool:
    return refusals.write(
        action="credential.revoked_use", object_kind="credential", object_id=str(credential.pk), now=now,
        actor=credential.merchant_id, address=address, after={"api": credential.api, "key": str(credential)},
    )  # fmt: skip
