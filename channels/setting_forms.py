"""A channel's settings at its upstream, as forms ask for them and pages tell them.

Secrets are written, never shown; an empty one keeps what stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django import forms
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.upstreams import registry
from channels.upstreams.base import SettingField
from diamondpay.lib.errors import Words

PREFIX = "setting_"
Settings = Mapping[str, str]


def fields_of(upstream: str) -> tuple[SettingField, ...]:
    """Return the settings of an upstream's adapter; of no upstream yet, those of every one."""
    if upstream in registry.ADAPTERS:
        return registry.ADAPTERS[upstream].setting_fields
    found = {
        setting.name: setting
        for name in registry.names()
        for setting in registry.ADAPTERS[name].setting_fields
    }
    return tuple(found.values())


def form_field(setting: SettingField) -> forms.CharField:
    """Return the field of a form for a setting."""
    if setting.is_secret:
        widget: forms.Widget = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})
        return forms.CharField(label=setting.label, required=False, widget=widget, max_length=4000)
    shown = forms.TextInput(attrs={"placeholder": setting.default})
    return forms.CharField(
        label=setting.label, required=False, initial=setting.default, max_length=2000, widget=shown
    )


def after(fields: tuple[SettingField, ...], typed: Mapping[str, object], before: Settings) -> dict[str, str]:
    """Return the settings as a form leaves them, from what was typed by the names of its fields."""
    settings = {}
    for setting in fields:
        text = str(typed.get(PREFIX + setting.name) or "").strip()
        kept = before.get(setting.name, "") if setting.is_secret else ""
        settings[setting.name] = text or kept
    return settings


def faults(upstream: str, settings: Settings) -> dict[str, Words]:
    """Return why the adapter cannot speak to its upstream with these settings, by field; "" is none's."""
    if upstream not in registry.ADAPTERS:
        return {}
    missing = {
        PREFIX + setting.name: _("The upstream needs this setting.")
        for setting in registry.ADAPTERS[upstream].setting_fields
        if setting.is_required and not settings.get(setting.name)
    }
    if missing:
        return dict(missing)
    try:
        registry.adapter(name=upstream, settings=settings)
    except ValueError as error:
        return {"": _("The upstream refuses these settings: %s") % error}
    return {}


def words(setting: SettingField, value: str) -> str:
    """Return a setting for reading: of a secret only that there is one."""
    if not value:
        return _t("none")
    return _t("(secret)") if setting.is_secret else value


def differences(upstream: str, before: Settings, after: Settings) -> Iterator[tuple[SettingField, str, str]]:
    """Yield each setting that differs, in words as it was and will be.

    What the adapter does not know (any more) is told as a secret: nobody says that it is none.
    """
    known = fields_of(upstream)
    names = {setting.name for setting in known}
    others = tuple(
        SettingField(name=name, label=name, is_secret=True) for name in sorted({*before, *after} - names)
    )
    for setting in (*known, *others):
        old, new = before.get(setting.name, ""), after.get(setting.name, "")
        if old != new:
            told = _t("(another secret)") if setting.is_secret and old and new else words(setting, new)
            yield setting, words(setting, old), told
