"""Direct acts on a deposit: close it, ask its upstream, open the payer's page, show its QR code.

Who may do them and in which state stands here; the deeds themselves are in `operations.acts`.
Source: backoffice.md, Operations on an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.upstreams import registry
from diamondpay import audit
from diamondpay.lib import acts as offers
from diamondpay.lib import clock, crypto, pages, qr
from diamondpay.lib.admin import address_of
from diamondpay.models import User
from merchants import access
from operations import acts
from operations.act_pages import ActPage, Asked, Change, Done, Words, register
from records import payer_links, submission
from records.admin import parts, timeline
from records.models import Payment, PaymentStatus, UpstreamCall

OPEN_PAGE = "operations.open_payment_page"
_SAFE_SCHEMES = ("https://", "http://")
_NUMBER_LENGTH_MAX = 32
_RELATIONS = ("currency", "settlement_currency", "channel", "merchant", "service")


def _seen_by(user: User) -> QuerySet[Payment]:
    return access.visible_to(user, Payment.objects.select_related(*_RELATIONS))


def load(user: User, number: str, is_locked: bool) -> Payment | None:
    """Return a deposit that the person may see, by its platform number, locked where asked."""
    found = _seen_by(user)
    if is_locked:
        found = found.select_for_update(of=("self",))
    return found.filter(payment_id=number).first() if len(number) <= _NUMBER_LENGTH_MAX else None


def number_of(payment: Payment) -> str:
    """Return what stands for a deposit in the address of its acts."""
    return str(payment.payment_id)


def facts(asked: Asked) -> Sequence[tuple[Words, Any]]:
    """Return what a person should have before their eyes while they act on a deposit."""
    payment: Payment = asked.obj
    return (
        (_("requested amount"), parts.amount(payment.requested_amount, payment.currency)),
        (_("status"), payment.get_status_display()),
        (_("merchant"), f"{payment.merchant_id} {payment.merchant.name}"),
        (_("merchant order no."), payment.merchant_order_no),
        (_("service"), payment.service.name),
        (_("payer"), payment.party_name or parts.nothing()),
        (_("created"), parts.moment(payment.created_at)),
        (_("expires"), parts.moment(payment.expires_at)),
    )


def told(order: Any) -> Change:
    """Return the line that says whether the merchant hears of it."""
    where = order.notify_url or _t("nobody: there is no callback address")
    return Change(label=_("the merchant is told"), before=parts.nothing(), after=where)


# Close ----------------------------------------------------------------------------------------------------


def _not_open(asked: Asked) -> Words | None:
    if asked.obj.status == PaymentStatus.IN_PROGRESS:
        return None
    words: str = _t("This order is %s already; it cannot be closed.") % asked.obj.get_status_display()
    return words


def _closing(asked: Asked) -> list[Change]:
    payment: Payment = asked.obj
    return [
        Change(
            label=_("status"), before=payment.get_status_display(), after=PaymentStatus.CLOSED.label
        ),
        told(payment),
        Change(
            label=_("money that still comes"), before=_t("is credited"),
            after=_t("is credited as a late payment"),
        ),
    ]  # fmt: skip


def _close(asked: Asked) -> Done:
    payment = acts.close_payment(
        payment_id=asked.obj.payment_id, user=asked.user, reason=asked.reason, address=asked.address,
        now=asked.now,
    )  # fmt: skip
    return Done(message=_t("%s is closed.") % payment.payment_id)


# Ask the upstream -----------------------------------------------------------------------------------------


def _not_askable(asked: Asked) -> Words | None:
    if asked.obj.status == PaymentStatus.SUCCESS:
        return _t("This order is paid and credited; there is nothing left to ask.")
    if acts.was_just_requeried(payment_id=asked.obj.payment_id, now=asked.now):
        return acts.TooSoon.words
    return None


def _asking(asked: Asked) -> list[Change]:
    payment: Payment = asked.obj
    last = UpstreamCall.objects.filter(payment=payment).order_by("-created_at", "-id").first()
    answer = _t("not asked yet") if last is None else timeline.outcome_words(last.outcome)
    return [
        Change(
            label=_("the upstream's last answer"), before=answer, after=_t("what it says now"),
            is_binding=False,
        ),
        Change(
            label=_("status"), before=payment.get_status_display(),
            after=_t("%s, or what the upstream's answer makes of it") % payment.get_status_display(),
        ),
    ]  # fmt: skip


def _ask(asked: Asked) -> Done:
    payment = acts.announce_requery(
        payment_id=asked.obj.payment_id, user=asked.user, reason=asked.reason, address=asked.address,
        now=asked.now,
    )  # fmt: skip
    return Done(message=_t("The upstream is being asked."), after_commit=lambda: _answer(payment))


def _answer(payment: Payment) -> str:
    """Ask, with no transaction open, and say in words what came of it."""
    before = UpstreamCall.objects.filter(payment=payment).order_by("-id").values_list("id", flat=True).first()
    try:
        submission.query_payment(payment=payment)
    except (registry.UnknownUpstream, ValueError, crypto.CannotDecrypt):
        return _t("The upstream was not asked: the settings of channel %s are wrong.") % payment.channel_id
    payment.refresh_from_db()
    call = UpstreamCall.objects.filter(payment=payment, id__gt=before or 0).order_by("-id").first()
    status = payment.get_status_display()
    if call is None:
        return _t("The upstream was asked and gave no answer. The order is %s.") % status
    answer = {
        "answer": timeline.outcome_words(call.outcome),
        "status": status,
        "why": call.reason.rstrip("."),
    }
    if call.reason:
        return _t("The upstream answered: %(answer)s (%(why)s). The order is %(status)s.") % answer
    return _t("The upstream answered: %(answer)s. The order is %(status)s.") % answer


# The payer's page and QR code -----------------------------------------------------------------------------


def page_lives(payment: Payment, now: Any) -> bool:
    """Say whether the payer could still use the payment page."""
    ends = min(payment.expires_at, payer_links.lives_until(payment))
    return bool(payment.status == PaymentStatus.IN_PROGRESS and now < ends)


def _lives_now(_user: Any, obj: Any) -> bool:
    # For an offer this server's clock is good enough; the page reads the database's.
    return isinstance(obj, Payment) and page_lives(obj, timezone.now())


def _opened(request: HttpRequest, number: str, action: str) -> Payment | HttpResponseBase:
    """Return a deposit whose payment page lives, with the audit row of who looked; else where to go."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    user, now = request.user, clock.now()
    if not isinstance(user, User):
        raise PermissionDenied
    payment = load(user, number, is_locked=False)
    if payment is None:
        raise Http404
    if not page_lives(payment, now):
        messages.warning(request, _t("The payment page of %s is over; nobody can pay there now.") % number)
        return HttpResponseRedirect(parts.page_url(Payment, payment.pk))
    # Unlike our own pages it shows the receiving account in clear.
    audit.write(
        action=action, object_kind="payment", object_id=payment.payment_id, user=user, now=now,
        address=address_of(request),
    )  # fmt: skip
    return payment


