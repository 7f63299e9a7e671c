"""Second factors: a code of an authenticator app, or one of ten codes on paper, each taken once."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import transaction
from django.db.models import Q

from diamondpay import audit
from diamondpay.identity import tries
from diamondpay.identity.tries import Counted, Rule
from diamondpay.lib import crypto, totp
from diamondpay.models import RecoveryCode, SecondFactor, User

RECOVERY_CODE_COUNT = 10
WRONG_CODES = Rule(kind="code", limit=10, window=timedelta(hours=24), lock=timedelta(minutes=30))
_SECRET = "diamondpay.second_factor"  # noqa: S105 - a context, no secret
_CODE = "diamondpay.recovery_code"
_CODE_BYTES = 10
_BEGUN = timedelta(minutes=10)
_GROUP = 4


class Verdict(StrEnum):
    """What a given code was."""

    APP = "app"
    RECOVERY = "recovery"
    WRONG = "wrong"
    LOCKED = "locked"


def is_set_up(user: User) -> bool:
    """Say whether a user has a second factor."""
    return SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).exists()


def is_required(user: User, *, of_everybody: bool) -> bool:
    """Say whether a user must have one: because everybody must, or for a role of theirs."""
    return of_everybody or user.groups.filter(rule__needs_second_factor=True).exists()


def begin(*, user: User, now: datetime) -> str:
    """Return the secret that the app is to be given: the one begun before, for ten minutes.

    Older ones are thrown away: whoever once looked at an open window must not know what is confirmed later.
    Raises: ValueError when the user has a confirmed one.
    """
    with transaction.atomic():
        secret = totp.new_secret()
        fresh = {"secret_encrypted": crypto.encrypt(secret, _context(user.pk)), "created_at": now}
        rows = SecondFactor.objects.select_for_update()
        factor, is_new = rows.get_or_create(user=user, defaults=fresh)
        if factor.confirmed_at is not None:
            raise ValueError("the user has a second factor")
        if not is_new and now - factor.created_at < _BEGUN:
            return _secret(factor)
        SecondFactor.objects.filter(pk=factor.pk).update(**fresh)
    return secret


def confirm(*, user: User, code: str, address: str | None, now: datetime) -> list[str] | None:
    """Take the first code of a new app; return the recovery codes, None when the code was wrong."""
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().filter(user=user, confirmed_at__isnull=True).first()
        step = None if factor is None else totp.matching_step(_secret(factor), tidy(code), now)
        if factor is None or step is None:
            return None
        SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=now, last_step=step)
        codes = _new_codes(user)
        audit.write(
            action="user.second_factor_set_up", object_kind="user", object_id=str(user.pk), user=user,
            address=address, now=now, before={"second_factor": False}, after={"second_factor": True},
        )  # fmt: skip
    return codes


def check(*, user: User, code: str, address: str | None, now: datetime) -> Verdict:
    """Say what a code is, and use it up; wrong ones are counted and lock.

    A code of the app is taken once: a step at or before the last one taken is wrong.
    """
    counted = Counted(rule=WRONG_CODES, of=str(user.pk), user_id=user.pk)
    if tries.take(counted, now=now) > WRONG_CODES.limit:
        return Verdict.LOCKED
    verdict = _check(user=user, given=tidy(code), address=address, now=now)
    if verdict is not Verdict.WRONG:
        tries.forget(counted)
    return verdict


def _check(*, user: User, given: str, address: str | None, now: datetime) -> Verdict:
    factor = SecondFactor.objects.filter(user=user, confirmed_at__isnull=False).first()
    if factor is None:
        return Verdict.WRONG
    step = totp.matching_step(_secret(factor), given, now)
    if step is not None:
        newer = SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(last_step=step)
        return Verdict.APP if newer == 1 else Verdict.WRONG
    with transaction.atomic():
        codes = RecoveryCode.objects.filter(user=user, code_hash=_hash(user.pk, given), used_at__isnull=True)
        if codes.update(used_at=now) != 1:
            return Verdict.WRONG
        left = codes_left(user)
        audit.write(
            action="user.recovery_code_used", object_kind="user", object_id=str(user.pk), user=user,
            address=address, now=now, before={"recovery_codes": left + 1}, after={"recovery_codes": left},
        )  # fmt: skip
    return Verdict.RECOVERY


def codes_left(user: User) -> int:
    """Return how many recovery codes are not used."""
    return RecoveryCode.objects.filter(user=user, used_at__isnull=True).count()


def renew_codes(*, user: User, address: str | None, now: datetime) -> list[str]:
    """Return ten new recovery codes; the old ones are worth nothing."""
    with transaction.atomic():
        before = codes_left(user)
        codes = _new_codes(user)
        audit.write(
            action="user.recovery_codes_renewed", object_kind="user", object_id=str(user.pk), user=user,
            address=address, now=now, before={"recovery_codes": before},
            after={"recovery_codes": RECOVERY_CODE_COUNT},
        )  # fmt: skip
    return codes


def remove(*, user: User, by: User, reason: str, address: str | None, now: datetime) -> bool:
    """Remove a user's second factor with its codes; False when there was none."""
    with transaction.atomic():
        removed, _by_model = SecondFactor.objects.filter(user=user).delete()
        RecoveryCode.objects.filter(user=user).delete()
        if not removed:
            return False
        audit.write(
            action="user.second_factor_removed", object_kind="user", object_id=str(user.pk), user=by,
            address=address, reason=reason, now=now, before={"second_factor": True},
            after={"second_factor": False},
        )  # fmt: skip
    return True


def tidy(code: str) -> str:
    """Return a code without what people put between its characters."""
    return "".join(character for character in code.upper() if character.isascii() and character.isalnum())


def users_with_one(user_ids: list[int]) -> set[int]:
    """Return those of the users who have a second factor."""
    rows = SecondFactor.objects.filter(Q(user_id__in=user_ids), confirmed_at__isnull=False)
    return set(rows.values_list("user_id", flat=True))


def _new_codes(user: User) -> list[str]:
    RecoveryCode.objects.filter(user=user).delete()
    codes = [
        base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode() for _number in range(RECOVERY_CODE_COUNT)
    ]
    RecoveryCode.objects.bulk_create(
        [RecoveryCode(user=user, code_hash=_hash(user.pk, code)) for code in codes]
    )
    return ["-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP)) for code in codes]


def _secret(factor: SecondFactor) -> str:
    return crypto.decrypt(factor.secret_encrypted, _context(factor.pk))


def _context(user_pk: int) -> str:
    # A row that is copied to another user does not open there.
    return f"{_SECRET}.{user_pk}"


def _hash(user_pk: int, code: str) -> bytes:
    return crypto.keyed_hash(code, f"{_CODE}.{user_pk}")
