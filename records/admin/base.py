"""What the record pages share: tones of badges, and the tables that hang on an order."""

from __future__ import annotations

from typing import Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.admin_columns import Columns, Panel, lines, readable
from records import tones
from records.models import (
    BalanceRecord,
    Notification,
    NotificationAttempt,
    PaymentStatus,
    PayoutAttempt,
    PayoutStatus,
    Posting,
    StatusChange,
    UpstreamCall,
    UpstreamCallback,
)

PAYMENT_TONES = tones.PAYMENT
PAYOUT_TONES = tones.PAYOUT
ATTEMPT_TONES = tones.ATTEMPT
NOTIFICATION_TONES = tones.NOTIFICATION
CALLBACK_TONES = tones.CALLBACK
CASE_TONES = tones.CASE
CHAIN_TRANSFER_TONES = tones.CHAIN_TRANSFER

change = Columns(StatusChange)
call = Columns(UpstreamCall)
callback = Columns(UpstreamCallback)
notification = Columns(Notification)
notification_attempt = Columns(NotificationAttempt)
posting = Columns(Posting)
entry = Columns(BalanceRecord)
attempt = Columns(PayoutAttempt)


def status_word(row: StatusChange, status: int | None) -> str:
    """Return the word of a stored status code, of a deposit or a payout."""
    if status is None:
        return gettext("Created")
    return str((PaymentStatus if row.payment_id else PayoutStatus)(status).label)


FROM_TO = (
    change.computed(lambda row: status_word(row, row.from_status), name="from", label=_("from")),
    change.computed(lambda row: status_word(row, row.to_status), name="to", label=_("to")),
)


def _attempts_of(row: Notification) -> Any:
    """Return the sendings of a notification under each other."""
    return lines(
        " · ".join(
            (
                str(item.number),
                f"{timezone.localtime(item.started_at):%m-%d %H:%M:%S}",
                str(item.http_status or "–"),
                f"{item.duration_ms if item.duration_ms is not None else '–'} ms",
                item.reason or "–",
                readable(item.answer)[:200] or "–",
            )
        )
        for item in row.attempts.all()
    )


def _entries_of(row: Posting) -> Any:
    return ngettext("%d entry", "%d entries", len(row.entries.all())) % len(row.entries.all())


def changes_panel(order: str) -> Panel:
    """The status history of an order; `order` is `payment` or `payout`."""

    def rows(record: Any) -> QuerySet[Any]:
        found = StatusChange.objects.filter(**{order: record})
        return found.select_related("changed_by_user").order_by("version")

    columns = (
        change.full_moment("created_at"), *FROM_TO, change.text("changed_by"), change.text("changed_by_user"),
        change.text("reason"),
    )  # fmt: skip
    return Panel(title=_("Status changes"), rows=rows, columns=columns)


def calls_panel(path: str) -> Panel:
    """The calls to upstreams; `path` leads from a call to the record."""

    def rows(record: Any) -> QuerySet[Any]:
        return UpstreamCall.objects.filter(**{path: record}).order_by("created_at", "id")

    columns = (
        call.full_moment("created_at"), call.text("purpose"), call.text("outcome"), call.text("http_status"),
        call.text("duration_ms"), call.text("reason"), call.folded("request"), call.folded("response"),
    )  # fmt: skip
    return Panel(title=_("Upstream calls"), rows=rows, columns=columns)


def callbacks_panel(path: str) -> Panel:
    """The callbacks that named the record; `path` leads from a callback to it."""

    def rows(record: Any) -> QuerySet[Any]:
        return UpstreamCallback.objects.filter(**{path: record}).order_by("received_at", "id")

    columns = (
        callback.page("id", label=_("callback")), callback.full_moment("received_at"),
        callback.badge("outcome", CALLBACK_TONES), callback.text("source_address"), callback.text("reason"),
        callback.folded("body"),
    )  # fmt: skip
    return Panel(title=_("Upstream callbacks"), rows=rows, columns=columns)


def notifications_panel(order: str) -> Panel:
    """What the merchant was told of an order, with every attempt."""

    def rows(record: Any) -> QuerySet[Any]:
        sent = Prefetch("attempts", NotificationAttempt.objects.order_by("number"))
        found = Notification.objects.filter(**{order: record}).prefetch_related(sent)
        return found.order_by("order_version", "id")

    columns = (
        notification.page("webhook_id"), notification.full_moment("created_at"),
        notification.badge("state", NOTIFICATION_TONES), notification.text("attempt_count"),
        notification.text("url"),
        notification.computed(
            _attempts_of, name="attempts", label=_("attempts: time, HTTP, ms, result, answer")
        ),
    )  # fmt: skip
    return Panel(title=_("Notifications"), rows=rows, columns=columns)


def postings_panel(path: str) -> Panel:
    """The postings of an order."""

    def rows(record: Any) -> QuerySet[Any]:
        found = (
            Posting.objects.filter(**{path: record}).select_related("operator").prefetch_related("entries")
        )
        return found.order_by("id")

    columns = (
        posting.page("effect_key"), posting.text("kind"), posting.full_moment("created_at"),
        posting.text("operator"),
        posting.text("remark"), posting.computed(_entries_of, name="entries", label=_("entries")),
    )  # fmt: skip
    return Panel(title=_("Postings"), rows=rows, columns=columns)


def entries_panel(path: str, *, title: Any, is_paged: bool = False) -> Panel:
    """The balance records of an order, posting or account."""

    def rows(record: Any) -> QuerySet[Any]:
        return BalanceRecord.objects.filter(**{path: record}).select_related("currency").order_by("-id")

    columns = (
        entry.page("id", label=_("record")), entry.full_moment("created_at"),
        entry.text("merchant_channel_id"),
        entry.text("account_kind"), entry.text("change_type"), entry.money("amount"),
        entry.money("balance_before"),
        entry.money("balance_after"), entry.text("order_no"),
    )  # fmt: skip
    return Panel(title=title, rows=rows, columns=columns, row_count_max=100, is_paged=is_paged)


def attempts_panel() -> Panel:
    """The attempts of a payout at its upstreams."""

    def rows(record: Any) -> QuerySet[Any]:
        return PayoutAttempt.objects.filter(payout=record).order_by("number")

    columns = (
        attempt.page("reference"), attempt.text("number"), attempt.text("channel_id", label=_("channel")),
        attempt.badge("state", ATTEMPT_TONES), attempt.text("channel_order_no"),
        attempt.full_moment("prepared_at"),
        attempt.full_moment("sent_at"), attempt.full_moment("finished_at"), attempt.text("reason"),
    )  # fmt: skip
    return Panel(title=_("Attempts at upstreams"), rows=rows, columns=columns)
