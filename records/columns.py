"""The columns of every record kind. Sources: seed 000, Main Fields of each record; backoffice.md, Pages."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import F, OuterRef, Subquery
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import admin_columns, columns, markup
from diamondpay.lib.columns import Column, Table
from records import audit_trail, chain_list, tones
from records.filter_sets import UPSTREAM
from records.models import (
    Account,
    BalanceRecord,
    BalanceTransfer,
    Case,
    Notification,
    NotificationAttempt,
    Payment,
    PaymentStatus,
    Payout,
    PayoutStatus,
    UpstreamCallback,
)

_SETTLED = "settlement_currency"
_TEXT_LENGTH_MAX = 80
_STARS = re.compile(r"\*{4,}")


def page_of(kind: str, key: Any) -> str:
    """Return the address of a record's page."""
    return admin_columns.page_of(f"records_{kind}", key)


def _merchant(table: Table, name: str = "merchant_id", **options: Any) -> Column:
    label = options.pop("label", _("merchant"))
    read = admin_columns.reader(name)

    def show(row: Any) -> Any:
        key = read(row)
        return (
            markup.filled('<a href="{}">{}</a>', admin_columns.page_of("merchants_merchant", key), key)
            if key
            else admin_columns.dash()
        )

    return table.computed(name, show, label=label, reader=read, fields=(name,), **options)


def _sent(order: str) -> Any:
    """The state of an order's newest notification."""
    newest = Notification.objects.filter(**{order: OuterRef("pk")}).order_by("-order_version", "-id")
    return Subquery(newest.values("state")[:1])


def _order_columns(
    table: Table, *, kind: str, number: str, tone: Any, marks: tuple[tuple[str, Any], ...]
) -> dict[str, Column]:
    """The columns that deposits and payouts share, by key."""
    more: dict[str, Any] = {"is_default": False}
    hidden = {**more, "permission": UPSTREAM}
    states = dict(Notification.State.choices)
    made = (
        table.identifier(
            number, short=_("order no."), opens=lambda row: page_of(kind, row.pk), is_card=True
        ),
        table.identifier("merchant_order_no"),
        _merchant(table),
        table.text("merchant.name", label=_("merchant name"), css="cut", **more),
        # The seed names service and channel among what deposits show first, not of payouts.
        table.text("service_id", label=_("service"), is_default=kind == "payment"),
        table.text("service.name", label=_("service name"), css="cut", **more),
        table.text(
            "channel_id", label=_("channel"), permission=UPSTREAM, is_default=kind == "payment"
        ),
        table.identifier("channel_order_no", **hidden),
        table.text("merchant_channel_id", label=_("wallet"), **more),
        table.text("currency_id", label=_("currency"), **more),
        table.amount("requested_amount", short=_("requested"), is_card=True),
        table.amount("actual_amount", short=_("actual")),
        table.amount("fee", currency=_SETTLED),
        table.badge("status", tone, marks=marks, is_card=True),
        table.flag("is_test", word=_("Test"), label=_("test"), **more),
        table.moment("created_at", is_card=True),
        table.moment("submitted_at", **more),
        table.moment("completed_at"),
        table.text("party_name", label=_("name"), css="cut narrow", is_default=kind == "payout"),
        table.computed(
            "account_masked", _account, label=_("account"), reader=admin_columns.reader("account_masked"),
            fields=("account_masked",), is_default=kind == "payout",
        ),
        table.text("bank_id", label=_("bank"), is_default=kind == "payout"),
        table.moment("updated_at", **more),
        table.text("source", **more),
        table.computed(
            "notification", lambda row: _told(row.notification), label=_("notification"),
            reader=lambda row: str(states[row.notification]) if row.notification else None,
            annotation=_sent(kind), **more,
        ),
        table.text("changed_by", **more),
        table.text("error_message", css="cut", **more),
        table.text("memo", css="cut", **more),
    )  # fmt: skip
    return {each.key: each for each in made}


def _account(row: Any) -> Any:
    """What of an account may be read: its stars say nothing by their number, and took half of a column."""
    return _STARS.sub("***", row.account_masked) or admin_columns.dash()


def _told(state: str | None) -> Any:
    return admin_columns.badge(
        state, tones.NOTIFICATION.get(str(state), "closed"), dict(Notification.State.choices)
    )


def _payments() -> tuple[Column, ...]:
    table = Table(Payment)
    found = _order_columns(
        table,
        kind="payment",
        number="payment_id",
        tone=tones.PAYMENT,
        marks=(("is_test", _("Test")), ("is_late", _("Late"))),
    )
    more: dict[str, Any] = {"is_default": False}
    return _inserted(
        found,
        fee=(table.amount("credited_amount", short=_("credited"), currency=_SETTLED),),
        actual_amount=(
            table.amount("display_amount", **more),
            table.amount("settled_amount", currency=_SETTLED, **more),
        ),
        status=(table.flag("is_late", word=_("Late"), label=_("late payment"), **more),),
        bank_id=(table.text("remark_code", **more),),
        completed_at=(table.moment("expires_at", **more),),
    )


