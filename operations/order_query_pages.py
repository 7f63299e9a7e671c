"""Order query: paste numbers of any kind, get a table of what they name, and the same as a file."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext as _t

from channels.models import Currency
from diamondpay import audit
from diamondpay.lib import clock, deadlines, errors, pages
from diamondpay.lib.admin import address_of
from diamondpay.lib.spreadsheet import summary as sheets
from diamondpay.lib.spreadsheet.columns import Column, Kind, Look, Row
from diamondpay.lib.spreadsheet.delimited import Delimited
from diamondpay.lib.spreadsheet.xlsx import Book
from diamondpay.models import User
from operations import order_query
from operations.order_query import Answer, Line
from records import filter_sets, tones
from records.admin import parts
from records.models import Notification, Payment, PaymentStatus, Payout, PayoutStatus

QUERY_MS_MAX = 8000
_CHANNEL_PLACE = 5
_WRITERS: dict[str, type[Book] | type[Delimited]] = {"xlsx": Book, "csv": Delimited}


def page(request: HttpRequest) -> HttpResponseBase:
    """Show the form; of what was pasted, the table or the file."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])
    text, complaint = request.POST.get("numbers", ""), ""
    answer: Answer | None = None
    if request.method == "POST":
        try:
            with deadlines.within(milliseconds=QUERY_MS_MAX):
                answer = order_query.find(text=text, user=request.user)
        except errors.InvalidInput as refusal:
            complaint = str(refusal.fields["numbers"])
        except deadlines.TookTooLong:
            complaint = _t("The query took too long and was given up. Ask for fewer numbers.")
    form = request.POST.get("file", "")
    if answer is not None and form in _WRITERS:
        return _file(request, request.user, answer, form)
    context = {
        **admin.site.each_context(request),
        "title": _t("Order Query"),
        "numbers": text.replace("\x00", ""),
        "complaint": complaint,
        "answer": answer,
        "lines": [_shown(line) for line in answer.lines] if answer else [],
        "numbers_max": order_query.NUMBERS_MAX,
        "lines_max": order_query.LINES_MAX,
        "may_see_news": request.user.has_perm("records.view_notification"),
    }
    return TemplateResponse(request, "admin/order_query.html", context, status=422 if complaint else 200)


def _shown(line: Line) -> dict[str, Any]:
    order = line.order
    if order is None:
        return {"line": line}
    found = tones.PAYOUT if line.is_payout else tones.PAYMENT
    told = getattr(order, "told", None)
    return {
        "line": line,
        "url": parts.page_url(Payout if line.is_payout else Payment, order.pk),
        "amount": parts.amount(order.requested_amount, order.currency),
        "badge": parts.badge(order.get_status_display(), found[order.status]),
        "told": parts.badge(Notification.State(told).label, tones.NOTIFICATION[told]) if told else "",
    }


def _file(request: HttpRequest, user: User, answer: Answer, form: str) -> FileResponse:
    """Hand out what the table shows as a file, and note who took it."""
    zone, now = ZoneInfo(timezone.get_current_timezone_name()), clock.now()
    file = io.BytesIO()
    decimals = dict(Currency.objects.values_list("code", "exponent"))
    columns = _columns(zone, names_channels=user.has_perm(filter_sets.UPSTREAM))
    look = Look(zone=zone, decimals=decimals)
    writer = _WRITERS[form](file, columns=columns, look=look, title=_t("Orders"))
    writer.write(_row(line) for line in answer.lines)
    writer.end_rows()
    writer.close(_summary(answer, zone, now))
    audit.write(
        action="order_query.file", object_kind="order_query", object_id="", user=user, now=now,
        address=address_of(request),
        after={"asked": answer.asked_count, "found": answer.found_count, "format": form},
    )  # fmt: skip
    file.seek(0)
    name = f"order-query-{now.astimezone(zone):%Y%m%d-%H%M%S}.{form}"
    response = FileResponse(file, as_attachment=True, filename=name, content_type=writer.content_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _columns(zone: ZoneInfo, *, names_channels: bool) -> list[Column]:
    """Return the columns; the upstream's number is for those alone who see upstreams in the lists."""
    titles = (
        (_t("Number asked"), Kind.TEXT), (_t("Matched by"), Kind.TEXT), (_t("Kind"), Kind.TEXT),
        (_t("Platform order no."), Kind.TEXT), (_t("Merchant order no."), Kind.TEXT),
        (_t("Channel order no."), Kind.TEXT), (_t("Merchant"), Kind.TEXT), (_t("Service"), Kind.TEXT),
        (_t("Requested amount"), Kind.AMOUNT), (_t("Actual amount"), Kind.AMOUNT),
        (_t("Currency"), Kind.TEXT), (_t("Status"), Kind.TEXT), (_t("Created (%s)") % zone.key, Kind.MOMENT),
        (_t("Completed (%s)") % zone.key, Kind.MOMENT), (_t("Notification"), Kind.TEXT),
    )  # fmt: skip
    return [
        Column(title=title, position=place, kind=kind, unit_position=10 if kind is Kind.AMOUNT else None)
        for place, (title, kind) in enumerate(titles)
        if names_channels or place != _CHANNEL_PLACE
    ]


def _row(line: Line) -> Row:
    order = line.order
    if order is None:
        return (line.asked, _t("not found"), "", "", "", "", "", "", None, None, "", "", None, None, "")
    told = getattr(order, "told", None)
    statuses: Any = PayoutStatus if line.is_payout else PaymentStatus
    return (
        line.asked, ", ".join(str(key) for key in line.keys),
        _t("Payout") if line.is_payout else _t("Deposit"), line.number, order.merchant_order_no,
        order.channel_order_no, order.merchant_id, order.service_id, order.requested_amount,
        order.actual_amount, order.currency_id, str(statuses(order.status).label), order.created_at,
        order.completed_at, str(Notification.State(told).label) if told else "",
    )  # fmt: skip


def _summary(answer: Answer, zone: ZoneInfo, now: datetime) -> sheets.Summary:
    lines = [
        sheets.line(_t("As of"), f"{now.astimezone(zone):%Y-%m-%d %H:%M:%S %z}"),
        sheets.line(_t("Numbers asked"), answer.asked_count),
        sheets.line(_t("Numbers found"), answer.found_count),
        sheets.line(_t("Lines"), len(answer.lines)),
    ]
    if answer.is_cut:
        lines.append(sheets.line(_t("Note"), _t("There are more orders than are shown.")))
    return sheets.Summary(title=_t("Summary"), heading=_t("Order Query"), lines=tuple(lines))


pages.add_page(
    pages.Page(
        path="operations/order-query/",
        name="order_query",
        view=page,
        permissions=("records.view_payment", "records.view_payout"),
    )
)
