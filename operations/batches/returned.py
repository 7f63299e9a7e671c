"""A file with wrong rows, given back with the words beside each: sealed, for a day, to whoever sent it.

Its cells are texts, so that nothing in them runs; what was no value in the file that came (a number that
lost digits, an error, a truth value) stays of its kind, so that nobody launders it by sending it again.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from diamondpay import audit
from diamondpay.lib import crypto, errors, transactions
from diamondpay.lib.spreadsheet import texts
from diamondpay.lib.spreadsheet.uploads import Cell, CellKind, Sheet, SheetRow
from diamondpay.models import User
from merchants.models import Merchant
from operations.batches import reading, rights
from operations.batches.columns import REMARKS
from operations.batches.models import ReturnedFile
from operations.batches.reading import Fault, Table
from records import filters

KEPT_FOR = timedelta(hours=24)
KEPT_OF_A_PERSON = 5
CONTEXT = "batch.returned_file"
_EMPTIED_AT_ONCE = 500
_HEADING = PatternFill("solid", fgColor="FFEEF1F4")
_WRONG = PatternFill("solid", fgColor="FFFDECEA")
_WIDTH, _REMARKS_WIDTH = 22, 70
_SHEET_NAME_LENGTH_MAX = 31
_NO_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")
_ROOM_FOR_THE_CUT = 20
# An application reads _x0041_ as "A".
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")


class FileGone(errors.DomainError):
    """The file was kept for its time and is emptied."""

    code = "file_gone"
    words = _("This file was kept for a day and is gone. Upload your own again to have it anew.")


@dataclass(frozen=True, kw_only=True)
class Source:
    """The file as it came, with all its sheets, and whose payouts it holds."""

    merchant: Merchant
    name: str
    content: bytes
    sheets: Sequence[Sheet]


def keep(
    *, table: Table, faults: Sequence[Fault], source: Source, user: User, address: str | None, now: datetime
) -> ReturnedFile | None:
    """Keep the file with what is wrong in each row, or with its wrong titles marked and told on a sheet of
    their own; None where it has wrong titles and no rows.

    A person's oldest are emptied beyond `KEPT_OF_A_PERSON`. Audited.
    """
    wrong = _words(faults)
    if not table.row_count:
        return None
    file = io.BytesIO()
    has_wrong_titles = min(wrong) <= table.rows[0].number
    _write(table, {} if has_wrong_titles else wrong, source.sheets, faults if has_wrong_titles else (), file)
    sealed = crypto.encrypt_bytes(file.getvalue(), CONTEXT)
    return _keep(
        row=ReturnedFile(
            merchant=source.merchant,
            uploaded_by=user,
            uploaded_at=now,
            file_name=source.name,
            file_sha256=hashlib.sha256(source.content).hexdigest(),
            row_count=table.row_count,
            # Where a title is wrong, no row was read.
            faulty_count=table.row_count if has_wrong_titles else len(wrong),
            expires_at=now + KEPT_FOR,
            content_encrypted=sealed,
        ),
        address=address,
    )


@transactions.atomic_with_retries
def _keep(*, row: ReturnedFile, address: str | None) -> ReturnedFile:
    row.pk = None
    row.save(force_insert=True)
    kept = ReturnedFile.objects.filter(uploaded_by=row.uploaded_by, content_encrypted__isnull=False)
    older = list(kept.order_by("-id").values_list("pk", flat=True)[KEPT_OF_A_PERSON:])
    ReturnedFile.objects.filter(pk__in=older).update(content_encrypted=None)
    _audit("batch.faulty_file", row, row.uploaded_by, address, row.uploaded_at)
    return row


def of(user: User, now: datetime) -> QuerySet[ReturnedFile]:
    """Return the files that wait for a person: their own, of merchants for whom they may create payouts."""
    mine = filters.visible_to(user, ReturnedFile.objects.filter(uploaded_by=user))
    waiting = mine.filter(expires_at__gt=now, content_encrypted__isnull=False)
    return waiting.filter(merchant__in=rights.merchants_for(user).values("pk")).order_by("-id")


@transactions.atomic_with_retries
def take(*, pk: int, user: User, address: str | None, now: datetime) -> tuple[str, bytes]:
    """Return the name and the content of a file for whoever sent it, and note that they took it.

    Raises: NotAllowed, also for another's; FileGone; crypto.CannotDecrypt.
    """
    mine = filters.visible_to(user, ReturnedFile.objects.filter(uploaded_by=user))
    row: ReturnedFile | None = mine.filter(pk=pk).first()
    if row is None:
        raise errors.NotAllowed
    rights.check(user, row.merchant_id)
    if row.content_encrypted is None or row.expires_at <= now:
        raise FileGone
    content = crypto.decrypt_bytes(row.content_encrypted, CONTEXT)
    _audit("batch.faulty_file_taken", row, user, address, now)
    stem = row.file_name.rpartition(".")[0] or row.file_name
    return f"{stem}-{_t('what-is-wrong')}.xlsx", content


def empty_expired(*, now: datetime) -> int:
    """Empty the files whose time is over; return how many."""
    over = ReturnedFile.objects.filter(expires_at__lte=now, content_encrypted__isnull=False)
    found = list(over.order_by("pk").values_list("pk", flat=True)[:_EMPTIED_AT_ONCE])
    return ReturnedFile.objects.filter(pk__in=found).update(content_encrypted=None)


def _audit(action: str, row: ReturnedFile, user: User, address: str | None, now: datetime) -> None:
    audit.write(
        action=action, object_kind="returnedfile", object_id=str(row.pk), user=user, address=address,
        now=now, after={
            "merchant": row.merchant_id, "file": row.file_name, "sha256": row.file_sha256,
            "rows": row.row_count, "wrong": row.faulty_count,
        },
    )  # fmt: skip


def _words(faults: Sequence[Fault]) -> dict[int, str]:
    """Return what is wrong with each wrong row, in as many words as a cell is read back with."""
    found: dict[int, list[str]] = defaultdict(list)
    for fault in faults:
        found[fault.row].append(f"{fault.column}: {fault.reason}" if fault.column else fault.reason)
    most = reading.TAKEN.text_length_max
    shown = {row: "\n".join(words) for row, words in found.items()}
    return {
        row: words if len(words) <= most else f"{words[: most - _ROOM_FOR_THE_CUT]}…"
        for row, words in shown.items()
    }


def _write(
    table: Table, wrong: Mapping[int, str], sheets: Sequence[Sheet], titles: Sequence[Fault], file: io.BytesIO
) -> None:
    """Write every sheet in its place, the payouts with the words; wrong titles are told in front."""
    book = Workbook()
    book.remove(book.active)
    if titles:
        _tell_titles(book, titles)
    for each in sheets:
        is_payouts = each.rows is table.rows
        sheet = book.create_sheet(_sheet_name(each.name or (_t("Payouts") if is_payouts else _t("Sheet"))))
        if each.is_hidden:
            sheet.sheet_state = "hidden"
        if is_payouts:
            _write_payouts(sheet, table, wrong, {_letter(fault) for fault in titles})
            sheet.sheet_state = "visible"
            if not titles:
                book.active = sheet
            continue
        for row in each.rows:
            for place, cell in row.cells.items():
                _put(sheet.cell(row=row.number, column=place + 1), cell)
    book.save(file)


def _sheet_name(name: str) -> str:
    """Return a name that a book takes; the library makes it the only one of its kind."""
    return (_NO_SHEET_NAME.sub(" ", texts.clean(name)).strip("' ") or "Sheet")[:_SHEET_NAME_LENGTH_MAX]


def _letter(fault: Fault) -> str:
    return fault.column.partition(" ")[0]


def _tell_titles(book: Workbook, faults: Sequence[Fault]) -> None:
    """Say of every wrong title where it stands and what to do; the rows were not read."""
    sheet: Any = book.create_sheet(_sheet_name(str(REMARKS)))
    told = [(_t("Column"), _t("Title"), str(REMARKS)), *((f.column, f.value, f.reason) for f in faults)]
    for number, words in enumerate(told, start=1):
        for place, text in enumerate(words, start=1):
            written = sheet.cell(row=number, column=place)
            _put(written, Cell(text))
            written.font, written.fill = Font(bold=number == 1), _HEADING if number == 1 else _WRONG
    for letter, width in (("A", _WIDTH), ("B", _WIDTH), ("C", _REMARKS_WIDTH)):
        sheet.column_dimensions[letter].width = width


def _write_payouts(sheet: Any, table: Table, wrong: Mapping[int, str], marked: set[str]) -> None:
    head = table.rows[0]
    own = reading.remarks_places(head)
    last = max((place for row in table.rows for place in row.cells if place not in own), default=0)
    remarks = own[0] if own else last + 1
    _heading(sheet, head, {*own, remarks}, remarks if wrong else None, marked)
    for row in table.rows[1:]:
        for place, cell in row.cells.items():
            if place not in own:
                _put(sheet.cell(row=row.number, column=place + 1), cell)
        if row.number in wrong:
            told = sheet.cell(row=row.number, column=remarks + 1)
            _put(told, Cell(wrong[row.number]))
            told.fill, told.alignment = _WRONG, Alignment(wrap_text=True, vertical="top")
    if wrong:
        sheet.column_dimensions[get_column_letter(remarks + 1)].width = _REMARKS_WIDTH
    first = head.number
    sheet.freeze_panes = f"A{first + 1}"
    widest = max(last, remarks) + 1
    sheet.auto_filter.ref = f"A{first}:{get_column_letter(widest)}{table.rows[-1].number}"


def _heading(sheet: Any, head: SheetRow, skipped: set[int], remarks: int | None, marked: set[str]) -> None:
    """Write the titles as they stand there, the wrong ones marked, and that of the words."""
    titles = {place: cell for place, cell in head.cells.items() if place not in skipped}
    if remarks is not None:
        titles[remarks] = Cell(str(REMARKS))
    for place, cell in titles.items():
        written = sheet.cell(row=head.number, column=place + 1)
        _put(written, cell)
        is_wrong = get_column_letter(place + 1) in marked
        written.font, written.fill = Font(bold=True), _WRONG if is_wrong else _HEADING
        sheet.column_dimensions[get_column_letter(place + 1)].width = _WIDTH


def _put(written: Any, cell: Cell) -> None:
    """Write a cell as a text that nothing executes, or as the broken value that it was."""
    if cell.kind is CellKind.ROUNDED:
        written.value = Decimal(cell.text)
        return
    if cell.kind is CellKind.TRUTH:
        written.value = cell.text == "TRUE"
        return
    if cell.kind is CellKind.MOMENT:
        written.value, written.number_format = _moment(cell.text), "yyyy-mm-dd hh:mm:ss"
        return
    written.value = _LOOKS_ESCAPED.sub("_x005F_", texts.clean(cell.text))
    written.data_type = "e" if cell.kind is CellKind.FAULT else "s"
    written.number_format = "@"
    written.quotePrefix = True


def _moment(text: str) -> datetime | int:
    """Return a moment as a cell of dates holds it; what is none on a calendar is day 0."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return 0
