"""The secrets with which merchants prove who they are: made, rotated with an overlap, ended, looked up.

A secret is told once, by `create` or `rotate`; afterwards only its last characters are shown. The signing
secret is kept encrypted because signatures must be computed with it, the token only as a keyed hash.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F, Q
from django.db.models.functions import Least
from django.utils.translation import gettext_lazy as _

from diamondpay import audit
from diamondpay.lib import addresses, crypto, errors, sql, transactions
from diamondpay.models import User
from merchants.models import Credential, Merchant

SECRET_CONTEXT = "credential.secret"  # noqa: S105 - the name of a column
TOKEN_CONTEXT = "credential.token"  # noqa: S105 - the name of a column
KEY_LENGTH = 24
TOKEN_LENGTH = 40
PUBLIC_ID_LENGTH = 24
PUBLIC_ID_LENGTH_MAX = 64
OVERLAP_SECONDS = 24 * 3600
OVERLAP_SECONDS_MAX = 30 * 24 * 3600
ALL_SCOPES = tuple(Credential.Scope)
_OPENED = "_opened_secret"
_USE_NOTED_EVERY = timedelta(minutes=1)

_CREDENTIAL = sql.Columns(Credential, table="credential", at=2)
_MERCHANT = sql.Columns(Merchant, table="merchant", at=_CREDENTIAL.end)
# Who only asks for something is read without the terms on which orders are placed: each column costs.
_ASKING_CREDENTIAL = sql.Columns(
    Credential, table="credential", at=2,
    left_out=["token_hash", "secret_tail", "created_at", "ends_at"],
)  # fmt: skip
_ASKING_MERCHANT = sql.Columns(
    Merchant, table="merchant", at=_ASKING_CREDENTIAL.end,
    left_out=[
        "name", "notify_url", "debug_mode", "debug_ends_at", "payout_audit", "payout_audit_amount",
        "usdt_collection", "is_repeat_refused", "created_at",
    ],
)  # fmt: skip
# One row at least, for the clock; one for each live credential.
_CALLER = """
    SELECT clock.now,
        ARRAY(SELECT network FROM merchants_allowedaddress WHERE merchant_id = merchant.id),
        {columns}
    FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS clock
"""
_CALLER_BY_ID = (
    _CALLER
    + """
    LEFT JOIN merchants_merchant AS merchant ON merchant.id = %(merchant)s
    LEFT JOIN merchants_credential AS credential ON credential.merchant_id = merchant.id
        AND credential.api = %(api)s AND (credential.ends_at IS NULL OR credential.ends_at > clock.now)
    ORDER BY credential.created_at DESC, credential.id DESC
"""
)
_CALLER_BY_TOKEN = (
    _CALLER
    + """
    LEFT JOIN merchants_credential AS credential ON credential.token_hash = %(token_hash)s
        AND (credential.ends_at IS NULL OR credential.ends_at > clock.now)
    LEFT JOIN merchants_merchant AS merchant ON merchant.id = credential.merchant_id
"""
)
_CALLER_BY_KEY = (
    _CALLER
    + """
    LEFT JOIN merchants_credential AS credential ON credential.public_id = %(key)s
        AND credential.api = %(api)s AND (credential.ends_at IS NULL OR credential.ends_at > clock.now)
    LEFT JOIN merchants_merchant AS merchant ON merchant.id = credential.merchant_id
