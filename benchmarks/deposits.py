"""(a) Deposits per second over HTTP with an instant upstream, beside pgbench doing the same SQL."""

from __future__ import annotations

import json
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from django.test import Client

from benchmarks import load, pgbench, report, scripts, stage, stock
from diamondpay import environment
from diamondpay.run import children, instance
from merchants.registration import Registered
from records.models import Payment

TITLE = "(a) Deposits over HTTP"
RATE_AIM, SHARE_AIM = 150.0, 0.15
_HOW_WE_RUN = (
    f"gunicorn as the supervisor starts it ({instance.WEB_PROCESSES} processes × {instance.WEB_THREADS} "
    "threads); the load comes from one more process on the same cores, over kept-alive connections, with "
    "requests that were signed beforehand. The notify_url names an address, so no DNS look-up is measured."
)
_HOW_PGBENCH_RUNS = (
    "pgbench replays the {count} statements of one order, BEGIN and COMMIT among them, with random order "
    "numbers, as the application's role, over the simple protocol; it leaves out the pool's check of each "
    "connection."
)
_ORDER_DIGITS = "777000777000777"


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured."""

    concurrencies: tuple[int, ...]
    rounds: int
    warm_up_seconds: float
    seconds: float
    merchants: int


SIZES = {
    "full": Sizes(concurrencies=(8, 16), rounds=3, warm_up_seconds=3, seconds=10, merchants=10),
    "quick": Sizes(concurrencies=(8, 16), rounds=2, warm_up_seconds=2, seconds=5, merchants=10),
    "smallest": Sizes(concurrencies=(2,), rounds=1, warm_up_seconds=0.2, seconds=0.6, merchants=2),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the load. Units: seconds."""

    rate: float
    median: float
    p95: float


class LoadFailed(Exception):
    """An answer was not a placed deposit."""


def measure(*, place: stage.Place, sizes: Sizes) -> report.Report:
    """Measure both at each concurrency, taking turns."""
    scripts.widen_sequences(place)
    stock.make_channel()
    merchants = stock.make_merchants(sizes.merchants)
    statements = _recorded(merchants[0])
    script = _script(statements)
    figures = []
    with _web(place) as port:
        for concurrency in sizes.concurrencies:
            runs: list[Run] = []
            rates: list[float] = []
            for _round in range(sizes.rounds):
                runs.append(_load(place, port, merchants, concurrency, sizes))
                rates.append(pgbench.rate(place, script, clients=concurrency, seconds=sizes.seconds))
            figures.append(_figure(concurrency, runs, rates))
    return report.Report(
        title=TITLE,
        sizes=f"{sizes.rounds} rounds, each {sizes.warm_up_seconds:g} s of warm-up, {sizes.seconds:g} s of "
        f"load, then pgbench for as long; medians; {sizes.merchants} merchants.",
        figures=tuple(figures),
        notes=(_HOW_WE_RUN, _HOW_PGBENCH_RUNS.format(count=len(statements)), stock.book_note(place)),
    )


def _figure(concurrency: int, runs: list[Run], rates: list[float]) -> report.Figure:
    ours, baseline = statistics.median(run.rate for run in runs), statistics.median(rates)
    median, p95 = (statistics.median(times) for times in zip(*((r.median, r.p95) for r in runs), strict=True))
    share = ours / baseline
    return report.Figure(
        what=f"deposits, {concurrency} at a time",
        ours=f"{ours:.0f}/s (median {median * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms)",
        baseline=f"pgbench, same SQL: {baseline:.0f}/s",
        ratio=share,
        ratio_text=f"{share:.1%}",
        aims=(
            report.at_least(ours, RATE_AIM, f"≥ {RATE_AIM:.0f}/s"),
            report.at_least(share, SHARE_AIM, f"≥ {SHARE_AIM:.0%} of pgbench"),
        ),
    )


def _recorded(merchant: Registered) -> list[str]:
    """Return the SQL of one deposit, taken from a real request to this process once everything is warm."""
    client, caller = Client(), _caller(merchant)

    def place_one(merchant_order_no: str) -> None:
        body = load.signed_body(caller, merchant_order_no=merchant_order_no, moment=int(time.time()))
        answer = client.post(load.PATH, data=body, content_type="application/json")
        if answer.json()["error_code"] != "0000":
            raise LoadFailed(answer.content.decode())

    for number in range(3):
        place_one(f"warm-{number}")
    return scripts.recorded(lambda: place_one(f"load-{_ORDER_DIGITS}"))


def _script(statements: list[str]) -> str:
    number = Payment.objects.order_by("-pk").values_list("pk", flat=True)[0]
    return scripts.script(
        statements,
        variables={str(number): ":payment_nextval", _ORDER_DIGITS: ":order"},
        results=[scripts.Result(begins="SELECT nextval", prefix="payment_")],
        head=[r"\set order random(1, 1000000000000000)"],
    )


@contextmanager
def _web(place: stage.Place) -> Iterator[int]:
    """Run the web process as the supervisor does, knowing the instant upstream; yield its port."""
    port = stage.free_port()
    here = instance.Instance(home=place.home, port=port, sandbox_port=port)
    web = instance.parts(here)[0]
    command = [part.replace("diamondpay.wsgi", "benchmarks.wsgi") for part in web.command]
    with (place.home / "web.log").open("ab") as log:
        process = children.start(
            command,
            env={**place.environment(port=port), **dict(web.extra)},
            cwd=environment.ROOT,
            output=log,
        )
    try:
        stage.until(lambda: stage.answers(f"{here.url}/healthz"), what="the web process")
        yield port
    finally:
        children.stop(process, signal_number=signal.SIGTERM, seconds_max=8)
        children.kill_group(process.pid)


def _load(place: stage.Place, port: int, merchants: list[Registered], connections: int, sizes: Sizes) -> Run:
    """Put load on the web process and return what it did. Raises: LoadFailed when one answer is not a yes."""
    job = load.Job(
        host=stage.HOST,
        port=port,
        callers=tuple(_caller(merchant) for merchant in merchants),
        connections=connections,
        warm_up_seconds=sizes.warm_up_seconds,
        seconds=sizes.seconds,
        answer=str(place.home / "load-answer.json"),
    )
    file = place.home / "load.json"
    file.write_text(json.dumps(asdict(job)))
    subprocess.run([sys.executable, "-m", "benchmarks.load", str(file)], check=True, cwd=environment.ROOT)
    found = json.loads(Path(job.answer).read_text())
    if found["faults"] or len(found["latencies"]) < 2:
        raise LoadFailed(f"{len(found['latencies'])} deposits were placed; faults: {found['faults']}")
    times = statistics.quantiles(found["latencies"], n=20)
    return Run(rate=len(found["latencies"]) / sizes.seconds, median=times[9], p95=times[18])


def _caller(merchant: Registered) -> load.Caller:
    return load.Caller(platform_id=merchant.merchant.pk, platform_key=merchant.platform_key)
