"""(c) Credits per second, over many wallets and on one hot wallet, beside pgbench doing the same SQL."""

from __future__ import annotations

import multiprocessing
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection, connections

from benchmarks import pgbench, report, scripts, stage, stock
from channels.upstreams import base
from diamondpay.lib import clock
from records import verdicts
from records.models import Account, Actor, Payment, Posting

TITLE = "(c) Credits"
_NOTIFY_URL = "https://merchant.example/notify"
_SEQUENCE = "benchmark_credit"
_WHAT_A_CREDIT_IS = (
    "A credit is `verdicts.on_payment` of a placed deposit: status, posting of three entries, notification "
    "and, which pgbench leaves out, the wake-up of a worker through the embedded broker."
)
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured. Ours and pgbench's transactions are per round and divide by the clients."""

    merchants: int
    processes: int
    threads: int
    rounds: int
    ours: int
    pgbench: int

    @property
    def clients(self) -> int:
        """How many credits are under way at once, ours and pgbench's alike."""
        return self.processes * self.threads


SIZES = {
    "full": Sizes(merchants=50, processes=2, threads=4, rounds=3, ours=2400, pgbench=8000),
    "quick": Sizes(merchants=50, processes=2, threads=4, rounds=2, ours=1200, pgbench=4000),
    "smallest": Sizes(merchants=3, processes=2, threads=2, rounds=1, ours=12, pgbench=24),
}


class NotCredited(Exception):
    """A deposit was not credited."""


def measure(*, place: stage.Place, sizes: Sizes) -> report.Report:
    """Measure both wallets' worth, ours and pgbench taking turns."""
    scripts.widen_sequences(place)
    stock.make_channel()
    models = [
        stock.place_deposit(merchant, notify_url=_NOTIFY_URL)
        for merchant in stock.make_merchants(sizes.merchants)
    ]
    statements, credited = _recorded(place, models[0])
    figures = []
    for what, chosen in ((f"spread over {len(models)} wallets", models), ("one hot wallet", models[:1])):
        script = _script(statements, credited, wallet_count=len(chosen))
        ours: list[float] = []
        baseline: list[float] = []
        for _round in range(sizes.rounds):
            ours.append(_ours(place, chosen, sizes))
            baseline.append(_pgbench(place, chosen, script, sizes))
        figures.append(_figure(what, sizes.clients, statistics.median(ours), statistics.median(baseline)))
    return report.Report(
        title=TITLE,
        sizes=f"{sizes.rounds} rounds, each {sizes.ours} credits by {sizes.processes} processes × "
        f"{sizes.threads} threads, then {sizes.pgbench} by pgbench with {sizes.clients} clients; medians.",
        figures=tuple(figures),
        notes=(
            _WHAT_A_CREDIT_IS,
            f"pgbench replays the {len(statements)} statements of one credit, each time on a new deposit.",
            stock.book_note(place),
        ),
    )


def _figure(what: str, clients: int, ours: float, baseline: float) -> report.Figure:
    return report.Figure(
        what=f"credits, {clients} at a time, {what}",
        ours=f"{ours:.0f}/s",
        baseline=f"pgbench, same SQL: {baseline:.0f}/s",
        ratio=ours / baseline,
        ratio_text=f"{ours / baseline:.1%}",
    )


def credit(payment_pk: int) -> None:
    """Apply an upstream's word that a deposit of 100.00 was paid. Raises: NotCredited."""
    word = verdicts.Word(base.UpstreamState.PAID, Decimal(100), "CNY", f"UP-PM{payment_pk}")
    verdict = verdicts.on_payment(
        payment_pk=payment_pk, word=word, now=clock.now(), changed_by=Actor.CALLBACK
    )
    if verdict.outcome != verdicts.Outcome.CREDITED:
        raise NotCredited(f"{payment_pk}: {verdict.outcome} {verdict.reason}")


