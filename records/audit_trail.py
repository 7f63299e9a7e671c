"""The audit trail as a record kind: what was done in words, its filters and columns, what an act changed."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import connection
from django.db.models import Model
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.admin_list import Key
from diamondpay.lib.columns import Column, Table
from diamondpay.lib.filter_kinds import Flag, Numbers, Several, Text
from diamondpay.lib.filter_moments import Moments
from diamondpay.lib.filters import ListFilters, shortened
from diamondpay.models import AuditRow

_OURS = ("diamondpay", "auth", "channels", "merchants", "records", "operations")
# What has words of its own; the rest is made of the thing and the verb.
_WORDS: dict[str, Any] = {
    "page.refused": _("A page was refused"),
    "user.sign_in": _("Signed in"),
    "user.sign_out": _("Signed out"),
    "user.sign_in_refused": _("Wrong user name or password"),
    "user.sign_in_locked": _("Sign-in while locked"),
    "user.signed_out": _("Signed out in another window"),
    "user.signed_out_everywhere": _("Signed out everywhere"),
    "user.password": _("Password changed"),
    "user.step_up": _("Proof before a money act"),
    "user.unlock": _("Account unlocked"),
    "user.second_factor_set_up": _("Second factor set up"),
    "user.second_factor_given": _("Second factor given"),
    "user.second_factor_refused": _("Wrong second factor"),
    "user.second_factor_removed": _("Second factor removed"),
    "user.recovery_code_used": _("Recovery code used"),
    "user.recovery_codes_renewed": _("Recovery codes renewed"),
    "act.decide": _("Decide an act"),
    "act.request": _("Ask for an act"),
    "allowedaddress.add": _("Place of calls added"),
    "allowedaddress.remove": _("Place of calls taken off"),
    "merchant.test_callback": _("Test callback sent"),
    "batch.faulty_file": _("File of payouts with wrong rows uploaded"),
    "batch.faulty_file_taken": _("File of payouts with wrong rows fetched"),
    "credential.revoked_use": _("API call with an ended key"),
}
_VERBS = {"create": _("Added: %s"), "change": _("Changed: %s"), "delete": _("Deleted: %s")}
# Each distinct action by one step in the index, however many rows there are.
_ACTIONS = """
WITH RECURSIVE steps (action) AS (
    (SELECT action FROM diamondpay_auditrow ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (SELECT next.action FROM diamondpay_auditrow next WHERE next.action > steps.action
            ORDER BY next.action LIMIT 1)
    FROM steps WHERE steps.action IS NOT NULL
)
SELECT action FROM steps WHERE action IS NOT NULL
"""


def words_of(action: str) -> str:
    """Return what was done in words."""
    if action in _WORDS:
        return str(_WORDS[action])
    thing, _dot, verb = action.rpartition(".")
    if verb in _VERBS and thing:
        return str(_VERBS[verb]) % thing_of(thing)
    named = thing_of(thing) if thing else ""
    plain = f"{named}: {verb}".replace("_", " ") if named else verb.replace("_", " ")
    return plain[:1].upper() + plain[1:]


def thing_of(kind: str) -> str:
    """Return what kind of thing an act was done to, in words."""
    model = model_of(kind)
    return str(model._meta.verbose_name) if model is not None else kind.replace("_", " ")


def model_of(kind: str) -> type[Model] | None:
    """Return the model of an object kind of the trail, None where it names none."""
    name = kind.replace("_", "")
    for app in _OURS:
        try:
            return apps.get_model(app, name)
        except LookupError:
            continue
    return None


class _Action(Several):
    """Any of the actions that stand in the trail."""

    def read(self, raw: dict[str, list[str]]) -> list[Any] | None:
        """Return the chosen ones; one that nobody has done yet finds nothing and is no mistake."""
        return sorted(set(raw[""])) or None

    def _choices(self) -> list[tuple[Any, str]]:
        if not hasattr(self, "_found"):
            with connection.cursor() as cursor:
                cursor.execute(_ACTIONS)
                self._found = [(action, words_of(action)) for (action,) in cursor.fetchall()]
        return self._found


class _Address(Text):
    """An address that must be equal."""

    def read(self, raw: dict[str, list[str]]) -> str | None:
        """Return the address. Raises: ValidationError for what is none."""
        text = self.single(raw)
        try:
            return None if text is None else str(ipaddress.ip_address(text))
        except ValueError:
            raise ValidationError(gettext("“%s” is not an IP address.") % shortened(text or "")) from None


class AuditRowFilters(ListFilters):
    """Who, what, to what, from where, when, and whether it was refused."""

    created = Moments("created_at")
    actor = Text("actor", title=_("who"))
    what = _Action("action", title=_("what"))
    is_refused = Flag("is_refused", no=_("done"), yes=_("refused"), title=_("outcome"))
    object_kind = Text("object_kind", title=_("kind of object"), is_rare=True)
    address = _Address("address", is_rare=True)
    q = Numbers(
        keys=(Key(field="object_id", label=_("object id"), length_max=64, newest_first="-created_at"),)
    )

    class Meta:
        model = AuditRow
        fields: tuple[str, ...] = ()


def _what(row: Any) -> str:
    return words_of(row.action)


def _thing(row: Any) -> str:
    named = thing_of(row.object_kind)
    # In words also where it is called as in the code: a file takes an unchanged value for the code itself.
    return named[:1].upper() + named[1:]


def page_of(row: Any) -> str:
    """Return the address of a row's page."""
    return reverse("admin:diamondpay_auditrow_change", args=[row.pk])


def columns() -> tuple[Column, ...]:
    """Return the columns of the trail, for its list and its files."""
    table = Table(AuditRow)
    return (
        table.text("id", label=_("row"), opens=page_of),
        table.moment("created_at", is_card=True),
        table.text("actor", label=_("who"), is_card=True),
        table.computed(
            "what", _what, label=_("what"), reader=_what, fields=("action",), is_card=True,
        ),
        table.flag("is_refused", word=_("refused"), label=_("outcome"), is_card=True),
        table.computed(
            "thing", _thing, label=_("kind of object"), reader=_thing, fields=("object_kind",),
        ),
        table.text("object_id"),
        table.text("address"),
        table.text("reason", css="cut"),
        table.computed(
            "changed", summary, label=_("before → after"), reader=summary,
            fields=("before", "after", "object_kind"), css="cut",
        ),
        table.text("action", label=_("action code"), is_default=False),
        table.text("object_kind", label=_("object code"), is_default=False),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Change:
    """One field that an act changed, in words. `gone` and `added` are what a list lost and won."""

    label: str
    before: str
    after: str
    gone: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    is_list: bool = False


def changes(row: AuditRow) -> list[Change]:
    """Return what an act changed, field by field, as before and after say it."""
    model = model_of(row.object_kind)
    names = [*row.after, *(name for name in row.before if name not in row.after)]
    return [_change(model, name, row.before.get(name), row.after.get(name)) for name in names]


def summary(row: AuditRow) -> str:
    """Return what an act changed in one line."""
    return "; ".join(_line(each) for each in changes(row))


def _line(change: Change) -> str:
    if not change.is_list:
        return f"{change.label}: {change.before} → {change.after}"
    moved = [*(f"− {each}" for each in change.gone), *(f"+ {each}" for each in change.added)]
    return f"{change.label}: {', '.join(moved)}"


def _change(model: type[Model] | None, name: str, before: Any, after: Any) -> Change:
    field = _field(model, name)
    label = str(field.verbose_name) if field is not None else name.replace("_", " ")
    label = label[:1].upper() + label[1:]
    if isinstance(before, list) or isinstance(after, list):
        old, new = [str(each) for each in before or ()], [str(each) for each in after or ()]
        return Change(
            label=label, before=", ".join(old) or "–", after=", ".join(new) or "–", is_list=True,
            gone=tuple(each for each in old if each not in new),
            added=tuple(each for each in new if each not in old),
        )  # fmt: skip
    words = dict(getattr(field, "flatchoices", None) or ())
    return Change(label=label, before=_word(before, words), after=_word(after, words))


def _field(model: type[Model] | None, name: str) -> Any:
    if model is None:
        return None
    for wanted in (name, name.removesuffix("_id")):
        try:
            field = model._meta.get_field(wanted)
        except FieldDoesNotExist:
            continue
        return field if hasattr(field, "verbose_name") else None
    return None


def _word(value: Any, words: Mapping[Any, Any]) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return gettext("Yes") if value else gettext("No")
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_word(each, {})}" for key, each in value.items())
    found = words.get(value, value)
    return str(found)
