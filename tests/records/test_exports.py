"""Files of records: they hold what the list shows, at one moment, and only what the person may see (A3)."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diamondpay.lib import errors
from diamondpay.models import User
from merchants.models import Merchant
from merchants.registration import Registered
from records import columns, filters, totals
from records.exports import building, kinds, resources
from records.models import ExportJob, Payment
from tests import factories
from tests.lib import spreadsheets
from tests.records.exporting import (
    ZONE,
    State,
    asked,
    boss,
    content,
    data,
    filled,
    folder,
    listed,
    made,
    offered,
    summed,
)

__all__ = ["boss", "filled", "folder"]

pytestmark = pytest.mark.django_db


LISTS = sorted(set(kinds.KINDS) - {"merchantday", "channelday", "statistics"})


@pytest.mark.parametrize("kind", LISTS)
def test_a_file_holds_exactly_what_the_list_shows_in_every_column(
    kind: str, boss: User, filled: Registered
) -> None:
    """A3, for every record and both formats."""
    # That a file was asked for stands in the trail too, after the list was read.
    query = "actor=tests" if kind == "auditrow" else ""
    shown = listed(kind, query, boss)
    assert shown
    assert data(made(boss, kind, query, form="csv"), boss) == shown
    book_rows = data(made(boss, kind, query), boss)
    assert [[_same(cell) for cell in row] for row in book_rows] == [
        [_same(cell) for cell in row] for row in shown
    ]


def _same(cell: str) -> object:
    """A number is a number however many zeros it is written with."""
    try:
        return Decimal(cell)
    except ArithmeticError:
        return cell


_QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.lists(st.sampled_from("0123"), max_size=3, unique=True),
        "merchant": st.lists(st.sampled_from(["first", "second"]), max_size=2, unique=True),
        "created": st.sampled_from(["today", "yesterday", "7d", "any"]),
        "amount_min": st.sampled_from(["1", "300", "300.01"]),
        "is_test": st.sampled_from("01"),
        "channel": st.just("sandbox"),
        "notification": st.sampled_from(["success", "retrying"]),
        "q": st.sampled_from(["PM00000001", "D-{first}-2", "nothing"]),
    },
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=_QUERIES, form=st.sampled_from(["xlsx", "csv"]))
def test_any_filter_gives_the_rows_and_sums_of_the_list(
    boss: User, filled: Registered, wanted: dict[str, Any], form: str
) -> None:
    """A3: row for row, and the summary's figures are the totals'."""
    names = dict(zip(("first", "second"), Merchant.objects.values_list("pk", flat=True), strict=True))
    query = QueryDict(mutable=True)
    for name, value in wanted.items():
        texts = value if isinstance(value, list) else [value]
        query.setlist(name, [names.get(each, each.format(**names)) for each in texts])
    job = made(boss, "payment", query.urlencode(), form)
    shown = listed("payment", job.query, boss)
    assert [[_same(c) for c in row] for row in data(job, boss)] == [[_same(c) for c in row] for row in shown]
    assert job.rows_done == job.rows_expected == len(shown)
    reading = filters.read("payment", QueryDict(job.query), user=boss, zone=ZONE, now=job.requested_at)
    if reading.totals_key is not None:
        figures = totals.figures(**reading.totals_key.arguments())
        assert sorted(_sums(job)) == sorted(
            (
                each.currency,
                each.order_count,
                each.requested_sum,
                each.actual_sum,
                each.fee_sum,
                each.credited_sum,
            )
            for each in figures
            if each.order_count
        )


def _sums(job: ExportJob) -> list[tuple[Any, ...]]:
    """Return currency, count and sums of the summary's lines."""
    return [
        (line[0], int(line[3]), *(Decimal(text.replace(",", "")) for text in line[4:]))
        for line in summed(job)
    ]


def test_the_summary_says_what_the_file_is(boss: User, filled: Registered) -> None:
    job = made(boss, query="status=1&created=today")
    front = {row[0]: row[1] for row in spreadsheets.sheets(content(job, boss))["Summary"] if row[0]}
    today = job.requested_at.astimezone(ZONE).date()
    assert (front["Made for"], front["Times are in"], front["Rows"]) == ("boss", "Asia/Shanghai", 6)
    assert (
        front["Filters"] == f"Created: Today (from {today} 00:00 to before {today + timedelta(days=1)} 00:00)"
    )
    data_sheet = spreadsheets.part(content(job, boss), "xl/worksheets/data1.xml").encode()
    assert front["SHA-256 of the data sheets"] == hashlib.sha256(data_sheet).hexdigest() == job.data_sha256
    assert job.sha256 == hashlib.sha256(content(job, boss)).hexdigest()
    header = next(iter(list(spreadsheets.sheets(content(job, boss)).values())[1]))
    assert "Created (Asia/Shanghai)" in header


def test_a_resource_of_import_export_holds_the_same_columns_and_values(
    boss: User, filled: Registered
) -> None:
    resource = resources.of("payment")()
    found = resource.export(Payment.objects.all())
    assert found.headers == [each.heading for each in columns.of("payment")]
    assert [list(row[:3]) for row in found] == [row[:3] for row in listed("payment", "", boss)]
    assert resource.get_import_fields() == []


def test_columns_keep_their_chosen_order(boss: User, filled: Registered) -> None:
    job = made(boss, columns=("status", "fee", "payment_id"))
    assert spreadsheets.sheets(content(job, boss))["Deposit orders"][0] == [
        "Status",
        "Fee",
        "Platform order no.",
    ]


def test_today_is_the_day_of_the_request_also_when_it_is_built_later(boss: User, filled: Registered) -> None:
    job = asked(boss, query="created=yesterday")
    ExportJob.objects.filter(pk=job.pk).update(requested_at=job.requested_at + timedelta(days=1))
    building.build_next(worker="test")
    job.refresh_from_db()
    assert (job.state, job.rows_done) == (State.DONE, 8)


def test_a_merchants_user_gets_their_own_rows_and_no_column_of_ours(boss: User, filled: Registered) -> None:
    clerk = factories.make_merchant_user(filled.merchant)
    job = made(clerk, query="created=any", form="csv")
    keys = offered("payment", clerk)
    assert {row[keys.index("merchant_id")] for row in data(job, clerk)} == {filled.merchant.pk}
    assert {"channel_id", "channel_order_no"} & set(keys) == set()
    assert job.confined_to == [filled.merchant.pk]
    with pytest.raises(errors.InvalidInput) as refused:
        asked(clerk, columns=("payment_id", "channel_id"))
    assert "columns" in refused.value.fields


@pytest.mark.parametrize("kind", ["channelday", "upstreamcallback", "case"])
def test_kinds_that_a_merchants_user_may_not_open_are_refused(kind: str, filled: Registered) -> None:
    clerk = factories.make_merchant_user(filled.merchant)
    with pytest.raises(errors.NotAllowed):
        asked(clerk, kind, columns=("id",))
    assert not ExportJob.objects.exists()