def _ours(place: stage.Place, models: Sequence[Payment], sizes: Sizes) -> float:
    """Return the credits per second of our own processes, from the first start to the last end."""
    pks = stock.multiply(place, models=models, count=sizes.ours)
    connections.close_all()
    connection.close_pool()  # type: ignore[attr-defined]
    spans: multiprocessing.Queue[tuple[float, float] | str] = _FORK.Queue()
    barrier = _FORK.Barrier(sizes.processes)
    workers = [
        _FORK.Process(
            target=_credit_all,
            args=(pks[number :: sizes.processes], sizes.threads, barrier, spans),
            daemon=True,
        )
        for number in range(sizes.processes)
    ]
    for worker in workers:
        worker.start()
    found = [spans.get(timeout=600) for _worker in workers]
    for worker in workers:
        worker.join()
    faults = [span for span in found if isinstance(span, str)]
    if faults:
        raise NotCredited("\n".join(faults))
    times = [span for span in found if isinstance(span, tuple)]
    return len(pks) / (max(end for _start, end in times) - min(start for start, _end in times))


def _credit_all(
    pks: range,
    thread_count: int,
    barrier: threading.Barrier,
    spans: multiprocessing.Queue[tuple[float, float] | str],
) -> None:
    """Credit the deposits in threads, each with a connection opened beforehand; report start and end."""

    def credit_some(number: int) -> tuple[float, float]:
        clock.now()
        ready.wait()
        started = time.monotonic()
        for payment_pk in pks[number::thread_count]:
            credit(payment_pk)
        return started, time.monotonic()

    ready = threading.Barrier(thread_count, action=lambda: (barrier.wait(), None)[1])
    try:
        with ThreadPoolExecutor(thread_count) as pool:
            times = list(pool.map(credit_some, range(thread_count)))
        spans.put((min(start for start, _end in times), max(end for _start, end in times)))
    except Exception as fault:  # noqa: BLE001 - told to the parent, which raises it
        spans.put(f"{type(fault).__name__}: {fault}")


def _pgbench(place: stage.Place, models: Sequence[Payment], script: str, sizes: Sizes) -> float:
    pks = stock.multiply(place, models=models, count=sizes.pgbench)
    scripts.set_first(place, sequence=_SEQUENCE, first=pks[0])
    # Deposit `first + i` belongs to wallet `i % wallets`, which the script has to know.
    head = f"\\set first {pks[0]}\n"
    rate = pgbench.rate(place, head + script, clients=sizes.clients, transactions=sizes.pgbench)
    open_count = Payment.objects.filter(pk__in=(pks[0], pks[-1]), credit_posting__isnull=True).count()
    if open_count:
        raise NotCredited("pgbench did not credit the deposits it was given")
    return rate


def _recorded(place: stage.Place, model: Payment) -> tuple[list[str], Payment]:
    """Return the SQL of one credit, once everything is warm, and the deposit that was credited."""
    *warm, last = stock.multiply(place, models=[model], count=3)
    for payment_pk in warm:
        credit(payment_pk)
    statements = scripts.recorded(lambda: credit(last))
    return statements, Payment.objects.get(pk=last)


def _script(statements: Sequence[str], credited: Payment, *, wallet_count: int) -> str:
    """Return the script in which deposit, wallet, merchant, account and posting are variables.

    Merchants, wallets and accounts were made one after the other, so their numbers follow from the first.
    """
    available = Account.objects.get(merchant_channel_id=credited.merchant_channel_id, kind="available").pk
    posting = Posting.objects.get(payment=credited).pk
    wallet_number = credited.merchant_channel_id.removeprefix("PFC")
    merchant_number = credited.merchant_id.removeprefix("PF")
    return scripts.script(
        statements,
        variables={
            str(credited.pk): ":payment",
            str(posting): ":posting_id",
            str(available): ":available",
            credited.merchant_channel_id: "PFC:wallet",
            credited.merchant_id: "PF:merchant",
        },
        results=[scripts.Result(begins="INSERT INTO records_posting", prefix="posting_")],
        head=[
            f"SELECT nextval('{_SEQUENCE}') AS payment \\gset",
            f"\\set turn (:payment - :first) % {wallet_count}",
            f"\\set available {available} + 2 * :turn",
            f"\\set wallet {wallet_number} + :turn",
            f"\\set merchant {merchant_number} + :turn",
        ],
    )