def _payouts() -> tuple[Column, ...]:
    table = Table(Payout)
    found = _order_columns(
        table,
        kind="payout",
        number="payout_id",
        tone=tones.PAYOUT,
        marks=(("is_test", _("Test")), ("is_held", _("Held"))),
    )
    more: dict[str, Any] = {"is_default": False}
    return _inserted(
        found,
        fee=(table.amount("debited_amount", currency=_SETTLED, **more),),
        status=(table.flag("is_held", word=_("Held"), label=_("held"), **more),),
        bank_id=(
            table.text("bank_name", css="cut", **more),
            table.text("bank_branch", css="cut", **more),
        ),
    )


def _inserted(found: dict[str, Column], **after: tuple[Column, ...]) -> tuple[Column, ...]:
    """Return the columns with further ones behind those that are named."""
    return tuple(each for key, column in found.items() for each in (column, *after.get(key, ())))


def _order_link(row: Any, path: str = "") -> str:
    """Return the address of the order that a row, or what it belongs to, names; nothing without one."""
    holder = getattr(row, path) if path else row
    if holder is not None and getattr(holder, "payment_id", None):
        return page_of("payment", holder.payment_id)
    if holder is not None and getattr(holder, "payout_id", None):
        return page_of("payout", holder.payout_id)
    return ""


def _entries() -> tuple[Column, ...]:
    table = Table(BalanceRecord)
    more: dict[str, Any] = {"is_default": False}
    order = ("posting__payment_id", "posting__payout_id")
    return (
        table.text("id", label=_("record"), opens=lambda row: page_of("balancerecord", row.pk), is_card=True),
        table.moment("created_at", is_card=True),
        _merchant(table),
        table.text("channel_id", label=_("channel"), permission=UPSTREAM),
        table.text("merchant_channel_id", label=_("wallet")),
        table.text("account_kind"),
        table.text("change_type", is_card=True),
        table.amount("amount", is_card=True),
        table.amount("balance_before"),
        table.amount("balance_after"),
        table.identifier(
            "order_no", short=_("order no."), link=lambda row: _order_link(row, "posting"), needs=order
        ),
        table.text("posting.remark", label=_("remarks"), css="cut"),
        table.text("posting.effect_key", label=_("effect"), **more),
        table.text("currency_id", label=_("currency"), **more),
        table.number("sequence", **more),
    )


def _transfers() -> tuple[Column, ...]:
    table = Table(BalanceTransfer)
    named: dict[str, Any] = {"is_card": True, "is_named": True}
    return (
        table.identifier("request_id", opens=lambda row: page_of("balancetransfer", row.pk), is_card=True),
        table.moment("created_at", is_card=True),
        _merchant(table, "source_merchant_id", label=_("source merchant"), **named),
        table.text("source_id", label=_("source wallet")),
        _merchant(table, "destination_merchant_id", label=_("destination merchant"), **named),
        table.text("destination_id", label=_("destination wallet")),
        table.amount("amount", **named),
        table.text("currency_id", label=_("currency type")),
        table.text("operator.username", label=_("operator"), permission=UPSTREAM),
        table.text("reason", css="cut"),
    )


def status_told(row: Notification) -> str:
    """Return the word of the status that a notification tells the merchant."""
    statuses = PaymentStatus if row.payment_id else PayoutStatus
    return str(statuses(row.order_status).label)


def _notifications() -> tuple[Column, ...]:
    table = Table(Notification)
    more: dict[str, Any] = {"is_default": False}
    sent = NotificationAttempt.objects.filter(notification=OuterRef("pk")).order_by("-number")
    return (
        table.identifier("order_no", opens=lambda row: page_of("notification", row.pk), is_card=True),
        table.computed(
            "order_status",
            status_told,
            label=_("order status told"),
            reader=status_told,
            fields=("order_status", "payment_id"),
            **more,
        ),
        _merchant(table),
        table.moment("created_at", label=_("notification time"), is_card=True),
        table.badge("state", tones.NOTIFICATION, is_card=True),
        table.number("attempt_count", label=_("attempts")),
        table.text("last_reason", css="cut", is_card=True),
        _cut(table, "answer", label=_("merchant's response"), annotation=Subquery(sent.values("answer")[:1])),
        _cut(table, "facts", label=_("notification content"), fields=("facts",)),
        table.moment("due_at"),
        table.moment("finished_at"),
        table.text("url", css="cut"),
        table.identifier("webhook_id", **more),
        table.text("dialect", **more),
    )


