"""`python -m benchmarks [NAME …] [--quick]`: measure, print tables, keep the results in RESULTS.md."""

from __future__ import annotations

import argparse
import datetime
import json
import signal
import sys
from pathlib import Path

from benchmarks import report, stage
from diamondpay import environment
from diamondpay.run import children, postgres

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
NAMES = ("deposits", "lists", "credits", "notifications", "backoffice", "exports", "queries")
LEVELS = ("largest", "full", "quick", "smallest")


class MeasurementFailed(Exception):
    """A benchmark ended without a report; its own words are above."""


def run(*, name: str, place: stage.Place, level: str) -> report.Report:
    """Run one benchmark in a process of its own and return its report. Raises: MeasurementFailed."""
    answer = place.home / "report.json"
    process = children.start(
        [sys.executable, "-m", "benchmarks.measure", name, "--level", level, "--answer", str(answer)],
        env=place.environment(),
        cwd=environment.ROOT,
    )
    try:
        code = process.wait()
    finally:
        children.stop(process, signal_number=signal.SIGTERM, seconds_max=5)
        children.kill_group(process.pid)
    if code or not answer.exists():
        raise MeasurementFailed(f"The benchmark “{name}” ended with exit code {code}.")
    return report.from_json(json.loads(answer.read_text()))


def main() -> int:
    """Measure what was asked for. Returns the exit code, 0 also when an aim is missed: the table says so."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(NAMES)}; without one, all")
    level = parser.add_mutually_exclusive_group()
    level.add_argument("--largest", action="store_true", help="the back office with 10,000,000 deposits too")
    level.add_argument("--quick", action="store_true", help="shorter, and lists of at most 100,000 orders")
    level.add_argument("--smallest", action="store_true", help="only to see that it runs; nothing is kept")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    chosen = next((name for name in LEVELS if getattr(arguments, name, False)), "full")
    # Ended by a signal, it still stops the server and removes its folder.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    wanted = [name for name in NAMES if not arguments.names or name in arguments.names]
    try:
        _measure(wanted, chosen)
    except (MeasurementFailed, postgres.PostgresError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _measure(names: list[str], level: str) -> None:
    with stage.opened() as opened:
        today = datetime.datetime.now(datetime.UTC).date()
        run_line = f"{today}, level “{level}”. {opened.machine()}."
        print(run_line)
        for name in names:
            print(f"Measuring {name} …", flush=True)
            found = run(name=name, place=opened.fresh(name), level=level)
            report.show(found)
            if level != "smallest":
                report.keep(RESULTS, [found], run=run_line)
                print(f"Kept in {RESULTS.relative_to(environment.ROOT)}.")


if __name__ == "__main__":
    sys.exit(main())
