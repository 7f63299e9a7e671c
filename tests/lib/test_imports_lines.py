"""A file that is handed in is hostile until it is read: limits on everything, words for everything."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
import zlib
from datetime import date
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamondpay.lib.imports import lines
from diamondpay.lib.imports.lines import Fault, Lines
from diamondpay.lib.spreadsheet.uploads import FileRefused

ROUNDED = "Excel rounds numbers of more than 15 digits. Format the cell as text and type it again."
HEADINGS = {"id": "id", "code": "code", "bank code": "code", "name": "name"}


def book(*sheets: list[list[Any]], hidden: int = -1) -> bytes:
    """Return an Excel book of sheets."""
    made = openpyxl.Workbook()
    made.remove(made.active)
    for number, rows in enumerate(sheets):
        sheet = made.create_sheet(f"S{number + 1}")
        sheet.sheet_state = "hidden" if number == hidden else "visible"
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def replaced(content: bytes, name: str, text: bytes) -> bytes:
    """Return a book with one of its parts replaced, packed as well as can be."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new,
    ):
        for part in old.infolist():
            new.writestr(part.filename, text if part.filename == name else old.read(part))
    return file.getvalue()


def read(content: bytes) -> Lines:
    name = "file.xlsx" if content.startswith(b"PK") else "file.csv"
    return lines.read(content, name=name, headings=HEADINGS)


def test_a_book_is_read_by_sheet_and_row_whatever_its_headings_look_like() -> None:
    content = book(
        [["Notes for you"], ["nothing"]],
        [[None], ["ID ", " bank  CODE", None], [], ["BK1", 12, None], [None, None], ["BK2", "0012"]],
        [["id", "name"], ["BK3", "中文 Bank"]],
    )
    found = read(content)
    assert [(line.sheet, line.row, dict(line.cells)) for line in found.lines] == [
        ("S2", 4, {"id": "BK1", "code": "12"}),
        ("S2", 6, {"id": "BK2", "code": "0012"}),
        ("S3", 2, {"id": "BK3", "name": "中文 Bank"}),
    ]
    assert (found.sheets, found.unread, found.faults) == (("S2", "S3"), ("S1",), ())


@pytest.mark.parametrize(
    "text",
    [
        "id,code\r\nBK1,A B\r\n", "id;code\nBK1;A B\n", "id\tcode\nBK1\tA B\n",
        "\ufeffid,code\r\n\tBK1,\tA B\r\n", 'id,code\n"BK1","A B"',
    ],
)  # fmt: skip
def test_csv_is_read_as_the_programs_write_it_that_people_use(text: str) -> None:
    (line,) = read(text.encode()).lines
    assert (line.sheet, line.row, dict(line.cells)) == ("CSV", 2, {"id": "BK1", "code": "A B"})


@pytest.mark.parametrize(
    ("cell", "value", "reason"),
    [
        ("=1+1", "=1+1", "This is a formula. Put its value there."),
        (date(2026, 1, 2), "2026-01-02 00:00:00", "This is a date or time, and none is wanted here."),
        (12345678901234567, "12345678901234600", ROUNDED),
        ("x\u202ey", "x\u202ey", "This text holds the character U+202E, which nobody can see."),
        ("x" * 1001, "x" * 100, "This text has more than 1000 characters."),
    ],
)  # fmt: skip
def test_a_cell_that_no_text_can_say_is_a_fault_with_its_place(cell: Any, value: str, reason: str) -> None:
    found = read(book([["id", "Bank code"], ["BK1", "ok"], ["BK2", cell]]))
    assert found.faults == (Fault(sheet="S1", row=3, column="Bank code", value=value, reason=reason),)


def test_numbers_come_as_a_person_sees_them_in_the_sheet() -> None:
    found = read(book([["id", "code"], [0.1, 1250.5], [True, 1e14], [123456.1234567891, 3.0], [1e15, -0.0]]))
    assert [dict(line.cells) for line in found.lines] == [
        {"id": "0.1", "code": "1250.5"}, {"id": "yes", "code": "100000000000000"},
        {"id": "123456.123456789", "code": "3"}, {"id": "1000000000000000", "code": "0"},
    ]  # fmt: skip
    assert [(fault.row, fault.reason) for fault in found.faults] == [(5, ROUNDED)]


