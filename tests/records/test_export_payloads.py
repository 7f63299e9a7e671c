"""Whatever stands in any text column of any kind of file, nothing of it runs; and other programs agree."""

from __future__ import annotations

import io
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction

from diamondpay.lib.spreadsheet import texts
from diamondpay.lib.spreadsheet.columns import Kind, Look
from diamondpay.lib.spreadsheet.summary import Summary
from diamondpay.models import User
from merchants.models import Merchant
from merchants.registration import Registered
from records.exports import building, kinds
from records.exports.sources import Opened
from tests.lib import spreadsheets
from tests.lib.test_spreadsheet import PAYLOADS
from tests.records.exporting import ZONE, asked, boss, content, data, filled, folder, made

__all__ = ["boss", "filled", "folder"]

pytestmark = pytest.mark.django_db
LONG = "=" + "9" * 40_000
QUERIES = {"merchantday": "merchant={merchant}&day=today", "channelday": "channel=sandbox&day=today"}
_STARTS = ("=", "+", "-", "@", "|", "＝", "\r", "\n")


def opened(kind: str, boss: User, owner: Registered) -> Opened:
    """Return a kind's file as it is opened for writing, with every column."""
    job = asked(boss, kind, QUERIES.get(kind, "").format(merchant=owner.merchant.pk))
    with transaction.atomic():
        return kinds.KINDS[kind].open(job=job, zone=ZONE)


def written(form: str, found: Opened, rows: list[Any]) -> bytes:
    """Return a file of rows in the columns of a kind."""
    file = io.BytesIO()
    look = Look(zone=ZoneInfo("UTC"), decimals=found.decimals)
    writer = building.WRITERS[form](file, columns=found.columns, look=look, title="T")
    writer.write(rows)
    writer.end_rows()
    writer.close(Summary(title="Summary", heading="T"))
    return file.getvalue()


@pytest.mark.parametrize("kind", sorted(kinds.KINDS))
def test_no_payload_runs_in_any_text_column_of_any_kind_of_file_in_either_format(
    kind: str, boss: User, filled: Registered
) -> None:
    found = opened(kind, boss, filled)
    places = [place for place, each in enumerate(found.columns) if each.kind is Kind.TEXT]
    assert places
    width = max(max(each.position, each.unit_position or 0) for each in found.columns) + 1
    payloads = [each for each in (*PAYLOADS, LONG) if each]
    rows = []
    for payload in payloads:
        row: list[Any] = [None] * width
        for place in places:
            row[found.columns[place].position] = payload
        rows.append(row)
    book = written("xlsx", found, rows)
    # Reading it back fails on any cell that is a formula.
    cells = spreadsheets.sheets(book)["T"][1:]
    lines = spreadsheets.raw_lines(written("csv", found, rows))[1:]
    assert "<f>" not in spreadsheets.part(book, "xl/worksheets/data1.xml")
    assert len(cells) == len(lines) == len(payloads)
    for payload, cell, line in zip(payloads, cells, lines, strict=True):
        wanted = texts.clean(payload)
        assert {cell[place] for place in places} == {wanted}
        assert {line[place].lstrip("\t") for place in places} == {wanted.lstrip("\t")}
        assert not any(line[place].startswith(_STARTS) for place in places)


@pytest.mark.parametrize("form", ["xlsx", "csv"])
def test_a_formula_that_somebody_stored_comes_out_as_a_text(
    form: str, boss: User, filled: Registered
) -> None:
    name = '=HYPERLINK("http://x";"y")'
    Merchant.objects.filter(pk=filled.merchant.pk).update(name=name)
    job = made(boss, "payment", form=form, columns=("payment_id", "merchant_name"))
    assert name in {row[1] for row in data(job, boss)}


@pytest.mark.parametrize("kind", ["payment", "balancerecord", "channelday"])
def test_libreoffice_reads_the_excel_file_as_the_csv_file_has_it(
    kind: str, boss: User, filled: Registered, tmp_path: Path
) -> None:
    if spreadsheets.soffice() is None:
        pytest.skip(spreadsheets.HOW_TO_INSTALL)
    query = QUERIES.get(kind, "").format(merchant=filled.merchant.pk)
    job = made(boss, kind, query)
    path = tmp_path / "file.xlsx"
    path.write_bytes(content(job, boss))
    sheets = spreadsheets.converted(path, tmp_path)
    assert "Summary" in sheets
    (rows,) = (found for name, found in sheets.items() if name != "Summary")
    ours = spreadsheets.lines(content(made(boss, kind, query, "csv"), boss))
    assert rows[0] == ours[0]
    assert [[_same(cell) for cell in row] for row in rows[1:]] == [
        [_same(cell) for cell in row] for row in ours[1:]
    ]


def _same(cell: str) -> object:
    """A number is a number however many zeros it is written with."""
    try:
        return Decimal(cell)
    except ArithmeticError:
        return cell
