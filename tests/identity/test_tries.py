"""Counting and locking: in one statement, so that no more than the limit are ever tried."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from diamondpay.identity import passwords, tries
from diamondpay.identity.tries import Counted, Rule
from diamondpay.models import AuditRow, Tries, User
from tests import factories
from tests.support import together

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RULE = Rule(kind="pair", limit=3, window=timedelta(hours=1), lock=timedelta(minutes=30))
ONE = Counted(rule=RULE, of="somebody")


@pytest.mark.django_db
def test_the_limit_locks_and_the_lock_ends_by_itself() -> None:
    assert [tries.take(ONE, now=NOW) for _each in range(5)] == [1, 2, 3, 4, 5]
    row = Tries.objects.get()
    assert (row.count, row.locked_until) == (5, NOW + RULE.lock)
    # Trying on does not prolong it.
    tries.take(ONE, now=NOW + timedelta(minutes=29))
    assert Tries.objects.get().locked_until == NOW + RULE.lock
    assert tries.take(ONE, now=NOW + RULE.lock) == 1
    assert Tries.objects.get().locked_until is None


@pytest.mark.django_db
def test_tries_before_the_window_do_not_count() -> None:
    tries.take(ONE, now=NOW)
    tries.take(ONE, now=NOW)
    assert tries.take(ONE, now=NOW + RULE.window) == 1


@pytest.mark.django_db
def test_what_follows_a_locked_one_is_not_counted() -> None:
    other = Counted(rule=RULE, of="another")
    for _each in range(3):
        assert tries.take_all([ONE], now=NOW)
    assert tries.take_all([ONE, other], now=NOW) is False
    assert not Tries.objects.filter(pk=other.key).exists()


@pytest.mark.django_db
def test_nothing_that_was_typed_stands_in_the_table() -> None:
    attempt = passwords.Attempt(username="my-secret-password", address="203.0.113.9", now=NOW)
    assert attempt.begin()
    assert "my-secret-password" not in str(list(Tries.objects.values()))
    assert {row.user_id for row in Tries.objects.all()} == {None}


@pytest.mark.django_db
def test_old_tries_are_removed() -> None:
    tries.take(ONE, now=NOW)
    assert tries.prune(now=NOW + timedelta(days=1)) == 0
    assert tries.prune(now=NOW + timedelta(days=3)) == 1


@pytest.mark.django_db(transaction=True)
def test_of_thirty_tries_at_once_ten_get_through() -> None:
    factories.make_user("target")

    def attempt() -> bool:
        return passwords.Attempt(username="target", address="203.0.113.9", now=NOW).begin()

    answers = together.at_once([attempt] * 30)
    assert sorted(answers) == [False] * 20 + [True] * 10


@pytest.mark.django_db
def test_a_right_password_is_forgotten_for_the_pair_and_given_back_elsewhere() -> None:
    user = factories.make_user("somebody")
    for _each in range(4):
        passwords.Attempt(username=user.username, address="203.0.113.9", now=NOW).begin()
    last = passwords.Attempt(username=user.username, address="203.0.113.9", now=NOW)
    assert last.begin()
    last.succeed()
    counts = dict(Tries.objects.values_list("kind", "count"))
    assert counts == {"account": 4, "address": 4}


@pytest.mark.django_db
def test_unlocking_forgets_every_lock_of_the_user_and_no_other_and_is_audited() -> None:
    user, boss = factories.make_user("somebody"), factories.make_approver("boss")
    for name in ("somebody", "another"):
        for _each in range(10):
            passwords.Attempt(username=name, address="203.0.113.9", now=NOW).begin()
    assert passwords.locked_until(user, now=NOW) == NOW + passwords.LOCK
    reason, address = "Called me", "203.0.113.1"
    assert passwords.unlock(user=user, by=boss, reason=reason, address=address, now=NOW) == 20
    assert passwords.locked_until(user, now=NOW) is None
    assert passwords.Attempt(username="somebody", address="203.0.113.9", now=NOW).begin()
    assert not passwords.Attempt(username="another", address="203.0.113.9", now=NOW).begin()
    row = AuditRow.objects.get(action="user.unlock")
    assert (row.user, row.object_id, row.reason, row.address) == (boss, str(user.pk), reason, address)
    assert row.before["pair 203.0.113.9"] == f"10, {(NOW + passwords.LOCK).isoformat()}"


@pytest.mark.django_db
def test_a_hundred_wrong_passwords_lock_the_address_and_fill_no_table() -> None:
    for number in range(130):
        passwords.Attempt(username=f"user{number}", address="203.0.113.9", now=NOW).begin()
    assert Tries.objects.filter(kind="pair").count() == 100
    assert not passwords.Attempt(username="fresh", address="203.0.113.9", now=NOW).begin()
    assert passwords.Attempt(username="fresh", address="203.0.113.8", now=NOW).begin()
    assert User.objects.count() == 0
