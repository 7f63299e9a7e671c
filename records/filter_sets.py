"""The filters of each record kind, one django-filter FilterSet a kind; `records.filters` reads them."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels.models import Currency
from diamondpay.lib.admin_list import Key
from diamondpay.lib.filter_kinds import Amount, Flag, Numbers, Related, Several, Text
from diamondpay.lib.filter_moments import Moments
from diamondpay.lib.filters import ListFilters, Pair, shortened
from merchants.models import MerchantChannel
from records import totals
from records.models import (
    Account,
    BalanceRecord,
    BalanceTransfer,
    Case,
    Notification,
    Payment,
    Payout,
    UpstreamCallback,
)

# Who may see what lies between us and the upstreams; a merchant's own users may not.
UPSTREAM = "records.view_upstreamcall"


def _of_order(field: str, label: Any) -> Key:
    return Key(field=field, label=label, length_max=32, newest_first="-id", is_upper=True)


class NotificationState(Several):
    """Orders of which a notification is in one of the states. Source: seed 000, Notification Statuses.

    An order is told of after it was made, so the notifications of its time range suffice.
    """

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the orders that have such a notification."""
        if value is None:
            return qs
        order = str(qs.model._meta.model_name)
        sent = Notification.objects.filter(**{order: OuterRef("pk")})
        sent = sent.filter(state=value[0]) if len(value) == 1 else sent.filter(state__in=value)
        created = self.parent.values().get("created")
        if created is not None and created.start is not None:
            sent = sent.filter(created_at__gte=created.start)
        return qs.filter(Exists(sent))

    def read(self, raw: dict[str, list[str]]) -> list[Any] | None:
        """Return the states; all of them are every order that was told of, which is not all orders."""
        chosen = super().read(raw)
        return chosen or (sorted(set(raw[""])) or None)

    def _choices(self) -> list[tuple[Any, str]]:
        return [(value, str(word)) for value, word in Notification.State.choices]


class SettledIn(Text):
    """Orders that settle in their own currency (`OWN`), or that are converted into the one typed."""

    def read(self, raw: dict[str, list[str]]) -> str | None:
        """Return OWN or a currency. Raises: ValidationError for what is neither."""
        text = self.single(raw)
        if text is None:
            return None
        value = text.upper()
        if value != totals.OWN and not Currency.objects.filter(pk=value).exists():
            raise ValidationError(
                gettext("“%s” is no currency; OWN finds orders that are not converted.") % shortened(text)
            )
        return value

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return such orders; those that are converted have an index of their own."""
        if value is None:
            return qs
        own = Q(settlement_currency=F("currency"))
        return qs.filter(own) if value == totals.OWN else qs.filter(~own, settlement_currency=value)

    def words(self, value: Any) -> str:
        """Return the currency, or that there is no other."""
        return gettext("its own currency") if value == totals.OWN else str(value)


class _OrderFilters(ListFilters):
    """The seed's filters of orders; without another choice a list goes back 30 days."""

    instead = ("completed",)

    created = Moments("created_at", preset="30d")
    merchant = Related("merchant", is_many=True)
    status = Several("status")
    service = Related("service")
    channel = Related("channel", permission=UPSTREAM)
    amount = Amount("requested_amount", title=_("amount"))
    completed = Moments("completed_at", is_rare=True)
    settled = SettledIn("settlement_currency", title=_("settled in"), is_rare=True)
    is_test = Flag(
        "is_test", no=_("without tests"), yes=_("only tests"), title=_("test orders"), is_rare=True
    )
    notification = NotificationState("pk", title=_("notification"), is_rare=True)


def _order_keys(number: str) -> tuple[Key, ...]:
    """The numbers by which people look for an order, each with an index of its own."""
    return (
        Key(field=number, label=_("platform order no."), length_max=32, is_upper=True),
        Key(field="merchant_order_no__upper", label=_("merchant order no."), length_max=100,
            newest_first="-id", is_upper=True),
        Key(field="channel_order_no", label=_("channel order no."), newest_first="-id",
            guard={"channel_order_no__gt": ""}),
        Key(field="account_tail", label=_("account tail"), length_max=8, newest_first="-created_at",
            guard={"account_tail__gt": ""}),
    )  # fmt: skip


class PaymentFilters(_OrderFilters):
    """Deposit orders."""

    q = Numbers(keys=_order_keys("payment_id"))

    class Meta:
        model = Payment
        fields: tuple[str, ...] = ()


class PayoutFilters(_OrderFilters):
    """Payout orders."""

    is_held = Flag("is_held", no=_("not held"), yes=_("held"), title=_("held for a person"), is_rare=True)
    q = Numbers(keys=_order_keys("payout_id"))

    class Meta:
        model = Payout
        fields: tuple[str, ...] = ()


