"""Pages of channels, services and banks. Balances are pages of `records`, never of this room."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from channels import admin_chains, admin_rates, channel_forms, imports, setting_forms
from channels.models import (
    Bank,
    Channel,
    ChannelService,
    Currency,
    RequiredField,
    Service,
    ServiceType,
)
from channels.upstreams.base import SettingField
from diamondpay.lib import admin_forms, in_force
from diamondpay.lib.admin import AuditedAdmin, AuditedInline
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from diamondpay.lib.admin_terms import IN_FORCE, InForce, TermsAdmin, TermsInline, in_force_since
from diamondpay.lib.filter_kinds import Flag, Related, Several

__all__ = ["admin_chains", "admin_rates"]

_ON_OFF = {"enabled": "success", "disabled": "closed", "open": "success", "closed": "closed"}


class CurrencyForm(admin_forms.LockedForm):
    """A currency keeps its code and decimals: amounts in the book were rounded to them."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("code", "exponent")


@admin.register(Currency)
class CurrencyAdmin(AuditedAdmin):
    """Currencies and tokens. None is ever removed: accounts are opened with it."""

    form = CurrencyForm
    list_display = ("code", "name", "exponent", "is_crypto")
    exact_search = (Key(field="code", label=_("code"), is_upper=True),)
    fieldsets = ((None, {"fields": ("code", "name", "exponent", "is_crypto")}),)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a currency."""
        return False


class RequiredFieldInline(AuditedInline):
    """What orders of a service type must carry."""

    model = RequiredField
    fields = ("direction", "field", "is_required_in_forms", "is_required_over_api", "position")
    ordering = ("direction", "position")


class ServiceTypeForm(admin_forms.LockedForm):
    """A service type keeps its code."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("code",)


@admin.register(ServiceType)
class ServiceTypeAdmin(AuditedAdmin):
    """Service types with the fields they require."""

    form = ServiceTypeForm
    list_display = ("code", "name")
    exact_search = (Key(field="code", label=_("code")),)
    fieldsets = ((None, {"fields": ("code", "name")}),)
    inlines = (RequiredFieldInline,)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a service type."""
        return False


@admin.register(RequiredField)
class RequiredFieldAdmin(AuditedAdmin):
    """The declarations of all service types in one list."""

    list_display = (
        "id",
        "service_type_id",
        "direction",
        "field",
        "is_required_in_forms",
        "is_required_over_api",
    )
    filters = {"service_type": Related("service_type"), "direction": Several("direction")}
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "service_type", "direction", "field", "is_required_in_forms", "is_required_over_api",
                    "position",
                )
            },
        ),
    )  # fmt: skip


class ServiceForm(admin_forms.LockedForm):
    """A service keeps its id, direction and currency: orders and terms stand on them."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("id", "direction", "currency")


_service = Columns(Service)


@admin.register(Service)
class ServiceAdmin(AuditedAdmin):
    """Services that merchants can activate. One that is no longer wanted is closed."""

    form = ServiceForm
    list_display = (
        "id", "name", _service.text("direction"), "service_type_id", "currency_id",
        _service.badge("status", _ON_OFF), "expiry_seconds",
    )  # fmt: skip
    filters = {
        "direction": Several("direction"),
        "status": Several("status"),
        "service_type": Related("service_type"),
        "currency": Related("currency"),
    }
    exact_search = (Key(field="id", label=_("service id"), is_upper=True),)
    fieldsets = (
        (None, {
            "fields": (
                "id", "name", "direction", "service_type", "currency", "payment_method", "status",
                "expiry_seconds",
            ),
        }),
        (_("What the APIs ask and answer"), {
            "fields": ("has_receiver", "requires_last_number", "requires_merchant_channel"),
        }),
    )  # fmt: skip

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a service; it is closed."""
        return False


class BankForm(admin_forms.LockedForm):
    """A bank keeps its id and currency."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("id", "currency")