def test_columns_that_nobody_knows_or_that_stand_twice_are_named_and_nothing_is_left_out_silently() -> None:
    found = read(b"id,colour,code,bank code\nBK1,red,A,B\nBK2,,C,,stray\n")
    assert [(fault.row, fault.column, fault.value) for fault in found.faults] == [
        (1, "colour", ""), (1, "bank code", ""), (3, "", "stray"),
    ]  # fmt: skip
    assert "Known are: id, bank code, name." in found.faults[0].reason


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"  \n", "No sheet has these headings"),
        (b"nothing,known\n1,2\n", "No sheet has these headings"),
        (b"id,code\n", "no rows below"),
        ("id,名\n1,中\n".encode("gb18030"), "CSV UTF-8"),
        (b"id\x00,code\n1,2\n", "is no text"),
        (b'id,code\nBK1,"never closed\nBK2,x\n', "a quotation mark is open"),
        (b"id" + b",x" * 100 + b"\n1\n", "more than 60 columns"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "has a password or is of an old kind"),
        (b"PK\x03\x04 and no more", "damaged"),
        (b"<?php echo 1;", "No sheet has"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not UTF-8"),
        (b"id,code\n" + b"x" * lines.BYTES_MAX, "at most 2 MB are taken"),
        (b"id\n" + b"x\n" * (lines.ROWS_MAX + 1), "more than 2,000 rows"),
        (b"id\n" + b"y" * 999 + b"\n" + (b"x" * 999 + b"\n") * 600, "too much text"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_words(content: bytes, words: str) -> None:
    with pytest.raises(FileRefused, match=words):
        read(content)


SHEET = "xl/worksheets/sheet1.xml"
OPEN = b'<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (OPEN + b"<!--" + b" " * 25_000_000 + b"--><sheetData/></worksheet>", "would unpack to 25 MB"),
        (OPEN + b"<!--" + b" " * 31_000_000 + b"--><sheetData/></worksheet>", "would unpack to 31 MB"),
        (b'<?xml version="1.0"?>' + BOMB + b"<worksheet>&b;</worksheet>", "entities"),
        ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'.encode("utf-16"),
         "entities"),
        (b"<worksheet>", "damaged"),
        (b"\x00\x01\x02", "damaged"),
        (OPEN + b'<sheetData><row r="x"><c r="!"><v>q</v></c></row></sheetData></worksheet>', "damaged"),
    ],
)  # fmt: skip
def test_a_hostile_book_is_refused_in_words_and_in_little_room(part: bytes, words: str) -> None:
    content = replaced(book([["id"], ["BK1"]]), SHEET, part)
    tracemalloc.start()
    with pytest.raises(FileRefused, match=words):
        read(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_book_that_lies_about_its_size_is_unpacked_no_further_than_it_said() -> None:
    text = OPEN + b"<sheetData/>" + b" " * 24_000_000 + b"</worksheet>"
    content = bytearray(replaced(book([["id"]]), SHEET, text))
    said = 20_000
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        part = made.getinfo(SHEET)
        at = made.start_dir
    while bytes(content[at + 46 : at + 46 + len(SHEET)]) != SHEET.encode():
        at = content.index(b"PK\x01\x02", at + 4)
    for place in (at + 24, part.header_offset + 22):
        content[place : place + 4] = said.to_bytes(4, "little")
    for place in (at + 16, part.header_offset + 14):
        content[place : place + 4] = zlib.crc32(text[:said]).to_bytes(4, "little")
    del text
    tracemalloc.start()
    with pytest.raises(FileRefused, match="damaged"):
        read(bytes(content))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_row_that_says_it_is_the_last_of_a_billion_takes_no_room() -> None:
    rows = b'<row r="1"><c t="inlineStr"><is><t>id</t></is></c></row><row r="999999999"><c><v>1</v></c></row>'
    content = replaced(book([["id"]]), SHEET, OPEN + b"<sheetData>" + rows + b"</sheetData></worksheet>")
    tracemalloc.start()
    with pytest.raises(FileRefused, match="damaged"):
        read(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_a_book_of_too_many_parts_or_rows_or_columns_or_sheets_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for number in range(lines.TAKEN.part_count_max + 1):
            made.writestr(f"{number}.txt", "x")
    for content, words in (
        (file.getvalue(), "has 501 parts; at most 500 are taken"),
        (book([["id"], *[[f"BK{n}"] for n in range(2001)]]), "more than 2,000 rows"),
        (book([["id"], ["x"] + [None] * 60 + ["far away"]]), "more than 60 columns"),
        (book(*[[["id"]]] * 21), "has 21 sheets; at most 20 are taken"),
    ):
        with pytest.raises(FileRefused, match=words):
            read(content)


def test_hidden_sheets_are_not_read() -> None:
    assert [line.row for line in read(book([["id"], ["BK1"]], [["id"], ["BK2"]], hidden=1)).lines] == [2]


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_in_words(content: bytes) -> None:
    for wanted in (content, b"PK\x03\x04" + content, b"id,code\n" + content):
        assert _words_or_lines(wanted)


def _words_or_lines(content: bytes) -> object:
    try:
        return read(content)
    except FileRefused as refusal:
        return str(refusal)
