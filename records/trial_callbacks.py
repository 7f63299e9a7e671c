"""A test callback: one signed notification of no order, to see whether a merchant's receiver takes it.

It is written by the dialect like every notification, and can be mistaken for none: its numbers begin with
TEST, nothing was paid and the order is closed, so a receiver that takes it for a real one credits nobody; a
header says what it is. It goes where notifications may go and nowhere else. Nothing of it is kept but the
audit trail's line that it was sent, written before.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Currency
from diamondpay import audit
from diamondpay.identity import tries
from diamondpay.identity.tries import Counted, Rule
from diamondpay.lib import crypto, destinations, errors, http
from diamondpay.models import User
from merchants import credentials
from merchants.models import Credential, Merchant
from records import dialects
from records.models import Actor, Payment, PaymentStatus, SignType, Source

SECONDS_MAX = 15
MARK = "X-Test-Notification"
NUMBER_PREFIX = "TEST-CALLBACK-"
ANSWER_BYTES_MAX = 2048
_AMOUNT = Decimal(1)
_RULE = Rule(kind="callback_test", limit=5, window=timedelta(minutes=1), lock=timedelta(minutes=1))
# Each holds one thread of the web process for as long as the receiver takes.
_AT_ONCE_MAX = 4
_room = threading.BoundedSemaphore(_AT_ONCE_MAX)


class TooMany(errors.DomainError):
    """The merchant has sent as many as it may in a minute, or as many are on their way as there may be."""

    code = "too_many_test_callbacks"
    words = _("Five test callbacks a minute are enough. Wait a minute, then send the next one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What was sent, and what came back. `status` is None where there was no answer; `reason` says why."""

    url: str
    headers: dict[str, str]
    body: str
    is_acknowledged: bool
    reason: str
    status: int | None = None
    answer: str = ""
    duration_ms: int = 0


def apis_of(merchant: Merchant, *, now: datetime) -> list[str]:
    """Return the APIs in whose language the merchant can be told: those of its live keys."""
    return [
        api
        for api in Credential.Api.values
        if dialects.of_api(api) is not None and credentials.live(merchant.pk, api, now)
    ]


def send(
    *, merchant: Merchant, api: str, sign_type: str, url: str, user: User, address: str | None, now: datetime
) -> Trial:
    """Send one test notification and return what came back within 15 s. Not inside a transaction.

    The audit trail keeps the address without its query, which may hold what is nobody's business.

    Raises: TooMany; NoCredential; InvalidInput for an address to which nothing may be sent.
    """
    dialect = dialects.of_api(api)
    keys = credentials.live(merchant.pk, api, now)
    if dialect is None or not keys:
        raise credentials.NoCredential
    held = _secrets_of(keys)
    if sign_type == SignType.MD5 and not merchant.is_md5_allowed:
        raise errors.InvalidInput({"sign_type": _("MD5 is not switched on for this merchant.")})
    try:
        # By its form alone, before anything of it is stored or signed; whoever sends looks at every address.
        destinations.check_url(url, settings.NOTIFICATION_PRIVATE_NETWORKS, resolve_seconds=0)
    except destinations.AddressRefused as refusal:
        raise errors.InvalidInput({"url": refusal.reason}) from refusal
    with transaction.atomic():
        if tries.take(Counted(rule=_RULE, of=merchant.pk), now=now) > _RULE.limit:
            raise TooMany
        audit.write(
            action="merchant.test_callback", object_kind="merchant", object_id=merchant.pk, user=user,
            address=address, now=now, after={"url": url.partition("?")[0], "api": api},
        )  # fmt: skip
    payment = _payment(merchant, now=now, sign_type=sign_type)
    body = dialect.body(
        facts=dialect.payment_facts(payment), sign_type=sign_type, access_key=keys[0].public_id,
        secret=held[0], timestamp_ms=int(now.timestamp() * 1000),
    )  # fmt: skip
    made = dialect.headers(
        webhook_id=payment.payment_id, timestamp=int(now.timestamp()), body=body, url=url,
        secrets=held, access_key=keys[0].public_id,
    )  # fmt: skip
    return _sent(dialect, url=url, body=body, headers={**made, MARK: "1"})


def _secrets_of(keys: Sequence[Credential]) -> list[str]:
    """Return what signs. Raises: NoCredential where no configured key of ours opens one of them."""
    try:
        return [credentials.secret_of(key) for key in keys]
    except crypto.CannotDecrypt as fault:
        raise credentials.NoCredential from fault


def _payment(merchant: Merchant, *, now: datetime, sign_type: str) -> Payment:
    """Return a closed deposit that is stored nowhere and that nobody paid. No order has the number 0."""
    number = f"{NUMBER_PREFIX}{secrets.token_hex(4).upper()}"
    currency = Currency(code="CNY", exponent=2)
    return Payment(
        pk=0, payment_id=number, merchant_order_no=number, merchant=merchant, currency=currency,
        settlement_currency=currency, requested_amount=_AMOUNT, unit_price=Decimal(1), sign_type=sign_type,
        status=PaymentStatus.CLOSED, changed_by=Actor.OPERATOR, source=Source.BACK_OFFICE, is_test=True,
        party_name=_t("Test notification"), created_at=now, updated_at=now, completed_at=now, expires_at=now,
    )  # fmt: skip


def _sent(dialect: dialects.Dialect, *, url: str, body: bytes, headers: dict[str, str]) -> Trial:
    unanswered = Trial(url=url, headers=headers, body=body.decode(), is_acknowledged=False, reason="")
    if not _room.acquire(blocking=False):
        raise TooMany(_("Other test callbacks are on their way. Try again in some seconds."))
    try:
        answer = http.post(
            url, body, headers, settings.NOTIFICATION_PRIVATE_NETWORKS,
            timeout_seconds_total=SECONDS_MAX, answer_bytes_max=ANSWER_BYTES_MAX,
        )  # fmt: skip
    except destinations.AddressRefused as refusal:
        raise errors.InvalidInput({"url": refusal.reason}) from refusal
    except destinations.DeliveryFailed as failure:
        return replace(unanswered, reason=failure.reason)
    finally:
        _room.release()
    text = answer.body.decode("utf-8", "replace").replace("\x00", "\ufffd")
    is_acknowledged, reason = dialect.is_acknowledged(http_status=answer.status, answer=text)
    return replace(
        unanswered, is_acknowledged=is_acknowledged, reason=reason, status=answer.status, answer=text,
        duration_ms=answer.duration_ms,
    )  # fmt: skip
