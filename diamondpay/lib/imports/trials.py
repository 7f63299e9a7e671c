"""Trying an import as a whole: what each line would do, or what is wrong with it; and doing it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tablib
from django.core.exceptions import NON_FIELD_ERRORS
from django.db import transaction
from django.utils.translation import gettext as _t
from import_export.results import RowResult

from diamondpay.lib import admin_forms, transactions
from diamondpay.lib.imports.lines import Fault, Line, Lines
from diamondpay.lib.imports.resources import StaffResource, VisibleTo

NEW, CHANGE, SAME = "new", "change", "same"
_KINDS = {
    RowResult.IMPORT_TYPE_NEW: NEW, RowResult.IMPORT_TYPE_UPDATE: CHANGE, RowResult.IMPORT_TYPE_SKIP: SAME,
}  # fmt: skip
# Is told of each row that was written: new or change, the row, and how it was for the audit trail.
Written = Callable[[str, Any, Mapping[str, object]], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a line does: to which row, and by column what stands there before and after."""

    sheet: str
    row: int
    kind: str
    name: str
    changes: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the file does as a whole, or what is wrong with it. `digest` is the same for the same outcomes."""

    outcomes: tuple[Outcome, ...]
    faults: tuple[Fault, ...]
    digest: str

    def count(self, kind: str) -> int:
        """Return how many lines do that."""
        return sum(each.kind == kind for each in self.outcomes)

    @property
    def is_sound(self) -> bool:
        """Whether everything is valid and something would be written."""
        return not self.faults and any(each.kind != SAME for each in self.outcomes)


class Changed(Exception):
    """The outcomes are no longer those that the person saw; nothing was done."""

    def __init__(self, trial: Trial) -> None:
        self.trial = trial
        super().__init__(trial.digest)


@transactions.atomic_with_retries
def attempt(
    resource: type[StaffResource], lines: Lines, *, visible_to: VisibleTo, may: Callable[[str], bool]
) -> Trial:
    """Write every line in a transaction that is rolled back, so that also the database has judged them.

    Locks: the rows that the lines change, until it is rolled back.
    """
    made = resource(visible_to=visible_to, may=may)
    result = made.import_data(_dataset(made, lines), dry_run=True, use_transactions=True)
    return _trial(made, lines, result)


@transactions.atomic_with_retries
def apply(
    resource: type[StaffResource], lines: Lines, *, visible_to: VisibleTo, may: Callable[[str], bool],
    seen: str, written: Written, done: Callable[[Trial], None],
) -> Trial:  # fmt: skip
    """Write every line, or none; `written` and `done` are told inside the same transaction.

    Raises: Changed when the outcomes are not those of the trial whose digest was seen, or one is refused.
    Locks: the rows that the file names, until the end of the transaction.
    """
    made = resource(visible_to=visible_to, may=may, is_lasting=True)
    with transaction.atomic():
        result = made.import_data(
            _dataset(made, lines), dry_run=False, use_transactions=True, rollback_on_validation_errors=True
        )
        trial = _trial(made, lines, result)
        if not trial.is_sound or trial.digest != seen:
            # Leaves the transaction by an exception, so that nothing of it stays.
            raise Changed(trial)
        for each in result.rows:
            kind = _KINDS[each.import_type]
            if kind != SAME:
                written(kind, each.instance, _snapshot(each.original))
        done(trial)
    return trial


def _snapshot(row: Any) -> Mapping[str, object]:
    return admin_forms.snapshot(row) if row is not None else {}


def _dataset(resource: StaffResource, lines: Lines) -> tablib.Dataset:
    keys = list(resource.fields)
    return tablib.Dataset(
        *([each.cells.get(key, "") for key in keys] for each in lines.lines), headers=keys
    )  # fmt: skip


def _trial(resource: StaffResource, lines: Lines, result: Any) -> Trial:
    outcomes: list[Outcome] = []
    faults = list(lines.faults)
    for fault in result.base_errors:
        raise fault.error
    for line, each in zip(lines.lines, result.rows, strict=True):
        if each.errors:
            # No fault of the file's: ours, and it must be seen.
            raise each.errors[0].error
        if each.validation_error is not None:
            faults += _faults(resource, line, each.validation_error)
        else:
            outcomes.append(_outcome(resource, line, each))
    told = [[each.sheet, each.row, each.kind, each.name, each.changes] for each in outcomes]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    faults.sort(key=lambda fault: (fault.sheet, fault.row))
    return Trial(outcomes=tuple(outcomes), faults=tuple(faults), digest=digest)


def _faults(resource: StaffResource, line: Line, refusal: Any) -> list[Fault]:
    found = []
    for key, reasons in refusal.message_dict.items():
        is_column = key != NON_FIELD_ERRORS and key in resource.fields
        found += [
            Fault(
                sheet=line.sheet,
                row=line.row,
                column=resource.title_of(key) if is_column else "",
                value=line.cells.get(key, "") if is_column else "",
                reason=str(reason),
            )
            for reason in reasons
        ]
    return found


def _outcome(resource: StaffResource, line: Line, result: Any) -> Outcome:
    kind, changes = _KINDS[result.import_type], []
    if kind != SAME:
        keys = resource.get_import_id_fields()
        # By its key the line has its name already.
        for key, field in ((key, each) for key, each in resource.fields.items() if key not in keys):
            after = field.widget.render(field.get_value(result.instance))
            before = field.widget.render(field.get_value(result.original)) if result.original else ""
            if after != before:
                changes.append((resource.title_of(key), before, after))
    # A new row has no name of its own yet: its number is given when it lasts.
    name = " ".join(resource.key_of_line(line.cells)) or _t("a new row")
    return Outcome(sheet=line.sheet, row=line.row, kind=kind, name=name, changes=tuple(changes))
