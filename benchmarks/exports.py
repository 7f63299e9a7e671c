"""(f) Excel files of deposits, beside django-import-export's own export of the same rows."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import report, stage, stock, volume
from benchmarks.backoffice_server import Visitor
from benchmarks.exports_child import PATHS
from diamondpay import environment
from diamondpay.lib import clock
from diamondpay.models import User
from merchants.registration import Registered
from records.exports import jobs
from records.models import ExportJob

TITLE = "(f) Excel files of deposits, 15 columns"
FASTER_AIM, WRITER_AIM, MEMORY_AIM, EQUAL_AIM, SECONDS_AIM, WEB_AIM = 12.0, 1.5, 150.0, 0.2, 90.0, 1.3
_HOW_WE_RUN = (
    "Ours is a queued job built by `building.build_next` in a process like the worker's, at niceness 10: "
    "count and sums, snapshot, file, summary, fsync, hash of the file. Seconds leave out the process's start."
)
_HOW_STOCK_RUNS = (
    "Stock is a ModelResource of the same columns through ExportMixin.get_export_data with select_related, "
    "in a process of its own; its formulas are live."
)
_HOW_MEMORY = "Memory is the peak resident set of the process (VmHWM), Django and the product included."


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured. `rows` of the first is what stock exports too."""

    rows: tuple[int, int]
    rounds: int
    web_runs: int