@admin.register(Bank)
class BankAdmin(AuditedAdmin):
    """Banks that payers and recipients may name. One that is no longer served is not open."""

    form = BankForm
    import_page = imports.BANKS.page_name
    list_display = ("id", "code", "name", "currency_id", "is_open")
    filters = {"currency": Related("currency"), "is_open": Flag("is_open", no=_("closed"), yes=_("open"))}
    exact_search = (
        Key(field="id", label=_("bank id"), is_upper=True),
        Key(field="code", label=_("bank code"), is_upper=True),
    )
    fieldsets = ((None, {"fields": ("id", "code", "name", "currency", "link", "is_open")}),)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a bank; it is closed."""
        return False


class ChannelServiceForm(admin_forms.TermsForm):
    """What an upstream charges and takes for a service. Fee and bounds are an act once they are in force."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("channel", "service")
    fixed_in_force: ClassVar[tuple[str, ...]] = (
        "fee_type", "fee_permillage", "fee_fixed", "lower_bound", "upper_bound", "tolerance_below",
        "tolerance_above",
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Refuse bounds that are reversed, fees of 100 % and more, tolerances that make no sense."""
        cleaned = super().clean()
        self.refuse_fee()
        self.refuse_negative("lower_bound", "upper_bound", "tolerance_below", "tolerance_above")
        self.refuse_reversed("lower_bound", "upper_bound")
        below = cleaned.get("tolerance_below")
        if below is not None and below > 100:
            self.add_error("tolerance_below", _("Give at most 100 %."))
        return cleaned


_CHANNEL_SERVICE_FIELDS = (
    "service", "status", "fee_type", "fee_permillage", "fee_fixed", "lower_bound", "upper_bound",
    "tolerance_below", "tolerance_above",
)  # fmt: skip


class ChannelServiceInline(TermsInline):
    """The services a channel carries. One that it should not carry is disabled."""

    model = ChannelService
    form = ChannelServiceForm
    fields = (*_CHANNEL_SERVICE_FIELDS, IN_FORCE)
    can_delete = False


_channel_service = Columns(ChannelService)


@admin.register(ChannelService)
class ChannelServiceAdmin(TermsAdmin):
    """The services of all channels in one list."""

    form = ChannelServiceForm
    list_display = (
        "id", "channel_id", "service_id", _channel_service.badge("status", _ON_OFF),
        _channel_service.text("fee_type"), _channel_service.number("fee_permillage"),
        _channel_service.money("fee_fixed", currency="service.currency"),
        _channel_service.money("lower_bound", currency="service.currency"),
        _channel_service.money("upper_bound", currency="service.currency"), in_force_since(ChannelService),
    )  # fmt: skip
    filters = {
        "channel": Related("channel"), "service": Related("service"), "status": Several("status"),
        "in_force": InForce("terms_since"),
    }  # fmt: skip
    list_select_related = ("service__currency",)
    fieldsets = ((None, {"fields": ("channel", *_CHANNEL_SERVICE_FIELDS)}),)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a channel service; it is disabled."""
        return False


_channel = Columns(Channel)


@admin.register(Channel)
class ChannelAdmin(TermsAdmin):
    """Channels: accounts at upstreams. One that is no longer used is disabled; orders stand on it."""

    form = channel_forms.ChannelForm
    list_display = (
        "code", "name", "upstream", "currency_id", _channel.badge("status", _ON_OFF), "weight",
        _channel.money("payment_lower_bound"), _channel.money("payment_upper_bound"),
        _channel.money("payout_lower_bound"), _channel.money("payout_upper_bound"), in_force_since(Channel),
    )  # fmt: skip
    filters = {
        "status": Several("status"), "currency": Related("currency"), "in_force": InForce("terms_since"),
    }  # fmt: skip
    list_select_related = ("currency",)
    exact_search = (Key(field="code", label=_("channel")),)
    fieldsets = (
        (None, {"fields": ("code", "name", "upstream", "currency", "status", "weight")}),
        (
            _("Limits"),
            {
                "fields": channel_forms.BOUNDS,
                "description": in_force.TERMS_ARE_ACTS,
            },
        ),
    )
    inlines = (ChannelServiceInline,)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Add the settings that the upstream's adapter declares."""
        found = super().get_fieldsets(request, obj)
        if obj is not None and not self.has_change_permission(request, obj):
            return found
        settings = [setting_forms.PREFIX + setting.name for setting in _settings_of(obj)]
        words = _("Secret settings are never shown. Leave one empty to keep it.")
        if obj is not None and obj.terms_since is not None:
            words = _(
                "They say where the money goes: one person asks for a change (“Change settings”), another"
                " decides. Secret settings are never shown."
            )
        return [*found, (_("Settings at the upstream"), {"fields": settings, "description": words})]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """Make a form with a field for each setting of the adapter."""
        fields = {
            setting_forms.PREFIX + setting.name: setting_forms.form_field(setting)
            for setting in _settings_of(obj)
        }
        if obj is not None and not self.has_change_permission(request, obj):
            fields = {}
        kwargs["form"] = type("ChannelForm", (channel_forms.ChannelForm,), fields)
        return super().get_form(request, obj, change, **kwargs)

    def audit_details(
        self, form: Any, *, before: dict[str, object], after: dict[str, object]
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Add which settings changed; secrets are named, not told."""
        settings_before, settings_after = form.changed_settings()
        return {**before, **settings_before}, {**after, **settings_after}

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes a channel; it is disabled."""
        return False


def _settings_of(channel: Channel | None) -> tuple[SettingField, ...]:
    """Return the settings a channel's form asks for: its upstream's, or of a new channel every upstream's."""
    return setting_forms.fields_of(channel.upstream if channel is not None else "")
