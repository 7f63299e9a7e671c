"""Uploaded files: what other programs wrote is read digit by digit, and hostile ones end in words."""

from __future__ import annotations

import io
import random
import subprocess
import tracemalloc
import zipfile
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest

from diamondpay.lib.spreadsheet import upload_kinds
from diamondpay.lib.spreadsheet.columns import Column, Kind, Look
from diamondpay.lib.spreadsheet.delimited import Delimited
from diamondpay.lib.spreadsheet.summary import Summary
from diamondpay.lib.spreadsheet.uploads import Cell, CellKind, FileRefused, Limits, Sheet
from diamondpay.lib.spreadsheet.xlsx import Book
from tests.lib import spreadsheets

CARD = "6222021234567890123"


def book(*rows: list[Any], change: Callable[[Any], None] | None = None) -> bytes:
    """Return a book that openpyxl wrote."""
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    if change is not None:
        change(made)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def repacked(content: bytes, **parts: bytes) -> bytes:
    """Return a book with further or other parts; `__` in a name stands for a slash, `_dot_` for a dot."""
    file = io.BytesIO()
    names = {name.replace("__", "/").replace("_dot_", "."): data for name, data in parts.items()}
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename not in names:
                new.writestr(entry.filename, old.read(entry.filename))
        for name, data in names.items():
            new.writestr(name, data)
    return file.getvalue()


def read(content: bytes, name: str = "x.xlsx", **limits: int) -> list[Sheet]:
    """Read a file as an upload."""
    return upload_kinds.read(content, name=name, limits=Limits(**limits))


def cells(sheet: Sheet) -> list[list[str]]:
    """Return a sheet's texts, row by row."""
    return [[cell.text for _place, cell in sorted(row.cells.items())] for row in sheet.rows]


def words(content: bytes, name: str = "x.xlsx", **limits: int) -> str:
    """Return what a refused upload is told."""
    with pytest.raises(FileRefused) as refusal:
        read(content, name, **limits)
    return str(refusal.value)


def test_a_book_of_excels_kind_is_read_as_a_person_sees_it() -> None:
    (sheet,) = read(book(["Amount", "Account"], [1250.5, CARD], [None, None], [" 7 ", "張偉"]))
    assert (sheet.name, cells(sheet)) == ("Sheet", [["Amount", "Account"], ["1250.5", CARD], ["7", "張偉"]])
    assert [row.number for row in sheet.rows] == [1, 2, 4]
    assert sheet.rows[1].cells[0].kind is CellKind.NUMBER


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("1.1000000000000001", Cell("1.1", CellKind.NUMBER)),
        ("0.30000000000000004", Cell("0.3", CellKind.NUMBER)),
        ("1E3", Cell("1000", CellKind.NUMBER)),
        ("-0", Cell("0", CellKind.NUMBER)),
        ("123456789012345", Cell("123456789012345", CellKind.NUMBER)),
        ("6.2220212345678899E+18", Cell("6222021234567890000", CellKind.ROUNDED)),
    ],
)
def test_numbers_are_the_digits_that_excel_shows_and_never_a_float(raw: str, shown: Cell) -> None:
    xml = f"<worksheet><sheetData><row><c><v>{raw}</v></c></row></sheetData></worksheet>"
    (sheet,) = read(repacked(book([1]), xl__worksheets__sheet1_dot_xml=xml.encode()))
    assert sheet.rows[0].cells == {0: shown}


def test_what_our_own_writers_write_is_read_back(tmp_path: Path) -> None:
    columns = [Column(title="Card", position=0), Column(title="Sum", position=1, kind=Kind.AMOUNT)]
    rows = [(CARD, Decimal("12.50")), ("=1+1", Decimal("0.01")), ("007", Decimal(3))]
    for writer, name in ((Book, "x.xlsx"), (Delimited, "x.csv")):
        file = io.BytesIO()
        made = writer(file, columns=columns, look=Look(zone=ZoneInfo("UTC")), title="Rows")
        made.write(rows)
        made.end_rows()
        made.close(Summary(title="Summary", heading="h"))
        found = [[text.rstrip("0") for text in row] for row in cells(read(file.getvalue(), name)[-1])[1:]]
        assert found == [[CARD, "12.5"], ["=1+1", "0.01"], ["007", "3" if name == "x.xlsx" else "3."]]


