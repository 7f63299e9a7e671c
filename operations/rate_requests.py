"""The page that asks for a new exchange rate: between which currencies, how much, from when on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels import rates
from channels.models import Currency, ExchangeRate
from diamondpay.lib import money
from diamondpay.lib.admin_forms import PlainDecimalField
from operations import new_rates
from operations.act_pages import ActForm, Asked
from operations.models import Act
from operations.new_rates import NewRate
from operations.objects import RatePair
from operations.request_pages import request_page
from records.admin import parts

_MOMENT = "%Y-%m-%dT%H:%M"


class RateForm(ActForm):
    """One unit of a currency, what it costs in another, and from when on."""

    base = forms.ModelChoiceField(label=_("One unit of"), queryset=Currency.objects.order_by("pk"))
    rate = PlainDecimalField(label=_("costs"), help_text=_("Such as 7.47 for 1 MTC = 7.47 CNY."))
    quote = forms.ModelChoiceField(label=_("in"), queryset=Currency.objects.order_by("pk"))
    valid_from = forms.DateTimeField(
        label=_("In force from"), required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT),
        help_text=_(
            "Empty: from its approval on. A moment, in your time zone, must be to come when the rate is"
            " approved; later it can only be rejected."
        ),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        pair: RatePair = self.asked.obj
        self.initial.update(base=pair.base_id, quote=pair.quote_id)

    def clean(self) -> dict[str, Any]:
        """Refuse what is no rate, each fault beside its field."""
        cleaned = super().clean() or self.cleaned_data
        if not all(cleaned.get(name) is not None for name in ("base", "quote", "rate")):
            return cleaned
        found = new_rates.faults(
            wanted=_wanted(cleaned), reason=cleaned.get("reason", ""), now=self.asked.now
        )
        for name, words in found.items():
            if name in self.fields and name not in self.errors:
                self.add_error(name, ValidationError(str(words)))
        return cleaned


def _wanted(values: Any) -> NewRate:
    return NewRate(
        base=values["base"].pk, quote=values["quote"].pk, rate=values["rate"],
        valid_from=values.get("valid_from"),
    )  # fmt: skip


def _evidence(asked: Asked) -> dict[str, str]:
    return _wanted(asked.values).evidence()


def _asked_id(asked: Asked) -> str:
    return _wanted(asked.values).key


def _key_of(obj: ExchangeRate | RatePair) -> str:
    return obj.pair


def _facts(asked: Asked) -> Sequence[tuple[Any, Any]]:
    """Return the rates of the pair that matter now; of no pair, nothing."""
    pair: RatePair = asked.obj
    if not pair.base_id:
        return ()
    names = {"base": pair.base_id, "quote": pair.quote_id}
    now, coming = rates.in_force(moment=asked.now, **names), rates.following(moment=asked.now, **names)
    return [
        (_("in force"), str(now) if now else _("none")),
        (_("since"), parts.moment(now.valid_from if now else None)),
        (_("to come"), str(coming) if coming else _("none")),
        (_("from"), parts.moment(coming.valid_from if coming else None)),
    ]


def _button(asked: Asked) -> str:
    wanted = _wanted(asked.values)
    price = f"1 {wanted.base} = {money.plain(wanted.rate)} {wanted.quote}"
    return _t("Ask for %s") % price


def _name_of(pair: RatePair) -> str:
    return str(pair) or _t("Exchange rates")


def _url_of(_pair: RatePair) -> str:
    return reverse("admin:channels_exchangerate_changelist")


request_page(
    kind=Act.Kind.ADD_RATE, label=_("New exchange rate"), object_kind="exchangerate", button=_button,
    evidence_of=_evidence, form_class=RateForm, models=(ExchangeRate,), key_of=_key_of, asked_id=_asked_id,
    facts=_facts, name_of=_name_of, url_of=_url_of,
)  # fmt: skip
