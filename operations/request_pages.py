"""Pages on which one person asks for an act that another decides: what they all have in common."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Currency
from diamondpay.lib import acts, errors, money
from diamondpay.lib.admin_forms import PlainDecimalField
from diamondpay.models import User
from operations import act_pages, approvals
from operations.act_pages import ActForm, ActPage, Asked, Change, Done
from operations.models import Act
from records.admin import parts

NOTE = _("Nothing happens yet: another person decides, and sees what you see on the next page.")


class AmountForm(ActForm):
    """An amount above 0, with no more decimals than the currency has."""

    amount = PlainDecimalField(label=_("Amount"))
    is_signed = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency = self.currency()
        self.fields["amount"].label = _t("Amount (%s)") % currency.pk

    def currency(self) -> Currency:
        """Return the currency that the amount is in."""
        found: Currency = self.asked.obj.currency
        return found

    def clean_amount(self) -> Decimal:
        """Refuse zero, a sign where none belongs, digits that the currency does not have."""
        amount: Decimal = self.cleaned_data["amount"]
        if amount == 0:
            self.add_error("amount", _("Give an amount other than 0."))
        elif amount < 0 and not self.is_signed:
            self.add_error("amount", _("Give an amount above 0."))
        elif money.decimals_used(amount) > self.currency().exponent:
            self.add_error("amount", _("The amount has more decimals than the currency."))
        elif not money.fits_book(amount):
            self.add_error("amount", _("The amount is too large."))
        return amount


def request_page(
    *,
    kind: Act.Kind,
    label: errors.Words,
    object_kind: str,
    load: Callable[[User, str, bool], Any | None],
    before_after: Callable[[Any, Mapping[str, str]], Sequence[Change]],
    evidence_of: Callable[[Asked], Mapping[str, str]],
    button: Callable[[Asked], errors.Words],
    form_class: Callable[..., ActForm],
    models: tuple[type[Model], ...] = (),
    key_of: Callable[[Any], Any] = acts.key,
    **parts_of_page: Any,
) -> ActPage:
    """Register the page that asks for an act of a kind; `before_after` is given object and evidence, as the
    page of the decision gives them again.
    """
    page = ActPage(
        name=str(kind),
        label=label,
        permissions=("operations.add_act",),
        object_kind=object_kind,
        load=load,
        before_after=lambda asked: before_after(asked.obj, evidence_of(asked)),
        execute=functools.partial(_ask, kind, object_kind, key_of, evidence_of),
        button=button,
        form_class=form_class,
        models=models,
        key_of=key_of,
        note=NOTE,
        **parts_of_page,
    )
    return act_pages.register(page)


def _ask(
    kind: Act.Kind,
    object_kind: str,
    key_of: Callable[[Any], Any],
    evidence_of: Callable[[Asked], Mapping[str, str]],
    asked: Asked,
) -> Done:
    act = approvals.request(
        kind=kind,
        object_kind=object_kind,
        object_id=str(key_of(asked.obj)),
        evidence=evidence_of(asked),
        reason=asked.reason,
        request_id=asked.token,
        user=asked.user,
        now=asked.now,
        address=asked.address,
    )
    words = _t("Asked for: %(act)s, %(object)s. It now waits for another person.")
    names = {"act": act.get_kind_display(), "object": act.object_id}
    return Done(message=words % names, url=parts.page_url(Act, act.pk))