def open_page(request: HttpRequest, number: str) -> HttpResponseBase:
    """Lead to the payer's page."""
    found = _opened(request, number, "payment.open_page")
    return HttpResponseRedirect(payer_links.payment_page(found)) if isinstance(found, Payment) else found


def show_qr(request: HttpRequest, number: str) -> HttpResponseBase:
    """Show the code that the payer scans, and one that leads to the payment page."""
    found = _opened(request, number, "payment.show_qr")
    if not isinstance(found, Payment):
        return found
    link = found.link if found.link.startswith(_SAFE_SCHEMES) else ""
    page = payer_links.payment_page(found)
    amount = parts.amount(
        found.requested_amount if found.display_amount is None else found.display_amount, found.currency
    )
    context = {
        **admin.site.each_context(request),
        "title": _t("QR code"),
        "payment": found,
        "back": parts.page_url(Payment, found.pk),
        "amount": amount,
        "pay_qr": qr.drawn(found.qr_text or link),
        "page_qr": qr.drawn(page),
        "page_url": page,
        "ends": min(found.expires_at, payer_links.lives_until(found)),
    }
    answer = TemplateResponse(request, "admin/operations/qr.html", context)
    answer["Cache-Control"] = "no-store, private"
    return answer


def _offer_page(*, name: str, label: Words, view: Any, opens_window: bool) -> None:
    pages.add_page(
        pages.Page(
            path=f"acts/{name}/<str:number>/", name=f"act_{name}", view=view, permissions=(OPEN_PAGE,),
            discloses="payment",
        )
    )  # fmt: skip
    offers.register(
        offers.Act(
            name=name, label=label, permission=OPEN_PAGE, is_offered=_lives_now, url_name=f"admin:act_{name}",
            key_of=number_of, opens_window=opens_window,
        )
    )  # fmt: skip


_offer_page(
    name="open_payment_page", label=_("View payment page"), view=open_page, opens_window=True
)  # fmt: skip
_offer_page(name="show_payment_qr", label=_("View QR code"), view=show_qr, opens_window=False)
register(
    ActPage(
        name="requery_payment", label=_("Ask the upstream"), permissions=(acts.REQUERY,),
        object_kind="payment",
        load=load, models=(Payment,), key_of=number_of, obstacle=_not_askable, before_after=_asking,
        execute=_ask,
        facts=facts, button=lambda asked: _t("Ask about %s now") % asked.obj.payment_id, is_single_step=True,
        note=_("The upstream is asked once, now. What it says of money is booked as a callback would be."),
    )
)  # fmt: skip
register(
    ActPage(
        name="close_payment", label=_("Close order"), permissions=(acts.CLOSE,), object_kind="payment",
        load=load, models=(Payment,), key_of=number_of, obstacle=_not_open, before_after=_closing,
        execute=_close,
        facts=facts,
        button=lambda asked: _t("Close the order of %(amount)s %(unit)s") % {
            "amount": parts.plain_amount(asked.obj.requested_amount, asked.obj.currency),
            "unit": asked.obj.currency_id,
        },
        is_single_step=True,
    )
)  # fmt: skip
