"""pgbench, the embedded PostgreSQL's or the system's: the same SQL and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import psycopg

from benchmarks.stage import Place
from diamondpay.run import postgres

_RATE = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: ([0-9]+)", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: ([0-9]+)", re.MULTILINE)


class PgbenchFailed(Exception):
    """pgbench is not there, or could not run its script to the end; the text has its own words."""


def program() -> Path:
    """Return pgbench: beside the server's programs, else on the path. Raises: PgbenchFailed."""
    beside = postgres.binaries() / "pgbench"
    found = beside if beside.exists() else shutil.which("pgbench")
    if found is None:
        raise PgbenchFailed("There is no program pgbench, neither beside PostgreSQL nor on the path.")
    return Path(found)


def rate(
    place: Place, script: str, *, clients: int, seconds: float | None = None, transactions: int | None = None
) -> float:
    """Run the script as the application's role and return its transactions per second.

    Either for `seconds` or for `transactions` in all, by which the clients divide without a rest.
    Raises: PgbenchFailed, also when a single transaction failed.
    """
    if (seconds is None) == (transactions is None) or (transactions or 0) % clients:
        raise ValueError("either seconds, or transactions that the clients can share")
    file = place.home / "pgbench.sql"
    file.write_text(script)
    names = psycopg.conninfo.conninfo_to_dict(place.application_url)
    length = ("-T", str(max(1, round(seconds)))) if seconds else ("-t", str((transactions or 0) // clients))
    command = [str(program()), "--no-vacuum", "--protocol=simple", "-f", str(file), *length]
    command += ["-c", str(clients), "-j", str(min(clients, os.cpu_count() or 1))]
    command += ["-h", str(names["host"]), "-U", str(names["user"]), str(names["dbname"])]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    found, failed, done = (pattern.search(answer.stdout) for pattern in (_RATE, _FAILED, _DONE))
    is_whole = found and done and int(done[1]) > 0 and (failed is None or int(failed[1]) == 0)
    if answer.returncode or not is_whole or not found:
        raise PgbenchFailed(f"{answer.stdout[-1000:]}\n{answer.stderr[-2000:]}")
    return float(found[1])
