"""What a person chooses on the form of a file, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from diamondpay.models import Preference, User
from merchants import access
from merchants.models import Merchant
from records.exports import jobs, kinds
from records.exports.sources import Offered
from records.models import ExportFormat, ExportTemplate

_ZONES_MAX = 20


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The chosen columns in their order, all columns in the order they stand on the form, and the format."""

    chosen: tuple[str, ...]
    order: tuple[Offered, ...]
    format: str

    def moved(self, key: str, *, to: str) -> Choice:
        """Return the choice with a column one place `up` or `down`, or at the `top`."""
        order = list(self.order)
        place = next((number for number, each in enumerate(order) if each.key == key), None)
        if place is None or to not in ("up", "down", "top"):
            return self
        column = order.pop(place)
        order.insert({"up": max(place - 1, 0), "down": place + 1, "top": 0}[to], column)
        return self._with(order=[each.key for each in order])

    def picked(self, which: str) -> Choice:
        """Return the choice with `all` columns chosen, `none`, or the `usual` ones."""
        picks = {
            "all": [each.key for each in self.order],
            "none": [],
            "usual": [each.key for each in self.order if each.is_default],
        }
        return self._with(chosen=picks[which]) if which in picks else self

    def _with(self, *, order: Sequence[str] | None = None, chosen: Sequence[str] | None = None) -> Choice:
        return arranged(
            offered=self.order,
            order=order if order is not None else [each.key for each in self.order],
            chosen=chosen if chosen is not None else self.chosen,
            wanted_format=self.format,
        )


def arranged(
    *, offered: Sequence[Offered], order: Sequence[str], chosen: Sequence[str], wanted_format: str
) -> Choice:
    """Return a choice of the offered columns in an order; what is not in the order comes last, as offered."""
    by_key = {each.key: each for each in offered}
    keys = [key for key in dict.fromkeys(order) if key in by_key]
    keys += [each.key for each in offered if each.key not in keys]
    wanted = set(chosen)
    return Choice(
        chosen=tuple(key for key in keys if key in wanted),
        order=tuple(by_key[key] for key in keys),
        format=wanted_format if wanted_format in ExportFormat.values else ExportFormat.XLSX,
    )


def first(*, kind: str, user: User, template: ExportTemplate | None = None) -> Choice:
    """Return what the form starts from: the template, else the last choice, else the columns of the list."""
    offered = kinds.KINDS[kind].offered(user)
    remembered = _remembered(user, f"export:{kind}")
    listed = _remembered(user, f"columns:{kind}")
    if template is not None:
        keys, wanted = template.columns, template.format
    elif isinstance(remembered, dict):
        keys, wanted = remembered.get("columns") or [], str(remembered.get("format", ""))
    else:
        keys, wanted = listed if isinstance(listed, list) else [], ""
    keys = [key for key in keys if isinstance(key, str) and any(each.key == key for each in offered)]
    keys = keys or [each.key for each in offered if each.is_default]
    return arranged(offered=offered, order=keys, chosen=keys, wanted_format=wanted)


def remember(*, kind: str, user: User, choice: Choice) -> None:
    """Keep the choice for the next time."""
    value = {"columns": list(choice.chosen), "format": choice.format}
    Preference.objects.update_or_create(user=user, key=f"export:{kind}", defaults={"value": value})


def templates_for(*, user: User, kind: str | None = None) -> QuerySet[ExportTemplate]:
    """Return the person's own templates and those shared with one of their roles, by name; of any kind of
    which there are files, where none is named.
    """
    found = ExportTemplate.objects.filter(kind__in=kinds.KINDS if kind is None else [kind])
    own = access.visible_to(user, found).filter(owner=user)
    shared = found.filter(shared_with__in=user.groups.all())
    return (own | shared).distinct().select_related("owner").order_by("name")


@transaction.atomic
def save_template(*, kind: str, user: User, name: str, choice: Choice, role_id: int | None) -> ExportTemplate:
    """Keep a choice under a name, replacing the person's own of that name; shared with one of their roles.

    What a merchant's user names is seen by nobody else: their role reaches other merchants' users.
    """
    may_share = access.merchants_of(user) is None
    role = user.groups.filter(pk=role_id).first() if role_id is not None and may_share else None
    template, _created = ExportTemplate.objects.update_or_create(
        owner=user,
        kind=kind,
        name=name,
        defaults={"columns": list(choice.chosen), "format": choice.format, "shared_with": role},
    )
    return template


def zones_for(*, user: User, current: str, platform: str) -> list[str]:
    """Return the zones to offer: the viewer's, the platform's, UTC, those of the merchants they see."""
    merchants = access.visible_to(user, Merchant.objects.all()).order_by("time_zone")
    theirs = list(merchants.values_list("time_zone", flat=True).distinct()[:_ZONES_MAX])
    return list(dict.fromkeys([current, platform, "UTC", *theirs]))


def kinds_for(user: Any) -> list[tuple[str, str]]:
    """Return the kinds of which the user may make files, with their names."""
    return [(key, str(kind.title)) for key, kind in kinds.KINDS.items() if jobs.may_export(user, key)]


def _remembered(user: User, key: str) -> Any:
    return Preference.objects.filter(user=user, key=key).values_list("value", flat=True).first()
