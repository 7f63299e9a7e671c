"""Files in one pass: what goes in comes out exactly, in both formats, and nothing in it runs."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diamondpay.lib.spreadsheet import texts
from diamondpay.lib.spreadsheet.columns import Column, Kind, Look
from diamondpay.lib.spreadsheet.delimited import Delimited
from diamondpay.lib.spreadsheet.summary import Cell, Line, Summary, amount, heading, line
from diamondpay.lib.spreadsheet.xlsx import Book
from tests.lib import spreadsheets

SHANGHAI = Look(zone=ZoneInfo("Asia/Shanghai"), decimals={"CNY": 2, "JPY": 0, "USDT": 6})
TEXT = Column(title="Order", position=0)
AMOUNT = Column(title="Amount", position=0, kind=Kind.AMOUNT, unit_position=1)
MOMENT = Column(title="Created (Asia/Shanghai)", position=0, kind=Kind.MOMENT)
# What people and programs have put into texts, and what must stand in the cell.
PAYLOADS = {
    "=HYPERLINK(\"http://x\";\"y\")": None, "=1+1": None, "+1": None, "-1": None, "@SUM(A1)": None,
    "\t=1": None, "＝1+1": None, "|calc": None, "=cmd|' /C calc'!A0": None, "'=1": None,
    "6222021234567890123": None, "0012": None, "1e5": None, "1-2": None, "MAY5": None, "TRUE": None,
    "12.50": None, "PM00000145": None, "a,b;c\"d": None, "two\nlines": None, " blanks ": None, "": None,
    "<b>&amp;</b>": None, "]]>": None, "_x0041_": None, "_x0041_x0042_": None, "_x005F_": None,
    "中文 😀": None,
    "a\r\nb\rc": "a\nb\nc", "\x00\x01\x1f": "\ufffd\ufffd\ufffd", "\x7f\x9f": "\ufffd\ufffd",
    "\ud800": "\ufffd",
    "\ufffe\uffff": "\ufffd\ufffd", "\u202e1002": "\ufffd1002",
}  # fmt: skip


def book(columns: Sequence[Column], rows: Sequence[Sequence[Any]], **options: Any) -> tuple[Book, bytes]:
    """Return a book of the rows."""
    file = io.BytesIO()
    made = Book(file, columns=columns, look=SHANGHAI, title="Orders", **options)
    made.write(rows)
    made.end_rows()
    made.close(Summary(title="Summary", heading="Orders", lines=(line("Rows", made.row_count),)))
    return made, file.getvalue()


def csv_file(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> bytes:
    """Return a CSV file of the rows."""
    file = io.BytesIO()
    made = Delimited(file, columns=columns, look=SHANGHAI, title="Orders")
    made.write(rows)
    made.end_rows()
    made.close(Summary(title="", heading=""))
    assert made.data_sha256 == hashlib.sha256(file.getvalue()).hexdigest()
    return file.getvalue()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_text_stands_in_its_cell_as_text_and_runs_nothing(payload: str) -> None:
    wanted = PAYLOADS[payload]
    if wanted is None:
        wanted = payload
    _made, content = book([TEXT], [[payload]])
    assert spreadsheets.sheets(content)["Orders"] == [["Order"], [wanted or None]]
    assert "<f>" not in spreadsheets.part(content, "xl/worksheets/data1.xml")
    cell = csv_file([TEXT], [[payload]]).decode("utf-8-sig").partition("\r\n")[2].removesuffix("\r\n")
    first = cell.removeprefix('"')[:1]
    assert first not in ("=", "+", "-", "@", "|", "＝", "\r", "\n")
    assert spreadsheets.lines(csv_file([TEXT], [[payload]]))[1:] in ([[wanted.lstrip("\t")]], [[]])


@given(st.text(max_size=60))
def test_any_text_comes_back_as_it_was_cleaned(text: str) -> None:
    wanted = texts.clean(text)
    assert spreadsheets.sheets(book([TEXT], [[text]])[1])["Orders"][1:] in (
        [[wanted]],
        [[None]] if not wanted else [],
    )
    found = spreadsheets.lines(csv_file([TEXT, TEXT], [[text]]))[1]
    assert found == [wanted.lstrip("\t")] * 2


@pytest.mark.parametrize(
    ("text", "kept"),
    [("x" * 32_767, 32_767), ("x" * 40_000, 32_767), ("😀" * 16_383, 32_766), ("😀" * 20_000, 32_767)],
)
def test_a_cell_that_is_too_long_is_cut_with_a_mark_and_never_inside_a_character(
    text: str, kept: int
) -> None:
    (cell,) = spreadsheets.sheets(book([TEXT], [[text]])[1])["Orders"][1]
    units = len(cell.encode("utf-16-le")) // 2
    assert kept - 1 <= units <= 32_767
    assert cell.endswith(f"… [cut; {len(text):,} characters]") == (units < len(text.encode("utf-16-le")) // 2)
    assert spreadsheets.lines(csv_file([TEXT], [[text]]))[1] == [cell]


@pytest.mark.parametrize(
    ("value", "unit", "shown", "format_code"),
    [
        ("300.000000000000000000", "CNY", "300.00", "#,##0.00"), ("0E-18", "CNY", "0.00", "#,##0.00"),
        ("-12.5", "CNY", "-12.50", "#,##0.00"), ("1250", "JPY", "1250", "#,##0"),
        ("0.000001", "USDT", "0.000001", "#,##0.000000"), ("1.005", "CNY", "1.005", "#,##0.000"),
        ("9999999999999.99", "CNY", "9999999999999.99", "#,##0.00"),
        ("100000000000000000000", "CNY", "100000000000000000000.00", "#,##0.00"),
    ],
)  # fmt: skip
def test_an_amount_is_a_number_with_its_currencys_decimals_and_no_digit_is_lost(
    value: str, unit: str, shown: str, format_code: str
) -> None:
    _made, content = book([AMOUNT], [[Decimal(value), unit]])
    cell = openpyxl.load_workbook(io.BytesIO(content))["Orders"]["A2"]
    assert (cell.data_type, cell.number_format) == ("n", format_code)
    assert Decimal(repr(cell.value)) == Decimal(value)
    assert spreadsheets.lines(csv_file([AMOUNT], [[Decimal(value), unit]]))[1] == [shown]


@pytest.mark.parametrize("value", ["12345678901234.567", "0.1234567890123456", "-9007199254740993", "NaN"])
def test_an_amount_that_a_spreadsheet_would_round_stands_as_text_with_every_digit(value: str) -> None:
    made, content = book([AMOUNT], [[Decimal(value), "CNY"]])
    cell = openpyxl.load_workbook(io.BytesIO(content))["Orders"]["A2"]
    assert (cell.data_type, cell.value, cell.fill.fgColor.rgb) == ("s", value, "FFFDF0D3")
    assert made.inexact_count == 1


@given(st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=-(10**19), max_value=10**19))
def test_any_amount_of_the_book_comes_back_exactly(value: Decimal) -> None:
    (found,) = spreadsheets.sheets(book([AMOUNT], [[value, "USDT"]])[1])["Orders"][1]
    assert Decimal(found if isinstance(found, str) else repr(found)) == value
    (text,) = spreadsheets.lines(csv_file([AMOUNT], [[value, "USDT"]]))[1]
    assert Decimal(text) == value


@pytest.mark.parametrize(
    ("moment", "zone", "shown"),
    [
        ("2026-01-31T15:59:59.999999", "Asia/Shanghai", "2026-01-31 23:59:59"),
        ("2026-01-31T16:00:00", "Asia/Shanghai", "2026-02-01 00:00:00"),
        ("2026-03-29T00:59:59", "Europe/Berlin", "2026-03-29 01:59:59"),
        ("2026-03-29T01:00:00", "Europe/Berlin", "2026-03-29 03:00:00"),
        ("2026-10-25T01:00:00", "Europe/Berlin", "2026-10-25 02:00:00"),
        ("2026-04-04T15:30:00", "Australia/Lord_Howe", "2026-04-05 02:00:00"),
        ("2026-07-01T18:15:00", "Asia/Kathmandu", "2026-07-02 00:00:00"),
    ],
)  # fmt: skip
def test_a_time_is_a_date_in_the_chosen_zone_to_the_second(moment: str, zone: str, shown: str) -> None:
    row = [datetime.fromisoformat(moment).replace(tzinfo=UTC)]
    file, other = io.BytesIO(), io.BytesIO()
    look = Look(zone=ZoneInfo(zone))
    for made in (
        Book(file, columns=[MOMENT], look=look, title="T"),
        Delimited(other, columns=[MOMENT], look=look, title="T"),
    ):
        made.write([row])
        made.end_rows()
        made.close(Summary(title="S", heading="S"))
    assert spreadsheets.sheets(file.getvalue())["T"][1] == [datetime.fromisoformat(shown)]
    assert spreadsheets.lines(other.getvalue())[1] == [shown]


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2100, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_any_time_is_what_the_zone_says_it_is(moment: datetime) -> None:
    wanted = moment.astimezone(SHANGHAI.zone).replace(tzinfo=None, microsecond=0)
    (found,) = spreadsheets.sheets(book([MOMENT], [[moment]])[1])["Orders"][1]
    assert abs(found - wanted) < timedelta(milliseconds=1)


def test_days_are_dates_and_nothing_is_an_empty_cell() -> None:
    columns = [
        Column(title="Day", position=0, kind=Kind.DAY),
        Column(title="Count", position=1, kind=Kind.NUMBER),
        Column(title="State", position=2, words={0: "Open", 1: "=Closed"}),
    ]
    rows: list[list[Any]] = [
        [date(2026, 1, 31), 12, 1], [None, None, None], [date(1899, 1, 1), Decimal("1.50"), 7],
    ]  # fmt: skip
    found = spreadsheets.sheets(book(columns, rows)[1])["Orders"]
    assert found == [
        ["Day", "Count", "State"], [datetime(2026, 1, 31), 12, "=Closed"], [None, None, None],  # noqa: DTZ001
        ["1899-01-01", 1.5, "7"],
    ]  # fmt: skip
    assert spreadsheets.lines(csv_file(columns, rows))[1:] == [
        ["2026-01-31", "12", "=Closed"], ["", "", ""], ["1899-01-01", "1.5", "7"],
    ]  # fmt: skip


def test_rows_go_on_on_further_sheets_each_with_its_header_and_filter() -> None:
    made, content = book([TEXT], [[f"n{number}"] for number in range(7)], sheet_rows_max=3)
    found = spreadsheets.sheets(content)
    assert list(found) == ["Summary", "Orders", "Orders 2", "Orders 3"]
    assert [rows[1:] for rows in list(found.values())[1:]] == [
        [["n0"], ["n1"], ["n2"]], [["n3"], ["n4"], ["n5"]], [["n6"]],
    ]  # fmt: skip
    assert (made.row_count, made.sheet_count) == (7, 3)
    loaded = openpyxl.load_workbook(io.BytesIO(content))
    assert [(sheet.freeze_panes, sheet.auto_filter.ref) for sheet in loaded.worksheets[1:]] == [
        ("A2", "A1:A4"), ("A2", "A1:A4"), ("A2", "A1:A2"),
    ]  # fmt: skip


def test_a_sheet_also_ends_before_it_is_too_large_for_every_reader() -> None:
    made, content = book([TEXT], [["x" * 1000]] * 2000, sheet_bytes_max=600_000)
    assert made.sheet_count == 2
    assert (
        sum(len(rows) - 1 for name, rows in spreadsheets.sheets(content).items() if name != "Summary") == 2000
    )


def test_a_file_without_rows_has_its_header_and_a_summary() -> None:
    _made, content = book([TEXT, AMOUNT], [])
    assert spreadsheets.sheets(content) == {
        "Summary": [["Orders", None], ["Rows", 0]], "Orders": [["Order", "Amount"]],
    }  # fmt: skip
    assert csv_file([TEXT, AMOUNT], []).decode("utf-8-sig") == "Order,Amount\r\n"


def test_the_hash_is_that_of_the_data_sheets_in_the_archive() -> None:
    made, content = book([TEXT], [[f"n{number}"] for number in range(5)], sheet_rows_max=3)
    parts = [spreadsheets.part(content, f"xl/worksheets/data{number}.xml") for number in (1, 2)]
    assert made.data_sha256 == hashlib.sha256("".join(parts).encode()).hexdigest()
    assert book([TEXT], [[f"n{number}"] for number in range(5)], sheet_rows_max=3)[1] == content


def test_titles_of_sheets_and_headers_are_made_fit() -> None:
    file = io.BytesIO()
    made = Book(file, columns=[Column(title="=A\x00", position=0)], look=SHANGHAI, title="a/b:c*[" + "x" * 40)
    made.end_rows()
    made.close(
        Summary(
            title="Summary",
            heading="=1",
            lines=(heading("Sum"), Line(cells=(Cell(value="of"), amount(Decimal("1.5"), 2)))),
        )
    )
    assert spreadsheets.sheets(file.getvalue()) == {
        "Summary": [["=1", None], ["Sum", None], ["of", 1.5]],
        "a-b-c--" + "x" * 24: [["=A\ufffd"]],
    }


def test_libreoffice_reads_the_book_as_the_csv_file_says(tmp_path: Path) -> None:
    if spreadsheets.soffice() is None:
        pytest.skip(spreadsheets.HOW_TO_INSTALL)
    texts_in = [text for text in PAYLOADS if text and text.isprintable() and text == text.strip()]
    columns = [
        TEXT,
        Column(title="A", position=1, kind=Kind.AMOUNT, unit_position=2),
        Column(title="T (Asia/Shanghai)", position=3, kind=Kind.MOMENT),
    ]
    rows = [
        [text, Decimal(number) / 4, "CNY", datetime(2026, 1, 1, 0, 0, number, tzinfo=UTC)]
        for number, text in enumerate(texts_in)
    ]
    path = tmp_path / "book.xlsx"
    path.write_bytes(book(columns, rows)[1])
    found = spreadsheets.converted(path, tmp_path)
    ours = spreadsheets.lines(csv_file(columns, rows))
    assert found["Summary"][1] == ["Rows", str(len(rows))]
    assert found["Orders"][0] == ours[0]
    assert [[text, Decimal(amount), moment] for text, amount, moment in found["Orders"][1:]] == [
        [text, Decimal(amount), moment] for text, amount, moment in ours[1:]
    ]