"""
)


class NoCredential(errors.DomainError):
    """The merchant has no live credential for the API."""

    code = "no_credential"
    words = _("The merchant has no live key for this API.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new credential with its secrets in clear, which nobody can read again.

    `authorization` is empty for the APIs that send no token; their key id is `credential.public_id`.
    """

    platform_key: str
    authorization: str
    credential: Credential

    def __repr__(self) -> str:
        return f"Created({self.credential.public_id!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whoever calls, as the database knew it at one moment.

    `credentials` are the live ones, the newest first; `networks` the list of whence the merchant may call.
    `beside` are the columns of what was read beside, all of them None where it found nothing.
    """

    now: datetime
    merchant: Merchant | None
    credentials: tuple[Credential, ...]
    networks: tuple[str, ...]
    beside: sql.Row = ()

    def may_call_from(self, address: str | None) -> bool:
        """Say whether the merchant may call from the address; with nothing on its list, from anywhere."""
        return not self.networks or addresses.in_networks(address, self.networks)


@transactions.atomic_with_retries
def create(
    *,
    merchant: Merchant,
    api: str,
    now: datetime,
    user: User | None = None,
    actor: str = "",
    address: str | None = None,
    reason: str = "",
    scopes: Collection[str] = ALL_SCOPES,
) -> Created:
    """Make one more credential; those that live go on living. `scopes` are what it may do.

    Raises: InvalidInput for no scope, or one that there is none of.
    """
    _check_scopes(scopes)
    key = crypto.random_key(KEY_LENGTH)
    token = crypto.random_key(TOKEN_LENGTH) if api == Credential.Api.GATEWAY else ""
    credential = Credential.objects.create(
        merchant=merchant,
        api=api,
        public_id=crypto.random_key(PUBLIC_ID_LENGTH),
        secret_encrypted=crypto.encrypt(key, SECRET_CONTEXT),
        token_hash=hash_of(token) if token else None,
        secret_tail=key[-4:],
        created_at=now,
        may_read=Credential.Scope.READ in scopes,
        may_deposit=Credential.Scope.DEPOSIT in scopes,
        may_payout=Credential.Scope.PAYOUT in scopes,
    )
    audit.write(
        action="credential.create",
        object_kind="credential",
        object_id=str(credential.pk),
        now=now,
        user=user,
        actor=actor,
        address=address,
        after=_told(credential),
        reason=reason,
    )
    return Created(platform_key=key, authorization=token, credential=credential)


@transactions.atomic_with_retries
def rotate(
    *,
    merchant: Merchant,
    api: str,
    now: datetime,
    overlap_seconds: int = OVERLAP_SECONDS,
    user: User | None = None,
    actor: str = "",
    address: str | None = None,
    reason: str = "",
    scopes: Collection[str] = (),
    only: Credential | None = None,
) -> Created:
    """Make a new credential and let those that live end after the overlap; one that ends sooner still does.

    Without `scopes` the new one may do what those that end may do. `only` is the one that is replaced, where
    the others go on living.
    Units: overlap in seconds; 0 ends the old ones at once.
    Raises: InvalidInput for an overlap below 0 or above 30 days, or a scope that there is none of;
    NoCredential when `only` has ended.
    Locks: the merchant's row, so that two rotations at once do not leave each other's key without an end.
    """
    if not 0 <= overlap_seconds <= OVERLAP_SECONDS_MAX:
        raise errors.InvalidInput({"overlap_seconds": _("Give 0 to 2,592,000 seconds (30 days).")})
    Merchant.objects.select_for_update().get(pk=merchant.pk)
    ends_at = now + timedelta(seconds=overlap_seconds)
    replaced = [old for old in live(merchant.pk, api, now) if only is None or old.pk == only.pk]
    if only is not None and not replaced:
        raise NoCredential
    for old in replaced:
        before = _told(old)
        old.ends_at = ends_at if old.ends_at is None else min(old.ends_at, ends_at)
        old.save(update_fields=["ends_at"])
        audit.write(
            action="credential.rotate",
            object_kind="credential",
            object_id=str(old.pk),
            now=now,
            user=user,
            actor=actor,
            address=address,
            before=before,
            after=_told(old),
            reason=reason,
        )
    return create(
        merchant=merchant, api=api, now=now, scopes=scopes or _scopes_of(replaced),
        user=user, actor=actor, address=address, reason=reason,
    )  # fmt: skip


def _scopes_of(replaced: Iterable[Credential]) -> tuple[str, ...]:
    """Return what the keys may do together: whoever replaces them can do no less and no more."""
    held = {scope for old in replaced for scope in old.scopes}
    return tuple(scope for scope in ALL_SCOPES if scope in held) or ALL_SCOPES


def _check_scopes(scopes: Collection[str]) -> None:
    if not scopes or not set(scopes) <= set(Credential.Scope.values):
        words = _("Give one or more of: %(names)s.") % {"names": ", ".join(Credential.Scope.values)}
        raise errors.InvalidInput({"scopes": words})


@transactions.atomic_with_retries
def end(
    credential: Credential,
    now: datetime,
    *,
    user: User | None = None,
    actor: str = "",
    address: str | None = None,
    reason: str = "",
) -> None:
    """End a credential at once; one that has ended stays as it is."""
    before = _told(credential)
    ended = (
        Credential.objects.filter(pk=credential.pk)
        .filter(_live_at(now))
        # Least ignores an empty end.
        .update(ends_at=Least(F("ends_at"), now))
    )
    credential.refresh_from_db(fields=["ends_at"])
    if not ended:
        return
    audit.write(
        action="credential.end",
        object_kind="credential",
        object_id=str(credential.pk),
        now=now,
        user=user,
        actor=actor,
        address=address,
        before=before,
        after=_told(credential),
        reason=reason,
    )


def live(merchant_id: str, api: str, now: datetime) -> list[Credential]:
    """Return the merchant's credentials that have not ended, newest first."""
    return list(
        Credential.objects.filter(merchant_id=merchant_id, api=api)
        .filter(_live_at(now))
        .order_by("-created_at", "-id")
    )


def secret_of(credential: Credential) -> str:
    """Return the signing secret, which is opened once for each time that a credential is read.

    Raises: crypto.CannotDecrypt when no configured key made it.
    """
    sealed = credential.secret_encrypted
    opened: tuple[bytes | memoryview, str] | None = getattr(credential, _OPENED, None)
    if opened is None or opened[0] is not sealed:
        opened = sealed, crypto.decrypt(sealed, SECRET_CONTEXT)
        setattr(credential, _OPENED, opened)
    return opened[1]


