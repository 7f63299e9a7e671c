"""Direct acts on messages: tell a merchant again, of one order or of all that failed; close a case.

Nothing is sent here: notifications become due, and the worker sends them (`records.delivery`).
Source: backoffice.md, Operations on an order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from diamondpay.lib import acts as offers
from diamondpay.lib import errors, pages
from diamondpay.models import User
from merchants import access
from merchants.models import Merchant
from operations.act_pages import ActForm, ActPage, Asked, Change, Done, Words, register
from records import cases, notifications, resending
from records.admin import life, parts
from records.models import Case, Notification, Payment, PaymentStatus, Payout, PayoutStatus

RESEND = "operations.resend_notification"
RESEND_FAILED = "operations.resend_failed_notifications"
CLOSE_CASE = "records.change_case"
_KEY_LENGTH_MAX = 18
_OPEN = {Payment: (PaymentStatus.IN_PROGRESS,), Payout: (PayoutStatus.IN_PROGRESS, PayoutStatus.UNDER_REVIEW)}
_MOMENT = "%Y-%m-%dT%H:%M"
_MERCHANTS_SHOWN_MAX = 200


def _by_key(rows: QuerySet[Any], key: str, is_locked: bool) -> Any | None:
    if not (key.isascii() and key.isdigit() and len(key) <= _KEY_LENGTH_MAX):
        return None
    return (rows.select_for_update(of=("self",)) if is_locked else rows).filter(pk=int(key)).first()


# One notification -----------------------------------------------------------------------------------------


def _notification(user: User, key: str, is_locked: bool) -> Notification | None:
    rows = Notification.objects.select_related("merchant", "payment", "payout")
    return _by_key(access.visible_to(user, rows), key, is_locked)


def _not_resendable(asked: Asked) -> Words | None:
    leased_until = asked.obj.leased_until
    if leased_until is not None and leased_until > asked.now:
        return _t("It is being sent at this moment. Wait for the result.")
    return None


def _resending(asked: Asked) -> list[Change]:
    row: Notification = asked.obj
    most = max(row.attempt_count_max, row.attempt_count) + 1
    return [
        Change(
            label=_("status"), before=row.get_state_display(), after=Notification.State.RETRYING.label
        ),
        Change(label=_("next attempt"), before=parts.moment(row.due_at), after=_t("at once")),
        Change(
            label=_("attempts at most"), before=_t("%(most)d, %(count)d made") % {
                "most": row.attempt_count_max, "count": row.attempt_count,
            },
            after=str(most),
        ),
    ]  # fmt: skip


def _resend(asked: Asked) -> Done:
    row = notifications.resend(
        notification=asked.obj, user=asked.user, reason=asked.reason, address=asked.address, now=asked.now
    )
    return Done(message=_t("The notification of %s is sent again.") % row.order_no)


def _notification_facts(asked: Asked) -> Sequence[tuple[Words, Any]]:
    row: Notification = asked.obj
    order = row.payout or row.payment
    shown: Any = row.order_no
    if order is not None:
        status = (PayoutStatus if row.payout_id else PaymentStatus)(row.order_status).label
        shown = format_html("{}: {}", parts.link(type(order), order.pk, row.order_no), status)
    return (
        (_("order"), shown),
        (_("merchant"), f"{row.merchant_id} {row.merchant.name}"),
        (_("address"), row.url),
        (_("last result"), row.last_reason or parts.nothing()),
        (_("webhook-id"), row.webhook_id),
    )


def _has_news(_user: Any, obj: Any) -> bool:
    """Say whether an order has ended in a way its merchant wanted to hear of (N1)."""
    return isinstance(obj, Payment | Payout) and bool(obj.notify_url) and obj.status not in _OPEN[type(obj)]


def resend_latest(request: HttpRequest, number: str) -> HttpResponseBase:
    """Lead from an order to the page that resends its latest notification."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    rows: QuerySet[Notification] = access.visible_to(request.user, Notification.objects.all())
    latest = (
        rows.filter(order_no=number).order_by("-order_version", "-id").first() if len(number) <= 32 else None
    )
    if latest is None:
        raise Http404
    return HttpResponseRedirect(reverse("admin:act_resend_notification", args=[latest.pk]))


# All that failed ------------------------------------------------------------------------------------------


