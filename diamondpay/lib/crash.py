"""Named crash points: the fault drills kill the real process exactly here."""

import os
import signal

from django.conf import settings


def point(name: str) -> None:
    """Kill this process with SIGKILL when the environment has chosen this point; otherwise do nothing."""
    if settings.CRASH_POINT and name == settings.CRASH_POINT:
        os.kill(os.getpid(), signal.SIGKILL)
