"""How far a build is, told while its snapshot is still open: through a connection of its own."""

from __future__ import annotations

import time
from datetime import timedelta

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from records.models import ExportJob

STEP_SECONDS = 0.5
_NOTE = """
    UPDATE records_exportjob
    SET rows_done = %(done)s, rows_expected = %(expected)s,
        leased_until = clock_timestamp() + make_interval(secs => %(lease)s)
    WHERE id = %(id)s AND state = 'running' AND attempt_count = %(attempt)s
"""


class GivenUp(Exception):
    """The job is no longer ours: somebody cancelled it, or it was taken for dead."""


class TooSlow(Exception):
    """The time that this build was given is over; a worker takes it from the beginning."""


class Progress:
    """Notes at most twice a second how many rows are written, and holds the job's lease meanwhile."""

    def __init__(self, *, job: ExportJob, lease: timedelta, seconds_max: float | None = None) -> None:
        self._job, self._lease = job, lease
        self._connection: BaseDatabaseWrapper | None = None
        self._noted_at = time.monotonic()
        self._deadline = None if seconds_max is None else self._noted_at + seconds_max
        self.rows_expected = 0

    def step(self, rows_done: int) -> None:
        """Note the rows when it is time to. Raises: GivenUp, TooSlow."""
        now = time.monotonic()
        if self._deadline is not None and now > self._deadline:
            raise TooSlow
        if now - self._noted_at < STEP_SECONDS:
            return
        self._noted_at = now
        if self._connection is None:
            # The thread's own connection is inside the snapshot, which nobody else could see into.
            self._connection = connections.create_connection("default")
        with self._connection.cursor() as cursor:
            cursor.execute(
                _NOTE,
                {
                    "done": rows_done,
                    "expected": self.rows_expected,
                    "lease": self._lease.total_seconds(),
                    "id": self._job.pk,
                    "attempt": self._job.attempt_count,
                },
            )
            is_ours = cursor.rowcount == 1
        if not is_ours:
            raise GivenUp

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
