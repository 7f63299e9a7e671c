"""The fixed parts of an XLSX book: formats of cells, the list of sheets, and how they hang together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from diamondpay.lib.spreadsheet import texts
from diamondpay.lib.spreadsheet.columns import DECIMALS_MAX

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_SHEET_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SHEET_NAME_MAX = 31
_NOT_IN_SHEET_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\", "-"))

SHEET_OPEN = f'{_HEAD}<worksheet xmlns="{_MAIN}">'
SHEET_CLOSE = "</worksheet>"
ROOT_RELATIONS = (
    f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1"'
    f' Type="{_OFFICE}/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A sheet in the book: its name on the tab, its file in the archive, the cells its filter spans."""

    name: str
    file: str
    filtered: str = ""


def sheet_name(wanted: str, number: int = 1) -> str:
    """Return a name that a tab may carry; a further sheet of the same content is numbered."""
    tail = f" {number}" if number > 1 else ""
    name = texts.clean(wanted).translate(_NOT_IN_SHEET_NAMES).replace("\n", " ").strip("' ") or "Sheet"
    return name[: SHEET_NAME_MAX - len(tail)].rstrip("' ") + tail


def column_letter(number: int) -> str:
    """Return the letters of a column, 1 being A."""
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _amount_format(decimals: int) -> str:
    return "#,##0" + ("." + "0" * decimals if decimals else "")


_FILL = (
    '<fill><patternFill patternType="solid"><fgColor rgb="{colour}"/><bgColor indexed="64"/>'
    "</patternFill></fill>"
)
_BORDER = "<border><left/><right/><top/>{bottom}<diagonal/></border>"
_LINE = '<bottom style="thin"><color rgb="FFC3CAD1"/></bottom>'


def _styles() -> str:
    """Return the formats; their order is that of the positions in `xlsx_cells`."""
    amounts = range(DECIMALS_MAX + 1)
    formats = [
        (164, "yyyy-mm-dd hh:mm:ss"),
        (165, "yyyy-mm-dd"),
        *((166 + decimals, _amount_format(decimals)) for decimals in amounts),
    ]
    right, wrapped = '<alignment horizontal="right"/>', '<alignment vertical="top" wrapText="1"/>'
    as_text = 'xfId="0" numFmtId="49" applyNumberFormat="1"'
    heading = 'fontId="1" applyFont="1" fillId="2" applyFill="1" borderId="1" applyBorder="1"'
    cells = [
        '<xf xfId="0"/>',
        f"<xf {as_text}/>",
        '<xf xfId="0" numFmtId="164" applyNumberFormat="1"/>',
        '<xf xfId="0" numFmtId="165" applyNumberFormat="1"/>',
        f"<xf {as_text} {heading}/>",
        f'<xf {as_text} fillId="3" applyFill="1" applyAlignment="1">{right}</xf>',
        f'<xf xfId="0" numFmtId="0" applyAlignment="1">{right}</xf>',
        '<xf xfId="0" fontId="2" applyFont="1"/>',
        f'<xf {as_text} fontId="3" applyFont="1" applyAlignment="1">{wrapped}</xf>',
        *(f'<xf xfId="0" numFmtId="{166 + decimals}" applyNumberFormat="1"/>' for decimals in amounts),
    ]
    font = '<name val="Calibri"/><family val="2"/>'
    fonts = [
        f'<font><sz val="11"/>{font}</font>',
        f'<font><b/><sz val="11"/>{font}</font>',
        f'<font><b/><sz val="14"/>{font}</font>',
        f'<font><sz val="10"/><color rgb="FF5B6874"/>{font}</font>',
    ]
    fills = [
        '<fill><patternFill patternType="none"/></fill>',
        '<fill><patternFill patternType="gray125"/></fill>',
        *(_FILL.format(colour=colour) for colour in ("FFEEF1F4", "FFFDF0D3")),
    ]
    return (
        f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
        + _counted("numFmts", [f'<numFmt numFmtId="{key}" formatCode="{code}"/>' for key, code in formats])
        + _counted("fonts", fonts)
        + _counted("fills", fills)
        + _counted("borders", [_BORDER.format(bottom="<bottom/>"), _BORDER.format(bottom=_LINE)])
        + '<cellStyleXfs count="1"><xf/></cellStyleXfs>'
        + _counted("cellXfs", cells)
        + '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
    )


def _counted(name: str, items: Sequence[str]) -> str:
    return f'<{name} count="{len(items)}">{"".join(items)}</{name}>'


STYLES = _styles()


def workbook(parts: Sequence[Part]) -> str:
    """Return the list of sheets in the order of their tabs, with the names that filters and printing need."""
    sheets = "".join(
        f'<sheet name="{escape(part.name, {chr(34): "&quot;"})}" sheetId="{number}" r:id="rId{number}"/>'
        for number, part in enumerate(parts, start=1)
    )
    names = "".join(_names(part, position) for position, part in enumerate(parts) if part.filtered)
    defined = f"<definedNames>{names}</definedNames>" if names else ""
    return (
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships"><workbookPr/>'
        f"<bookViews><workbookView/></bookViews><sheets>{sheets}</sheets>{defined}</workbook>"
    )


def _names(part: Part, position: int) -> str:
    """Return what a data sheet's filter spans, and that its header is printed on every page."""
    sheet = escape("'" + part.name.replace("'", "''") + "'")
    span = re.sub("([A-Z]+)([0-9]+)", r"$\1$\2", part.filtered)
    name = f'<definedName name="_xlnm.{{}}" localSheetId="{position}"'
    return (
        f'{name.format("_FilterDatabase")} hidden="1">{sheet}!{span}</definedName>'
        f"{name.format('Print_Titles')}>{sheet}!$1:$1</definedName>"
    )


def workbook_relations(parts: Sequence[Part]) -> str:
    """Return which file holds which sheet."""
    sheets = "".join(
        f'<Relationship Id="rId{number}" Type="{_OFFICE}/relationships/worksheet"'
        f' Target="worksheets/{part.file}"/>'
        for number, part in enumerate(parts, start=1)
    )
    styles = (
        f'<Relationship Id="rId{len(parts) + 1}" Type="{_OFFICE}/relationships/styles" Target="styles.xml"/>'
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{sheets}{styles}</Relationships>'


def content_types(parts: Sequence[Part]) -> str:
    """Return the kinds of all parts of the archive."""
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/{part.file}" ContentType="{_SHEET_TYPE}.worksheet+xml"/>'
        for part in parts
    )
    return (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEET_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_SHEET_TYPE}.styles+xml"/>{sheets}</Types>'
    )
