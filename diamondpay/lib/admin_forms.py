"""Forms of the back office: plain decimals, a lock against a second tab, what the audit trail keeps."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import in_force, money, terms

LOCK_FIELD = "opened_as"
_SALT = "diamondpay.lib.admin_forms"
# Signing in changes a user's row; nobody's edit is lost by that.
_NOT_LOCKED = frozenset({"last_login", "last_used_at"})
_NOT_KEPT = ("_encrypted", "_hash")


class PlainDecimalField(forms.DecimalField):
    """An amount or rate as people write it: shown without trailing zeros, read as a plain decimal."""

    widget = forms.TextInput

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        """Ask phones for the number pad."""
        return {"inputmode": "decimal", "class": "amount-input", "size": 14}

    def prepare_value(self, value: Any) -> Any:
        """Show a number without the zeros of its column."""
        return money.render(value, 0).replace(",", "") if isinstance(value, Decimal) else value

    def to_python(self, value: Any) -> Any:
        """Read a plain decimal.

        Raises: ValidationError in words for anything else, such as 1e3 or full-width digits.
        """
        if value in self.empty_values:
            return None
        if isinstance(value, Decimal):
            return value
        try:
            return money.parse_plain(str(value).strip())
        except money.MoneyError as error:
            raise ValidationError(str(error)) from None


class LockedForm(forms.ModelForm[Any]):
    """Refuses to overwrite a row that changed after the page was opened; what was typed stays on the page.

    `fixed_once_made` names terms that are typed once and shown afterwards: changing them is an act.
    """

    fixed_once_made: ClassVar[tuple[str, ...]] = ()
    opened_as = forms.CharField(required=False, widget=forms.HiddenInput, label="")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial[LOCK_FIELD] = fingerprint(self.instance)
            for name in self.fixed_once_made:
                if name in self.fields:
                    self.fields[name].disabled = True

    def clean(self) -> dict[str, Any]:
        """Compare the row, locked from here on, with the row that was shown."""
        cleaned = super().clean() or self.cleaned_data
        if not self.instance._state.adding:
            manager = type(self.instance)._base_manager
            row = manager.select_for_update().filter(pk=self.instance.pk).first()
            opened = str(cleaned.get(LOCK_FIELD, ""))
            if row is None or not constant_time_compare(opened, fingerprint(row)):
                self.add_error(None, ValidationError(
                    _("Somebody changed “%(row)s” after you opened this page. Nothing was saved. What you "
                      "typed is still here; open the page again in a new tab to see how it stands now."),
                    code="changed_meanwhile", params={"row": self.instance},
                ))  # fmt: skip
        return cleaned

    def refuse_reversed(self, lower: str, upper: str) -> None:
        """Refuse an upper bound below its lower bound; 0 is no bound."""
        self._refuse(terms.out_of_order(self.cleaned_data, lower, upper))

    def refuse_negative(self, *names: str) -> None:
        """Refuse amounts below 0."""
        self._refuse(terms.negative(self.cleaned_data, *names))

    def refuse_fee(self) -> None:
        """Refuse a fee of 100 % or more, or below 0."""
        self._refuse(terms.fee(self.cleaned_data))

    def _refuse(self, faults: terms.Faults) -> None:
        for name, words in faults.items():
            self.add_error(name, str(words))


class TermsForm(LockedForm):
    """A row with fees, limits or bounds: typed freely by one person until two have put it in force.

    `fixed_in_force` names the terms. Before its first activation the row stays disabled, whatever is sent.
    """

    fixed_in_force: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.terms_since is not None:
            for name in self.fixed_in_force:
                if name in self.fields:
                    self.fields[name].disabled = True
        elif "status" in self.fields:
            status: Any = self.fields["status"]
            status.choices = [choice for choice in status.choices if choice[0] == "disabled"]
            status.help_text = in_force.NOT_IN_FORCE
            status.error_messages["invalid_choice"] = in_force.NOT_IN_FORCE


def fingerprint(row: models.Model) -> str:
    """Return a short text that changes whenever a column of the row does."""
    columns = [
        f"{field.attname}={field.value_to_string(row)!r}"
        for field in row._meta.concrete_fields
        if field.name not in _NOT_LOCKED
    ]
    return salted_hmac(_SALT, "\n".join(columns)).hexdigest()[:32]


def snapshot(row: models.Model) -> dict[str, object]:
    """Return the row for the audit trail, JSON-ready: no password, nothing encrypted, hashed or raw."""
    kept: dict[str, object] = {}
    for field in row._meta.concrete_fields:
        if (
            isinstance(field, models.BinaryField)
            or field.name.endswith(_NOT_KEPT)
            or field.name == "last_login"
        ):
            continue
        value = field.value_from_object(row)
        # That a password changed is worth keeping; the password, also hashed, is not.
        kept[field.attname] = (
            f"hash {salted_hmac(_SALT, value).hexdigest()[:8]}" if field.name == "password" else _json(value)
        )
    for many in row._meta.many_to_many:
        kept[many.name] = sorted(str(item) for item in many.value_from_object(row))
    return kept


def differences(
    before: dict[str, object], after: dict[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return only what differs, as it was and as it is."""
    names = [name for name in after if before.get(name) != after[name]]
    return {name: before.get(name) for name in names}, {name: after[name] for name in names}


def _json(value: Any) -> object:
    if isinstance(value, Decimal):
        return money.render(value, 0).replace(",", "")
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | str | list | dict) else str(value)
