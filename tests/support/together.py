"""Several things at one moment, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from diamondpay.lib import errors

SECONDS_MAX = 60


def at_once(deeds: Sequence[Callable[[], Any]]) -> list[Any]:
    """Let all deeds begin together, connected; return what each answered or how the domain refused it.

    Raises: whatever else one of them raised, because nothing else may happen.
    """
    gate = threading.Barrier(len(deeds))

    def run(deed: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            gate.wait(SECONDS_MAX)
            return deed()
        except errors.DomainError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return [future.result(SECONDS_MAX) for future in [pool.submit(run, deed) for deed in deeds]]
