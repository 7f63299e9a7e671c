"""From cells to payouts: which sheet and columns they stand in, and the form of every field.

Pure: nothing here asks the database. What needs it is in `checking`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _t

from diamondpay.lib import crypto, money
from diamondpay.lib.spreadsheet.uploads import (
    Cell,
    CellKind,
    FileRefused,
    Limits,
    Sheet,
    SheetRow,
    shown_name,
)
from diamondpay.lib.spreadsheet.xlsx_parts import column_letter
from operations.batches.columns import (
    AMOUNT,
    BRANCH,
    CURRENCY,
    ORDER_NO,
    PERSONAL,
    REMARKS,
    Field,
    FileColumn,
    by_title,
    folded,
)

NAME_LENGTH_MAX = 64
BRANCH_LENGTH_MAX = 128
ORDER_NO_LENGTH_MAX = 64
_VALUE_LENGTH_MAX = 60
# No field may be so long, but what is wrong with a row may: that comes back in the file that was given back.
TAKEN = Limits(text_length_max=2_000)
_LOST = "\ufffd"
# As the gateway API refuses them: controls, half characters, marks that turn the direction of a text.
_BAD = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BAD_IN_ORDER_NO = re.compile(r"[^!-~]|[&=]")
_ACCOUNT = re.compile(r"[0-9A-Za-z@._+/-]{4,64}")
_PHONE = re.compile(r"\+?[0-9]{5,20}")
_ID_NUMBER = re.compile(r"[0-9A-Z]{5,32}")
_IFSC = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}")
_SCIENTIFIC = re.compile(r"[0-9](?:\.[0-9]+)?E\+[0-9]{2}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong with a cell, where it stands, and what to do; personal numbers are masked."""

    sheet: str
    row: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A payout as the file asks for it, every field of the right form. Units: amount in major units."""

    row: int
    amount: Decimal
    fields: Mapping[str, str]

    def field(self, key: str) -> str:
        """Return a field; "" where the file has none."""
        return self.fields.get(key, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a file holds: the sheet, where each column stands, the lines that are well formed, the faults.

    `rows` are the sheet's as they stand there, titles first.
    """

    sheet: str
    rows: Sequence[SheetRow]
    places: Mapping[str, int]
    titles: Mapping[str, str]
    lines: Sequence[Line]
    faults: Sequence[Fault]
    row_count: int

    def fault(self, line: Line, key: str, reason: str) -> Fault:
        """Return a complaint about a field of a line."""
        shown = money.plain(line.amount) if key == AMOUNT else line.field(key)
        return Fault(
            sheet=self.sheet, row=line.row, column=_place(self.places.get(key), self.titles[key]),
            value=shown_value(key, shown), reason=reason,
        )  # fmt: skip


def read(sheets: Sequence[Sheet], columns: list[FileColumn]) -> Table:
    """Find the sheet of payouts and read its rows; every fault of form is told at once.

    Raises: FileRefused when there is no such sheet, or more than one, or no rows.
    """
    sheet = _sheet_of_payouts(sheets, columns)
    head, rows = sheet.rows[0], sheet.rows[1:]
    places, faults = _places(sheet, head, columns)
    titles = {column.key: str(column.title) for column in columns}
    if faults:
        return _table(sheet, places=places, titles=titles, lines=(), faults=faults)
    if not rows:
        raise FileRefused(_t("The file has titles and no payouts."))
    lines: list[Line] = []
    known = {*places.values(), *remarks_places(head)}
    for row in rows:
        line, wrong = _line(sheet, row, places, columns, known)
        faults += wrong
        if line is not None:
            lines.append(line)
    return _table(sheet, places=places, titles=titles, lines=lines, faults=faults)


def _table(
    sheet: Sheet, *, places: Mapping[str, int], titles: Mapping[str, str], lines: Sequence[Line],
    faults: Sequence[Fault],
) -> Table:  # fmt: skip
    return Table(
        sheet=sheet.name, rows=sheet.rows, places=places, titles=titles, lines=lines, faults=faults,
        row_count=len(sheet.rows) - 1,
    )  # fmt: skip


def remarks_places(head: SheetRow) -> list[int]:
    """Return where a file that was given back says what is wrong; nothing there is read."""
    wanted = folded(str(REMARKS))
    return [place for place, cell in head.cells.items() if folded(cell.text) == wanted]


