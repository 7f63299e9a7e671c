"""The empty book for a merchant's payouts: the columns of the service, hints, the banks of its currency."""

from __future__ import annotations

from typing import Any, BinaryIO

from django.utils.translation import gettext as _t
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from channels.models import Bank
from diamondpay.lib import money
from operations.batches import columns
from operations.batches.checking import Ground
from operations.batches.columns import FileColumn

_TEXT_FORMAT = "@"
_HEADING = PatternFill("solid", fgColor="FFEEF1F4")
_WIDTH_MIN, _WIDTH_MAX = 14, 32
ROWS_MAX = 5_000


def write(*, at: Ground, file: BinaryIO) -> None:
    """Write the template. Its cells are texts, so that no account loses its last digits."""
    found = columns.columns_of(at.service)
    book = Workbook()
    sheet: Any = book.active
    sheet.title = _t("Payouts")
    for number, column in enumerate(found, start=1):
        cell = sheet.cell(row=1, column=number, value=column.heading)
        cell.font, cell.fill = Font(bold=True), _HEADING
        dimension = sheet.column_dimensions[get_column_letter(number)]
        dimension.number_format = _TEXT_FORMAT
        dimension.width = max(_WIDTH_MIN, min(len(column.heading) + 6, _WIDTH_MAX))
    sheet.freeze_panes = "A2"
    _hints(book.create_sheet(_t("Hints")), at, found)
    if any(column.key == columns.Field.BANK for column in found):
        _banks(book.create_sheet(_t("Banks")), at)
    for each in book:
        _as_texts(each)
    book.save(file)


def _as_texts(sheet: Any) -> None:
    """Let every cell be the text it holds: a name may begin with what a spreadsheet takes for a formula."""
    for row in sheet.iter_rows():
        for cell in row:
            cell.number_format = _TEXT_FORMAT
            if cell.data_type == "f":
                cell.data_type = "s"


def file_name(at: Ground) -> str:
    """Return the name under which the template is saved."""
    return f"batch-payout-{at.merchant.pk}-{at.service.pk}.xlsx"


def _hints(sheet: Any, at: Ground, found: list[FileColumn]) -> None:
    yes, no = _t("yes"), _t("no")
    lines: list[tuple[str, ...]] = [
        (_t("How to fill the first sheet"),),
        (_t("Merchant"), f"{at.merchant.pk} {at.merchant.name}"),
        (_t("Service"), f"{at.service.pk} {at.service.name}, {at.service.currency_id}"),
        (
            _t("Rows"),
            _t("One payout in each row, at most %d. Values only: no formulas, no hidden rows.") % ROWS_MAX,
        ),
        (_t("Fee"), _fee(at)),
        *(
            (_t("Limits") if number == 0 else "", f"{option.merchant_channel.pk}: {_limits(option)}")
            for number, option in enumerate(at.options)
        ),
        (),
        (_t("Column"), _t("Must be filled"), _t("What it holds"), _t("Example")),
        *(
            (str(column.title), yes if column.is_required else no, str(column.hint), column.example)
            for column in found
        ),
    ]  # fmt: skip
    for line in lines:
        sheet.append(line)
    sheet["A1"].font = Font(bold=True, size=14)
    for letter, width in zip("ABCD", (22, 18, 78, 26), strict=True):
        sheet.column_dimensions[letter].width = width
    for row in sheet.iter_rows(min_row=2):
        for cell in row:
            cell.alignment = Alignment(vertical="top")
        if row[0].value == _t("Column"):
            for cell in row:
                cell.font, cell.fill = Font(bold=True), _HEADING


def _fee(at: Ground) -> str:
    rule = at.terms
    share = f"{rule.fee_permillage.normalize():f} ‰" if rule.fee_type != "fixed" else ""
    fixed = f"{money.render(rule.fee_fixed, at.exponent)} {at.service.currency_id}"
    return " + ".join(part for part in (share, fixed if rule.fee_type != "permillage" else "") if part)


def _limits(option: Any) -> str:
    if option.range is None:
        return str(option.obstacle.words) if option.obstacle else ""
    return str(option.range.explain())


def _banks(sheet: Any, at: Ground) -> None:
    sheet.append((_t("Code"), _t("Id"), _t("Name")))
    for bank in Bank.objects.filter(currency=at.service.currency_id, is_open=True).order_by("name", "pk"):
        sheet.append((bank.code, bank.pk, bank.name))
    for cell in sheet[1]:
        cell.font, cell.fill = Font(bold=True), _HEADING
    for letter, width in zip("ABC", (18, 14, 44), strict=True):
        sheet.column_dimensions[letter].width = width
    sheet.freeze_panes = "A2"
