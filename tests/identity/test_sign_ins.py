"""Sign-ins as rows: what ends them, and what the tidying task ends and forgets."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client

from diamondpay import tasks
from diamondpay.identity import passwords, sign_ins
from diamondpay.lib import clock
from diamondpay.models import SignIn, Tries, User
from tests import factories
from tests.admin import signing

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(client: Client) -> SignIn:
    """The sign-in of an operator."""
    client.force_login(factories.make_operator())
    return signing.sign_in_of(client)


def test_the_task_ends_idle_sign_ins_at_the_moment_they_became_idle_and_forgets_old_tries(
    row: SignIn, settings: Any
) -> None:
    settings.IDLE_SECONDS = 900
    (busy := Client()).force_login(row.user)
    signing.age(row, active_at=timedelta(hours=1))
    row.refresh_from_db()
    passwords.Attempt(username="x", address="203.0.113.9", now=clock.now() - timedelta(days=3)).begin()
    tasks.tidy_sign_ins()
    before = row.active_at
    row.refresh_from_db()
    assert (row.ending, row.ended_at) == (SignIn.Ending.IDLE, before + timedelta(minutes=15))
    assert signing.sign_in_of(busy).ended_at is None
    assert not Tries.objects.exists()


def test_a_sign_in_ends_once(row: SignIn) -> None:
    now = clock.now()
    assert sign_ins.end(row, ending=SignIn.Ending.SIGNED_OUT, now=now)
    assert not sign_ins.end(row, ending=SignIn.Ending.IDLE, now=now)
    row.refresh_from_db()
    assert row.ending == SignIn.Ending.SIGNED_OUT


@pytest.mark.parametrize("change", [{"user_id": 0}, {"address": "203.0.113.9"}, {"browser": "x"}])
def test_when_and_whence_somebody_signed_in_is_never_rewritten(row: SignIn, change: dict[str, Any]) -> None:
    before = SignIn.objects.values().get()
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        SignIn.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        SignIn.objects.filter(pk=row.pk).delete()
    assert SignIn.objects.values().get() == before


def test_an_ending_without_its_reason_is_refused_by_the_database(row: SignIn) -> None:
    with pytest.raises(DatabaseError, match="sign_in_ended_for_a_reason"), transaction.atomic():
        SignIn.objects.filter(pk=row.pk).update(ended_at=clock.now())
    assert User.objects.get().sign_ins.get().ended_at is None
