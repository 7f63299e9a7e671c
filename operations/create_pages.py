"""Creating test orders: the form that explains its choices, a payout's review, and where success leads.

A deposit opens the payer's page in a new window and the order's page in this one; without scripts the order's
page carries the link. Source: seed 002, CreatePayment and CreatePayout.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import (
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from diamondpay import step_up
from diamondpay.lib import clock, errors, money, pages
from diamondpay.lib.admin import address_of
from diamondpay.models import User
from operations import create_desk, create_entry, create_tokens, create_words, placement
from operations.create_desk import Desk
from operations.create_entry import Entry
from operations.create_kinds import KINDS, PAYMENT, PAYOUT, Kind
from records import payer_links
from records.admin import parts
from records.models import Payment, PaymentStatus, Payout, PayoutStatus

# What an address may fill in: nothing of a person.
_ADDRESSABLE = ("merchant", "service", "channel", "amount")
Words = str | Promise | SafeString


def create_payment(request: HttpRequest) -> HttpResponseBase:
    """Show the form of a test deposit, or place it."""
    return _page(request, PAYMENT)


def create_payout(request: HttpRequest) -> HttpResponseBase:
    """Show the form of a test payout, its review, or place it."""
    return _page(request, PAYOUT)


def create_payment_like(request: HttpRequest, payment_id: str) -> HttpResponseBase:
    """Show the form filled in as a deposit was."""
    return _like(request, PAYMENT, payment_id)


def create_payout_like(request: HttpRequest, payout_id: str) -> HttpResponseBase:
    """Show the form filled in as a payout was."""
    return _like(request, PAYOUT, payout_id)


def _page(request: HttpRequest, kind: Kind) -> HttpResponseBase:
    user, now = _user(request), clock.now()
    if request.method in ("GET", "HEAD"):
        entry = create_entry.read({name: request.GET.get(name, "") for name in _ADDRESSABLE})
        return _form(request, create_desk.look(kind=kind, user=user, entry=entry), now=now)
    if request.method != "POST":
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    act = request.POST.get("act", "")
    if kind.is_payout and act in ("send", "back"):
        return _reviewed(request, kind, is_sent=act == "send", now=now)
    desk = create_desk.look(kind=kind, user=user, entry=create_entry.read(request.POST))
    try:
        order_no = create_tokens.order_no_of(request.POST.get("form", ""), kind=kind, user=user)
    except create_tokens.BadForm:
        words = _t("This form was not opened by you here. Nothing was placed; press the button again.")
        return _form(request, desk, complaints={"": words} if act else None, now=now)
    if act == "place" and not kind.is_payout:
        return _placed(request, desk, order_no=order_no, now=now)
    if act == "review" and kind.is_payout:
        return _review(request, desk, order_no=order_no, now=now)
    return _form(request, desk, order_no=order_no, now=now)


def _like(request: HttpRequest, kind: Kind, number: str) -> HttpResponseBase:
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    user = _user(request)
    order = create_entry.order_like(kind=kind, user=user, number=number)
    if order is None:
        words = _t("There is no order “%s” of this kind, or you may not see it.") % number[:64]
        messages.warning(request, words)
        return HttpResponseRedirect(kind.url)
    entry = create_entry.from_order(kind=kind, order=order)
    desk = create_desk.look(kind=kind, user=user, entry=entry)
    return _form(request, desk, title=_t("Reproduce %s") % entry.like, now=clock.now())


def _form(
    request: HttpRequest, desk: Desk, *, now: datetime, order_no: str = "",
    title: str = "", complaints: dict[str, Words] | None = None,
) -> TemplateResponse:  # fmt: skip
    """Show the form; a new order number where it has none yet or its number is used up."""
    order_no = order_no or create_tokens.new_order_no(now)
    context = {
        **_frame(desk.kind),
        **admin.site.each_context(request),
        **create_words.form(desk, complaints=complaints or {}),
        "title": title or desk.kind.title,
        "order_no": order_no,
        "form_token": create_tokens.signed(order_no=order_no, kind=desk.kind, user=desk.user),
    }
    status = 422 if complaints and not getattr(request, "htmx", False) else 200
    return TemplateResponse(request, "admin/operations/create_form.html", context, status=status)


def _placed(
    request: HttpRequest, desk: Desk, *, order_no: str, now: datetime, fee_expected: Decimal | None = None
) -> HttpResponseBase:
    """Place the order, once for one form; what is wrong comes back beside its field."""
    order: placement.NewPayment | placement.NewPayout | None = None
    try:
        order = create_desk.order_of(
            desk, order_no=order_no, address=address_of(request), fee_expected=fee_expected
        )
        if (elsewhere := _of_another_merchant(desk.kind, order)) is not None:
            return _used_up(request, desk, elsewhere, now=now)
        if isinstance(order, placement.NewPayment):
            return _done(request, desk.kind, placement.place_payment(order=order, now=now))
        return _done(request, desk.kind, placement.place_payout(order=order, now=now))
    except errors.DuplicateOrderNumber:
        return _repeated(request, desk, order, now=now)
    except errors.DomainError as refusal:
        complaints = create_desk.complaints_of(refusal)
        return _form(request, desk, order_no=order_no, complaints=complaints, now=now)


def _review(request: HttpRequest, desk: Desk, *, order_no: str, now: datetime) -> HttpResponseBase:
    """Show what a payout would do before anything is done."""
    try:
        order = create_desk.order_of(desk, order_no=order_no, address=address_of(request))
        terms = placement.terms_of(order)
    except errors.DomainError as refusal:
        complaints = create_desk.complaints_of(refusal)
        return _form(request, desk, order_no=order_no, complaints=complaints, now=now)
    reviewed = create_tokens.Reviewed(entry=desk.entry, order_no=order_no, fee=terms.worth.fee)
    context = {
        **_frame(desk.kind),
        **admin.site.each_context(request),
        **create_words.review(desk, order=order, worth=terms.worth),
        "title": desk.kind.title,
        "order_no": order_no,
        "sealed": create_tokens.sealed(reviewed, kind=desk.kind, user=desk.user),
    }
    return TemplateResponse(request, "admin/operations/create_review.html", context)


def _reviewed(request: HttpRequest, kind: Kind, *, is_sent: bool, now: datetime) -> HttpResponseBase:
    """Place the payout that was reviewed, or go back to its form."""
    user = _user(request)
    try:
        reviewed = create_tokens.reviewed_of(request.POST.get("sealed", ""), kind=kind, user=user)
    except create_tokens.BadForm:
        words = _t("What you confirmed was not reviewed by you here. Nothing was placed.")
        empty = create_desk.look(kind=kind, user=user, entry=Entry())
        return _form(request, empty, complaints={"": words}, now=now)
    desk = create_desk.look(kind=kind, user=user, entry=reviewed.entry)
    if not is_sent:
        return _form(request, desk, order_no=reviewed.order_no, now=now)
    proof_due = step_up.asked(request)
    return proof_due or _placed(request, desk, order_no=reviewed.order_no, fee_expected=reviewed.fee, now=now)


def _of_another_merchant(kind: Kind, order: placement.NewOrder) -> Payment | Payout | None:
    """Return what this form has placed for another merchant, where the same number is free again."""
    rows: Any = kind.model._default_manager
    found: Payment | Payout | None = (
        rows.filter(merchant_order_no__upper=order.merchant_order_no).exclude(merchant=order.merchant).first()
    )
    return found


def _repeated(
    request: HttpRequest, desk: Desk, order: placement.NewOrder | None, *, now: datetime
) -> HttpResponseBase:
    """Answer a form whose number has an order already: the same content is that order, pressed twice."""
    rows: Any = desk.kind.model._default_manager
    if order is None:
        raise ValueError("only an order that was placed can be a repeat")
    first = rows.get(merchant=order.merchant, merchant_order_no=order.merchant_order_no)
    if bytes(first.request_hash) == order.content_hash():
        return _done(request, desk.kind, first)
    return _used_up(request, desk, first, now=now)


def _used_up(request: HttpRequest, desk: Desk, first: Payment | Payout, *, now: datetime) -> HttpResponseBase:
    """Say what the form has placed; it comes back with a new number, so that pressing again is meant."""
    words = format_html(
        _t(
            "This form has already placed {link}, with other values. Press the button again to place another."
        ),
        link=parts.link(desk.kind.model, first.pk, desk.kind.number_of(first)),
    )
    return _form(request, desk, complaints={"": words}, now=now)


def _done(request: HttpRequest, kind: Kind, order: Payment | Payout) -> HttpResponseBase:
    """Lead to the order's page, and for a deposit to the payer's page in a new window."""
    payer_url = ""
    if isinstance(order, Payment) and order.status == PaymentStatus.IN_PROGRESS:
        payer_url = payer_links.payment_page(order)
    _tell(request, kind, order, payer_url)
    may_see = _user(request).has_perm(kind.view_permission)
    url = parts.page_url(kind.model, order.pk) if may_see else kind.url
    if not getattr(request, "htmx", False):
        return HttpResponseRedirect(url)
    answer = HttpResponseClientRedirect(url)
    return trigger_client_event(answer, "payer-page", {"url": payer_url}) if payer_url else answer


def _tell(request: HttpRequest, kind: Kind, order: Payment | Payout, payer_url: str) -> None:
    """Say what became of the order, with the ways on from there."""
    number, links = kind.number_of(order), SafeString("")
    if payer_url:
        links = format_html(
            ' <a href="{}" target="_blank" rel="noopener" class="payer-page">{}</a> ·', payer_url,
            _t("Open the payment page"),
        )  # fmt: skip
    links += format_html(
        ' <a href="{}">{}</a>', kind.like_url(order), _t("Create another with the same parameters")
    )
    amount = f"{money.render(order.requested_amount, order.currency.exponent)} {order.currency_id}"
    if order.status in (PaymentStatus.FAILED, PayoutStatus.FAILED):
        shape = _t("The upstream refused %(number)s at once: %(reason)s.")
        words = shape % {"number": number, "reason": order.error_message or _t("it gave no reason")}
        messages.error(request, format_html("{}{}", words, links))
        return
    shape = _t("The test deposit %(number)s of %(amount)s is placed.")
    if isinstance(order, Payout):
        amount = f"{money.render(order.debited_amount, order.currency.exponent)} {order.currency_id}"
        is_waiting = order.status == PayoutStatus.UNDER_REVIEW
        shape = (
            _t("%(amount)s are frozen, and the test payout %(number)s waits for its review.")
            if is_waiting
            else _t("%(amount)s are frozen, and the test payout %(number)s is sent.")
        )
    messages.success(request, format_html("{}{}", shape % {"number": number, "amount": amount}, links))


def _frame(kind: Kind) -> dict[str, Any]:
    return {"kind": kind, "page_url": kind.url}


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


for _kind in KINDS:
    _views = {PAYMENT: (create_payment, create_payment_like), PAYOUT: (create_payout, create_payout_like)}
    _view, _view_like = _views[_kind]
    pages.add_page(
        pages.Page(
            path=f"operations/create/{_kind.name}/", name=f"create_{_kind.name}", view=_view,
            permissions=_kind.permissions,
        )
    )  # fmt: skip
    pages.add_page(
        pages.Page(
            path=f"operations/create/{_kind.name}/like/<str:{_kind.name}_id>/",
            name=f"create_{_kind.name}_like", view=_view_like, permissions=_kind.permissions,
        )
    )  # fmt: skip
