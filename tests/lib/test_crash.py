"""Crash points kill for real."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
from django.conf import settings
settings.configure(CRASH_POINT={chosen!r})
from diamondpay.lib import crash
crash.point("payment.credited")
print("still here")
"""


@pytest.mark.parametrize("chosen", ["", "payment.created"])
def test_a_crash_point_that_is_not_chosen_does_nothing(chosen: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(chosen=chosen)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "still here\n", "")


def test_the_chosen_crash_point_kills_the_process_with_sigkill() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(chosen="payment.credited")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "")
