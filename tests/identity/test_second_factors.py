"""Second factors: sealed at rest, each code taken once, paper codes for a lost app, ten wrong lock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from diamondpay.identity import second_factors
from diamondpay.identity.second_factors import Verdict
from diamondpay.lib import totp
from diamondpay.models import AuditRow, RecoveryCode, RoleRule, SecondFactor, Tries, User
from tests import factories
from tests.support import together

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP = timedelta(seconds=30)
pytestmark = pytest.mark.django_db


def set_up(user: User, now: datetime = NOW) -> tuple[str, list[str]]:
    """Give a user a second factor; return its secret and recovery codes."""
    secret = second_factors.begin(user=user, now=now)
    codes = second_factors.confirm(
        user=user, code=totp.code(secret, totp.step_of(now)), address=None, now=now
    )
    assert codes is not None
    return secret, codes


def given(user: User, code: str, now: datetime = NOW) -> Verdict:
    """Return what a code is found to be."""
    return second_factors.check(user=user, code=code, address="203.0.113.9", now=now)


@pytest.fixture
def user() -> User:
    """A person of the platform."""
    return factories.make_operator("somebody")


def test_a_factor_counts_only_after_a_first_right_code(user: User) -> None:
    secret = second_factors.begin(user=user, now=NOW)
    assert not second_factors.is_set_up(user)
    assert second_factors.confirm(user=user, code="000000", address=None, now=NOW) is None
    assert (second_factors.is_set_up(user), second_factors.codes_left(user)) == (False, 0)
    # The page may be opened again: the app has the secret already.
    assert second_factors.begin(user=user, now=NOW + timedelta(minutes=9)) == secret
    set_up(user)
    assert (second_factors.is_set_up(user), second_factors.codes_left(user)) == (True, 10)
    row = AuditRow.objects.get()
    assert (row.action, row.user, row.before, row.after) == (
        "user.second_factor_set_up", user, {"second_factor": False}, {"second_factor": True},
    )  # fmt: skip


def test_a_secret_that_was_shown_and_not_confirmed_is_thrown_away(user: User) -> None:
    old = second_factors.begin(user=user, now=NOW)
    later = NOW + timedelta(minutes=10)
    new = second_factors.begin(user=user, now=later)
    assert new != old
    code = totp.code(old, totp.step_of(later))
    assert second_factors.confirm(user=user, code=code, address=None, now=later) is None
    assert not second_factors.is_set_up(user)


def test_nobody_begins_over_a_confirmed_one(user: User) -> None:
    set_up(user)
    before = SecondFactor.objects.values().get()
    with pytest.raises(ValueError, match="has a second factor"):
        second_factors.begin(user=user, now=NOW)
    assert SecondFactor.objects.values().get() == before


def test_neither_the_secret_nor_a_recovery_code_is_readable_in_the_database(user: User) -> None:
    secret, codes = set_up(user)
    sealed = bytes(SecondFactor.objects.get().secret_encrypted)
    assert secret.encode() not in sealed
    hashes = b"".join(bytes(row.code_hash) for row in RecoveryCode.objects.all())
    assert not any(second_factors.tidy(code).encode() in hashes for code in codes)
    assert len({second_factors.tidy(code) for code in codes}) == 10


def test_a_secret_copied_to_another_user_does_not_open(user: User) -> None:
    set_up(user)
    other = factories.make_operator("other")
    SecondFactor.objects.create(
        user=other, secret_encrypted=SecondFactor.objects.get(user=user).secret_encrypted,
        created_at=NOW, confirmed_at=NOW,
    )  # fmt: skip
    with pytest.raises(Exception, match="is not of"):
        given(other, "123456")


def test_a_code_is_taken_once_and_never_an_older_one(user: User) -> None:
    secret, _codes = set_up(user)
    later = NOW + 3 * STEP
    code = totp.code(secret, totp.step_of(later))
    before = totp.code(secret, totp.step_of(later) - 1)
    assert given(user, f" {code[:3]} {code[3:]} ", later) is Verdict.APP
    assert given(user, code, later) is Verdict.WRONG
    assert given(user, before, later) is Verdict.WRONG
    assert given(user, totp.code(secret, totp.step_of(later) + 1), later + STEP) is Verdict.APP


def test_the_code_that_set_it_up_does_not_sign_in(user: User) -> None:
    secret, _codes = set_up(user)
    assert given(user, totp.code(secret, totp.step_of(NOW))) is Verdict.WRONG


def test_a_recovery_code_stands_in_once_in_any_spelling(user: User) -> None:
    _secret, codes = set_up(user)
    assert given(user, codes[0].lower().replace("-", " ")) is Verdict.RECOVERY
    assert given(user, codes[0]) is Verdict.WRONG
    assert second_factors.codes_left(user) == 9
    row = AuditRow.objects.get(action="user.recovery_code_used")
    assert (row.before, row.after) == ({"recovery_codes": 10}, {"recovery_codes": 9})


def test_new_recovery_codes_end_the_old_ones(user: User) -> None:
    _secret, old = set_up(user)
    new = second_factors.renew_codes(user=user, address=None, now=NOW)
    assert given(user, old[1]) is Verdict.WRONG
    assert given(user, new[1]) is Verdict.RECOVERY


def test_one_users_codes_are_nothing_for_another(user: User) -> None:
    secret, codes = set_up(user)
    other = factories.make_operator("other")
    set_up(other)
    later = NOW + 3 * STEP
    assert given(other, totp.code(secret, totp.step_of(later)), later) is Verdict.WRONG
    assert given(other, codes[0], later) is Verdict.WRONG
    assert second_factors.codes_left(user) == 10


def test_ten_wrong_codes_lock_even_the_right_one(user: User) -> None:
    secret, codes = set_up(user)
    later = NOW + 3 * STEP
    assert {given(user, "000000", later) for _each in range(10)} == {Verdict.WRONG}
    right = totp.code(secret, totp.step_of(later))
    assert given(user, right, later) is Verdict.LOCKED
    assert given(user, codes[0], later) is Verdict.LOCKED
    assert second_factors.codes_left(user) == 10
    much_later = later + timedelta(minutes=30)
    assert given(user, totp.code(secret, totp.step_of(much_later)), much_later) is Verdict.APP


@pytest.mark.django_db(transaction=True)
def test_of_the_same_code_given_eight_times_at_once_one_is_taken() -> None:
    user = factories.make_operator("somebody")
    secret, codes = set_up(user)
    later = NOW + 3 * STEP
    code = totp.code(secret, totp.step_of(later))
    answers = together.at_once([lambda: given(user, code, later)] * 8)
    assert sorted(answers) == [Verdict.APP] + [Verdict.WRONG] * 7
    # How many of those were counted after the right one is chance; with them the next eight could lock.
    Tries.objects.all().delete()
    answers = together.at_once([lambda: given(user, codes[0], later)] * 8)
    assert sorted(answers) == [Verdict.RECOVERY] + [Verdict.WRONG] * 7


def test_removing_takes_the_codes_too_and_says_who_and_why(user: User) -> None:
    set_up(user)
    boss = factories.make_approver("boss")
    reason = "Lost phone"
    assert second_factors.remove(user=user, by=boss, reason=reason, address="203.0.113.1", now=NOW)
    assert not second_factors.remove(user=user, by=boss, reason=reason, address=None, now=NOW)
    assert (second_factors.is_set_up(user), RecoveryCode.objects.count()) == (False, 0)
    row = AuditRow.objects.get(action="user.second_factor_removed")
    assert (row.user, row.object_id, row.reason) == (boss, str(user.pk), reason)


def test_a_role_or_the_setting_requires_one(user: User) -> None:
    assert not second_factors.is_required(user, of_everybody=False)
    assert second_factors.is_required(user, of_everybody=True)
    RoleRule.objects.create(role=user.groups.get(), needs_second_factor=True)
    assert second_factors.is_required(user, of_everybody=False)
    assert not second_factors.is_required(factories.make_finance(), of_everybody=False)
