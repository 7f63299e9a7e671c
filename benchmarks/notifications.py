"""(d) Notifications per second of one worker, from commit to delivery, with and without a dead neighbour."""

from __future__ import annotations

import http.client
import json
import signal
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from django.db import transaction

from benchmarks import receiver, report, stage, stock
from benchmarks.credits import credit
from diamondpay import environment
from diamondpay.lib import clock
from diamondpay.run import children, instance
from records.models import Notification, Payment
from records.notifications import THREAD_COUNT_MAX

TITLE = "(d) Notifications"
P95_AIM_SECONDS, NEIGHBOUR_AIM = 2.0, 0.10
_WHO = "the dead neighbour"
_HOW_WE_RUN = (
    "Worker and beat run as the supervisor starts them; deposits are credited in this process, which wakes "
    "the worker through the embedded broker. Time runs from the commit until the receiver, a process of its "
    "own, has read the request."
)
_WHAT_DEAD_MEANS = (
    "The dead neighbour is one more merchant with as many orders as each of the others and {queued} more "
    "waiting; its receiver takes the request and says nothing for {hang:g} s."
)
_HOW_BARE_RUNS = (
    f"Bare POST: {THREAD_COUNT_MAX} threads that send a body of the same size to the same receivers, each "
    "over a new connection, with no database."
)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured. Units: rate in notifications per second, times in seconds."""

    merchants: int
    rounds: int
    rate: float
    steady: int
    burst: int
    neighbours_queued: int
    hang: float


SIZES = {
    "full": Sizes(merchants=8, rounds=3, rate=20, steady=240, burst=600, neighbours_queued=40, hang=20),
    "quick": Sizes(merchants=8, rounds=1, rate=20, steady=160, burst=400, neighbours_queued=40, hang=20),
    "smallest": Sizes(merchants=2, rounds=1, rate=20, steady=10, burst=12, neighbours_queued=2, hang=1),
}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """What was seen with or without the neighbour. Units: seconds; throughput per second."""

    p95: float
    median: float
    throughput: float


@dataclass(kw_only=True)
class Merchants:
    """The open deposits of the healthy merchants and of the dead neighbour, used up from the front."""

    place: stage.Place
    healthy: list[int]
    dead: list[int]
    ports: list[int]
    committed: dict[str, float] = field(default_factory=dict)
    _received: dict[str, float] = field(default_factory=dict)
    _position: int = 0

    def received(self) -> dict[str, float]:
        """Return when each order's first notification was received; only what is new is read."""
        with (self.place.home / receiver.RECEIVED).open("rb") as log:
            log.seek(self._position)
            lines = log.read().decode().splitlines(keepends=True)
        for line in lines:
            if line.endswith("\n"):
                at, order_no = line.split()
                self._received.setdefault(order_no, float(at))
                self._position += len(line)
        return self._received


def measure(*, place: stage.Place, sizes: Sizes) -> report.Report:
    """Measure alone and with the neighbour, taking turns, beside bare POSTs."""
    stock.make_channel()
    alone: list[Phase] = []
    together: list[Phase] = []
    bare: list[float] = []
    with _receivers(place, sizes) as ports, _worker(place):
        merchants = _merchants(place, ports, sizes)
        credit(merchants.healthy[0])
        stage.until(lambda: bool(merchants.received()), what="the first notification")
        del merchants.healthy[0]
        for number in range(sizes.rounds):
            bare.append(_bare(ports[:-1], sizes.burst))
            alone.append(_phase(merchants, sizes, with_neighbour=False))
            together.append(_phase(merchants, sizes, with_neighbour=True))
            if number + 1 < sizes.rounds:
                _forget_neighbour(merchants, sizes)
    return report.Report(
        title=TITLE,
        sizes=f"{sizes.rounds} rounds of bare POSTs, alone, with neighbour; each {sizes.steady} "
        f"notifications at {sizes.rate:g}/s, then {sizes.burst} committed at once; {sizes.merchants} "
        "merchants, each with a receiver; medians.",
        figures=_figures(alone, together, bare),
        notes=(
            _HOW_WE_RUN,
            _WHAT_DEAD_MEANS.format(queued=sizes.neighbours_queued, hang=sizes.hang),
            _HOW_BARE_RUNS,
            stock.book_note(place),
        ),
    )


