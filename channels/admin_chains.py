"""The pages of chains and tokens. None is ever removed: payments stand on them. One out of use is closed."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from channels.models import Chain, Currency, Token
from channels.upstreams.evm import keccak
from diamondpay.lib import admin_forms
from diamondpay.lib.admin import AuditedAdmin
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from diamondpay.lib.filter_kinds import Related, Several

_OPEN = {"open": "success", "closed": "closed"}


class ChainForm(admin_forms.LockedForm):
    """A chain keeps its id and code: merchants and channels name it by them."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("chain_id", "code", "symbol", "network_id")


_chain = Columns(Chain)


@admin.register(Chain)
class ChainAdmin(AuditedAdmin):
    """Chains that payments travel over, with the confirmations that each asks for."""

    form = ChainForm
    list_display = (
        "chain_id", "code", "name", "symbol", "confirmations", "network_id", _chain.badge("status", _OPEN),
    )  # fmt: skip
    filters = {"status": Several("status")}
    exact_search = (Key(field="code", label=_("code"), is_upper=True),)
    fieldsets = (
        (None, {
            "fields": ("chain_id", "code", "name", "symbol", "confirmations", "network_id", "status"),
        }),
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a chain; it is closed."""
        return False


class TokenForm(admin_forms.LockedForm):
    """A token keeps what payments were counted by: its chain, contract, decimals and currency."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("chain", "symbol", "address", "decimals", "currency")

    def clean(self) -> dict[str, Any]:
        """Refuse a contract that is no address, and decimals that the currency cannot hold."""
        cleaned = super().clean()
        chain: Chain | None = cleaned.get("chain")
        address = str(cleaned.get("address") or "").strip()
        if chain is not None and chain.network_id is not None and address:
            try:
                cleaned["address"] = keccak.read_address(address)
            except ValueError as fault:
                self.add_error("address", ValidationError(_("Not a contract: %s.") % fault))
        currency: Currency | None = cleaned.get("currency")
        decimals = cleaned.get("decimals")
        if currency is not None and decimals is not None and decimals > currency.exponent:
            words = _("The currency %(code)s has %(exponent)s decimals: what arrives could not be booked.")
            self.add_error("decimals", words % {"code": currency.pk, "exponent": currency.exponent})
        return cleaned


_token = Columns(Token)


@admin.register(Token)
class TokenAdmin(AuditedAdmin):
    """Tokens and native coins, by chain."""

    form = TokenForm
    list_display = (
        "id", _token.text("chain"), "symbol", "name", "address", "decimals", "currency_id",
        _token.badge("status", _OPEN),
    )  # fmt: skip
    list_select_related = ("chain",)
    filters = {
        "chain": Related("chain"),
        "currency": Related("currency"),
        "status": Several("status"),
    }
    exact_search = (
        Key(field="symbol", label=_("symbol"), is_upper=True),
        Key(field="address", label=_("contract")),
    )
    fieldsets = (
        (None, {"fields": ("chain", "symbol", "name", "address", "decimals", "currency", "status")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a token; it is closed."""
        return False
