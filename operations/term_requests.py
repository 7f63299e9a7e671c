"""Pages that ask for a change of terms (fees, limits, bounds) and for a merchant's new key."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, ChannelService
from diamondpay.lib import money
from diamondpay.lib.admin_forms import PlainDecimalField
from merchants.models import Credential, Merchant, MerchantService, ServiceBound
from operations import deeds, effects, objects, terms
from operations.act_pages import ActForm, Asked
from operations.models import Act
from operations.request_pages import request_page
from records.admin import parts

Kind = Act.Kind


class TermsForm(ActForm):
    """The terms of a row as they are; whoever changes one asks for it to be so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        row = self.asked.obj
        now = terms.of(row)
        # What is sealed has a page of its own (`operations.setting_requests`).
        now.pop(terms.SEALED, None)
        for name, value in now.items():
            column: Any = row._meta.get_field(name)
            self.fields[name] = (
                forms.ChoiceField(label=column.verbose_name, choices=column.flatchoices)
                if column.flatchoices
                else PlainDecimalField(label=column.verbose_name, help_text=column.help_text)
            )
            self.initial[name] = value
        self.order_fields(list(now))

    def clean(self) -> dict[str, Any]:
        """Refuse what no row may say, and a form that changes nothing."""
        cleaned = super().clean() or self.cleaned_data
        numbers = {name: value for name, value in cleaned.items() if isinstance(value, Decimal)}
        for name, value in numbers.items():
            if value < 0:
                self.add_error(name, _("Give 0 or more."))
            elif value > terms.PERCENT_MAX.get(name, value):
                self.add_error(name, _("Give at most %s %%.") % terms.PERCENT_MAX[name])
            elif name != "fee_permillage" and name not in terms.PERCENT_MAX and not money.fits_book(value):
                self.add_error(name, _("The amount is too large."))
            elif money.decimals_used(value) > self._decimals(name):
                self.add_error(name, _("This has too many decimals."))
        if numbers.get("fee_permillage", Decimal(0)) >= 1000:
            self.add_error("fee_permillage", _("A fee must be below 1000 ‰ (100 %)."))
        for lower, upper in terms.PAIRS:
            if lower in numbers and upper in numbers and numbers[upper] and numbers[upper] < numbers[lower]:
                self.add_error(upper, _("The upper bound is below the lower bound. Give 0 for no limit."))
        if not self.errors and not terms.wanted(terms_evidence_of(self.asked.obj, cleaned)):
            raise ValidationError(_("Nothing is changed. Change at least one of the terms."))
        return cleaned

    def _decimals(self, name: str) -> int:
        if name in terms.PERCENT_MAX:
            return 2
        return 4 if name == "fee_permillage" else terms.currency_of(self.asked.obj).exponent


def terms_evidence_of(row: Any, values: dict[str, Any]) -> dict[str, str]:
    """Return the evidence of a change from a form's values."""
    return terms.evidence(row, {name: values[name] for name in terms.of(row) if name in values})


def _evidence(asked: Asked) -> dict[str, str]:
    return terms_evidence_of(asked.obj, dict(asked.values))


def _facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
    row = asked.obj
    own = [
        (row._meta.get_field(name).verbose_name, effects.term_words(row, name, value))
        for name, value in terms.of(row).items()
    ]
    return [(row._meta.verbose_name, str(row)), *own]


def _button(asked: Asked) -> str:
    return str(_t("Ask to change the terms of %s") % asked.obj)


for _model in (MerchantService, ServiceBound, Channel, ChannelService):
    _name = str(_model._meta.model_name)
    request_page(
        kind=Kind.CHANGE_TERMS, name=f"change_terms_{_name}", label=_("Change terms"), object_kind=_name,
        load=objects.WITH_TERMS[_name], evidence_of=_evidence, form_class=TermsForm, button=_button,
        models=(_model,), facts=_facts,
    )  # fmt: skip


def _activation_evidence(asked: Asked) -> dict[str, str]:
    return terms.evidence(asked.obj, {})


def _named(asked: Asked) -> Sequence[tuple[Any, Any]]:
    return [(asked.obj._meta.verbose_name, str(asked.obj))]


def _activation_button(asked: Asked) -> str:
    return str(_t("Ask for the activation of %s") % asked.obj)


for _model in (MerchantService, ServiceBound, Channel, ChannelService):
    _name = str(_model._meta.model_name)
    request_page(
        kind=Kind.ACTIVATE_TERMS, name=f"activate_terms_{_name}", label=_("Ask for activation"),
        object_kind=_name, load=objects.WITH_TERMS[_name], evidence_of=_activation_evidence,
        button=_activation_button, models=(_model,), facts=_named, is_single_step=True,
    )  # fmt: skip


class KeyForm(ActForm):
    """For which API a new key is made, and what becomes of those that live."""

    api = forms.ChoiceField(label=_("API"), choices=Credential.Api.choices)
    old_keys = forms.ChoiceField(
        label=_("Keys that live now"),
        choices=(
            ("86400", _("End in 24 hours")), ("3600", _("End in 1 hour")), ("604800", _("End in 7 days")),
            ("0", _("End at once")), (deeds.KEEP_OLD_KEYS, _("Go on living")),
        ),
        help_text=_("The person who asks fetches the new key from the page of the act, once, within a day."),
    )  # fmt: skip

    scopes = forms.ChoiceField(
        label=_("The new key may"), required=False,
        choices=(
            ("", _("do what the keys may that it replaces")),
            *((value, effects.scope_words(value)) for value in effects.SCOPE_CHOICES),
        ),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["api", "old_keys", "scopes"])


def _key_evidence(asked: Asked) -> dict[str, str]:
    evidence = {"api": asked.values["api"], "old_keys": asked.values["old_keys"]}
    scopes = asked.values.get("scopes") or ""
    return {**evidence, "scopes": scopes} if scopes else evidence


def _merchant_of(obj: Merchant | Credential) -> str:
    return obj.merchant_id if isinstance(obj, Credential) else obj.pk


def _merchant_facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
    found: Merchant = asked.obj
    return (
        (_("merchant"), str(found)),
        (_("status"), found.get_status_display()),
        (_("organisation id"), parts.number(str(found.organisation_id))),
    )


def _key_button(asked: Asked) -> str:
    return str(_t("Ask for a new key for %s") % asked.obj)


request_page(
    kind=Kind.ROTATE_CREDENTIAL, label=_("New key"), object_kind="merchant", evidence_of=_key_evidence,
    form_class=KeyForm, button=_key_button, models=(Merchant, Credential), key_of=_merchant_of,
    facts=_merchant_facts,
)  # fmt: skip