def _figures(
    alone: Sequence[Phase], together: Sequence[Phase], bare: Sequence[float]
) -> tuple[report.Figure, ...]:
    p95, p95_together = (statistics.median(phase.p95 for phase in phases) for phases in (alone, together))
    median = statistics.median(phase.median for phase in alone)
    rate, rate_together = (
        statistics.median(phase.throughput for phase in phases) for phases in (alone, together)
    )
    posts = statistics.median(bare)
    slower, fewer = p95_together / p95 - 1, 1 - rate_together / rate
    limit = f"costs < {NEIGHBOUR_AIM:.0%}"
    return (
        report.Figure(
            what="notifications of one worker, a burst",
            ours=f"{rate:.0f}/s",
            baseline=f"bare POST: {posts:.0f}/s",
            ratio=rate / posts,
            ratio_text=f"{rate / posts:.1%}",
        ),
        report.Figure(
            what="p95 from commit to delivery",
            ours=f"{p95 * 1000:.0f} ms (median {median * 1000:.0f} ms)",
            baseline=f"the aim, {P95_AIM_SECONDS:g} s",
            ratio=p95 / P95_AIM_SECONDS,
            ratio_text=f"{p95 / P95_AIM_SECONDS:.1%}",
            aims=(report.at_most(p95, P95_AIM_SECONDS, f"≤ {P95_AIM_SECONDS:g} s"),),
        ),
        report.Figure(
            what=f"p95 beside {_WHO}",
            ours=f"{p95_together * 1000:.0f} ms",
            baseline=f"alone: {p95 * 1000:.0f} ms",
            ratio=p95_together / p95,
            ratio_text=f"{slower:+.1%}",
            aims=(report.Aim(text=limit, is_met=slower < NEIGHBOUR_AIM),),
        ),
        report.Figure(
            what=f"a burst beside {_WHO}",
            ours=f"{rate_together:.0f}/s",
            baseline=f"alone: {rate:.0f}/s",
            ratio=rate_together / rate,
            ratio_text=f"{-fewer:+.1%}",
            aims=(report.Aim(text=limit, is_met=fewer < NEIGHBOUR_AIM),),
        ),
    )


def _phase(merchants: Merchants, sizes: Sizes, *, with_neighbour: bool) -> Phase:
    """Tell merchants at a steady pace, then many at once."""
    if with_neighbour:
        _credit_at_once(_taken(merchants.dead, sizes.neighbours_queued))
    steady = _taken(merchants.healthy, sizes.steady)
    started = time.monotonic()
    for number, payment_pk in enumerate(steady):
        time.sleep(max(0.0, started + number / sizes.rate - time.monotonic()))
        if with_neighbour and number % sizes.merchants == 0:
            _credit_at_once(_taken(merchants.dead, 1))
        merchants.committed[f"PM{payment_pk}"] = _credit_at_once([payment_pk])
    received = _all_received(merchants, steady)
    waits = [received[f"PM{pk}"] - merchants.committed[f"PM{pk}"] for pk in steady]
    burst = _taken(merchants.healthy, sizes.burst)
    committed_at = _credit_at_once(burst)
    received = _all_received(merchants, burst)
    last_at = max(received[f"PM{pk}"] for pk in burst)
    return Phase(
        p95=statistics.quantiles(waits, n=20)[18],
        median=statistics.median(waits),
        throughput=len(burst) / (last_at - committed_at),
    )


def _credit_at_once(payment_pks: Sequence[int]) -> float:
    """Credit deposits in one transaction; return when it had committed, by the wall clock."""
    moments: list[float] = []
    with transaction.atomic():
        # Registered first, so that it runs before the wake-ups.
        transaction.on_commit(lambda: moments.append(time.time()))
        for payment_pk in payment_pks:
            credit(payment_pk)
    return moments[0]


