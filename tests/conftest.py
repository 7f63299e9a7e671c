"""Databases and a browser for every test. What each fixture promises is in its docstring."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.conf import settings
from django.db import connections
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from merchants.api import throttles
from tests.admin import chromium
from tests.personas import acme, approver, auditor, clerk, finance, operator, rival
from tests.support import book, clones

# What a test may take, even a slow one in a browser on a busy machine.
_TEST_LENGTH_MAX = timedelta(seconds=60)

__all__ = ["acme", "approver", "auditor", "clerk", "finance", "operator", "rival"]


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Give this process a clone of the migrated template, in place of pytest-django's test database."""
    clones.clone_instead_of_flush()
    with django_db_blocker.unblock():
        clones.point_django_at(clones.create(clones.of_this_process()))
    yield
    with django_db_blocker.unblock():
        connections.close_all()
        clones.drop(clones.of_this_process())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """After a test that passed: whatever it did, every invariant of the book must still hold."""
    outcome = yield
    if "_django_db_helper" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("tampers"):
        book.check()
    return outcome


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no test so late that its orders and its lists of "today" would fall on two days."""
    now = datetime.now(ZoneInfo(settings.DEFAULT_TIME_ZONE))
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    left = midnight - now
    if left < _TEST_LENGTH_MAX:
        time.sleep(left.total_seconds() + 1)


@pytest.fixture(autouse=True)
def _counters_at_zero() -> None:
    """Let no test use up the calls of the next one."""
    throttles.forget()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a file."""
    with pytest.MonkeyPatch.context() as patch, chromium.running() as launched:
        # The browser's driver keeps an event loop in this thread, which Django would take for async code.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield launched


@pytest.fixture
def clone(transactional_db: None) -> clones.Clone:
    """The database of this test, for other processes and connections; thrown away afterwards."""
    return clones.of_this_process()


@pytest.fixture
def database_url(clone: clones.Clone) -> str:
    """The application's address of this test's database, as DATABASE_URL of a child process."""
    return clone.url


@pytest.fixture
def owner_connection(clone: clones.Clone) -> Iterator[psycopg.Connection]:
    """A connection of the schema's owner to this test's database; each statement commits by itself."""
    with clone.connect_as_owner() as connection:
        yield connection


@pytest.fixture
def fresh_clone(django_db_setup: None) -> Iterator[Callable[[], clones.Clone]]:
    """Make further databases, each as the migrations left it; all thrown away afterwards."""
    made: list[clones.Clone] = []

    def make() -> clones.Clone:
        made.append(clones.create_further())
        return made[-1]

    yield make
    for clone in made:
        clones.drop(clone)
