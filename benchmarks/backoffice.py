"""(e) The pages that staff live in, at several sizes of the book, beside a stock ModelAdmin."""

from __future__ import annotations

import logging
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.test.utils import override_settings

from benchmarks import (
    backoffice_pages,
    backoffice_server,
    backoffice_stock,
    backoffice_volume,
    report,
    stage,
    stock,
)
from benchmarks import untuned_admin as untuned
from benchmarks.backoffice_pages import Page
from diamondpay.models import User
from operations import roles

TITLE = "(e) Back office pages"
MILLISECONDS_AIM, GROWTH_AIM = 150.0, 1.5
_SPEED_FROM = 1_000_000
_CHECKED_MAX = 1_000_000
# Of a page that takes so long a run to warm up tells enough.
_LONG_MS = 10_000
_HOW = (
    "Server time of the whole WSGI application with all its middleware, in process, as one of the Operations "
    "Staff who is signed in; ours and the stock pages take turns. A search by a number that one order has "
    "leads to its page, whose own time stands in its row."
)
_UNTUNED = (
    "Stock is a read-only ModelAdmin with Django's own templates: the same columns and number of rows, exact "
    "counts, `search_fields` and a sidebar of `list_filter`. It has no statistics and no home page; there "
    "it is one aggregate over the orders, without any page."
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    orders: tuple[int, ...]
    merchants: int
    runs: int
    untuned_runs: int
    # A page, ours or stock, gets no further runs once those that it had have taken this long.
    seconds: float = 20


SIZES = {
    "largest": Sizes(orders=(10_000, 1_000_000, 10_000_000), merchants=300, runs=30, untuned_runs=5),
    "full": Sizes(orders=(10_000, 1_000_000), merchants=300, runs=30, untuned_runs=5),
    "quick": Sizes(orders=(10_000, 100_000), merchants=100, runs=15, untuned_runs=3),
    "smallest": Sizes(orders=(300, 600), merchants=6, runs=2, untuned_runs=1),
}


@dataclass(kw_only=True)
class Measured:
    """The times of one page at one size, in milliseconds, and what its statements do."""

    ours: list[float] = field(default_factory=list)
    untuned: list[float] = field(default_factory=list)
    is_untuned_cut_off: bool = False
    examined: backoffice_server.Examined | None = None

    @property
    def median(self) -> float:
        """The middle time of ours."""
        return statistics.median(self.ours)

    @property
    def untuned_median(self) -> float:
        """The middle time of the stock page; of one that was cut off, what it had taken by then."""
        return statistics.median(self.untuned)


Book = dict[str, Measured]


def measure(*, place: stage.Place, sizes: Sizes) -> report.Report:
    """Fill the book size by size and time every page at each."""
    merchants = backoffice_stock.prepare(place, merchant_count=sizes.merchants)
    visitor = backoffice_server.Visitor(_operator())
    books: dict[int, Book] = {}
    loaded, checked = [], []
    stock_engine = {**settings.TEMPLATES[0], "NAME": untuned.ENGINE, "DIRS": []}
    changed: dict[str, Any] = {
        "ROOT_URLCONF": "benchmarks.untuned_admin",
        "TEMPLATES": [{**settings.TEMPLATES[0], "NAME": "ours"}, stock_engine],
    }
    for count in sizes.orders:
        started = time.monotonic()
        end = backoffice_volume.refill(place, count=count)
        spent = time.monotonic() - started
        visitor.sign_in()
        with override_settings(**changed):
            asked = backoffice_pages.pages(merchants=merchants, end=end)
            books[count] = _timed(visitor, asked, sizes)
        loaded.append(f"{count:,} in {spent:.0f} s")
        checked.append(
            stock.book_note(place)
            if count <= _CHECKED_MAX
            else f"The book of {count:,} was filled by the same statements; checking it takes too long."
        )
    return report.Report(
        title=TITLE,
        sizes=f"{', '.join(f'{count:,}' for count in sizes.orders)} deposits of {sizes.merchants} merchants "
        f"over {backoffice_volume.DAYS} days, a tenth as many payouts, and all that hangs on them; medians "
        f"of {sizes.runs} runs of ours and {sizes.untuned_runs} of stock, after one of each.",
        figures=tuple(_figures(asked, books)),
        notes=(_HOW, _UNTUNED, f"Loaded: {', '.join(loaded)}.", *dict.fromkeys(checked), *_slowest(books)),
    )


def _operator() -> User:
    user = User.objects.create_user("operator", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.OPERATIONS_STAFF))
    return user


