"""Which rule says who decides an act, and the rules as first shipped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.apps.registry import Apps
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors
from diamondpay.models import User
from operations import roles
from operations.models import Act, ApprovalRule

Kind = Act.Kind
_REVIEW_HOURS = 24


class NoRule(errors.DomainError):
    """No active rule covers the act, so nobody could decide it."""

    code = "no_approval_rule"
    words = _("No active approval rule says who decides this. A Super Administrator adds one.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """A rule as first shipped. Units: amount in major units of the currency, this amount included."""

    kind: str
    role: str = roles.FINANCE_STAFF
    currency: str | None = None
    amount_from: Decimal = Decimal(0)
    expiry_hours: int = 24


# Acts on money: finance, within a day. What gives lasting power (terms, keys): administrators. A payout's
# review is one person's until the amount is large.
SHIPPED = (
    *(
        Shipped(kind=kind)
        for kind in (
            "fail_payout", "reinitiate_payout", "supplement_payment", "refund_payment", "adjust_balance",
            "supplement_balance", "freeze_balance", "unfreeze_balance", "transfer_balance",
        )
    ),
    *(
        Shipped(kind=kind, role=roles.SUPER_ADMINISTRATOR, expiry_hours=72)
        for kind in ("change_terms", "rotate_credential")
    ),
    Shipped(kind="review_payout", currency="CNY", amount_from=Decimal(100_000)),
    Shipped(kind="review_payout", currency="USDT", amount_from=Decimal(10_000)),
)  # fmt: skip
# Came with the migration `0070_rate_acts`.
SHIPPED_FOR_RATES = (Shipped(kind="add_rate"),)
# Came with the migration `0076_activations`: as changes of terms.
SHIPPED_FOR_ACTIVATIONS = (Shipped(kind="activate_terms", role=roles.SUPER_ADMINISTRATOR, expiry_hours=72),)
# Came with the migration `0071_review_rules`: for every reference currency about what 100,000 CNY are
# worth, as a round number.
REVIEWED_FROM = {
    "BRL": "80000", "BTC": "0.2", "ETH": "5", "EUR": "10000", "HKD": "100000", "IDR": "200000000",
    "INR": "1000000", "JPY": "2000000", "KRW": "20000000", "MTC": "10000", "MYR": "60000", "PHP": "800000",
    "SGD": "20000", "THB": "500000", "TRX": "50000", "TWD": "400000", "USD": "10000", "USDC": "10000",
    "VND": "300000000",
}  # fmt: skip
SHIPPED_FOR_REVIEWS = tuple(
    Shipped(kind="review_payout", currency=code, amount_from=Decimal(amount))
    for code, amount in REVIEWED_FROM.items()
)


def ship(*, apps: Apps, using: str, rules_shipped: tuple[Shipped, ...] = SHIPPED) -> None:
    """Write shipped rules; called once by the migration that brings them. What a person made stays."""
    groups = apps.get_model("auth", "Group").objects.using(using)
    rules = apps.get_model("operations", "ApprovalRule").objects.using(using)
    for shipped in rules_shipped:
        of_kind = rules.filter(kind=shipped.kind, currency_id=shipped.currency, is_active=True)
        if of_kind.exists():
            continue
        rules.create(
            kind=shipped.kind,
            role=groups.get(name=shipped.role),
            currency_id=shipped.currency,
            amount_from=shipped.amount_from,
            expiry_hours=shipped.expiry_hours,
        )


def find(*, kind: str, currency_id: str | None, amount: Decimal | None) -> ApprovalRule | None:
    """Return the narrowest active rule for an act; None where there is none.

    Units: amount in major units of the currency, its sign does not matter; None is an act without amount.
    """
    size = abs(amount or Decimal(0))
    rules = ApprovalRule.objects.filter(
        Q(currency=currency_id) | Q(currency__isnull=True),
        Q(amount_to=0) | Q(amount_to__gt=size),
        kind=kind,
        is_active=True,
        amount_from__lte=size,
    )
    return rules.order_by(F("currency").asc(nulls_last=True), "-amount_from", "id").first()


def is_review_banded(currency_id: str) -> bool:
    """Say whether an active rule says from which amount on two people review payouts of a currency.

    Where none does, nobody knows what is large in it, and no payout of it is one person's.
    """
    rules = ApprovalRule.objects.filter(kind=Kind.REVIEW_PAYOUT, is_active=True)
    return rules.filter(Q(currency=currency_id) | Q(currency__isnull=True)).exists()


def deciders(*, kind: str, currency_id: str | None, amount: Decimal | None) -> tuple[int | None, timedelta]:
    """Return the role that decides an act, None for whoever may decide acts, and for how long it waits.

    Only a payout's review may be asked for without a rule: one person may decide it, so two may.
    Raises: NoRule: what nobody may decide cannot be asked for.
    """
    rule = find(kind=kind, currency_id=currency_id, amount=amount)
    if rule is not None:
        return rule.role_id, timedelta(hours=rule.expiry_hours)
    if kind == Kind.REVIEW_PAYOUT:
        return None, timedelta(hours=_REVIEW_HOURS)
    raise NoRule


class Decider:
    """What a person may decide, by their roles as they are when it is made; made once for many acts."""

    def __init__(self, user: User) -> None:
        self._decides = user.has_perm("operations.decide_act")
        held = dict(user.groups.values_list("pk", "name")) if self._decides else {}
        self._decides_all = user.is_superuser or roles.SUPER_ADMINISTRATOR in held.values()
        self._roles = frozenset(held)

    def may(self, act: Act) -> bool:
        """Say whether the person's role decides this act; that it was not theirs is asked elsewhere."""
        if not self._decides:
            return False
        return self._decides_all or act.decider_role_id is None or act.decider_role_id in self._roles


def may_decide(user: User, act: Act) -> bool:
    """Say whether the person's role, as it is now, decides this act."""
    return Decider(user).may(act)