def _all_received(merchants: Merchants, payment_pks: Sequence[int]) -> dict[str, float]:
    wanted = {f"PM{payment_pk}" for payment_pk in payment_pks}
    stage.until(
        lambda: wanted <= merchants.received().keys(), what="the notifications to arrive", seconds_max=120
    )
    return merchants.received()


def _taken(payment_pks: list[int], count: int) -> list[int]:
    found, payment_pks[:count] = payment_pks[:count], []
    return found


def _forget_neighbour(merchants: Merchants, sizes: Sizes) -> None:
    """Put off until tomorrow what the neighbour still has due, so that the next phase is alone again."""
    url = f"http://{stage.HOST}:{merchants.ports[-1]}/notify"
    soon = Notification.objects.filter(
        url=url, state="retrying", due_at__lt=clock.now() + timedelta(hours=12)
    )

    def is_over() -> bool:
        soon.filter(leased_until__isnull=True).update(due_at=clock.now() + timedelta(days=1))
        return not soon.exists()

    stage.until(is_over, what="the neighbour's attempts to end", seconds_max=4 * sizes.hang + 90)


def _bare(ports: Sequence[int], count: int) -> float:
    """Return the POSTs per second of as many threads as a worker sends with, and nothing else."""
    body = json.dumps({"payment_id": "bare", "filler": "x" * 330}).encode()

    def post(number: int) -> None:
        connection = http.client.HTTPConnection(stage.HOST, ports[number % len(ports)], timeout=10)
        connection.request("POST", "/notify", body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        connection.close()

    started = time.monotonic()
    with ThreadPoolExecutor(THREAD_COUNT_MAX) as pool:
        list(pool.map(post, range(count)))
    return count / (time.monotonic() - started)


def _merchants(place: stage.Place, ports: list[int], sizes: Sizes) -> Merchants:
    """Register the merchants and give them open deposits for all rounds."""
    models: list[Payment] = [
        stock.place_deposit(merchant, notify_url=f"http://{stage.HOST}:{port}/notify")
        for merchant, port in zip(stock.make_merchants(len(ports)), ports, strict=True)
    ]
    phases = 2 * sizes.rounds
    dead_count = sizes.rounds * (sizes.neighbours_queued + sizes.steady // sizes.merchants + 1)
    healthy = stock.multiply(place, models=models[:-1], count=1 + phases * (sizes.steady + sizes.burst))
    dead = stock.multiply(place, models=models[-1:], count=dead_count)
    return Merchants(place=place, healthy=list(healthy), dead=list(dead), ports=ports)


@contextmanager
def _receivers(place: stage.Place, sizes: Sizes) -> Iterator[list[int]]:
    """Run the receivers; yield their ports, the dead one last."""
    command = [sys.executable, "-m", "benchmarks.receiver", str(place.home)]
    with _child(place, "receiver", [*command, str(sizes.merchants), str(sizes.hang)], {}):
        ports = place.home / receiver.PORTS
        stage.until(ports.exists, what="the receivers")
        yield list(json.loads(ports.read_text()))


@contextmanager
def _worker(place: stage.Place) -> Iterator[None]:
    """Run worker and beat as the supervisor does."""
    port = stage.free_port()
    _web, *others = instance.parts(instance.Instance(home=place.home, port=port, sandbox_port=port))
    with ExitStack() as stack:
        for part in others:
            stack.enter_context(_child(place, part.name, part.command, dict(part.extra)))
        yield


@contextmanager
def _child(place: stage.Place, name: str, command: Sequence[str], extra: dict[str, str]) -> Iterator[None]:
    with (place.home / f"{name}.log").open("ab") as log:
        process = children.start(
            command, env={**place.environment(), **extra}, cwd=environment.ROOT, output=log
        )
    stop = partial(children.stop, process, signal_number=signal.SIGTERM, seconds_max=2)
    try:
        yield
    finally:
        stop()
        children.kill_group(process.pid)
