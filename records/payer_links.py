"""The opaque link to a deposit's payment page: which deposit, and until when.

The merchant's API answers with it and the back office opens it; the page itself is in
`merchants.api.gateway.portal`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.urls import reverse

from channels.models import PaymentMethod
from diamondpay.lib import crypto
from records.models import Payment

LINK_SECONDS = 600
CHAIN_SECONDS_AFTER_END = 3600
_CONTEXT = "portal.payment"
_SHAPE = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedLink:
    """What a link leads to."""

    payment_pk: int
    expires_at: datetime


def lives_until(payment: Payment, *, seconds: int | None = None) -> datetime:
    """Return the moment from which the link of a deposit leads nowhere any more.

    A chain takes its time: the page of an order over one lives for an hour after the order's own.
    """
    if seconds is None and payment.payment_method == PaymentMethod.BLOCKCHAIN:
        return payment.expires_at + timedelta(seconds=CHAIN_SECONDS_AFTER_END)
    ends: datetime = payment.created_at + timedelta(seconds=LINK_SECONDS if seconds is None else seconds)
    return ends


def payment_page(payment: Payment, *, seconds: int | None = None) -> str:
    """Return the whole address of a deposit's payment page, good for 10 minutes (or `seconds`) from its
    creation, and longer for an order over a chain.

    The same for every repeat of the call that made the deposit.
    """
    expires_at = int(lives_until(payment, seconds=seconds).timestamp())
    token = crypto.seal_token(_SHAPE.pack(payment.pk, expires_at), _CONTEXT)
    return f"{settings.PUBLIC_URL}{reverse('portal-payment', kwargs={'opaque': token})}"


def opened(opaque: str) -> OpenedLink:
    """Return what an opaque token says, also when its time is over.

    Raises: crypto.BadToken.
    """
    payload = crypto.open_token(opaque, _CONTEXT)
    if len(payload) != _SHAPE.size:
        raise crypto.BadToken("not a token of this kind")
    payment_pk, seconds = _SHAPE.unpack(payload)
    return OpenedLink(payment_pk=payment_pk, expires_at=datetime.fromtimestamp(seconds, UTC))
