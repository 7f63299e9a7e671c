"""The whole life of an order in order of time: who or what did what, when, why, how long it took.

`operations`, which this room may not import, adds what it knows of an order through `add_source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import masking
from diamondpay.models import AuditRow
from records.admin import base, parts
from records.admin.life import FIRST_MAX, Few, Life, Order, list_of
from records.models import (
    BalanceRecord,
    Case,
    Notification,
    NotificationAttempt,
    PaymentStatus,
    PayoutAttempt,
    PayoutStatus,
    Posting,
    Proof,
    UpstreamCall,
)

# What an upstream said, in words and in the tone of a badge.
OUTCOMES: dict[str, tuple[Any, str]] = {
    "accepted": (_("accepted"), "progress"),
    "refused": (_("refused"), "failed"),
    "pending": (_("in progress"), "progress"),
    "paid": (_("paid"), "success"),
    "failed": (_("failed"), "failed"),
    "not_found": (_("not known there"), "review"),
    "unknown": (_("unknown"), "review"),
}

# At one moment the cause stands before what follows from it.
_RANK = {
    "callback": 1, "call": 2, "act": 3, "audit": 4, "attempt": 5, "case": 6, "posting": 7, "status": 8,
    "notification": 9,
}  # fmt: skip


@dataclass(frozen=True)
class Link:
    """Where more of it stands."""

    url: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the timeline. `kind` is a class of the style sheet, `tone` that of a badge."""

    at: datetime
    kind: str
    tone: str
    title: str
    who: str = ""
    why: str = ""
    measures: tuple[str, ...] = ()
    bodies: tuple[tuple[str, str], ...] = ()
    link: Link | None = None
    is_first: bool = False

    @property
    def rank(self) -> int:
        """The place among events of one moment; an order is made before anything is done with it."""
        return 0 if self.is_first else _RANK.get(self.kind, 10)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Further events of an order, shown to holders of a permission.

    `read` is given the order and the person; it returns what they may see of it, at most as many events as
    the page shows of one kind. Audit rows whose action begins with `replaces` say the same and are then
    left out.
    """

    name: str
    permission: str
    read: Callable[[Order, Any], list[Event]]
    replaces: str = ""


_sources: dict[str, Source] = {}


def add_source(source: Source) -> None:
    """Add what another room knows of orders.

    Raises: ValueError when another source has its name.
    """
    if _sources.get(source.name, source) != source:
        raise ValueError(f"another source is already called {source.name!r}")
    _sources[source.name] = source


def events(*, life: Life, user: Any, names_people: bool, names_channels: bool) -> list[Event]:
    """Return what happened to an order, oldest first.

    Without `names_people` the user names of staff are left out, without `names_channels` the channels.
    """
    found: list[Event] = []
    hidden: tuple[str, ...] = ()
    for source in _sources.values():
        if user.has_perm(source.permission):
            found += source.read(life.order, user)
            hidden += (source.replaces,) if source.replaces else ()
    if life.proofs.rows:
        hidden += ("proof.upload",)
    found += _changes(life, names_people)
    found += _attempts(life, names_channels)
    found += _calls(life)
    found += _callbacks(life)
    found += _sendings(life)
    found += _postings(life)
    found += _cases(life)
    found += _proofs(life, names_people)
    found += _audits(life, hidden)
    return sorted(found, key=lambda event: (event.at, event.rank))


def outcome_words(outcome: str) -> str:
    """Return what an upstream said, in words."""
    return str(OUTCOMES[outcome][0]) if outcome in OUTCOMES else outcome


def _cut(life: Life, few: Few[Any], at: Callable[[Any], datetime], title: str) -> Iterator[Event]:
    """Say where rows are left out, with a link to all of them."""
    if few.is_cut:
        model = type(few.rows[0])
        yield Event(
            at=at(few.rows[FIRST_MAX - 1]), kind="more", tone="closed", title=title,
            link=Link(list_of(model, life.order), _t("See them all")),
        )  # fmt: skip


def _changes(life: Life, names_people: bool) -> Iterator[Event]:
    status, tones = (
        (PayoutStatus, base.PAYOUT_TONES) if life.is_payout else (PaymentStatus, base.PAYMENT_TONES)
    )
    for row in life.changes.rows:
        to = str(status(row.to_status).label)
        actor = row.get_changed_by_display()
        person = row.changed_by_user.get_username() if row.changed_by_user and names_people else ""
        if row.from_status is None:
            title = _t("Created: %(status)s") % {"status": to}
        else:
            title = f"{status(row.from_status).label} → {to}"
        yield Event(
            at=row.created_at, kind="status", tone=tones[row.to_status], title=title, why=row.reason,
            who=f"{actor} ({person})" if person else actor, is_first=row.from_status is None,
        )  # fmt: skip
    yield from _cut(life, life.changes, lambda row: row.created_at, _t("Further changes are left out."))


def _calls(life: Life) -> Iterator[Event]:
    names_attempt = len(life.attempts.rows) > 1
    for row in life.calls.rows:
        words = outcome_words(row.outcome)
        shape = (
            _t("Sent to the upstream: %s")
            if row.purpose == UpstreamCall.Purpose.SUBMIT
            else _t("Asked the upstream: %s")
        )
        yield Event(
            at=row.created_at, kind="call", tone=OUTCOMES.get(row.outcome, ("", "closed"))[1],
            title=shape % words, why=row.reason,
            who=row.attempt.reference if row.attempt and names_attempt else "",
            measures=_measures(row.http_status, row.duration_ms),
            bodies=_bodies(life, (_t("Request"), row.request), (_t("Response"), row.response)),
            link=Link(parts.page_url(type(row), row.pk), _t("Call")),
        )  # fmt: skip
    yield from _cut(life, life.calls, lambda row: row.created_at, _t("Further calls are left out."))


def _callbacks(life: Life) -> Iterator[Event]:
    for row in life.callbacks.rows:
        outcome = str(row.get_outcome_display())
        size = _t("%d bytes") % row.body_bytes
        yield Event(
            at=row.received_at, kind="callback", tone=base.CALLBACK_TONES.get(row.outcome, "closed"),
            title=_t("Callback from the upstream: %s") % outcome.lower(), why=row.reason,
            who=str(row.source_address or ""), measures=(size,),
            bodies=_bodies(life, (_t("Body"), row.body_start)),  # type: ignore[attr-defined]
            link=Link(parts.page_url(type(row), row.pk), _t("Callback")),
        )  # fmt: skip
    yield from _cut(life, life.callbacks, lambda row: row.received_at, _t("Further callbacks are left out."))


def _sendings(life: Life) -> Iterator[Event]:
    owners = {row.pk: row for row in life.notifications.rows}
    for row in life.sendings.rows:
        owner = owners[row.notification_id]
        yield _sending(life, row, owner)
    tried = {row.notification_id for row in life.sendings.rows}
    for owner in life.notifications.rows:
        if owner.pk in tried or owner.attempt_count:
            continue
        yield Event(
            at=owner.created_at, kind="notification", tone="retrying", why=owner.last_reason,
            title=_t("Notification of %s waits to be sent") % _status_word(life, owner.order_status),
            link=Link(parts.page_url(Notification, owner.pk), _t("Notification")),
        )  # fmt: skip
    yield from _cut(life, life.sendings, lambda row: row.started_at, _t("Further attempts are left out."))


def _status_word(life: Life, status: int) -> str:
    return str((PayoutStatus if life.is_payout else PaymentStatus)(status).label)


def _sending(life: Life, row: NotificationAttempt, owner: Notification) -> Event:
    if row.is_success:
        word, tone = _t("delivered"), "success"
    elif row.finished_at is None:
        word, tone = _t("on its way"), "retrying"
    else:
        word, tone = _t("not delivered"), "failed"
    return Event(
        at=row.started_at, kind="notification", tone=tone, who=row.url, why=row.reason,
        title=_t("Notification of %(status)s, attempt %(number)d of %(most)d: %(word)s") % {
            "status": _status_word(life, owner.order_status), "number": row.number,
            "most": owner.attempt_count_max, "word": word,
        },
        measures=_measures(row.http_status, row.duration_ms),
        bodies=_bodies(life, (_t("Content"), row.body), (_t("Merchant's response"), row.answer)),
        link=Link(parts.page_url(Notification, row.notification_id), _t("Notification")),
    )  # fmt: skip


def _attempts(life: Life, names_channels: bool) -> Iterator[Event]:
    for row in life.attempts.rows:
        where = _t("at %(channel)s") % {"channel": row.channel_id} if names_channels else ""
        numbered = {"number": row.number, "where": where}
        link = Link(parts.page_url(PayoutAttempt, row.pk), row.reference)
        if row.sent_at is None:
            title = _t("Attempt %(number)d %(where)s prepared, not sent yet") % numbered
        else:
            title = _t("Attempt %(number)d %(where)s sent") % numbered
        yield Event(
            at=row.sent_at or row.prepared_at, kind="attempt", tone="progress", title=" ".join(title.split()),
            link=link,
        )  # fmt: skip
        if row.finished_at is not None:
            state = str(row.get_state_display()).lower()
            took = row.finished_at - (row.sent_at or row.prepared_at)
            yield Event(
                at=row.finished_at, kind="attempt", tone=base.ATTEMPT_TONES[row.state], why=row.reason,
                title=_t("Attempt %(number)d %(state)s") % {"number": row.number, "state": state},
                measures=(parts.after(took),) if parts.after(took) else (), link=link,
            )  # fmt: skip
    yield from _cut(life, life.attempts, lambda row: row.prepared_at, _t("Further attempts are left out."))


def _postings(life: Life) -> Iterator[Event]:
    legs: dict[int, list[BalanceRecord]] = {}
    for entry in life.entries.rows:
        legs.setdefault(entry.posting_id, []).append(entry)
    for row in life.postings.rows:
        moved = [_leg(entry) for entry in legs.get(row.pk, []) if entry.merchant_channel_id]
        yield Event(
            at=row.created_at, kind="posting", tone="closed", why=row.remark, measures=tuple(moved),
            title=_t("Booked: %s") % str(row.get_kind_display()).lower(),
            who=row.operator.get_username() if row.operator else "",
            link=Link(parts.page_url(Posting, row.pk), _t("Posting")),
        )  # fmt: skip
    yield from _cut(life, life.postings, lambda row: row.created_at, _t("Further postings are left out."))


def _leg(entry: BalanceRecord) -> str:
    sign = "+" if entry.amount > 0 else "−"
    amount = parts.plain_amount(abs(entry.amount), entry.currency)
    return f"{entry.get_account_kind_display()} {sign}{amount} {entry.currency_id}"


def _cases(life: Life) -> Iterator[Event]:
    for row in life.cases.rows:
        link = Link(parts.page_url(Case, row.pk), _t("Case"))
        yield Event(
            at=row.opened_at, kind="case", tone="review", why=row.summary,
            title=_t("Case opened: %s") % row.get_kind_display(), link=link,
        )  # fmt: skip
        if row.closed_at is not None:
            yield Event(
                at=row.closed_at, kind="case", tone="closed", title=_t("Case closed"), why=row.resolution,
                who=row.closed_by.get_username() if row.closed_by else "", link=link,
            )  # fmt: skip
    yield from _cut(life, life.cases, lambda row: row.opened_at, _t("Further cases are left out."))


def _proofs(life: Life, names_people: bool) -> Iterator[Event]:
    for row in life.proofs.rows:
        yield Event(
            at=row.uploaded_at, kind="proof", tone="closed", why=row.note,
            title=_t("Proof uploaded: %s") % row.get_kind_display(),
            who=row.uploaded_by.get_username() if names_people else "",
            link=Link(parts.page_url(Proof, row.pk), _t("Proof")),
        )  # fmt: skip
    yield from _cut(life, life.proofs, lambda row: row.uploaded_at, _t("Further proofs are left out."))


def _audits(life: Life, hidden: tuple[str, ...]) -> Iterator[Event]:
    for row in life.audits.rows:
        if hidden and row.action.startswith(hidden):
            continue
        changed = [(_t("Before"), row.before), (_t("After"), row.after)]
        yield Event(
            at=row.created_at, kind="audit", tone="closed", title=_t("Audited: %s") % row.action,
            why=row.reason, who=" · ".join(word for word in (row.actor, row.address or "") if word),
            bodies=_bodies(life, *changed), link=Link(parts.page_url(AuditRow, row.pk), _t("Audit row")),
        )  # fmt: skip
    yield from _cut(life, life.audits, lambda row: row.created_at, _t("Further audit rows are left out."))


def _measures(http_status: int | None, duration_ms: int | None) -> tuple[str, ...]:
    """Return the HTTP status and the time an exchange took, as far as they are known."""
    found = []
    if http_status is not None:
        found.append(f"HTTP {http_status}")
    if duration_ms is not None:
        found.append(f"{duration_ms} ms")
    return tuple(found)


def _bodies(life: Life, *bodies: tuple[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the bodies that hold anything, masked; the order's own numbers stay readable."""
    shown = ((label, masking.readable(body, keep=life.numbers)) for label, body in bodies)
    return tuple((label, text) for label, text in shown if text)