def test_a_book_that_libreoffice_saved_is_read(tmp_path: Path) -> None:
    source = tmp_path / "in.xlsx"
    source.write_bytes(book(["Amount", "Account"], [1250.55, CARD], ["=A2*2", "x"]))
    command = [str(spreadsheets.soffice()), "--headless", f"-env:UserInstallation=file://{tmp_path}/profile"]
    subprocess.run(
        [*command, "--convert-to", "xlsx", "--outdir", str(tmp_path / "out"), str(source)],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (sheet,) = read((tmp_path / "out" / "in.xlsx").read_bytes())
    assert cells(sheet)[:2] == [["Amount", "Account"], ["1250.55", CARD]]
    assert sheet.rows[2].cells[0] == Cell("=A2*2", CellKind.FORMULA)


def test_formulas_faults_truths_and_hidden_rows_are_told_apart() -> None:
    def change(made: Any) -> None:
        made.active.row_dimensions[2].hidden = True

    content = book(["=1+1", True, "#REF!"], ["seen?"], change=change)
    (sheet,) = read(content)
    kinds = [cell.kind for _place, cell in sorted(sheet.rows[0].cells.items())]
    assert kinds == [CellKind.FORMULA, CellKind.TRUTH, CellKind.FAULT]
    assert [row.is_hidden for row in sheet.rows] == [False, True]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_csv_file_is_read_whatever_separates_its_columns(separator: str) -> None:
    text = f'﻿Amount{separator}Name\r\n12.5{separator}"Zhang{separator} ""Wei"""\r\n\r\n1{separator}\r\n'
    (sheet,) = read(text.encode(), "x.csv")
    assert cells(sheet) == [["Amount", "Name"], ["12.5", f'Zhang{separator} "Wei"'], ["1"]]
    assert [row.number for row in sheet.rows] == [1, 2, 4]


LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<worksheet><sheetData><row><c t='str'><v>&b;</v></c></row></sheetData></worksheet>"
)
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'
ENTITIES = "The book declares entities of its own, which no spreadsheet does."
MACROS = "The book holds macros. Save it as .xlsx, without macros."
BROKEN = "The book is damaged. Open it in Excel and save it again."


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"xl__worksheets__sheet1_dot_xml": LAUGHS}, ENTITIES),
        ({"xl__worksheets__sheet1_dot_xml": OUTSIDE}, ENTITIES),
        ({"xl__vbaProject_dot_bin": b"x"}, MACROS),
        ({"xl__macrosheets__sheet1_dot_xml": b"<x/>"}, MACROS),
        (
            {"xl__externalLinks__externalLink1_dot_xml": b"<x/>"},
            "The book is linked to another one. Break the links and keep the values.",
        ),
        (
            {"xl__connections_dot_xml": b"<x/>"},
            "The book is connected to a source of data. Keep the values alone.",
        ),
        ({"xl__embeddings__oleObject1_dot_bin": b"x"}, "The book holds other files. Remove them."),
        ({"xl__activeX__activeX1_dot_xml": b"<x/>"}, "The book holds controls. Remove them."),
        ({"xl__worksheets__sheet1_dot_xml": b"<worksheet><sheetData>"}, BROKEN),
        ({"xl__worksheets__sheet1_dot_xml": b"\xff\xfe\x00"}, BROKEN),
        ({"xl__workbook_dot_xml": b"<workbook/>", "_rels___dot_rels": b"<Relationships/>"}, BROKEN),
        (
            {"xl__worksheets__sheet1_dot_xml": b"<x><row><c t='s'><v>99</v></c></row></x>"},
            BROKEN,
        ),
        ({"xl__worksheets__sheet1_dot_xml": b"<x><row><c><v>1E999</v></c></row></x>"}, BROKEN),
    ],
)
def test_hostile_books_are_refused_in_words(parts: Mapping[str, bytes], told: str) -> None:
    assert words(repacked(book(["Amount"], [1]), **parts)) == told


def test_a_zip_bomb_is_refused_without_being_unpacked() -> None:
    bomb = repacked(book([1]), xl__media__image1_dot_png=b"\0" * 300_000_000)
    assert len(bomb) < 400_000
    tracemalloc.start()
    assert words(bomb) == "The book would unpack to 300 MB, which no table of this kind has."
    small = repacked(book([1]), xl__worksheets__sheet1_dot_xml=b"<a>" + b" " * 20_000_000 + b"</a>")
    assert words(small) == "The book would unpack to 20 MB, which no table of this kind has."
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Making the second bomb took its 20 MB; unpacking either would take more on top.
    assert peak < 45_000_000


