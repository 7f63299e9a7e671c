"""One contestant in a process of its own: `python -m benchmarks.exports_child CONTESTANT MERCHANT JOB`.

Prints one JSON object: seconds of work (without the start of the process), peak memory, rows.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# The columns of every contestant, by their paths from a deposit.
PATHS = (
    "payment_id", "merchant_order_no", "merchant_id", "service_id", "channel_id", "requested_amount",
    "actual_amount", "fee", "credited_amount", "status", "created_at", "completed_at", "channel_order_no",
    "currency_id", "party_name",
)  # fmt: skip


def _peak_mebibytes() -> float:
    """Return the most memory this process had resident; unlike ru_maxrss it forgets who started it."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def ours(job_id: str) -> int:
    """Build a queued job as a worker's process does."""
    building = importlib.import_module("records.exports.building")
    models = importlib.import_module("records.models")
    os.nice(10)
    built = building.build_next(worker="benchmark")
    job = models.ExportJob.objects.get(pk=int(job_id))
    if built is None or job.state != "done":
        raise SystemExit(f"The job is {job.state}: {job.error}")
    return int(job.rows_done)


def stock(merchant_id: str) -> int:
    """Export through django-import-export's admin, as its documentation says, with select_related."""
    parts = importlib.import_module("benchmarks.exports_stock")
    return int(parts.export(merchant_id))


def writer(merchant_id: str) -> tuple[int, float]:
    """Write rows that are in memory already; return how many and the seconds of writing alone."""
    parts = importlib.import_module("benchmarks.exports_stock")
    rows, columns, look = parts.rows_in_memory(merchant_id)
    book = importlib.import_module("diamondpay.lib.spreadsheet.xlsx")
    summary = importlib.import_module("diamondpay.lib.spreadsheet.summary")
    started = time.perf_counter()
    with tempfile.TemporaryFile() as file:
        made = book.Book(file, columns=columns, look=look, title="Deposit orders")
        made.write(rows)
        made.end_rows()
        made.close(summary.Summary(title="Summary", heading="Deposit orders"))
        return made.row_count, time.perf_counter() - started


def main() -> None:
    """Load the product, let the contestant work, print what it took."""
    contestant, merchant_id, job_id = sys.argv[1:4]
    importlib.import_module("benchmarks.wsgi")
    started = time.perf_counter()
    found: dict[str, Any] = {}
    if contestant == "writer":
        found["rows"], found["seconds"] = writer(merchant_id)
    else:
        found["rows"] = ours(job_id) if contestant == "ours" else stock(merchant_id)
        found["seconds"] = time.perf_counter() - started
    found["peak_mebibytes"] = _peak_mebibytes()
    print(json.dumps(found))


if __name__ == "__main__":
    # What libraries print on the way must not be taken for the answer.
    out, sys.stdout = sys.stdout, io.StringIO()
    try:
        main()
    finally:
        out.write(sys.stdout.getvalue())
        sys.stdout = out