SIZES = {
    "largest": Sizes(rows=(100_000, 1_000_000), rounds=3, web_runs=60),
    "full": Sizes(rows=(100_000, 1_000_000), rounds=3, web_runs=60),
    "quick": Sizes(rows=(20_000, 100_000), rounds=1, web_runs=30),
    "smallest": Sizes(rows=(300, 600), rounds=1, web_runs=2),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One export. Units: seconds, MiB."""

    rows: int
    seconds: float
    peak_mebibytes: float


class ExportFailed(Exception):
    """A contestant did not write its file."""


def measure(*, place: stage.Place, sizes: Sizes) -> report.Report:
    """Load two merchants, let the contestants export the smaller one in turn, and ours the larger."""
    stock.make_channel()
    small, large = stock.make_merchants(2)
    for count, merchant in zip(sizes.rows, (small, large), strict=True):
        volume.load(place, model=stock.place_deposit(merchant), count=count - 1)
    volume.tidy(place)
    user = User.objects.create_superuser("benchmark", password=None)
    ours, alone = [], []
    for _round in range(sizes.rounds):
        ours.append(_ours(user, small))
        alone.append(_run("writer", small))
    untuned = _run("stock", small)
    calm, large_run, busy = _beside_web(user, large, sizes)
    return report.Report(
        title=TITLE,
        sizes=f"{sizes.rows[0]:,} and {sizes.rows[1]:,} deposits × {len(PATHS)} columns; medians of "
        f"{sizes.rounds} rounds, stock once; {sizes.web_runs} pages before the larger one, others during it.",
        figures=_figures(sizes, ours, alone, untuned, large_run, calm, busy),
        notes=(_HOW_WE_RUN, _HOW_STOCK_RUNS, _HOW_MEMORY, stock.book_note(place)),
    )


def _ours(user: User, merchant: Registered) -> Run:
    return _run("ours", merchant, job=_queued(user, merchant))


def _queued(user: User, merchant: Registered) -> ExportJob:
    wanted = jobs.Wanted(
        kind="payment",
        query=f"merchant={merchant.merchant.pk}&created=any",
        columns=PATHS,
        format="xlsx",
        zone="Asia/Shanghai",
    )
    return jobs.request(wanted=wanted, user=user, now=clock.now())


def _run(contestant: str, merchant: Registered, job: ExportJob | None = None) -> Run:
    """Run a contestant in a process of its own. Raises: ExportFailed."""
    command = [
        sys.executable, "-m", "benchmarks.exports_child", contestant, merchant.merchant.pk,
        str(job.pk if job else 0),
    ]  # fmt: skip
    answer = subprocess.run(command, cwd=environment.ROOT, capture_output=True, text=True, check=False)
    if answer.returncode:
        words = f"{answer.stdout}{answer.stderr}"[-2000:]
        raise ExportFailed(f"{contestant} ended with {answer.returncode}: {words}")
    return Run(**json.loads(answer.stdout.splitlines()[-1]))


def _beside_web(user: User, merchant: Registered, sizes: Sizes) -> tuple[float, Run, float]:
    """Return the median of a page before and during the larger export, and the export. Units: seconds."""
    visitor = Visitor(user)
    page = f"/admin/records/payment/?merchant={merchant.merchant.pk}"

    def ask() -> float:
        started = time.perf_counter()
        status, _body = visitor.get(page)
        if status != 200:
            raise ExportFailed(f"{page} answered {status}")
        return time.perf_counter() - started

    for _run_number in range(5):
        ask()
    calm = statistics.median(ask() for _run_number in range(sizes.web_runs))
    job = _queued(user, merchant)
    found: list[Run] = []
    thread = threading.Thread(target=lambda: found.append(_run("ours", merchant, job)))
    thread.start()
    busy = _while(thread, ask, job)
    thread.join()
    if not found:
        raise ExportFailed("The larger export did not end.")
    return calm, found[0], statistics.median(busy or [calm])


def _while(thread: threading.Thread, ask: Callable[[], float], job: ExportJob) -> list[float]:
    """Ask for pages from when the export has begun until it has ended."""
    times: list[float] = []
    while thread.is_alive():
        if ExportJob.objects.filter(pk=job.pk, state="running").exists():
            times.append(ask())
        time.sleep(0.05)
    return times


def _figures(
    sizes: Sizes, ours: list[Run], alone: list[Run], untuned: Run, large: Run, calm: float, busy: float
) -> tuple[report.Figure, ...]:
    seconds, writer = (statistics.median(run.seconds for run in runs) for runs in (ours, alone))
    memory = statistics.median(run.peak_mebibytes for run in ours)
    few, many = (f"{count:,} rows" for count in sizes.rows)
    growth = large.peak_mebibytes / memory
    return (
        report.Figure(
            what=f"{few}, Excel", ours=f"{seconds:.2f} s",
            baseline=f"stock import-export: {untuned.seconds:.1f} s",
            ratio=untuned.seconds / seconds, ratio_text=f"{untuned.seconds / seconds:.1f} × faster",
            aims=(report.at_least(untuned.seconds / seconds, FASTER_AIM, f"≥ {FASTER_AIM:g} × faster"),),
        ),
        report.Figure(
            what=f"{few}, Excel", ours=f"{seconds:.2f} s",
            baseline=f"the writer alone, from memory: {writer:.2f} s",
            ratio=seconds / writer, ratio_text=f"{seconds / writer:.2f} ×",
            aims=(report.at_most(seconds / writer, WRITER_AIM, f"≤ {WRITER_AIM:g} ×"),),
        ),
        report.Figure(
            what=f"peak memory, {few}", ours=f"{memory:.0f} MiB",
            baseline=f"stock import-export: {untuned.peak_mebibytes:.0f} MiB",
            ratio=memory / untuned.peak_mebibytes, ratio_text=f"{memory / untuned.peak_mebibytes:.0%}",
            aims=(report.at_most(memory, MEMORY_AIM, f"≤ {MEMORY_AIM:g} MiB"),),
        ),
        report.Figure(
            what=f"peak memory, {many}", ours=f"{large.peak_mebibytes:.0f} MiB",
            baseline=f"{few}: {memory:.0f} MiB",
            ratio=growth, ratio_text=f"{growth:.2f} ×",
            aims=(
                report.at_most(large.peak_mebibytes, MEMORY_AIM, f"≤ {MEMORY_AIM:g} MiB"),
                report.at_most(abs(growth - 1), EQUAL_AIM, f"equal ± {EQUAL_AIM:.0%}"),
            ),
        ),
        report.Figure(
            what=f"{many}, Excel", ours=f"{large.seconds:.1f} s", baseline=f"the aim, {SECONDS_AIM:g} s",
            ratio=large.seconds / SECONDS_AIM, ratio_text=f"{large.rows / large.seconds:,.0f} rows/s",
            aims=(report.at_most(large.seconds, SECONDS_AIM, f"≤ {SECONDS_AIM:g} s"),),
        ),
        report.Figure(
            what=f"a page of the list while {many} are exported", ours=f"{busy * 1000:.1f} ms",
            baseline=f"before: {calm * 1000:.1f} ms", ratio=busy / calm, ratio_text=f"{busy / calm:.2f} ×",
            aims=(report.at_most(busy / calm, WEB_AIM, f"≤ {WEB_AIM:g} ×"),),
        ),
    )  # fmt: skip