def test_a_part_that_lies_about_its_size_ends_where_it_said_it_would() -> None:
    content = bytearray(repacked(book([1]), xl__worksheets__sheet1_dot_xml=b"<a>" + b"x" * 500_000 + b"</a>"))
    name = b"xl/worksheets/sheet1.xml"
    central = content.rindex(name) - 46
    content[central + 24 : central + 28] = (1000).to_bytes(4, "little")
    assert words(bytes(content)) == BROKEN


def test_a_book_of_two_hundred_sheets_is_refused() -> None:
    def change(made: Any) -> None:
        for number in range(199):
            made.create_sheet(f"s{number}")

    content = book([1], change=change)
    assert words(content) == "The book has 200 sheets; at most 10 are taken."
    assert words(content, part_count_max=1000) == "The book has 200 sheets; at most 10 are taken."


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"", "x.xlsx", "The file is empty."),
        (b"<?php echo 1;", "x.php", "Choose a file that ends in .xlsx or .csv; this one is called “x.php”."),
        (b"<svg/>", "../../x", "Choose a file that ends in .xlsx or .csv; this one is called “../../x”."),
        (b"PK\x03\x04", "x.xlsm", "Books with macros are not taken. Save it as .xlsx, without macros."),
        (b"<html>", "x.xlsx", "The file is called .xlsx but is no Excel book. Save it from Excel as .xlsx."),
        (b"PK\x03\x04", "x.xlsx", BROKEN),
        (
            b"PK\x03\x04",
            "x.csv",
            "The file is called .csv but is an Excel book or an archive. Name it .xlsx.",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1",
            "x.xlsx",
            "The book has a password or is of an old kind. Save it as .xlsx without a password.",
        ),
        ("金额".encode("gbk"), "x.csv", "The file is not UTF-8. Save it as “CSV UTF-8”, or as .xlsx."),
        (b"a,b\n1,\x00", "x.csv", "The file is called .csv but is no text."),
        (
            b'a,b\n1,"2\n3,4\n',
            "x.csv",
            "The file cannot be read after row 1: a quotation mark is open or out of place.",
        ),
        (
            b"x" * 5_000_001,
            "x.csv",
            "The file has 5.0 MB; at most 5 MB are taken. Split it into several files.",
        ),
        (b"a" * 600, "x.csv", f"A cell has more than 500 characters: “{'a' * 20}…”."),
        (b"," * 60 + b"x", "x.csv", "The file: row 1 has more than 60 columns."),
    ],
)
def test_files_of_another_kind_are_refused_in_words(content: bytes, name: str, told: str) -> None:
    assert words(content, name) == told


def test_rows_beyond_what_is_taken_are_refused_and_empty_ones_do_not_count() -> None:
    many = book(*([n] for n in range(12)))
    assert words(many, row_count_max=11) == (
        "Sheet “Sheet” has more than 10 rows. Split it into several files."
    )
    sparse = book(*([n if n % 2 else None] for n in range(22)))
    assert len(read(sparse, row_count_max=11)[0].rows) == 11


def test_a_file_damaged_anywhere_is_read_or_refused_and_never_an_error() -> None:
    whole = book(["Amount", "Account"], *([n, CARD] for n in range(30)))
    row = b"<row r='1'><c r='A1' t='s'><v>0</v></c><c><f>A1</f></c></row>"
    sheet = b"<worksheet><sheetData>" + row + b"</sheetData></worksheet>"
    dice, ends = random.Random(7), {"read": 0, "refused": 0}
    for turn in range(600):
        content = bytearray(whole if turn % 2 else sheet)
        for _change in range(dice.randint(1, 4)):
            content[dice.randrange(len(content))] = dice.randrange(256)
        damaged = (
            bytes(content) if turn % 2 else repacked(whole, xl__worksheets__sheet1_dot_xml=bytes(content))
        )
        try:
            read(damaged)
            ends["read"] += 1
        except FileRefused:
            ends["refused"] += 1
    assert min(ends.values()) > 50
