"""Waking after the commit."""

import contextlib
import logging
import time
from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from pytest_django import DjangoCaptureOnCommitCallbacks

from diamondpay.lib import errors, wake


@pytest.fixture
def no_sender() -> Iterator[None]:
    kept = list(wake._senders)
    wake._senders.clear()
    yield
    wake._senders[:] = kept


@pytest.mark.django_db
def test_a_worker_is_woken_after_the_commit_and_not_before(
    no_sender: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    woken: list[str] = []
    wake.register(woken.append)
    with django_capture_on_commit_callbacks(execute=True):
        wake.after_commit("notifications")
        assert woken == []
    assert woken == ["notifications"]


@pytest.mark.django_db
def test_nothing_is_sent_for_what_was_rolled_back(
    no_sender: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    woken: list[str] = []
    wake.register(woken.append)
    with django_capture_on_commit_callbacks(execute=True):
        with contextlib.suppress(errors.Busy), transaction.atomic():
            wake.after_commit("notifications")
            raise errors.Busy
        wake.after_commit("payouts")
    assert woken == ["payouts"]


@pytest.mark.django_db
def test_a_broker_that_is_down_fails_nothing_and_is_logged_with_its_reason(
    no_sender: None,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """F11: broker down at commit."""

    def down(topic: str) -> None:
        raise ConnectionRefusedError(f"no broker for {topic}")

    woken: list[str] = []
    wake.register(down)
    with caplog.at_level(logging.ERROR), django_capture_on_commit_callbacks(execute=True):
        wake.after_commit("payouts")
        connection.on_commit(lambda: woken.append("the next callback"))
    assert "no broker for payouts" in caplog.text
    assert woken == ["the next callback"]


@pytest.mark.django_db
def test_without_a_sender_nothing_happens(
    no_sender: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        wake.after_commit("notifications")
    assert len(callbacks) == 1


def test_of_many_wake_ups_the_first_goes_at_once_and_one_more_after_the_last() -> None:
    woken: list[str] = []
    send = wake.gathered(woken.append, seconds=0.2)
    for _commit in range(50):
        send("notifications")
    send("exports")
    assert woken == ["notifications", "exports"]
    time.sleep(0.5)
    assert woken == ["notifications", "exports", "notifications"]
    send("exports")
    assert woken[3:] == ["exports"]