def signing_secret(*, merchant_id: str, api: str, now: datetime) -> str:
    """Return the secret of the newest live credential, with which we sign what we send.

    Raises: NoCredential.
    """
    found = live(merchant_id, api, now)
    if not found:
        raise NoCredential
    return secret_of(found[0])


def by_token(token: str, now: datetime) -> Credential | None:
    """Return the live credential whose token this is, with its merchant; None for any other text."""
    return next(iter(caller_by_token(token, now=now).credentials), None)


def caller_by_token(token: str, *, now: datetime | None = None, beside: sql.Beside | None = None) -> Caller:
    """Return who sends a token, in one statement; nobody for any text that is not a live token.

    Without `now` the moment is the database's, read in the same statement. What is read `beside` may refer
    to `merchant`, whose token it is; whoever asks must not tell it before the caller is let in.
    """
    is_one = len(token) == TOKEN_LENGTH and token.isascii()
    token_hash = hash_of(token) if is_one else b""
    return _caller(_CALLER_BY_TOKEN, {"token_hash": token_hash, "now": now}, beside)


def caller_by_id(merchant_id: str, *, api: str, now: datetime | None = None) -> Caller:
    """Return the merchant of this id with its live credentials, in one statement; nobody for any other text.

    Without `now` the moment is the database's, read in the same statement.
    """
    return _caller(_CALLER_BY_ID, {"merchant": merchant_id, "api": api, "now": now})


def caller_by_key(
    public_id: str, *, api: str, now: datetime | None = None, beside: sql.Beside | None = None
) -> Caller:
    """Return who calls with a key id, in one statement; nobody for any text that is no live key of the API.

    Without `now` the moment is the database's, read in the same statement. What is read `beside` may refer
    to `merchant`, whose key it is; whoever asks must not tell it before the caller is let in.
    """
    is_one = len(public_id) <= PUBLIC_ID_LENGTH_MAX and public_id.isascii() and "\x00" not in public_id
    return _caller(_CALLER_BY_KEY, {"key": public_id if is_one else "", "api": api, "now": now}, beside)


@functools.lru_cache(maxsize=64)
def _text(statement: str, columns: str = "", joins: str = "") -> str:
    """Return the statement of a caller, and of what is read beside; the same text each time."""
    if not columns:
        return statement.format(columns=f"{_CREDENTIAL}, {_MERCHANT}")
    return statement.format(columns=f"{_ASKING_CREDENTIAL}, {_ASKING_MERCHANT}, {columns}") + joins


def _caller(statement: str, parameters: dict[str, object], beside: sql.Beside | None = None) -> Caller:
    credentials, merchants = _CREDENTIAL, _MERCHANT
    if beside is None:
        found = sql.rows(_text(statement), parameters)
    else:
        credentials, merchants = _ASKING_CREDENTIAL, _ASKING_MERCHANT
        text = _text(statement, beside.columns, beside.joins)
        found = sql.rows(text, {**beside.parameters, **parameters})
    now, networks = found[0][:2]
    merchant = merchants.read(found[0])
    live_ones = [credential for row in found if (credential := credentials.read(row)) is not None]
    if merchant is not None:
        for credential in live_ones:
            credential.merchant = merchant
    return Caller(
        now=now, merchant=merchant, credentials=tuple(live_ones), networks=tuple(networks),
        beside=found[0][merchants.end :],
    )  # fmt: skip


def note_use(credential: Credential, now: datetime) -> None:
    """Remember when the credential was last used, to the minute: a write per call would be wasted."""
    last = credential.last_used_at
    if last is not None and now - last < _USE_NOTED_EVERY:
        return
    Credential.objects.filter(pk=credential.pk).filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - _USE_NOTED_EVERY)
    ).update(last_used_at=now)
    credential.last_used_at = now


def _live_at(now: datetime) -> Q:
    return Q(ends_at__isnull=True) | Q(ends_at__gt=now)


def hash_of(token: str) -> bytes:
    """Return what a token is found by; the token itself is stored nowhere."""
    # keyed_hash folds case, as card numbers need it; of a hex digest that loses nothing.
    return crypto.keyed_hash(hashlib.sha256(token.encode()).hexdigest(), TOKEN_CONTEXT)


def _told(credential: Credential) -> dict[str, object]:
    """What the audit trail may know of a credential."""
    return {
        "merchant": credential.merchant_id,
        "api": credential.api,
        "key_id": credential.public_id,
        "secret_ends_with": credential.secret_tail,
        "scopes": [str(scope) for scope in credential.scopes],
        "ends_at": credential.ends_at.isoformat() if credential.ends_at else "",
    }