class WindowForm(ActForm):
    """From when to when; the last day to begin with."""

    since = forms.DateTimeField(
        label=_("Made from"), widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT)
    )
    until = forms.DateTimeField(
        label=_("until, not included"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT),
        help_text=_("At most 31 days, in your time zone."),
    )

    def __init__(self, *args: Any, asked: Asked, **kwargs: Any) -> None:
        super().__init__(*args, asked=asked, **kwargs)
        minute = timezone.localtime(asked.now).replace(second=0, microsecond=0) + timedelta(minutes=1)
        self.fields["since"].initial, self.fields["until"].initial = minute - timedelta(days=1), minute


def _merchant(user: User, key: str, is_locked: bool) -> Merchant | None:
    rows = access.visible_to(user, Merchant.objects.all())
    # The notifications are locked by the deed; a merchant has no state that this depends on.
    return rows.filter(pk=key.upper()).first()


def _window(asked: Asked) -> resending.Window:
    return resending.Window(
        merchant=asked.obj, since=asked.values["since"], until=asked.values["until"]
    )  # fmt: skip


def _resending_all(asked: Asked) -> list[Change]:
    """Count, without writing anything (the dry run). Raises: InvalidInput for an impossible window."""
    plan = resending.plan(window=_window(asked), now=asked.now)
    if not plan.count:
        raise _nothing_failed(plan)
    count, after = str(plan.count), _t("all are due again")
    if plan.is_cut:
        count = _t("more than %d") % plan.count
        after = _t("%d are due again, the others stay for a next time") % plan.count
    pace = {"rate": resending.PER_SECOND, "time": parts.duration(plan.lasts)}
    rows = [
        Change(label=_("failed, latest of their order"), before=count, after=after),
        Change(
            label=_("pace"), before=parts.nothing(), is_binding=False,
            after=_t("%(rate)d a second, the last after %(time)s") % pace,
        ),
    ]  # fmt: skip
    if plan.overtaken_count:
        rows.append(
            Change(
                label=_("overtaken by newer news of their order"), before=str(plan.overtaken_count),
                after=_t("stay as they are"),
            )
        )  # fmt: skip
    return rows


def _window_facts(asked: Asked) -> Sequence[tuple[Words, Any]]:
    """Return whom it goes to, and once a window was typed its ends and the first that it found."""
    rows: list[tuple[Words, Any]] = [
        (_("merchant"), asked.obj.name),
        (_("callback address"), asked.obj.notify_url or parts.nothing()),
    ]
    if "since" in asked.values and "until" in asked.values:
        plan = resending.plan(window=_window(asked), now=asked.now)
        rows.append((_("made from"), parts.moment(asked.values["since"])))
        rows.append((_("until, not included"), parts.moment(asked.values["until"])))
        rows.append((_("the first of them"), _samples(plan)))
    return rows


def _send_button(asked: Asked) -> str:
    count = resending.plan(window=_window(asked), now=asked.now).count
    words = ngettext("Send %d notification again", "Send %d notifications again", count)
    return words % count


def _nothing_failed(plan: resending.Plan) -> errors.InvalidInput:
    words = _t("No notification of this merchant failed in this time.")
    if plan.overtaken_count:
        words += " " + _t("What failed was overtaken by newer news of the same orders.")
    return errors.InvalidInput({"since": words})


def _samples(plan: resending.Plan) -> Any:
    shown = format_html_join(
        "", "<div>{} <span class='quiet'>{}</span></div>",
        ((parts.link(Notification, row.pk, row.order_no), row.last_reason) for row in plan.samples),
    )  # fmt: skip
    rest = plan.count - len(plan.samples)
    return format_html(_t("{}<div>and {} more</div>"), shown, rest) if rest else shown


def _resend_all(asked: Asked) -> Done:
    count = resending.resend_failed(
        window=_window(asked), user=asked.user, reason=asked.reason, address=asked.address, now=asked.now
    )
    words = ngettext("%d notification is sent again.", "%d notifications are sent again.", count) % count
    query = f"?merchant={asked.obj.pk}&state=retrying"
    return Done(message=words, url=reverse("admin:records_notification_changelist") + query)


