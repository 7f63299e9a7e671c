"""What a worker does between files: takes back what the dead left, runs schedules, removes what is over.

Files are built in a process of their own, which `build_waiting` starts: a million rows then cost the other
tasks of the worker nothing, the memory goes back when it ends, and killing it harms nobody else.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import datetime

from django.conf import settings

from records.exports import jobs, schedules

_slots = threading.BoundedSemaphore(settings.EXPORT_PROCESSES)


def tend(*, now: datetime) -> None:
    """Do what is due beside building."""
    jobs.take_back(now=now)
    schedules.run_due(now=now)
    jobs.expire(now=now)
    jobs.remove_left_over(now=now)


def build_waiting() -> bool:
    """Build what waits in a process of its own and wait for it; False when nothing waits or all slots are
    taken.
    """
    if not jobs.is_work_waiting() or not _slots.acquire(blocking=False):
        return False
    try:
        command = [sys.executable, "manage.py", "build_exports"]
        return subprocess.run(command, cwd=settings.BASE_DIR, check=False).returncode == 0
    finally:
        _slots.release()
