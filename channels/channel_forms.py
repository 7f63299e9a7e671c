"""The form of a channel: its bounds and its settings are terms, typed by one person until it is in force."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from channels import secrets, setting_forms
from channels.upstreams import registry
from diamondpay.lib import admin_forms

BOUNDS = ("payment_lower_bound", "payment_upper_bound", "payout_lower_bound", "payout_upper_bound")


class ChannelForm(admin_forms.TermsForm):
    """A channel with the settings of its upstream. Secrets are written, never shown; empty leaves them."""

    fixed_once_made: ClassVar[tuple[str, ...]] = ("code", "currency", "upstream")
    fixed_in_force: ClassVar[tuple[str, ...]] = BOUNDS
    upstream = forms.ChoiceField(
        label=_("Upstream"), choices=lambda: [(name, name) for name in registry.names()]
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings_before: dict[str, str] = {}
        if self.instance._state.adding:
            return
        self.settings_before = secrets.settings_of(self.instance)
        for setting in setting_forms.fields_of(self.instance.upstream):
            name = setting_forms.PREFIX + setting.name
            # What was never set is shown empty: showing the default would store it with the next save.
            if not setting.is_secret:
                self.initial[name] = self.settings_before.get(setting.name, "")
            elif name in self.fields and self.settings_before.get(setting.name):
                self.fields[name].help_text = _("It is set, and never shown.")
            if self.is_in_force and name in self.fields:
                self.fields[name].disabled = True

    @property
    def is_in_force(self) -> bool:
        """Whether two people have put the channel in force: its settings are then an act's matter."""
        return self.instance.terms_since is not None

    def clean(self) -> dict[str, Any]:
        """Refuse reversed bounds and settings with which the adapter cannot speak to its upstream."""
        cleaned = super().clean()
        self.refuse_negative(*BOUNDS)
        self.refuse_reversed("payment_lower_bound", "payment_upper_bound")
        self.refuse_reversed("payout_lower_bound", "payout_upper_bound")
        if self.is_in_force:
            return cleaned
        for name, words in setting_forms.faults(cleaned.get("upstream", ""), self._settings_after()).items():
            if name in self.fields:
                self.add_error(name, str(words))
            elif not name and not self.errors:
                raise ValidationError(str(words))
        return cleaned

    def save(self, commit: bool = True) -> Any:
        """Seal the settings with the row, only where one of them changed."""
        after = self._settings_after()
        if not self.is_in_force and after != self.settings_before:
            self.instance.settings_encrypted = secrets.seal_settings(after)
        return super().save(commit)

    def changed_settings(self) -> tuple[dict[str, object], dict[str, object]]:
        """Return the settings that differ, as they were and are; of a secret only that it changed."""
        before: dict[str, object] = {}
        now: dict[str, object] = {}
        if self.is_in_force:
            return before, now
        after = self._settings_after()
        for setting in setting_forms.fields_of(self._upstream()):
            old, new = self.settings_before.get(setting.name, ""), after[setting.name]
            if old != new:
                name = setting_forms.PREFIX + setting.name
                before[name] = "(secret)" if setting.is_secret and old else old
                now[name] = "(secret, changed)" if setting.is_secret else new
        return before, now

    def _upstream(self) -> str:
        return str(self.cleaned_data.get("upstream", ""))

    def _settings_after(self) -> dict[str, str]:
        chosen = self._upstream()
        if chosen not in registry.ADAPTERS:
            return {}
        return setting_forms.after(setting_forms.fields_of(chosen), self.cleaned_data, self.settings_before)
