"""The payer's page: how much to send where, with what remark, until when, and what became of it.

Reached by an opaque link for 10 minutes (`records.payer_links`). Somebody who paid in the last of them still
sees that the money arrived: "paid" stays visible for an hour, without the account that was to be paid.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from channels.models import PaymentMethod
from channels.upstreams import base
from diamondpay.lib import clock, crypto, errors, money, qr
from merchants.api.gateway import chain_portal
from merchants.api.gateway.errors import SUCCESS, WORDS, answer, refusal
from records import chain_payments, parties, payer_links
from records.models import ChainPayment, Payment, PaymentStatus

PAID_VISIBLE_SECONDS = 3600
_SAFE_SCHEMES = ("https://", "http://")


class State(enum.StrEnum):
    """What the payer is told."""

    PREPARING = "preparing"
    WAITING = "waiting"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"


WORDS_BY_STATE: dict[State, tuple[str | Promise, str | Promise]] = {
    State.PREPARING: (
        _("Preparing your payment"),
        _("The account is being fetched. This page goes on by itself in a few seconds."),
    ),
    State.WAITING: (_("Waiting for your payment"), _("Send exactly this amount before the time is over.")),
    State.PAID: (_("Paid"), _("Your payment has arrived. You can close this page.")),
    State.FAILED: (
        _("This payment did not work"),
        _("Please do not send any money. Go back to the shop and start again."),
    ),
    State.EXPIRED: (
        _("The time is over"),
        _("Please do not send any money now. If you have paid already, your payment is still looked for."),
    ),
}


class LinkExpired(Exception):
    """The link's time is over, or it never was one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The deposit behind a link. `is_open` is False once only its end may be shown.

    `over_chain` is there where it is paid over a chain, which has states of its own.
    """

    payment: Payment
    state: State
    is_open: bool
    over_chain: ChainPayment | None = None


@require_safe
def payment_page(request: HttpRequest, opaque: str) -> HttpResponse:
    """Show the payment page, or a friendly page with 404 or 410 where there is nothing to show."""
    now = clock.now()
    try:
        found = _found(opaque, now)
    except crypto.BadToken:
        return _private(render(request, "portal/gone.html", {"is_unknown": True}, status=404))
    except LinkExpired:
        return _private(render(request, "portal/gone.html", {"is_unknown": False}, status=410))
    return _shown(request, found, opaque, now)


@require_POST
def payment_token(request: HttpRequest, opaque: str) -> HttpResponse:
    """Take the token that the payer picks, and lead back to the page; say why where it cannot be taken."""
    now = clock.now()
    try:
        found = _found(opaque, now)
    except crypto.BadToken:
        return _private(render(request, "portal/gone.html", {"is_unknown": True}, status=404))
    except LinkExpired:
        return _private(render(request, "portal/gone.html", {"is_unknown": False}, status=410))
    text = request.POST.get("token", "")
    if found.over_chain is None:
        return _private(render(request, "portal/gone.html", {"is_unknown": True}, status=404))
    picked = int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0
    try:
        chain_payments.pick_token(payment_pk=found.payment.pk, token_pk=picked, now=now)
    except errors.DomainError as fault:
        return _shown(request, _found(opaque, now), opaque, now, fault=fault.message)
    return _private(HttpResponseRedirect(reverse("portal-payment", kwargs={"opaque": opaque})))


def _shown(
    request: HttpRequest, found: Found, opaque: str, now: datetime, *, fault: str | Promise = ""
) -> HttpResponse:
    if found.over_chain is None:
        return _private(render(request, "portal/payment.html", _context(found, opaque, now)))
    shown = chain_portal.context(payment=found.payment, found=found.over_chain, now=now)
    page = {**shown, "opaque": opaque, "fault": fault}
    response = _private(render(request, "portal/chain.html", page, status=409 if fault else 200))
    # Its form must say where it comes from: without that, browsers name the origin "null" and it is refused.
    response["Referrer-Policy"] = "same-origin"
    return response


@require_safe
def payment_state(request: HttpRequest, opaque: str) -> HttpResponse:
    """Answer only the state, for the page that is open; an unknown or expired link is 0007."""
    now = clock.now()
    try:
        found = _found(opaque, now)
    except (crypto.BadToken, LinkExpired):
        return refusal("0007", WORDS["0007"])
    state = found.state.value
    if found.over_chain is not None:
        state = chain_portal.progress(found.payment, found.over_chain, now).step
    return answer({"error_code": SUCCESS, "data": {"state": state}})


def _found(opaque: str, now: datetime) -> Found:
    """Return the deposit behind a link. Raises: BadToken; LinkExpired."""
    link = payer_links.opened(opaque)
    payment = Payment.objects.select_related("currency", "bank").filter(pk=link.payment_pk).first()
    if payment is None:
        raise crypto.BadToken("no such order")
    state = _state(payment, now)
    if payment.payment_method == PaymentMethod.BLOCKCHAIN and now < link.expires_at:
        over_chain = chain_portal.found_for(payment)
        return Found(payment=payment, state=state, is_open=True, over_chain=over_chain)
    if now < link.expires_at:
        return Found(payment=payment, state=state, is_open=True)
    if state is State.PAID and now < link.expires_at + timedelta(seconds=PAID_VISIBLE_SECONDS):
        return Found(payment=payment, state=state, is_open=False)
    raise LinkExpired


def _state(payment: Payment, now: datetime) -> State:
    match payment.status:
        case PaymentStatus.SUCCESS:
            return State.PAID
        case PaymentStatus.FAILED:
            return State.FAILED
        case PaymentStatus.CLOSED:
            return State.EXPIRED
    if now >= payment.expires_at:
        return State.EXPIRED
    return State.WAITING if payment.submitted_at is not None else State.PREPARING


def _context(found: Found, opaque: str, now: datetime) -> dict[str, object]:
    payment, state = found.payment, found.state
    to_send = payment.requested_amount if payment.display_amount is None else payment.display_amount
    title, words = WORDS_BY_STATE[state]
    context: dict[str, object] = {
        "title": title,
        "words": words,
        "state": state.value,
        "opaque": opaque,
        "payment_id": payment.payment_id,
        "amount": money.render(_shown_amount(payment, state, to_send), payment.currency.exponent),
        "amount_plain": f"{to_send:.{max(payment.currency.exponent, money.decimals_used(to_send))}f}",
        "currency": payment.currency_id,
        "is_final": state in (State.PAID, State.FAILED, State.EXPIRED),
    }
    if found.is_open and state is State.WAITING:
        link = payment.link if payment.link.startswith(_SAFE_SCHEMES) else ""
        receiver = parties.receiver_of(payment)
        context |= {
            "receiver": receiver,
            "rows": _rows(receiver),
            "remark_code": payment.remark_code,
            "link": link,
            "qr": qr.drawn(payment.qr_text or link),
            "seconds_left": max(0, int((payment.expires_at - now).total_seconds())),
            "expires_at": payment.expires_at,
        }
    return context


def _shown_amount(payment: Payment, state: State, to_send: Decimal) -> Decimal:
    """Return what arrived once it has, before that what is to be sent."""
    actual_amount: Decimal | None = payment.actual_amount
    return actual_amount if state is State.PAID and actual_amount is not None else to_send


def _rows(receiver: base.Receiver | None) -> list[tuple[str | Promise, str, str]]:
    """Return label, value to copy and value to read, for what the upstream named."""
    if receiver is None:
        return []
    rows = [
        (_("Name"), receiver.card_name, receiver.card_name),
        (_("Account"), receiver.card_number, _in_fours(receiver.card_number)),
        (_("Bank"), receiver.bank_name or receiver.bank_code, receiver.bank_name or receiver.bank_code),
        (_("Branch"), receiver.bank_branch, receiver.bank_branch),
    ]
    return [row for row in rows if row[1]]


def _in_fours(number: str) -> str:
    """Return a card number as it is printed on cards; anything else as it is."""
    if not (number.isascii() and number.isdigit() and len(number) >= 12):
        return number
    return " ".join(number[start : start + 4] for start in range(0, len(number), 4))


def _private(response: HttpResponse) -> HttpResponse:
    """Keep the page out of caches and its link out of other sites' logs."""
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response
