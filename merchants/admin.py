"""Pages of merchants: their terms, wallets, allow-lists, keys and users. Balances are pages of `records`."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import clock, ids, in_force
from diamondpay.lib.admin import AuditedAdmin, AuditedInline, ReadOnlyAdmin, address_of
from diamondpay.lib.admin_columns import Columns, Panel, link_to
from diamondpay.lib.admin_list import Key
from diamondpay.lib.admin_terms import IN_FORCE, InForce, TermsAdmin, TermsInline, in_force_since
from diamondpay.lib.filter_kinds import Flag, Related, Several
from diamondpay.models import User
from merchants import admin_calls, admin_forms, admin_keys, admin_own, debug, imports, queries
from merchants.models import (
    AllowedAddress,
    Credential,
    Membership,
    Merchant,
    MerchantChannel,
    MerchantService,
    ServiceBound,
)

__all__ = ["admin_calls", "admin_own"]

_ON_OFF = {"enabled": "success", "disabled": "closed", "active": "success"}

_credential = Columns(Credential)


def _key_acts(credential: Credential) -> Any:
    end = reverse("admin:merchants_credential_end", args=[credential.pk])
    return format_html('<a href="{}">{}</a>', end, gettext("End now"))


def _scopes_of(credential: Credential) -> Any:
    return ", ".join(str(scope.label) for scope in credential.scopes)


def _keys_of(merchant: Merchant) -> QuerySet[Credential]:
    return Credential.objects.filter(merchant=merchant).order_by("-created_at", "-id")


_KEY_COLUMNS = (
    _credential.page("public_id"),
    _credential.text("api"),
    _credential.computed(lambda row: f"…{row.secret_tail}", name="secret_tail", label=_("secret ends with")),
    _credential.computed(_scopes_of, name="scopes", label=_("may")),
    _credential.full_moment("created_at"),
    _credential.full_moment("ends_at"),
    _credential.full_moment("last_used_at"),
)


class TypedMerchant:
    """A form on which the merchant is typed as a number where there are too many to scroll through."""

    admin_site: admin.AdminSite

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Give the merchant a line to type in, with a way to look it up, instead of ten thousand choices."""
        few = queries.CHOICE_MAX
        if db_field.name == "merchant" and Merchant.objects.all()[: few + 1].count() > few:
            kwargs["widget"] = ForeignKeyRawIdWidget(db_field.remote_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


class MerchantServiceInline(TermsInline):
    """The services a merchant has activated."""

    model = MerchantService
    form = admin_forms.MerchantServiceForm
    verbose_name_plural = _(
        "Merchant services (fees and limits are put in force, and changed later, by two people)"
    )
    fields = (
        "service", "status", "fee_type", "fee_permillage", "fee_fixed", "single_limit_lower_bound",
        "single_limit_upper_bound", "after_failure", IN_FORCE,
    )  # fmt: skip
    can_delete = False


class WalletInline(AuditedInline):
    """The merchant's wallets; the boundaries of each stand on its own page."""

    model = MerchantChannel
    form = admin_forms.WalletForm
    fields = ("channel", "currency", "name", "status", "boundaries")
    readonly_fields = ("boundaries",)
    can_delete = False

    @admin.display(description=_("service boundaries"))
    def boundaries(self, wallet: MerchantChannel) -> Any:
        """Lead to the wallet's own page, where its boundaries stand."""
        if wallet._state.adding:
            return "–"
        return link_to(MerchantChannel, wallet.pk, gettext("%s: boundaries") % wallet.pk)


class AllowedAddressInline(AuditedInline):
    """Where the merchant may call from."""

    model = AllowedAddress
    form = admin_forms.AllowedAddressForm
    fields = ("network", "note")


class ServiceBoundInline(TermsInline):
    """The boundaries of a wallet."""

    model = ServiceBound
    form = admin_forms.ServiceBoundForm
    fields = ("service", "lower_bound", "upper_bound", IN_FORCE)
    can_delete = False


_merchant = Columns(Merchant)


@admin.register(Merchant)
class MerchantAdmin(AuditedAdmin):
    """Merchants. One that is no longer served is disabled; its orders stay."""

    form = admin_forms.MerchantForm
    list_display = (
        "id", "name", "organisation_id", "time_zone", _merchant.badge("status", _ON_OFF),
        _merchant.flag("debug_mode", word=_("debug")), _merchant.text("payout_audit"),
        _merchant.moment("created_at"),
    )  # fmt: skip
    filters = {"status": Several("status"), "debug_mode": Flag("debug_mode", no=_("off"), yes=_("on"))}
    exact_search = (
        Key(field="id", label=_("merchant id"), is_upper=True),
        Key(field="name__iexact", label=_("name")),
    )
    fieldsets = (
        (None, {"fields": ("name", "status", "time_zone", "notify_url", "debug_mode")}),
        (_("Payouts"), {"fields": ("payout_audit", "payout_audit_amount", "usdt_collection")}),
        (_("API"), {"fields": ("is_md5_allowed", "is_repeat_refused")}),
    )
    inlines = (MerchantServiceInline, WalletInline, AllowedAddressInline)
    panels = (
        Panel(
            title=_("Keys"),
            rows=_keys_of,
            columns=(*_KEY_COLUMNS, _credential.computed(_key_acts, name="acts", label=_("acts"))),
        ),
    )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Give a new merchant its numbers; leave debug mode to `merchants.debug`."""
        if not change:
            obj.pk = ids.merchant_id(ids.next_number("merchant_number"))
            obj.organisation_id = ids.next_number("organisation_number")
        obj.debug_mode = bool(form.initial.get("debug_mode", False)) if change else False
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save services, wallets and addresses, then switch debug mode where that was asked for."""
        super().save_related(request, form, formsets, change)
        wanted = admin_forms.is_debug_switched(form)
        if wanted is not None:
            switch = debug.switch_on if wanted else debug.switch_off
            switch(
                merchant=form.instance,
                now=clock.now(),
                user=cast(User, request.user),
                address=address_of(request),
            )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a merchant; it is disabled."""
        return False


_merchant_service = Columns(MerchantService)


@admin.register(MerchantService)
class MerchantServiceAdmin(TypedMerchant, TermsAdmin):
    """The activated services of all merchants."""

    form = admin_forms.MerchantServiceForm
    import_page = imports.SERVICES.page_name
    list_display = (
        "id", "merchant_id", "service_id", _merchant_service.badge("status", _ON_OFF),
        _merchant_service.text("fee_type"), _merchant_service.number("fee_permillage"),
        _merchant_service.money("fee_fixed", currency="service.currency"),
        _merchant_service.money("single_limit_lower_bound", currency="service.currency"),
        _merchant_service.money("single_limit_upper_bound", currency="service.currency"),
        in_force_since(MerchantService),
    )  # fmt: skip
    filters = {
        "merchant": Related("merchant", is_many=True),
        "service": Related("service"),
        "status": Several("status"),
        "in_force": InForce("terms_since"),
    }
    list_select_related = ("service__currency",)
    fieldsets = (
        (None, {"fields": ("merchant", "service", "status")}),
        (_("Terms"), {
            "fields": (
                "fee_type", "fee_permillage", "fee_fixed", "single_limit_lower_bound",
                "single_limit_upper_bound", "after_failure",
            ),
            "description": in_force.TERMS_ARE_ACTS,
        }),
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes an activated service; it is disabled."""
        return False


_wallet = Columns(MerchantChannel)


@admin.register(MerchantChannel)
class MerchantChannelAdmin(TypedMerchant, AuditedAdmin):
    """Wallets with their service boundaries. No balances here: those are pages of the records."""

    form = admin_forms.WalletForm
    list_display = (
        "id", "merchant_id", "channel_id", "currency_id", "name", _wallet.badge("status", _ON_OFF),
        _wallet.moment("created_at"),
    )  # fmt: skip
    filters = {
        "merchant": Related("merchant", is_many=True),
        "channel": Related("channel"),
        "status": Several("status"),
    }
    exact_search = (Key(field="id", label=_("wallet id"), is_upper=True),)
    fieldsets = ((None, {"fields": ("merchant", "channel", "currency", "name", "status")}),)
    inlines = (ServiceBoundInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a wallet; it is disabled."""
        return False


_bound = Columns(ServiceBound)


@admin.register(ServiceBound)
class ServiceBoundAdmin(TermsAdmin):
    """The service boundaries of all wallets."""

    form = admin_forms.ServiceBoundForm
    import_page = imports.BOUNDS.page_name
    list_display = (
        "id", "merchant_channel_id", "service_id", _bound.money("lower_bound", currency="service.currency"),
        _bound.money("upper_bound", currency="service.currency"), in_force_since(ServiceBound),
    )  # fmt: skip
    filters = {"service": Related("service"), "in_force": InForce("terms_since")}
    list_select_related = ("service__currency",)
    exact_search = (Key(field="merchant_channel_id", label=_("wallet id"), is_upper=True),)
    fieldsets = (
        (None, {
            "fields": ("merchant_channel", "service", "lower_bound", "upper_bound"),
            "description": in_force.TERMS_ARE_ACTS,
        }),
    )  # fmt: skip
    raw_id_fields = ("merchant_channel",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a boundary; it is part of the terms."""
        return False


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    """Keys: looked at here and ended here; a new one is an act of two people."""

    list_display = (
        "public_id", "merchant_id", _credential.text("api"), *_KEY_COLUMNS[2:],
        _credential.computed(_key_acts, name="acts", label=_("acts")),
    )  # fmt: skip
    filters = {"merchant": Related("merchant", is_many=True), "api": Several("api")}
    exact_search = (Key(field="public_id", label=_("key id")),)
    facts = (
        (
            None,
            (
                _credential.link("merchant"), _credential.text("api"), _credential.text("public_id"),
                *_KEY_COLUMNS[2:], _credential.computed(_key_acts, name="acts", label=_("acts")),
            ),
        ),
    )  # fmt: skip

    def get_urls(self) -> list[Any]:
        """Add the page that ends a key."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/end/", wrap(admin_keys.end), name="merchants_credential_end"),
            *super().get_urls(),
        ]


@admin.register(AllowedAddress)
class AllowedAddressAdmin(TypedMerchant, AuditedAdmin):
    """The allow-lists of all merchants."""

    form = admin_forms.AllowedAddressForm
    list_display = ("network", "merchant_id", "note")
    filters = {"merchant": Related("merchant", is_many=True)}
    fieldsets = ((None, {"fields": ("merchant", "network", "note")}),)


@admin.register(Membership)
class MembershipAdmin(TypedMerchant, AuditedAdmin):
    """Which users act for which merchant; a user with any membership sees nothing else."""

    list_display = ("id", "user", "merchant_id")
    filters = {"merchant": Related("merchant", is_many=True)}
    list_select_related = ("user",)
    fieldsets = ((None, {"fields": ("user", "merchant")}),)
    raw_id_fields = ("user",)
