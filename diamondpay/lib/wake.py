"""Waking a worker after a commit.

Rows are the queue: a wake-up only makes what is due happen sooner. One that is lost costs the seconds
until the next sweep and nothing else, so a broker that is down must never fail the use case.
"""

from collections.abc import Callable

from django.db import transaction

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