class Wallet(Text):
    """The records of one wallet, typed by its id; its merchant leads to them in order."""

    def read(self, raw: dict[str, list[str]]) -> MerchantChannel | None:
        """Return the wallet. Raises: ValidationError for one that is not there to be seen."""
        text = self.single(raw)
        if text is None:
            return None
        viewer = self.viewer
        found: MerchantChannel | None = viewer.visible_to(
            viewer.user, MerchantChannel.objects.filter(pk=text.upper())
        ).first()
        if found is None:
            raise ValidationError(gettext("there is no wallet “%s”.") % shortened(text))
        return found

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows of the wallet."""
        if value is None:
            return qs
        return qs.filter(merchant_id=value.merchant_id, merchant_channel_id=value.pk)

    def pairs(self, value: Any) -> list[Pair]:
        """Return the wallet's id."""
        return [(self.name, value.pk)]

    def words(self, value: Any) -> str:
        """Return the wallet's id."""
        return str(value.pk)


class BalanceRecordFilters(ListFilters):
    """Changes of wallets' balances. Source: seed 000, Balance Records; backoffice.md, Records."""

    created = Moments("created_at", preset="30d")
    merchant = Related("merchant", is_many=True)
    change_type = Several("change_type")
    channel = Related("channel", permission=UPSTREAM)
    wallet = Wallet("merchant_channel", title=_("wallet"), is_rare=True)
    account_kind = Several("account_kind", is_rare=True)
    amount = Amount("amount", is_rare=True)
    q = Numbers(
        keys=(
            Key(field="order_no", label=_("associated order number"), length_max=64,
                guard={"order_no__gt": ""}),
        )
    )  # fmt: skip

    class Meta:
        model = BalanceRecord
        fields: tuple[str, ...] = ()


class BalanceTransferFilters(ListFilters):
    """Transfers between merchants. Source: seed 000, Balance Transfer; backoffice.md, Records."""

    created = Moments("created_at")
    source_merchant = Related("source_merchant", is_many=True, title=_("source"))
    destination_merchant = Related("destination_merchant", is_many=True, title=_("destination"))
    merchant = Related(
        "source_merchant", others=("destination_merchant",), is_many=True, title=_("either side")
    )
    currency = Related("currency")
    operator = Text("operator__username", title=_("operator"), permission=UPSTREAM)
    amount = Amount("amount", is_rare=True)
    q = Numbers(
        keys=(
            Key(field="request_id", label=_("request id"), length_max=64),
            Key(field="source_id", label=_("source wallet"), newest_first="-id", is_upper=True),
            Key(field="destination_id", label=_("destination wallet"), newest_first="-id", is_upper=True),
        )
    )

    class Meta:
        model = BalanceTransfer
        fields: tuple[str, ...] = ()


class NotificationFilters(ListFilters):
    """What merchants were told. Source: seed 000, Notification Records."""

    created = Moments("created_at", preset="30d")
    merchant = Related("merchant", is_many=True)
    state = Several("state")
    q = Numbers(
        keys=(
            Key(field="webhook_id", label=_("webhook-id"), length_max=64),
            _of_order("payment__payment_id", _("deposit order")),
            _of_order("payout__payout_id", _("payout order")),
            Key(field="payment__merchant_order_no__upper", label=_("merchant order no."), length_max=100,
                newest_first="-id", is_upper=True),
            Key(field="payout__merchant_order_no__upper", label=_("merchant order no."), length_max=100,
                newest_first="-id", is_upper=True),
        )
    )  # fmt: skip

    class Meta:
        model = Notification
        fields: tuple[str, ...] = ()


class UpstreamCallbackFilters(ListFilters):
    """Callbacks as they arrived."""

    received = Moments("received_at", preset="30d")
    channel = Related("channel")
    outcome = Several("outcome")
    q = Numbers(
        keys=(
            _of_order("payment__payment_id", _("deposit order")),
            Key(field="attempt__reference", label=_("payout attempt"), length_max=64, newest_first="-id"),
        )
    )

    class Meta:
        model = UpstreamCallback
        fields: tuple[str, ...] = ()


class CaseFilters(ListFilters):
    """What people must decide."""

    status = Several("status")
    kind = Several("kind")
    merchant = Related("merchant", is_many=True)
    channel = Related("channel", permission=UPSTREAM)
    opened = Moments("opened_at")
    q = Numbers(
        keys=(
            Key(field="key", label=_("key")),
            _of_order("payment__payment_id", _("deposit order")),
            _of_order("payout__payout_id", _("payout order")),
        )
    )

    class Meta:
        model = Case
        fields: tuple[str, ...] = ()


class WalletChannel(Related):
    """Wallets on any of the channels: the wallet names its channel, its account names none."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the accounts of such wallets."""
        return qs if value is None else qs.filter(merchant_channel__channel__in=value)


class AccountFilters(ListFilters):
    """Wallets: one row of the list is the available balance, with the frozen one beside it."""

    merchant = Related("merchant", is_many=True)
    channel = WalletChannel("channel", permission=UPSTREAM)
    currency = Related("currency")
    q = Numbers(keys=(Key(field="merchant_channel_id", label=_("wallet id"), is_upper=True),))

    class Meta:
        model = Account
        fields: tuple[str, ...] = ()
