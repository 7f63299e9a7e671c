"""The page that asks for other settings of a channel at its upstream: they say where the money goes.

A typed secret travels from the form to the table of before and after sealed, and is never shown again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels import secrets, setting_forms
from channels.models import Channel
from diamondpay.lib import crypto
from operations import effects, objects, terms
from operations.act_pages import ActForm, Asked
from operations.models import Act
from operations.request_pages import request_page

_CONTEXT, _MARK = "operations.setting_requests", "sealed:"


class _SealedInput(forms.HiddenInput):
    """Carries what was typed to the next page, sealed."""

    def format_value(self, value: Any) -> str:
        """Return the value sealed; one that is sealed already stays."""
        text = str(value or "")
        return text if not text or text.startswith(_MARK) else _sealed(text)


class _SecretField(forms.CharField):
    hidden_widget = _SealedInput

    def clean(self, value: Any) -> Any:
        """Open what comes back from the table of before and after."""
        text = str(value or "")
        return super().clean(_opened(text) if text.startswith(_MARK) else text)


class SettingsForm(ActForm):
    """The settings of a channel as they are; secrets are empty, and an empty one keeps what stands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channel: Channel = self.asked.obj
        self.before = _settings_of(channel)
        self.wanted = setting_forms.fields_of(channel.upstream)
        for setting in self.wanted:
            name, field = setting_forms.PREFIX + setting.name, setting_forms.form_field(setting)
            if setting.is_secret:
                field = _SecretField(
                    label=field.label, required=False, widget=field.widget, max_length=field.max_length,
                    help_text=_("Empty: as it is."),
                )  # fmt: skip
            else:
                field.initial = self.before.get(setting.name, "")
            self.fields[name] = field
        self.order_fields([name for name in self.fields if name != "reason"])

    def clean(self) -> dict[str, Any]:
        """Refuse settings with which the adapter cannot speak to its upstream, and a form without change."""
        cleaned = super().clean() or self.cleaned_data
        after = setting_forms.after(self.wanted, cleaned, self.before)
        for name, words in setting_forms.faults(self.asked.obj.upstream, after).items():
            self.add_error(name or None, str(words))
        if not self.errors and not list(
            setting_forms.differences(self.asked.obj.upstream, self.before, after)
        ):
            raise ValidationError(_("Nothing is changed. Change at least one of the settings."))
        return {**cleaned, terms.SEALED: secrets.seal_settings(after)}


def _settings_of(channel: Channel) -> dict[str, str]:
    # What no key of ours opens any more is typed anew, all of it.
    try:
        return secrets.settings_of(channel)
    except crypto.CannotDecrypt:
        return {}


def _sealed(text: str) -> str:
    return _MARK + base64.urlsafe_b64encode(crypto.encrypt(text, _CONTEXT)).decode()


def _opened(text: str) -> str:
    try:
        return crypto.decrypt(base64.urlsafe_b64decode(text.removeprefix(_MARK)), _CONTEXT)
    except (binascii.Error, ValueError, crypto.CannotDecrypt):
        raise ValidationError(_("This was changed on its way. Type it again.")) from None


def _evidence(asked: Asked) -> dict[str, str]:
    sealed = asked.values.get(terms.SEALED)
    return terms.evidence(asked.obj, {} if sealed is None else {terms.SEALED: sealed})


def _facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
    channel: Channel = asked.obj
    return [
        (channel._meta.verbose_name, channel.name),
        (_("upstream"), channel.upstream),
        *effects.settings_in_words(channel),
    ]


def _button(asked: Asked) -> str:
    return str(_t("Ask to change the settings of %s") % asked.obj)


request_page(
    kind=Act.Kind.CHANGE_TERMS, name="change_settings_channel", label=_("Change settings"),
    object_kind="channel", load=objects.WITH_TERMS["channel"], evidence_of=_evidence,
    form_class=SettingsForm, button=_button, models=(Channel,), facts=_facts,
)  # fmt: skip
