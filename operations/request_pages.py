"""Pages on which one person asks for an act that another decides: what they all have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Currency
from diamondpay.lib import acts, errors, money
from diamondpay.lib.admin_forms import PlainDecimalField
from operations import act_pages, approvals, deeds, effects, hindrances, objects
from operations.act_pages import ActForm, ActPage, Asked, Done
from operations.models import Act
from records.admin import parts

NOTE = _("Nothing happens yet: another person decides, and sees what you see on the next page.")
EvidenceOf = Callable[[Asked], Mapping[str, str]]


class AmountForm(ActForm):
    """An amount above 0, with no more decimals than the currency has."""

    amount = PlainDecimalField(label=_("Amount"))
    is_signed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].label = _t("Amount (%s)") % self.currency().pk

    def currency(self) -> Currency:
        """Return the currency that the amount is in."""
        found: Currency = self.asked.obj.currency
        return found

    def clean_amount(self) -> Decimal:
        """Refuse zero, a sign where none belongs, digits that the currency does not have."""
        amount: Decimal = self.cleaned_data["amount"]
        if amount == 0:
            raise ValidationError(_("Give an amount other than 0."))
        if amount < 0 and not self.is_signed:
            raise ValidationError(_("Give an amount above 0."))
        if not money.fits_book(amount):
            raise ValidationError(_("The amount is too large."))
        if money.decimals_used(amount) > self.currency().exponent:
            raise ValidationError(_("The amount has more decimals than the currency."))
        return amount


def no_evidence(_asked: Asked) -> dict[str, str]:
    """Say nothing beyond the object itself."""
    return {}


def amount_evidence(asked: Asked) -> dict[str, str]:
    """Return the amount as evidence holds it."""
    return {"amount": f"{asked.values['amount']:f}"}


def amount_button(words: Any) -> Callable[[Asked], errors.Words]:
    """Return what names a button by act and amount, in the currency of the object."""

    def named(asked: Asked) -> errors.Words:
        amount = parts.plain_amount(asked.values["amount"], asked.obj.currency)
        return str(words % {"amount": amount, "unit": asked.obj.currency_id})

    return named


def request_page(
    *,
    kind: Act.Kind,
    label: errors.Words,
    object_kind: str,
    button: Callable[[Asked], errors.Words],
    evidence_of: EvidenceOf = no_evidence,
    form_class: Callable[..., ActForm] = ActForm,
    models: tuple[type[Model], ...] = (),
    key_of: Callable[[Any], Any] = acts.key,
    load: objects.Load | None = None,
    name: str = "",
    asked_id: Callable[[Asked], str] | None = None,
    **parts_of_page: Any,
) -> ActPage:
    """Register the page that asks for an act of a kind; table, state and scope are those of its decision.

    `asked_id` names the object of the act where the form chooses it, else it is the page's own.
    """
    page = ActPage(
        name=name or str(kind),
        label=label,
        permissions=("operations.add_act", f"operations.ask_{kind}"),
        object_kind=object_kind,
        load=load or deeds.DEEDS[kind].load,
        before_after=lambda asked: effects.of(kind, asked.obj, evidence_of(asked)),
        execute=functools.partial(
            _ask, kind, object_kind, asked_id or (lambda asked: str(key_of(asked.obj))), evidence_of
        ),
        obstacle=lambda asked: hindrances.of(
            kind=kind, obj=asked.obj, object_kind=object_kind, object_id=str(key_of(asked.obj))
        ),
        button=button,
        form_class=form_class,
        models=models,
        key_of=key_of,
        note=NOTE,
        **parts_of_page,
    )
    return act_pages.register(page)


def _ask(
    kind: Act.Kind, object_kind: str, asked_id: Callable[[Asked], str], evidence_of: EvidenceOf, asked: Asked
) -> Done:
    act = approvals.request(
        kind=kind,
        object_kind=object_kind,
        object_id=asked_id(asked),
        evidence=evidence_of(asked),
        reason=asked.reason,
        request_id=asked.token,
        user=asked.user,
        now=asked.now,
        address=asked.address,
    )
    words = _t("Asked for: %(act)s, %(object)s. It now waits for another person.")
    names = {"act": act.get_kind_display(), "object": act.object_name}
    return Done(message=words % names, url=parts.page_url(Act, act.pk))
