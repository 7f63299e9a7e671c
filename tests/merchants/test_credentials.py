"""Keys and tokens: told once, kept sealed, rotated with an overlap."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, close_old_connections, connection, connections, transaction

from diamondpay.lib import errors
from diamondpay.models import AuditRow
from merchants import credentials
from merchants.models import Credential
from merchants.registration import Registered
from tests import factories

GATEWAY = Credential.Api.GATEWAY
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def registered(db: None) -> Registered:
    return factories.make_merchant("Acme", now=NOW)


def test_a_key_has_the_gateways_form(registered: Registered) -> None:
    assert len(registered.platform_key) == 24
    assert registered.platform_key.isascii()
    assert registered.platform_key.isalnum()
    assert len(registered.authorization) == 40


def test_secrets_are_not_stored_in_clear(registered: Registered) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(c)::text FROM merchants_credential c")
        stored = str(cursor.fetchone()[0])
        cursor.execute("SELECT coalesce(string_agg(row_to_json(a)::text, ''), '') FROM diamondpay_auditrow a")
        audited = str(cursor.fetchone()[0])
    for secret in (registered.platform_key, registered.authorization):
        assert secret not in stored + audited
        # A bytea is written in hex.
        assert secret.encode().hex() not in stored + audited
    assert registered.platform_key not in repr(registered)


def test_the_stored_secret_signs_as_the_told_one(registered: Registered) -> None:
    stored = Credential.objects.get()
    assert credentials.secret_of(stored) == registered.platform_key
    assert stored.secret_tail == registered.platform_key[-4:]


def test_a_token_finds_its_credential_and_merchant(registered: Registered) -> None:
    found = credentials.by_token(registered.authorization, NOW)
    assert found is not None
    assert found.merchant == registered.merchant


@pytest.mark.parametrize(
    "change", [str.swapcase, str.lower, lambda token: token[:-1], lambda token: token + "x"]
)
def test_only_the_exact_token_finds_it(registered: Registered, change: object) -> None:
    assert credentials.by_token(change(registered.authorization), NOW) is None  # type: ignore[operator]


@pytest.mark.parametrize("token", ["", "x" * 40, "é" * 40, "\x00" * 40, "x" * 10**6])
def test_garbage_finds_nothing(registered: Registered, token: str) -> None:
    assert credentials.by_token(token, NOW) is None


def test_rotation_lets_the_old_key_live_for_the_overlap(registered: Registered) -> None:
    created = credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW + DAY)
    during, after = NOW + 2 * DAY - timedelta(seconds=1), NOW + 2 * DAY
    merchant_id = registered.merchant.pk
    assert [c.pk for c in credentials.live(merchant_id, GATEWAY, during)] == [
        created.credential.pk,
        registered.credential.pk,
    ]
    assert [c.pk for c in credentials.live(merchant_id, GATEWAY, after)] == [created.credential.pk]
    assert credentials.by_token(registered.authorization, during) is not None
    assert credentials.by_token(registered.authorization, after) is None
    assert credentials.by_token(created.authorization, after) is not None


def test_the_newest_live_key_signs(registered: Registered) -> None:
    created = credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW)
    assert (
        credentials.signing_secret(merchant_id=registered.merchant.pk, api=GATEWAY, now=NOW)
        == created.platform_key
    )


def test_an_overlap_of_nothing_ends_the_old_key_at_once(registered: Registered) -> None:
    credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW, overlap_seconds=0)
    assert credentials.by_token(registered.authorization, NOW) is None


def test_a_rotation_never_prolongs_a_key_that_ends_sooner(registered: Registered) -> None:
    credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW, overlap_seconds=60)
    credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW, overlap_seconds=3600)
    ends = list(Credential.objects.order_by("id").values_list("ends_at", flat=True))
    assert ends == [NOW + timedelta(seconds=60), NOW + timedelta(hours=1), None]


@pytest.mark.parametrize("overlap_seconds", [-1, 30 * 24 * 3600 + 1])
def test_an_overlap_out_of_range_changes_nothing(registered: Registered, overlap_seconds: int) -> None:
    with pytest.raises(errors.InvalidInput):
        credentials.rotate(
            merchant=registered.merchant, api=GATEWAY, now=NOW, overlap_seconds=overlap_seconds
        )
    assert list(Credential.objects.values_list("ends_at", flat=True)) == [None]


def test_rotating_one_api_leaves_the_others_keys(registered: Registered) -> None:
    other = credentials.create(merchant=registered.merchant, api=Credential.Api.TRANSACTION_REQUEST, now=NOW)
    assert other.authorization == ""
    credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW, overlap_seconds=0)
    live = credentials.live(registered.merchant.pk, Credential.Api.TRANSACTION_REQUEST, NOW + DAY)
    assert live == [other.credential]


def test_a_key_may_do_everything_unless_told_otherwise(registered: Registered) -> None:
    assert Credential.objects.get().scopes == ("read", "deposit", "payout")
    made = credentials.create(merchant=registered.merchant, api=GATEWAY, now=NOW, scopes=["payout", "read"])
    assert Credential.objects.get(pk=made.credential.pk).scopes == ("read", "payout")


@pytest.mark.parametrize("scopes", [[], ["write"], ["read", "write"]])
def test_a_key_that_may_do_nothing_or_what_there_is_not_is_not_made(
    registered: Registered, scopes: list[str]
) -> None:
    with pytest.raises(errors.InvalidInput):
        credentials.create(merchant=registered.merchant, api=GATEWAY, now=NOW, scopes=scopes)
    assert Credential.objects.count() == 1
    with pytest.raises(IntegrityError, match="credential_may_something"), transaction.atomic():
        Credential.objects.update(may_read=False, may_deposit=False, may_payout=False)


def test_rotating_keeps_the_scopes_of_what_it_replaces(registered: Registered) -> None:
    Credential.objects.update(may_payout=False, may_deposit=False)
    narrow = credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW).credential
    assert narrow.scopes == ("read",)
    credentials.create(merchant=registered.merchant, api=GATEWAY, now=NOW, scopes=["payout"])
    assert credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW).credential.scopes == (
        "read", "payout",
    )  # fmt: skip
    told = credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW, scopes=["deposit"])
    assert told.credential.scopes == ("deposit",)


def test_replacing_a_key_that_has_ended_makes_none(registered: Registered) -> None:
    credentials.end(registered.credential, NOW)
    with pytest.raises(credentials.NoCredential):
        credentials.rotate(
            merchant=registered.merchant, api=GATEWAY, now=NOW + DAY, only=registered.credential
        )
    assert Credential.objects.count() == 1


def test_ending_a_key_works_at_once_and_once(registered: Registered) -> None:
    credentials.end(registered.credential, NOW + DAY, actor="tests")
    credentials.end(registered.credential, NOW + 2 * DAY, actor="tests")
    assert Credential.objects.get().ends_at == NOW + DAY
    assert AuditRow.objects.filter(action="credential.end").count() == 1
    with pytest.raises(credentials.NoCredential):
        credentials.signing_secret(merchant_id=registered.merchant.pk, api=GATEWAY, now=NOW + DAY)


def test_every_change_of_a_key_is_audited(registered: Registered) -> None:
    """A1."""
    user = factories.make_operator()
    credentials.rotate(merchant=registered.merchant, api=GATEWAY, now=NOW, user=user, address="203.0.113.9")
    rows = AuditRow.objects.filter(object_kind="credential", user=user).order_by("id")
    assert [row.action for row in rows] == ["credential.rotate", "credential.create"]
    assert rows[0].before["ends_at"] == ""
    assert rows[0].after["ends_at"] == "2026-05-02T12:00:00+00:00"
    assert rows[0].address == "203.0.113.9"


def test_use_is_noted_once_a_minute(registered: Registered) -> None:
    credential = Credential.objects.get()
    for seconds in (0, 59, 60, 90):
        credentials.note_use(credential, NOW + timedelta(seconds=seconds))
    assert Credential.objects.get().last_used_at == NOW + timedelta(seconds=60)


def test_a_stale_copy_does_not_note_more_often(registered: Registered) -> None:
    stale = Credential.objects.get()
    credentials.note_use(Credential.objects.get(), NOW + timedelta(seconds=30))
    credentials.note_use(stale, NOW + timedelta(seconds=40))
    assert Credential.objects.get().last_used_at == NOW + timedelta(seconds=30)


@pytest.mark.django_db(transaction=True)
def test_two_rotations_at_once_leave_one_key_without_an_end() -> None:
    merchant = factories.make_merchant("Acme", now=NOW).merchant

    def rotate(minute: int) -> None:
        try:
            credentials.rotate(merchant=merchant, api=GATEWAY, now=NOW + timedelta(minutes=minute))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(rotate, range(1, 5)))
    close_old_connections()
    assert Credential.objects.count() == 5
    assert Credential.objects.filter(ends_at__isnull=True).count() == 1
