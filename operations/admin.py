"""Acts as they were asked for and decided: read here, done on the pages of operations."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import clock
from diamondpay.lib.admin import AuditedAdmin, ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns, link_to
from diamondpay.lib.admin_forms import LockedForm
from diamondpay.lib.admin_list import Key
from diamondpay.lib.filter_kinds import Several
from diamondpay.models import User
from operations import (
    activation_pages,
    approval_pages,
    balance_page,
    batch_pages,
    create_acts,
    create_pages,
    decide_pages,
    home,
    order_acts,
    order_acts_messages,
    order_acts_payout,
    order_events,
    order_query_pages,
    order_requests,
    rate_requests,
    setting_requests,
    term_requests,
    wallet_requests,
)
from operations.models import Act, ApprovalRule, FormToken
from records.admin import parts

__all__ = [
    "ActAdmin", "activation_pages", "balance_page", "batch_pages", "create_acts", "create_pages",
    "decide_pages", "home", "order_acts", "order_acts_messages", "order_acts_payout", "order_events",
    "order_query_pages", "order_requests", "rate_requests",
    "setting_requests", "term_requests", "wallet_requests",
]  # fmt: skip

_act = Columns(Act)
_TONES = {"requested": "review", "executed": "success", "rejected": "closed", "expired": "closed"}


@admin.register(Act)
class ActAdmin(ReadOnlyAdmin):
    """Acts, newest first."""

    list_display = (
        _act.page("id", label=_("no.")), _act.text("kind"), _act.badge("state", _TONES), "object_name",
        _act.money("amount"), "reason", _act.text("requested_by"), _act.moment("requested_at"),
        _act.text("decided_by"), _act.moment("decided_at"),
    )  # fmt: skip
    list_display_links = None
    filters = {"state": Several("state"), "kind": Several("kind")}
    list_select_related = ("requested_by", "decided_by", "currency")
    change_form_template = "admin/operations/act_record.html"
    exact_search = (
        Key(field="request_id", label=_("request id"), length_max=64),
        Key(field="object_id", label=_("object id"), length_max=64, newest_first="-id"),
    )
    facts = (
        (None, (
            _act.text("request_id"), _act.text("kind"), _act.badge("state", _TONES), _act.text("object_name"),
            _act.text("object_kind"), _act.text("object_id"), _act.text("reason"), _act.text("requested_by"),
            _act.full_moment("requested_at"), _act.money("amount"), _act.text("decider_role"),
            _act.full_moment("expires_at"), _act.text("decided_by"), _act.full_moment("decided_at"),
            _act.text("decision_reason"),
            _act.full_moment("handed_over_at"), _act.folded("told_evidence", label=_("evidence")),
        )),
    )  # fmt: skip

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Add the table of before and after as of now, and why this person cannot decide."""
        act, user = context.get("original"), request.user
        if isinstance(act, Act) and isinstance(user, User):
            obj = approval_pages.object_of(act, user) if act.state == Act.State.REQUESTED else None
            now = clock.now()
            context |= {
                "why_not": approval_pages.why_not(user, act, now),
                "rows": approval_pages.changes(act, user) if obj is not None else (),
                "evidence": approval_pages.evidence_facts(act),
                "stale": approval_pages.stale(act, obj, now) if obj is not None else None,
                "object_url": parts.page_url(type(obj), obj.pk) if isinstance(obj, Model) else "",
                "object_name": str(obj),
                "has_key": act.handover_encrypted is not None and act.requested_by_id == user.pk,
            }
        return super().render_change_form(request, context, *args, **kwargs)


_token = Columns(FormToken)


@admin.register(FormToken)
class FormTokenAdmin(ReadOnlyAdmin):
    """Forms of acts that were sent: each does its deed once."""

    list_display = ("id", "act", "object_id", _token.text("user"), _token.moment("used_at"))
    list_select_related = ("user",)
    exact_search = (Key(field="token", label=_("token"), length_max=32),)
    facts = (
        (None, (
            _token.text("token"), _token.text("act"), _token.text("object_id"), _token.text("user"),
            _token.full_moment("used_at"), _token.folded("outcome"),
        )),
    )  # fmt: skip


_rule = Columns(ApprovalRule)


def _kind(rule: ApprovalRule) -> Any:
    return link_to(ApprovalRule, rule.pk, rule.get_kind_display())


def _upper(rule: ApprovalRule) -> Any:
    return parts.amount(rule.amount_to, rule.currency) if rule.amount_to else gettext("no upper end")


class ApprovalRuleForm(LockedForm):
    """Who decides which act. What a rule is about is said once; another rule is another row."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("kind", "currency")

    def clean(self) -> dict[str, Any]:
        """Refuse a band that is empty or lies over another active rule's, and a role that decides nothing."""
        cleaned = super().clean()
        self.refuse_negative("amount_from", "amount_to")
        low, high = cleaned.get("amount_from"), cleaned.get("amount_to")
        if low is not None and high and high <= low:
            self.add_error("amount_to", _("Give more than the amount from which on it holds, or 0."))
        role = cleaned.get("role")
        if role is not None and not role.permissions.filter(codename="decide_act").exists():
            self.add_error("role", _("This role does not decide acts. Give it that permission first."))
        if not self.errors and cleaned.get("is_active"):
            self._refuse_overlap(cleaned)
        return cleaned

    def _refuse_overlap(self, cleaned: dict[str, Any]) -> None:
        low, high = cleaned["amount_from"], cleaned["amount_to"]
        others = ApprovalRule.objects.filter(
            Q(amount_to=0) | Q(amount_to__gt=low), kind=self._of("kind"), currency=self._of("currency"),
            is_active=True,
        ).exclude(pk=self.instance.pk)  # fmt: skip
        if high:
            others = others.filter(amount_from__lt=high)
        if others.exists():
            self.add_error("amount_from", _("Another active rule holds for some of these amounts."))

    def _of(self, name: str) -> Any:
        return self.cleaned_data.get(name) if self.instance._state.adding else getattr(self.instance, name)


@admin.register(ApprovalRule)
class ApprovalRuleAdmin(AuditedAdmin):
    """Who decides an act of a kind and an amount, and until when. A rule is switched off, never removed.

    Changing a rule changes no act that waits: each keeps the rule under which it was asked for.
    """

    form = ApprovalRuleForm
    list_display = (
        _rule.computed(_kind, name="kind", label=_("act")), _rule.text("currency_id", label=_("currency")),
        _rule.money("amount_from"), _rule.computed(_upper, name="amount_to", label=_("below amount")),
        _rule.text("role"), "expiry_hours", _rule.text("is_active"),
    )  # fmt: skip
    list_display_links = None
    filters = {"kind": Several("kind")}
    list_select_related = ("role", "currency")
    fieldsets = (
        (None, {
            "fields": (
                "kind", "currency", "amount_from", "amount_to", "role", "expiry_hours", "is_active",
            ),
            "description": _(
                "The narrowest active rule holds: its currency before none, then the greatest amount. A "
                "change concerns acts that are asked for from then on."
            ),
        }),
    )  # fmt: skip

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the roles that decide acts."""
        if db_field.name == "role":
            kwargs["queryset"] = Group.objects.filter(permissions__codename="decide_act").distinct()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody removes a rule."""
        return False
