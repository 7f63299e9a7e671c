"""Accounts, postings, balance records, transfers and manual freezes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import admin_columns, money
from diamondpay.lib.admin import ReadOnlyAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from records import ledger
from records.admin import base
from records.admin.lists import RecordAdmin
from records.models import Account, BalanceRecord, BalanceTransfer, ManualFreeze, Posting

_account = Columns(Account)
_transfer = Columns(BalanceTransfer)
_freeze = Columns(ManualFreeze)
_OPERATOR = "operator"


def _balance_of(account: Account) -> Any:
    """Show a wallet's balance as its row holds it, a system account's as the total of its entries."""
    amount = (
        account.balance
        if account.is_chained
        else ledger.system_balances([account.pk]).get(account.pk, Decimal(0))
    )
    return format_html(
        '<span class="amount">{} <small>{}</small></span>',
        money.render(amount, account.currency.exponent),
        account.currency_id,
    )


def _channel_of(account: Account) -> Any:
    """Show the channel: a system account's own, or that of the wallet."""
    wallet = account.merchant_channel
    return (wallet.channel_id if wallet else account.channel_id) or admin_columns.dash()


def _frozen_of(account: Account) -> Any:
    """Show what the wallet of an available balance holds frozen, and lead to its records."""
    if account.kind != Account.Kind.AVAILABLE:
        return admin_columns.dash()
    frozen = Account.objects.select_related("currency").get(
        merchant_channel=account.merchant_channel_id, kind=Account.Kind.FROZEN
    )
    return admin_columns.link_to(Account, frozen.pk, _balance_of(frozen))


def _records_of(account: Account) -> Any:
    """Lead to all records of a wallet's balance, which have a list with filters."""
    if not account.is_chained:
        return admin_columns.dash()
    query = urlencode(
        {"created": "any", "wallet": str(account.merchant_channel_id), "account_kind": account.kind}
    )
    url = f"{admin_columns.list_url('records.balancerecord')}?{query}"
    return format_html('<a href="{}">{}</a>', url, gettext("All balance records"))


@admin.register(Account)
class AccountAdmin(RecordAdmin):
    """Accounts: the balances of wallets, and the platform's own, whose balances are totals."""

    facts = (
        (None, (
            _account.text("kind"), _account.link("merchant"), _account.link("merchant_channel"),
            _account.computed(_channel_of, name="channel", label=_("channel")),
            _account.computed(_balance_of, name="balance", label=_("balance")),
            _account.computed(_frozen_of, name="frozen", label=_("frozen")),
            _account.text("sequence"), _account.computed(_records_of, name="records", label=_("records")),
        )),
    )  # fmt: skip
    panels = (base.entries_panel("account", title=_("Balance records"), is_paged=True),)


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    """Postings: one business effect each, with its entries."""

    list_display = (
        "effect_key", base.posting.text("kind"), "currency_id", "order_no", base.posting.text("operator"),
        "remark",
        base.posting.moment("created_at"),
    )  # fmt: skip
    list_select_related = (_OPERATOR,)
    exact_search = (
        Key(field="effect_key", label=_("effect")),
        Key(
            field="payment__payment_id",
            label=_("deposit order"),
            length_max=32,
            newest_first="-id",
            is_upper=True,
        ),
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
            base.posting.text("effect_key"), base.posting.text("kind"), base.posting.text("currency_id"),
            base.posting.link("payment", shown="payment_id"), base.posting.link("payout", shown="payout_id"),
            base.posting.link("reverses", shown="effect_key"), base.posting.text("order_no"),
            base.posting.text("remark"), base.posting.text(_OPERATOR), base.posting.full_moment("created_at"),
            base.posting.full_moment("recorded_at"),
        )),
    )  # fmt: skip
    panels = (base.entries_panel("posting", title=_("Entries")),)


@admin.register(BalanceRecord)
class BalanceRecordAdmin(RecordAdmin):
    """Balance records of wallets; system entries stand on their posting's page. Source: seed 000."""

    facts = (
        (None, (
            base.entry.link("posting", shown="effect_key"), base.entry.link("account"),
            base.entry.text("account_kind"),
            base.entry.link("merchant"), base.entry.link("merchant_channel"),
            base.entry.text("channel_id", label=_("channel")), base.entry.text("change_type"),
            base.entry.money("amount"), base.entry.money("balance_before"), base.entry.money("balance_after"),
            base.entry.text("sequence"), base.entry.text("order_no"), base.entry.text("posting.remark"),
            base.entry.full_moment("created_at"), base.entry.full_moment("recorded_at"),
        )),
    )  # fmt: skip


@admin.register(BalanceTransfer)
class BalanceTransferAdmin(RecordAdmin):
    """Transfers between merchants. Source: seed 000, Balance Transfer."""

    facts = (
        (None, (
            _transfer.text("request_id"), _transfer.link("source_merchant"), _transfer.link("source"),
            _transfer.link("destination_merchant"), _transfer.link("destination"), _transfer.money("amount"),
            _transfer.link("posting", shown="effect_key"), _transfer.text(_OPERATOR),
            _transfer.text("reason"),
            _transfer.full_moment("created_at"),
        )),
    )  # fmt: skip


@admin.register(ManualFreeze)
class ManualFreezeAdmin(ReadOnlyAdmin):
    """Money that people froze on wallets."""

    list_display = (
        "request_id", "merchant_channel_id", _freeze.money("amount"), _freeze.text(_OPERATOR), "reason",
        _freeze.moment("created_at"), _freeze.link("lifted_by"),
    )  # fmt: skip
    list_select_related = ("currency", _OPERATOR)
    exact_search = (
        Key(field="request_id", label=_("request id"), length_max=64),
        Key(field="merchant_channel_id", label=_("wallet id"), newest_first="-id", is_upper=True),
    )
    facts = (
        (None, (
            _freeze.text("request_id"), _freeze.link("merchant_channel"), _freeze.money("amount"),
            _freeze.text("reason"), _freeze.text(_OPERATOR), _freeze.full_moment("created_at"),
            _freeze.link("posting", shown="effect_key"), _freeze.link("lifted_by", shown="effect_key"),
        )),
    )  # fmt: skip