def choose_merchant(request: HttpRequest) -> HttpResponseBase:
    """Ask whose failed notifications are meant, and lead to the page that resends them."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    visible: QuerySet[Merchant] = access.visible_to(request.user, Merchant.objects.all())
    typed = request.GET.get("merchant", "").strip()
    error = ""
    if typed:
        # The list of the field offers "PF0001 Acme"; the number alone is enough.
        found = visible.filter(pk=typed.split()[0].upper()[:32].replace("\x00", "")).first()
        if found is not None:
            return HttpResponseRedirect(reverse("admin:act_resend_failed_notifications", args=[found.pk]))
        error = _t("There is no merchant “%s”, or you may not see it.") % typed[:32]
    elif "merchant" in request.GET:
        error = _t("Give the merchant's number.")
    context = {
        **admin.site.each_context(request),
        "title": _t("Resend failed notifications"),
        "merchants": visible.order_by("pk")[:_MERCHANTS_SHOWN_MAX],
        "typed": typed,
        "error": error,
    }
    status = 422 if error else 200
    return TemplateResponse(request, "admin/operations/resend_failed.html", context, status=status)


# Cases ----------------------------------------------------------------------------------------------------


def _case(user: User, key: str, is_locked: bool) -> Case | None:
    rows = Case.objects.select_related("payment", "payout", "posting", "currency")
    return _by_key(access.visible_to(user, rows), key, is_locked)


def _not_closable(asked: Asked) -> Words | None:
    return None if asked.obj.status == Case.Status.OPEN else _t("This case is closed already.")


def _closing(asked: Asked) -> list[Change]:
    case: Case = asked.obj
    rows = [Change(label=_("case"), before=case.get_status_display(), after=Case.Status.CLOSED.label)]
    if case.posting is not None and not hasattr(case.posting, "reversed_by"):
        amount = parts.amount(case.amount, case.currency)
        rows.append(Change(label=_("money in suspense"), before=amount, after=_t("stays in suspense")))
    return rows


def _close_case(asked: Asked) -> Done:
    cases.close(
        case=asked.obj, user=asked.user, resolution=asked.reason, address=asked.address, now=asked.now
    )
    return Done(message=_t("The case is closed."))


def _case_facts(asked: Asked) -> Sequence[tuple[Words, Any]]:
    case: Case = asked.obj
    order = case.payment or case.payout
    rows: list[tuple[Words, Any]] = [
        (_("what happened"), case.summary),
        (_("opened"), parts.moment(case.opened_at)),
        (_("amount"), parts.amount(case.amount, case.currency)),
    ]
    if order is not None:
        number = life.number_of(order)
        rows.append((_("order"), parts.link(type(order), order.pk, number)))
        done_instead = format_html_join(
            " · ", '<a href="{}">{}</a>',
            (
                (reverse(act.url_name, args=[number]), act.label)
                for act in offers.allowed(asked.user, order) if not act.opens_window
            ),
        )  # fmt: skip
        rows.append((_("what else can be done"), done_instead or parts.nothing()))
    return rows


class CaseForm(ActForm):
    """What became of it, which is the case's resolution."""

    def __init__(self, *args: Any, asked: Asked, **kwargs: Any) -> None:
        super().__init__(*args, asked=asked, **kwargs)
        self.fields["reason"].label = _("What became of it")
        self.fields["reason"].help_text = _("It stays on the case as its resolution.")


register(
    ActPage(
        name="resend_notification", label=_("Resend"), permissions=(RESEND,), object_kind="notification",
        load=_notification, models=(Notification,), obstacle=_not_resendable, before_after=_resending,
        execute=_resend, facts=_notification_facts, is_single_step=True,
        button=lambda asked: _t("Tell %(merchant)s again of %(order)s") % {
            "merchant": asked.obj.merchant_id, "order": asked.obj.order_no,
        },
        name_of=lambda row: row.order_no,
    )
)  # fmt: skip
register(
    ActPage(
        name="resend_failed_notifications", label=_("Resend failed notifications"),
        permissions=(RESEND_FAILED,), object_kind="merchant", load=_merchant, models=(Merchant,),
        form_class=WindowForm, before_after=_resending_all, execute=_resend_all,
        facts=_window_facts, button=_send_button,
        note=_("Each order is told once, of its latest state. You see how many before anything is sent."),
    )
)  # fmt: skip
register(
    ActPage(
        name="close_case", label=_("Close case"), permissions=(CLOSE_CASE,), object_kind="case",
        load=_case, models=(Case,), obstacle=_not_closable, before_after=_closing, execute=_close_case,
        facts=_case_facts, form_class=CaseForm, is_single_step=True,
        button=lambda asked: _t("Close the case"),
    )
)  # fmt: skip
offers.register(
    offers.Act(
        name="resend_latest", label=_("Resend notification"), permission=RESEND, is_offered=_has_news,
        url_name="admin:act_resend_latest",
    )
)  # fmt: skip
pages.add_page(
    pages.Page(
        path="acts/resend_latest/<str:number>/", name="act_resend_latest", view=resend_latest,
        permissions=(RESEND,),
    )
)  # fmt: skip
pages.add_page(
    pages.Page(
        path="resend-failed-notifications/", name="resend_failed", view=choose_merchant,
        permissions=(RESEND_FAILED,),
    )
)  # fmt: skip