def shown_value(key: str, value: str) -> str:
    """Return a value for a complaint: short, and of a personal number only its end."""
    text = crypto.mask(value) if key in PERSONAL and value else value
    visible = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
    return visible if len(visible) <= _VALUE_LENGTH_MAX else visible[: _VALUE_LENGTH_MAX - 1] + "…"


def _sheet_of_payouts(sheets: Sequence[Sheet], columns: list[FileColumn]) -> Sheet:
    amount = next(column for column in columns if column.key == AMOUNT)
    wanted = {folded(str(amount.title)), folded(amount.key)}
    found = [
        sheet
        for sheet in sheets
        if sheet.rows and wanted & {folded(cell.text) for cell in sheet.rows[0].cells.values()}
    ]
    if not found:
        raise FileRefused(
            _t("No sheet has the column “%s” in its first row. Use the template.") % amount.title
        )
    if len(found) > 1:
        names = ", ".join(shown_name(sheet.name) for sheet in found[:3])
        raise FileRefused(_t("More than one sheet holds payouts: %s. Keep one.") % names)
    return found[0]


def _places(
    sheet: Sheet, head: SheetRow, columns: list[FileColumn]
) -> tuple[dict[str, int], list[Fault]]:  # fmt: skip
    """Return where each column stands, and what is wrong with the titles."""
    known, places, faults = by_title(columns), dict[str, int](), list[Fault]()
    remarks = remarks_places(head)
    for place, cell in sorted(head.cells.items()):
        if place in remarks:
            continue
        column = known.get(folded(cell.text))
        if column is not None and column.key not in places:
            places[column.key] = place
            continue
        reason = (
            _t("This column is not in the template of the service. Remove it.")
            if column is None
            else _t("This column is there twice. Remove one.")
        )
        faults.append(_title_fault(sheet, head, place, cell.text, reason))
    for column in columns:
        if column.is_required and column.key not in places:
            reason = _t("The column is missing; the service requires it. Use the template.")
            faults.append(_title_fault(sheet, head, None, str(column.title), reason))
    return places, faults


def _title_fault(sheet: Sheet, head: SheetRow, place: int | None, title: str, reason: str) -> Fault:
    column = _place(place, "") if place is not None else title[:_VALUE_LENGTH_MAX]
    return Fault(
        sheet=sheet.name, row=head.number, column=column, value=title[:_VALUE_LENGTH_MAX], reason=reason
    )


def _line(
    sheet: Sheet, row: SheetRow, places: Mapping[str, int], columns: list[FileColumn], known: set[int]
) -> tuple[Line | None, list[Fault]]:
    """Return the payout of a row, or None with everything that is wrong with the row."""
    faults: list[Fault] = []
    fields: dict[str, str] = {}
    amount = Decimal(0)

    def wrong(column: str, value: str, reason: str) -> None:
        faults.append(Fault(sheet=sheet.name, row=row.number, column=column, value=value, reason=reason))

    if row.is_hidden:
        wrong("", "", _t("The row is hidden, so nobody sees what it pays. Show or delete it."))
    for place in sorted(set(row.cells) - known):
        value = shown_value("", row.cells[place].text)
        wrong(_place(place, ""), value, _t("There is a value outside the columns. Remove it."))
    for column in columns:
        stands = places.get(column.key)
        cell = row.cells.get(stands) if stands is not None else None
        reason, value = _read(column, cell)
        if reason:
            shown = shown_value(column.key, cell.text if cell else "")
            wrong(_place(stands, str(column.title)), shown, reason)
        elif column.key == AMOUNT:
            amount = Decimal(value)
        else:
            fields[column.key] = value
    return (None if faults else Line(row=row.number, amount=amount, fields=fields)), faults


def _place(place: int | None, title: str) -> str:
    """Return how a column is called in a complaint: its letter and its title."""
    letter = column_letter(place + 1) if place is not None else ""
    return " ".join(part for part in (letter, title) if part)


def _read(column: FileColumn, cell: Cell | None) -> tuple[str, str]:
    """Return what is wrong with a cell, or "" and its value."""
    if cell is None:
        return (_t("This is required."), "") if column.is_required else ("", "")
    refused = _refused_kind(column, cell)
    if refused:
        return refused, ""
    bad = _BAD.search(cell.text)
    if bad is not None:
        return _t("It holds the character %s, which cannot be seen. Remove it.") % _shown(bad[0]), ""
    if _LOST in cell.text:
        return _t("It holds the character %s in place of one that was lost. Type it again.") % _LOST, ""
    return _READERS[column.key](cell.text)


