"""The filters of the statistics pages: those of the order lists, but that a range has two ends and test
orders are out until they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import filter_moments
from diamondpay.lib import filters as list_filters
from diamondpay.lib.filter_kinds import Related, Several
from diamondpay.lib.filter_moments import Moments, Window
from diamondpay.lib.filters import ListFilters, Pair, Reading, Viewer
from records import filter_sets, filters, totals
from records.models import Payment, Payout
from records.statistics import Asked

PRESET = "7d"
KINDS = {"payment": totals.PAYMENTS, "payout": totals.PAYOUTS}
_MODELS: dict[str, Any] = {"payment": Payment, "payout": Payout}
# Parameters that say how to show the figures, not which orders to count.
VIEW_PARAMETERS = frozenset({"kind", "by", "unit"})


class Range(Moments):
    """A time range with two ends; without an upper one it reaches to the end of today."""

    def read(self, raw: dict[str, list[str]]) -> Window | None:
        """Return the range. Raises: ValidationError for one without a beginning."""
        found = super().read(raw)
        if found is None or found.start is None:
            raise ValidationError(gettext("Figures need the day or minute at which the range begins."))
        if found.end is not None:
            return found
        tomorrow = self.viewer.now.astimezone(self.viewer.zone).date() + timedelta(days=1)
        end = datetime.combine(tomorrow, datetime.min.time(), tzinfo=self.viewer.zone)
        if found.start >= end:
            raise ValidationError(gettext("The range begins in the future; nothing can match."))
        return replace(found, end=end)

    def options(self, value: Any) -> list[tuple[str, str, bool]]:
        """Return the presets but "any time"."""
        return [each for each in super().options(value) if each[0] != filter_moments.ANY]


class TestOrders(Several):
    """Test orders: out when absent, `only`, or `in` with the others."""

    control = "tests"
    __test__ = False
    choices_in_words: ClassVar[tuple[tuple[str, Any], ...]] = (
        ("", _("Without tests")), ("in", _("With tests")), ("only", _("Only tests")),
    )  # fmt: skip

    def read(self, raw: dict[str, list[str]]) -> Any:
        """Return `in`, `only` or nothing. Raises: ValidationError for anything else."""
        value = self.single(raw)
        # The lists' own values are understood too.
        value = {None: "", "0": "", "1": "only", "any": "in"}.get(value, value)
        if value not in dict(self.choices_in_words):
            raise self.unreadable(str(value))
        return value or None

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows as they are; figures are not made of them."""
        return qs

    def pairs(self, value: Any) -> list[Pair]:
        """Return the value."""
        return [(self.name, str(value))]

    def chips(self, value: Any) -> list[tuple[str, list[Pair]]]:
        """Return what is not as usual."""
        return [(self.words(value), [])]

    def _choices(self) -> list[tuple[Any, str]]:
        return [(value, str(word)) for value, word in self.choices_in_words]

    def options(self, value: Any) -> list[tuple[str, str, bool]]:
        """Return the three choices."""
        return [(each, word, each == (value or "")) for each, word in self._choices()]


class _Filters(ListFilters):
    """What both kinds of orders are filtered by."""

    created = Range("created_at", preset=PRESET)
    merchant = Related("merchant", is_many=True)
    service = Related("service")
    channel = Related("channel", permission=filter_sets.UPSTREAM)
    currency = Related("currency")
    is_test = TestOrders("is_test", title=_("test orders"))


class PaymentStatistics(_Filters):
    """Figures of deposits."""

    class Meta:
        model = Payment
        fields: tuple[str, ...] = ()


class PayoutStatistics(_Filters):
    """Figures of payouts."""

    class Meta:
        model = Payout
        fields: tuple[str, ...] = ()


_FILTERS: dict[str, type[ListFilters]] = {"payment": PaymentStatistics, "payout": PayoutStatistics}


@dataclass(frozen=True, kw_only=True)
class Question:
    """An address as it was read: the reading of its bar, and what to count, None where it has errors."""

    reading: Reading
    asked: Asked | None


def read(kind: str, params: Mapping[str, Any], *, user: Any, zone: ZoneInfo, now: datetime) -> Question:
    """Read what an address asks of a statistics page, within what the user may see.

    Raises: KeyError for a kind of which there are no statistics; bad values end as errors of the reading.
    """
    viewer = Viewer(user=user, zone=zone, now=now, visible_to=filters.visible_to)
    reading = list_filters.read(
        _FILTERS[kind], params, queryset=_MODELS[kind].objects.none(), viewer=viewer, kind=kind,
        ignored=VIEW_PARAMETERS,
    )  # fmt: skip
    if reading.errors:
        return Question(reading=reading, asked=None)
    values = reading.values
    confined = filters.confined_to(user)
    merchants = values.get("merchant")
    if confined is not None:
        # What a person names was looked for among what they may see.
        merchants = merchants or confined
    tests = values.get("is_test")
    asked = Asked(
        kind=KINDS[kind], start=values["created"].start, end=values["created"].end, zone=zone, now=now,
        merchants=_frozen(merchants), services=_frozen(values.get("service")),
        channels=_frozen(values.get("channel")), currencies=_frozen(values.get("currency")),
        is_test={None: False, "only": True}.get(tests),
    )  # fmt: skip
    return Question(reading=reading, asked=asked)


def _frozen(values: Any) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
