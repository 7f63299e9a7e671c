"""Making files in tests, and what the lists show beside them."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.test import override_settings

from diamondpay.lib import clock
from diamondpay.lib import columns as lib_columns
from diamondpay.models import User
from merchants.registration import Registered
from records import columns, filters
from records.exports import building, jobs, kinds
from records.models import ExportJob
from tests import factories
from tests.admin import book
from tests.lib import spreadsheets

ZONE = ZoneInfo("Asia/Shanghai")
State = ExportJob.State


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of the files."""
    with override_settings(EXPORT_DIR=str(tmp_path / "exports")):
        yield tmp_path / "exports"


@pytest.fixture
def boss(db: None) -> User:
    """A superuser."""
    return factories.make_user("boss", is_superuser=True)


@pytest.fixture
def filled(boss: User) -> Registered:
    """A merchant with a row of everything, and another who has the same."""
    acme, other = book.merchant("Acme"), book.merchant("Other")
    for owner in (acme, other):
        book.fund(owner)
        book.fill(owner, acme if owner is other else other, boss, start=1, count=3)
    return acme


def offered(kind: str, user: User) -> tuple[str, ...]:
    """Return the keys of all columns that the user may choose."""
    return tuple(each.key for each in kinds.KINDS[kind].offered(user))


def asked(
    user: User, kind: str = "payment", query: str = "", form: str = "xlsx", **options: Any
) -> ExportJob:
    """Ask for a file with all columns."""
    keys = options.pop("columns", None) or offered(kind, user)
    wanted = jobs.Wanted(kind=kind, query=query, columns=keys, format=form, zone=ZONE.key)
    return jobs.request(wanted=wanted, user=user, now=clock.now(), **options)


def made(user: User, kind: str = "payment", query: str = "", form: str = "xlsx", **options: Any) -> ExportJob:
    """Make a file at once and return its job."""
    job = asked(user, kind, query, form, **options)
    assert building.build_small(job=job, worker="test"), job.error
    return job


def content(job: ExportJob, user: User) -> bytes:
    """Take the file."""
    with jobs.take(job=job, user=user, now=clock.now()) as file:
        return file.read()


def data(job: ExportJob, user: User) -> list[list[Any]]:
    """Return the rows of the file's data sheets, without the header, as texts."""
    found = content(job, user)
    if job.format == "csv":
        return spreadsheets.lines(found)[1:]
    sheets = list(spreadsheets.sheets(found).values())[1:]
    return [["" if cell is None else str(cell) for cell in row] for rows in sheets for row in rows[1:]]


def listed(kind: str, query: str, user: User) -> list[list[str]]:
    """Return the rows as the list's own columns read them, as texts."""
    reading = filters.read(kind, QueryDict(query), user=user, zone=ZONE, now=clock.now())
    table = columns.of(kind, user)
    return [[_text(each, row) for each in table] for row in lib_columns.rows(reading.queryset, table)]


def _text(column: Any, row: Any) -> str:
    value = column.read(row)
    if value is None:
        return ""
    if column.file_type == "moment":
        return f"{value.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"
    if column.file_type == "amount":
        return str(value.quantize(Decimal(1).scaleb(-column.unit(row).exponent)))
    return str(value)


def summed(job: ExportJob) -> list[list[str]]:
    """Return the lines of the summary's tables, as texts."""
    return [[cell["text"] for cell in row] for block in job.summary for row in block.get("rows", ())]


@contextmanager
def nearly_full(byte_count: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, which is what a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (byte_count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