def _refused_kind(column: FileColumn, cell: Cell) -> str:
    # A text that only begins like one becomes one as soon as somebody edits the cell.
    if cell.kind is CellKind.FORMULA or cell.text.startswith("="):
        return _t("It is a formula. Put its value there: copy, then paste as values.")
    if cell.kind is CellKind.FAULT:
        return _t("It is an error of the spreadsheet. Put the value there.")
    if cell.kind is CellKind.TRUTH:
        return _t("It is a truth value (TRUE or FALSE). Format the cell as text and type it again.")
    if cell.kind is CellKind.MOMENT:
        return _t("It is a date or a time. Format the cell as text and type it again.")
    is_scientific = column.key in PERSONAL and _SCIENTIFIC.fullmatch(cell.text) is not None
    if cell.kind is CellKind.ROUNDED or is_scientific:
        return _t(
            "The spreadsheet took it for a number and lost its last digits. Format the cell as text and"
            " type it again."
        )
    return ""


def _order_no(text: str) -> tuple[str, str]:
    if len(text) > ORDER_NO_LENGTH_MAX:
        return _t("It is longer than %d characters.") % ORDER_NO_LENGTH_MAX, ""
    bad = _BAD_IN_ORDER_NO.search(text)
    if bad is not None:
        words = _t("It holds the character %s; use ASCII letters, digits and - _ . : /")
        return words % _shown(bad[0]), ""
    return "", text


def _amount(text: str) -> tuple[str, str]:
    try:
        amount = money.parse_plain(text)
    except money.NotPlain as fault:
        return str(fault.reason), ""
    if amount <= 0:
        return _t("The amount must be positive."), ""
    if not money.fits_book(amount):
        return _t("The amount is too large."), ""
    return "", text


def _currency(text: str) -> tuple[str, str]:
    return "", text.upper()


def _name(text: str) -> tuple[str, str]:
    if len(text) > NAME_LENGTH_MAX:
        return _t("It is longer than %d characters.") % NAME_LENGTH_MAX, ""
    if not any(sign.isalpha() for sign in text):
        return _t("A name has letters."), ""
    return "", " ".join(text.split())


def _branch(text: str) -> tuple[str, str]:
    if len(text) > BRANCH_LENGTH_MAX:
        return _t("It is longer than %d characters.") % BRANCH_LENGTH_MAX, ""
    return "", text


def _number(text: str) -> tuple[str, str]:
    """Cards are written in groups, so blanks go; nothing else does: dashes, dots and case mean something in
    account numbers, addresses of coins, and keys that are e-mails.
    """
    plain = "".join(unicodedata.normalize("NFKC", text).split())
    return _matched(plain, _ACCOUNT, _t("An account has 4 to 64 letters and digits."))


def _phone(text: str) -> tuple[str, str]:
    return _matched(crypto.normalise_account(text), _PHONE, _t("A phone number has 5 to 20 digits."))


def _id_number(text: str) -> tuple[str, str]:
    plain = re.sub(r"[./]", "", crypto.normalise_account(text))
    return _matched(plain, _ID_NUMBER, _t("An ID number has 5 to 32 letters and digits."))


def _ifsc(text: str) -> tuple[str, str]:
    words = _t("An IFSC code is four letters, a zero and six letters or digits, such as HDFC0001234.")
    return _matched(text.upper(), _IFSC, words)


def _bank(text: str) -> tuple[str, str]:
    return "", text


def _matched(text: str, shape: re.Pattern[str], words: str) -> tuple[str, str]:
    return ("", text) if shape.fullmatch(text) else (words, "")


def _shown(character: str) -> str:
    code = f"U+{ord(character):04X}"
    return f"“{character}” ({code})" if "!" <= character <= "~" else code


_READERS: dict[str, Callable[[str], tuple[str, str]]] = {
    ORDER_NO: _order_no,
    AMOUNT: _amount,
    CURRENCY: _currency,
    BRANCH: _branch,
    Field.NAME.value: _name,
    Field.NUMBER.value: _number,
    Field.BANK.value: _bank,
    Field.PHONE.value: _phone,
    Field.ID_NUMBER.value: _id_number,
    Field.IFSC_CODE.value: _ifsc,
}