def _cut(table: Table, name: str, *, label: Any, **options: Any) -> Column:
    """A long text or raw content: its beginning in the list, masked, all of it on the record's page."""
    read = admin_columns.reader(name)

    def show(row: Any) -> Any:
        text = " ".join(admin_columns.readable(read(row)).split())
        return _beginning(text) or admin_columns.dash()

    return table.computed(
        name, show, label=label, reader=lambda row: admin_columns.readable(read(row)) or None, css="cut",
        **options,
    )  # fmt: skip


def _beginning(text: str) -> str:
    # Only where signs are made of several is there more to it than to count.
    if text.isascii():
        return text if len(text) <= _TEXT_LENGTH_MAX else f"{text[: _TEXT_LENGTH_MAX - 1]}…"
    return Truncator(text).chars(_TEXT_LENGTH_MAX)


def _callbacks() -> tuple[Column, ...]:
    table = Table(UpstreamCallback)
    more: dict[str, Any] = {"is_default": False}
    return (
        table.text(
            "id", label=_("callback"), opens=lambda row: page_of("upstreamcallback", row.pk), is_card=True
        ),
        table.text("channel_id", label=_("channel")),
        table.moment("received_at", is_card=True),
        table.badge("outcome", tones.CALLBACK, is_card=True),
        table.identifier(
            "reference", is_card=True, needs=("payment_id", "attempt__payout_id"), link=_called_back,
        ),
        table.text("source_address"),
        table.number("body_bytes"),
        table.text("reason", css="cut"),
        table.number("try_count", **more),
        table.moment("due_at", **more),
        table.moment("answered_at", **more),
    )  # fmt: skip


def _called_back(row: Any) -> str:
    return _order_link(row) or _order_link(row, "attempt")


def _cases() -> tuple[Column, ...]:
    table = Table(Case)
    more: dict[str, Any] = {"is_default": False}
    read_order = _first("payment.payment_id", "payout.payout_id")
    return (
        table.text("id", label=_("case"), opens=lambda row: page_of("case", row.pk), is_card=True),
        table.badge("status", tones.CASE, is_card=True),
        table.text("kind", css="cut", is_card=True),
        _merchant(table),
        table.text("channel_id", label=_("channel"), permission=UPSTREAM),
        table.computed(
            "order", lambda row: _linked(read_order(row), _order_link(row)), label=_("order"),
            reader=read_order, fields=("payment__payment_id", "payout__payout_id"),
        ),
        table.amount("amount"),
        table.text("summary", css="cut"),
        table.moment("opened_at", is_card=True),
        table.moment("closed_at"),
        table.text("closed_by.username", label=_("closed by"), permission=UPSTREAM, **more),
        table.text("resolution", css="cut", **more),
    )  # fmt: skip


def _first(*paths: str) -> Any:
    readers = [admin_columns.reader(path) for path in paths]
    return lambda row: next((found for read in readers if (found := read(row)) is not None), None)


def _linked(text: Any, url: str) -> Any:
    return admin_columns.identified(text, url=url) if text else admin_columns.dash()


def _wallets() -> tuple[Column, ...]:
    table = Table(Account)
    named: dict[str, Any] = {"is_card": True, "is_named": True}
    # Both balances of a wallet stand beside each other; the index of a wallet's accounts finds the other.
    frozen = Account.objects.filter(
        merchant_channel=OuterRef("merchant_channel"), kind=Account.Kind.FROZEN
    ).values("balance")[:1]
    return (
        table.identifier(
            "merchant_channel_id", label=_("wallet"), opens=lambda row: page_of("account", row.pk),
            is_card=True,
        ),
        _merchant(table, is_card=True),
        table.text("merchant.name", label=_("merchant name"), css="cut"),
        # A wallet's account names no channel of its own: the wallet does.
        table.text(
            "merchant_channel.channel_id", label=_("channel"), permission=UPSTREAM, key="channel_id"
        ),
        table.amount("balance", label=_("available"), **named),
        table.amount("frozen", label=_("frozen"), annotation=Subquery(frozen), **named),
        table.amount(
            "wallet_total", label=_("total"), annotation=F("balance") + Subquery(frozen), **named
        ),
        table.text("currency_id", label=_("currency")),
        table.number("sequence", label=_("records"), is_default=False),
    )  # fmt: skip


_TABLES: dict[str, tuple[Column, ...]] = {
    "payment": _payments(),
    "payout": _payouts(),
    "balancerecord": _entries(),
    "balancetransfer": _transfers(),
    "notification": _notifications(),
    "upstreamcallback": _callbacks(),
    "chaintransfer": chain_list.columns(),
    "case": _cases(),
    "account": _wallets(),
    "auditrow": audit_trail.columns(),
}


def of(kind: str, user: Any = None) -> tuple[Column, ...]:
    """Return the columns of a record kind, with a user those that the user may see.

    Raises: KeyError for a kind that has no list.
    """
    return _TABLES[kind] if user is None else columns.allowed(_TABLES[kind], user)
