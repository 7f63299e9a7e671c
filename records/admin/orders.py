"""Deposit and payout orders, their attempts, status changes and upstream calls."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import admin_columns
from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from records.admin import base
from records.admin.lists import RecordAdmin
from records.admin.order import OrderPage
from records.models import Payment, Payout, PayoutAttempt, StatusChange, UpstreamCall

_payment = Columns(Payment)
_payout = Columns(Payout)
_SETTLED = "settlement_currency"


def _party(order: Columns) -> tuple[Any, ...]:
    return (
        order.text("party_name"), order.text("account_masked"), order.text("phone_masked"),
        order.text("id_number_masked"), order.text("bank_id", label=_("bank")),
    )  # fmt: skip


def _terms(order: Columns) -> tuple[Any, ...]:
    return (
        order.text("fee_type"), order.number("fee_permillage"), order.money("fee_fixed", currency=_SETTLED),
        order.money("limit_lower_bound"), order.money("limit_upper_bound"), order.number("unit_price"),
    )  # fmt: skip


def _course(order: Columns) -> tuple[Any, ...]:
    return (
        order.full_moment("created_at"), order.full_moment("submitted_at"), order.full_moment("completed_at"),
        order.full_moment("updated_at"), order.text("changed_by"), order.text("change_reason"),
        order.text("error_message"), order.text("memo"),
    )  # fmt: skip


def _origin(order: Columns) -> tuple[Any, ...]:
    return (
        order.text("source"), order.text("dialect"), order.text("sign_type"), order.text("notify_url"),
        order.text("is_test"), order.folded("routing"),
    )  # fmt: skip


@admin.register(Payment)
class PaymentAdmin(OrderPage, RecordAdmin):
    """Deposit orders. Source: seed 000, Deposit Order Records."""

    facts = (
        (_("Basic"), (
            _payment.text("payment_id"), _payment.text("merchant_order_no"),
            _payment.badge("status", base.PAYMENT_TONES),
            _payment.text("is_late"), _payment.link("merchant"), _payment.link("service"), *_course(_payment),
            _payment.full_moment("expires_at"),
        )),
        (_("Amounts"), (
            _payment.money("requested_amount"), _payment.money("display_amount"),
            _payment.money("actual_amount"),
            _payment.money("settled_amount", currency=_SETTLED), _payment.money("fee", currency=_SETTLED),
            _payment.money("credited_amount", currency=_SETTLED), *_terms(_payment),
        )),
        (_("Channel"), (
            _payment.text("channel_id", label=_("channel")), _payment.link("merchant_channel"),
            _payment.text("channel_order_no"), _payment.text("remark_code"), _payment.text("link"),
        )),
        (_("Payer"), _party(_payment)),
        (_("Origin"), _origin(_payment)),
    )  # fmt: skip
    panels = (
        base.changes_panel("payment"), base.calls_panel("payment"), base.callbacks_panel("payment"),
        base.notifications_panel("payment"), base.postings_panel("payment"),
        base.entries_panel("posting__payment", title=_("Balance records")),
    )  # fmt: skip


@admin.register(Payout)
class PayoutAdmin(OrderPage, RecordAdmin):
    """Payout orders. Source: seed 000, Payout Order Records."""

    facts = (
        (_("Basic"), (
            _payout.text("payout_id"), _payout.text("merchant_order_no"),
            _payout.badge("status", base.PAYOUT_TONES),
            _payout.text("is_held"), _payout.link("merchant"), _payout.link("service"), *_course(_payout),
        )),
        (_("Amounts"), (
            _payout.money("requested_amount"), _payout.money("actual_amount"),
            _payout.money("fee", currency=_SETTLED),
            _payout.money("debited_amount", currency=_SETTLED), *_terms(_payout),
        )),
        (_("Channel"), (
            _payout.text("channel_id", label=_("channel")), _payout.link("merchant_channel"),
            _payout.text("channel_order_no"), _payout.text("after_failure"),
        )),
        (_("Recipient"), (*_party(_payout), _payout.text("bank_name"), _payout.text("bank_branch"))),
        (_("Origin"), _origin(_payout)),
    )  # fmt: skip
    panels = (
        base.changes_panel("payout"), base.attempts_panel(), base.calls_panel("attempt__payout"),
        base.callbacks_panel("attempt__payout"), base.notifications_panel("payout"),
        base.postings_panel("payout"),
        base.entries_panel("posting__payout", title=_("Balance records")),
    )  # fmt: skip


@admin.register(PayoutAttempt)
class PayoutAttemptAdmin(ReadOnlyAdmin):
    """Attempts of payouts at upstreams; filtered by nothing, since only their order has an index."""

    list_display = (
        "reference", base.attempt.link("payout", shown="payout_id"), "number", "channel_id",
        base.attempt.badge("state", base.ATTEMPT_TONES), "channel_order_no",
        base.attempt.moment("prepared_at"),
        base.attempt.moment("sent_at"), base.attempt.moment("finished_at"), "reason",
    )  # fmt: skip
    list_select_related = ("payout",)
    exact_search = (
        Key(field="reference", label=_("our reference"), length_max=64),
        Key(field="payout__payout_id", label=_("payout order"), length_max=32, is_upper=True),
        Key(field="channel_order_no", label=_("channel order no."), guard={"channel_order_no__gt": ""}),
    )
    facts = (
        (None, (
            base.attempt.text("reference"), base.attempt.link("payout", shown="payout_id"),
            base.attempt.text("number"), base.attempt.text("channel_id", label=_("channel")),
            base.attempt.badge("state", base.ATTEMPT_TONES), base.attempt.text("channel_order_no"),
            base.attempt.text("reason"), base.attempt.full_moment("prepared_at"),
            base.attempt.full_moment("sent_at"), base.attempt.full_moment("accepted_at"),
            base.attempt.full_moment("finished_at"), base.attempt.full_moment("next_query_at"),
            base.attempt.text("query_count"),
        )),
    )  # fmt: skip
    panels = (base.calls_panel("attempt"), base.callbacks_panel("attempt"))


def _order_of(row: Any) -> Any:
    attempt = getattr(row, "attempt", None)
    payout = row.payout if hasattr(row, "payout_id") else (attempt.payout if attempt else None)
    order = row.payment or payout
    return admin_columns.link_to(type(order), order.pk, order) if order else admin_columns.dash()


_ORDER_KEYS = (
    Key(
        field="payment__payment_id",
        label=_("deposit order"),
        length_max=32,
        newest_first="-id",
        is_upper=True,
    ),
)


@admin.register(StatusChange)
class StatusChangeAdmin(ReadOnlyAdmin):
    """Status changes of all orders."""

    list_display = (
        base.change.page("id", label=_("change")),
        base.change.computed(_order_of, name="order", label=_("order")),
        *base.FROM_TO, base.change.text("changed_by"), base.change.text("changed_by_user"),
        base.change.text("reason"), base.change.moment("created_at"),
    )  # fmt: skip
    list_select_related = ("payment", "payout", "changed_by_user")
    list_display_links = None
    exact_search = (
        *_ORDER_KEYS,
        Key(
            field="payout__payout_id",
            label=_("payout order"),
            length_max=32,
            newest_first="-id",
            is_upper=True,
        ),
    )
    facts = (
        (None, (
            base.change.computed(_order_of, name="order", label=_("order")), *base.FROM_TO,
            base.change.text("version"), base.change.text("changed_by"), base.change.text("changed_by_user"),
            base.change.text("reason"), base.change.full_moment("created_at"),
            base.change.full_moment("recorded_at"),
        )),
    )  # fmt: skip


@admin.register(UpstreamCall)
class UpstreamCallAdmin(ReadOnlyAdmin):
    """Calls to upstreams, masked."""

    list_display = (
        base.call.page("id", label=_("call")), base.call.computed(_order_of, name="order", label=_("order")),
        base.call.text("purpose"), "outcome", "http_status", "duration_ms", "reason",
        base.call.moment("created_at"),
    )  # fmt: skip
    list_select_related = ("payment", "attempt__payout")
    list_display_links = None
    exact_search = (
        *_ORDER_KEYS,
        Key(field="attempt__reference", label=_("our reference"), length_max=64, newest_first="-id"),
    )
    facts = (
        (None, (
            base.call.computed(_order_of, name="order", label=_("order")), base.call.text("purpose"),
            base.call.text("outcome"), base.call.text("http_status"), base.call.text("duration_ms"),
            base.call.text("reason"), base.call.full_moment("created_at"), base.call.folded("request"),
            base.call.folded("response"),
        )),
    )  # fmt: skip