def _timed(visitor: backoffice_server.Visitor, asked: Sequence[Page], sizes: Sizes) -> Book:
    book: Book = defaultdict(Measured)
    for page in asked:
        visitor.must_get(page.ours, holds=page.holds)
        book[page.name].examined = backoffice_server.examine(visitor, page.ours)
    for run in range(-1, sizes.runs):
        for page in asked:
            found = book[page.name]
            if sum(found.ours) < sizes.seconds * 1000:
                spent = backoffice_server.milliseconds(lambda: visitor.must_get(page.ours))  # noqa: B023
                found.ours += [spent] if run >= 0 else []
            has_time = sum(found.untuned) < sizes.seconds * 1000 and not found.is_untuned_cut_off
            if run < sizes.untuned_runs and has_time:
                _untuned_run(visitor, page, found, is_warm_up=run < 0)
    return dict(book)


def _untuned_run(
    visitor: backoffice_server.Visitor, page: Page, found: Measured, *, is_warm_up: bool
) -> None:
    """Time the stock page once; one that takes longer than it may is not asked again."""
    started = time.perf_counter()
    # What PostgreSQL cuts off becomes an error page, which is written about at length.
    logging.disable(logging.CRITICAL)
    try:
        status, body = visitor.get(page.untuned)
    finally:
        logging.disable(logging.NOTSET)
    spent = (time.perf_counter() - started) * 1000
    is_cut_off = status == 500 and spent >= untuned.SECONDS_MAX * 1000
    if status != 200 and not is_cut_off:
        raise backoffice_server.WrongAnswer(f"{page.untuned} answered {status}: {body[:300]!r}")
    if is_cut_off or spent > untuned.SECONDS_MAX * 1000:
        found.is_untuned_cut_off, found.untuned = True, [spent]
    elif not is_warm_up or spent > _LONG_MS:
        found.untuned.append(spent)


def _figures(asked: Sequence[Page], books: dict[int, Book]) -> list[report.Figure]:
    figures = []
    least, *_between, most = books
    for page in asked:
        figures += [
            _speed(page, count, books[count][page.name], is_most=count == most) for count in list(books)[1:]
        ]
        figures.append(_growth(page, books, least, most))
    figures.append(_guard(books[most], most))
    return figures


def _speed(page: Page, count: int, found: Measured, *, is_most: bool) -> report.Figure:
    ratio = found.untuned_median / found.median
    aims = []
    if page.speed_aim and count >= _SPEED_FROM:
        aims.append(report.at_least(ratio, page.speed_aim, f"≥ {page.speed_aim:g} × faster"))
    if is_most:
        aims.append(report.at_most(found.median, MILLISECONDS_AIM, f"≤ {MILLISECONDS_AIM:g} ms"))
    examined = found.examined
    statement_count = examined.statement_count if examined else 0
    cut_off = ", cut off" if found.is_untuned_cut_off else ""
    return report.Figure(
        what=f"{page.name}; {count:,}",
        ours=f"{found.median:.1f} ms, {statement_count} statements",
        baseline=f"stock: {found.untuned_median:.0f} ms{cut_off}",
        ratio=ratio,
        ratio_text=f"{'more than ' if cut_off else ''}{ratio:.3g} × faster",
        aims=tuple(aims),
    )


def _growth(page: Page, books: dict[int, Book], least: int, most: int) -> report.Figure:
    before, after = books[least][page.name].median, books[most][page.name].median
    return report.Figure(
        what=f"{page.name}; growth to {most:,}",
        ours=f"{after:.1f} ms",
        baseline=f"ours with {least:,}: {before:.1f} ms",
        ratio=after / before,
        ratio_text=f"{after / before:.2f} ×",
        aims=(report.at_most(after / before, GROWTH_AIM, f"≤ {GROWTH_AIM:g} ×"),),
    )


def _guard(book: Book, count: int) -> report.Figure:
    """Judge the plans: no statement of any page may read a large table from end to end."""
    scans = [
        f"{name} ({', '.join(found.examined.scans)})"
        for name, found in book.items()
        if found.examined and found.examined.scans
    ]
    return report.Figure(
        what=f"pages that scan a table of over {backoffice_server.SMALL_TABLE_ROWS:,} rows; {count:,}",
        ours="; ".join(scans) or "none",
        baseline=f"{len(book)} pages explained",
        ratio=1 - len(scans) / len(book),
        ratio_text=f"{len(book) - len(scans)} of {len(book)} without",
        aims=(report.at_most(len(scans), 0, "none"),),
    )


def _slowest(books: dict[int, Book]) -> list[str]:
    """Say of the largest book what the slowest statement of each page reads."""
    count, book = list(books.items())[-1]
    said = [
        f"{name}: {examined.slowest_ms:.1f} ms, {examined.slowest_node}"
        for name, found in book.items()
        if (examined := found.examined) is not None
    ]
    return [f"Slowest statement of each page at {count:,}: {'; '.join(said)}."]
