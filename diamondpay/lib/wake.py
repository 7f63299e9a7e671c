"""Waking a worker after a commit.

Rows are the queue: a wake-up only makes what is due happen sooner. One that is lost costs the seconds
until the next sweep and nothing else, so a broker that is down must never fail the use case.
"""

import logging
import threading
import time
from collections.abc import Callable

from django.db import transaction

logger = logging.getLogger(__name__)

Sender = Callable[[str], None]
_senders: list[Sender] = []


def register(sender: Sender) -> None:
    """Let wake-ups go to `sender`, which is given the topic; the one registered last is used."""
    _senders[:] = [sender]


def after_commit(topic: str) -> None:
    """Wake whoever works on the topic once the transaction has committed, or at once outside of one.

    With no sender registered nothing is sent. A sender's exception is logged by Django with its reason
    (logger `django.db.backends.base`) and goes no further: the sweeper will find the rows.
    """

    def send() -> None:
        for sender in _senders:
            sender(topic)

    transaction.on_commit(send, robust=True)


def gathered(sender: Sender, *, seconds: float) -> Sender:
    """Return a sender that calls `sender` at once, then at most once in so many seconds for each topic.

    A worker that is awake looks for all that is due, so of many commits in a row the first wakes it and one
    wake-up after the last lets it look once more. That one comes from a thread of its own, for which a
    process that ends waits.
    """
    lock = threading.Lock()
    quiet_until: dict[str, float] = {}
    waiting: set[str] = set()

    def send_later(topic: str) -> None:
        with lock:
            waiting.discard(topic)
            quiet_until[topic] = time.monotonic() + seconds
        try:
            sender(topic)
        except Exception:
            logger.exception("Nobody was woken; the sweeper will find the rows.")

    def send(topic: str) -> None:
        now = time.monotonic()
        with lock:
            if topic in waiting:
                return
            rest = quiet_until.get(topic, 0.0) - now
            if rest > 0:
                waiting.add(topic)
            else:
                quiet_until[topic] = now + seconds
        if rest > 0:
            threading.Timer(rest, send_later, [topic]).start()
        else:
            sender(topic)

    return send
