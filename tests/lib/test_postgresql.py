"""A pooled connection is looked at before it is used, and asked only when in doubt (F12)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import datetime

import pytest
from django.db import connections

from diamondpay.lib.postgresql import base


@pytest.fixture
def pooled(database_url: str) -> Iterator[base.DatabaseWrapper]:
    """Django's connection as the web has it: out of a pool, here of one."""
    settings = copy.deepcopy(connections["default"].settings_dict)
    settings |= {"ENGINE": "diamondpay.lib.postgresql", "CONN_HEALTH_CHECKS": False}
    settings["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 1, "timeout": 5}
    wrapper = base.DatabaseWrapper(settings, "pooled")
    yield wrapper
    wrapper.close()
    wrapper.close_pool()


def process_of(wrapper: base.DatabaseWrapper) -> int:
    """Use a connection for one statement, give it back, and return the server's process behind it."""
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found: int = cursor.fetchone()[0]
    wrapper.close()
    return found


def last_heard(process: int) -> datetime:
    """Return when the server's process was last asked something; its own role may know."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT state_change FROM pg_stat_activity WHERE pid = %s", [process])
        moment: datetime = cursor.fetchone()[0]
    return moment


def borrow(wrapper: base.DatabaseWrapper) -> None:
    """Take a connection out of the pool and give it back unused."""
    wrapper.ensure_connection()
    wrapper.close()


def test_a_connection_that_the_server_ended_is_never_handed_out_f12(pooled: base.DatabaseWrapper) -> None:
    first = process_of(pooled)
    assert process_of(pooled) == first
    with connections["default"].cursor() as cursor:
        # The same role may end its own connections.
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert cursor.fetchone() == (True,)
    second = process_of(pooled)
    assert second != first
    assert process_of(pooled) == second


def test_a_connection_out_of_the_pool_commits_by_itself_after_a_transaction_too(
    pooled: base.DatabaseWrapper,
) -> None:
    process = process_of(pooled)
    pooled.ensure_connection()
    pooled.set_autocommit(False)
    pooled.rollback()
    pooled.close()
    pooled.ensure_connection()
    assert pooled.connection.info.backend_pid == process
    assert pooled.connection.autocommit
    assert pooled.get_autocommit()


def test_how_to_connect_is_told_to_a_new_pool_again(pooled: base.DatabaseWrapper) -> None:
    first = process_of(pooled)
    assert pooled.get_connection_params() == {}
    pooled.close_pool()
    assert pooled.get_connection_params()["dbname"] == connections["default"].settings_dict["NAME"]
    assert process_of(pooled) != first


def test_a_connection_is_asked_only_every_few_seconds(
    pooled: base.DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = process_of(pooled)
    borrow(pooled)
    quiet_since = last_heard(process)
    borrow(pooled)
    assert last_heard(process) == quiet_since
    monkeypatch.setattr(base, "ASKED_EVERY_SECONDS", 0.0)
    borrow(pooled)
    assert last_heard(process) > quiet_since
