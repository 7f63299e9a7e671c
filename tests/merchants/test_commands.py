"""create_merchant and rotate_credential, as typed in a second terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from diamondpay import environment
from diamondpay.lib import clock
from diamondpay.models import AuditRow
from merchants import credentials
from merchants.models import Credential, Merchant, MerchantChannel, MerchantService
from merchants.registration import Registered
from tests import factories
from tests.support.clones import Clone

pytestmark = pytest.mark.django_db
CREATE = ("create_merchant", "--name", "Acme", "--service", "SVC0001", "SVC0004", "--channel", "sandbox")


def run(*words: str) -> str:
    output = io.StringIO()
    call_command(*words, stdout=output)
    return output.getvalue()


def run_json(*words: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(run(*words, "--json"))
    return answer


def test_create_merchant_prints_what_the_gateway_api_needs() -> None:
    factories.make_channel("sandbox")
    shown = run_json(*CREATE)
    merchant = Merchant.objects.get()
    assert shown["platform_id"] == merchant.pk
    assert shown["platform_channel_ids"] == [MerchantChannel.objects.get().pk]
    found = credentials.by_token(shown["authorization"], clock.now())
    assert found is not None
    assert credentials.secret_of(found) == shown["platform_key"]
    assert AuditRow.objects.get(action="merchant.create").actor == "create_merchant"


def test_keys_are_made_with_the_scopes_that_were_asked_for() -> None:
    factories.make_channel("sandbox")
    shown = run_json(*CREATE, "--scope", "read", "deposit", "--api", "transaction_request")
    assert {row.scopes for row in Credential.objects.all()} == {("read", "deposit")}
    run_json("rotate_credential", "--merchant", shown["platform_id"])
    run_json("rotate_credential", "--merchant", shown["platform_id"], "--scope", "payout")
    made = Credential.objects.filter(api="gateway").order_by("id")
    assert [row.scopes for row in made] == [("read", "deposit"), ("read", "deposit"), ("payout",)]


def test_create_merchant_takes_its_options() -> None:
    factories.make_channel("sandbox")
    factories.make_channel("second")
    shown = run_json(
        *CREATE, "--channel", "second", "--md5", "--fee-permillage", "8", "--notify-url", "https://1.1.1.1/n"
    )
    merchant = Merchant.objects.get()
    assert (merchant.is_md5_allowed, merchant.notify_url) == (True, "https://1.1.1.1/n")
    assert set(MerchantService.objects.values_list("fee_permillage", flat=True)) == {8}
    assert len(shown["platform_channel_ids"]) == 2


def test_create_merchant_prints_the_pair_of_another_api_when_asked() -> None:
    factories.make_channel("sandbox")
    shown = run_json(*CREATE, "--api", "transaction_request", "--settlement-currency", "MTC")
    pair = shown["transaction_request"]
    found = credentials.caller_by_key(pair["access_key"], api="transaction_request").credentials[0]
    assert credentials.secret_of(found) == pair["secret_key"]
    assert credentials.caller_by_key(pair["access_key"], api="gateway").credentials == ()
    assert MerchantChannel.objects.get().currency_id == "MTC"
    printed = run(*CREATE, "--api", "transaction_request")
    assert "transaction_request access_key: " in printed
    assert "transaction_request secret_key: " in printed


def test_create_merchant_refuses_a_settlement_currency_that_is_none() -> None:
    factories.make_channel("sandbox")
    with pytest.raises(CommandError, match="settlement_currency"):
        run(*CREATE, "--settlement-currency", "QQQ")
    assert not Merchant.objects.exists()


def test_create_merchant_prints_lines_to_read() -> None:
    factories.make_channel("sandbox")
    lines = run(*CREATE).splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == [
        "platform_id", "platform_key", "authorization", "platform_channel_ids",
    ]  # fmt: skip
    assert lines[4:] == [
        "Its services are not in force: ask for their activation in the back office.",
        "Keep the key and the authorization now; they are not shown again.",
    ]


@pytest.mark.parametrize(
    ("further", "words"),
    [
        (("--service", "SVC9999"), "service: Unknown: SVC9999."),
        (("--channel", "nowhere"), "channel: Unknown: nowhere."),
        (("--fee-permillage", "1000"), "--fee-permillage must be from 0 to below 1000"),
        (("--fee-permillage", "1e2"), "--fee-permillage: Write a plain decimal"),
        (("--notify-url", "http://127.0.0.1/n"), "--notify-url: "),
        (("--notify-url", "file:///etc/passwd"), "--notify-url: "),
        (("--time-zone", "Mars/Olympus"), "time_zone: Mars/Olympus is not a time zone"),
    ],
)
def test_create_merchant_refuses_in_words_and_makes_nothing(further: tuple[str, ...], words: str) -> None:
    factories.make_channel("sandbox")
    with pytest.raises(CommandError) as caught:
        run(*CREATE, *further)
    assert str(caught.value).startswith(words)
    assert not Merchant.objects.exists()


def test_rotate_credential_shows_a_new_key_and_lets_the_old_one_live(acme: Registered) -> None:
    shown = run_json("rotate_credential", "--merchant", acme.merchant.pk)
    now = clock.now()
    assert shown["platform_id"] == acme.merchant.pk
    assert shown["platform_key"] != acme.platform_key
    assert credentials.by_token(shown["authorization"], now) is not None
    assert credentials.by_token(acme.authorization, now) is not None


def test_rotate_credential_can_end_the_old_key_now(acme: Registered) -> None:
    run("rotate_credential", "--merchant", acme.merchant.pk, "--overlap-seconds", "0", "--reason", "leaked")
    assert credentials.by_token(acme.authorization, clock.now()) is None
    assert AuditRow.objects.get(action="credential.rotate").reason == "leaked"


def test_rotate_credential_shows_the_other_apis_keys_by_their_names(acme: Registered) -> None:
    shown = run_json("rotate_credential", "--merchant", acme.merchant.pk, "--api", "transaction_request")
    assert set(shown) == {"platform_id", "access_key", "secret_key"}


@pytest.mark.parametrize(
    ("merchant", "overlap", "words"),
    [("PF9999", "60", "There is no merchant PF9999."), ("", "-1", "overlap_seconds: Give 0 to")],
)
def test_rotate_credential_refuses_in_words(
    acme: Registered, merchant: str, overlap: str, words: str
) -> None:
    with pytest.raises(CommandError) as caught:
        run("rotate_credential", "--merchant", merchant or acme.merchant.pk, "--overlap-seconds", overlap)
    assert str(caught.value).startswith(words)
    assert Credential.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_in_force", [False, True])
def test_create_merchant_works_in_a_process_of_its_own(clone: Clone, is_in_force: bool) -> None:
    factories.make_channel("sandbox")
    answer = subprocess.run(
        [sys.executable, "manage.py", *CREATE, "--json", *(["--in-force"] if is_in_force else [])],
        cwd=environment.ROOT,
        env={**os.environ, "DATABASE_URL": clone.url, "DATABASE_OWNER_URL": clone.owner_url},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(answer.stdout)["platform_id"] == Merchant.objects.get().pk
    states = [(each.status, each.terms_since is not None) for each in MerchantService.objects.all()]
    assert states == [("enabled", True) if is_in_force else ("disabled", False)] * 2
    assert AuditRow.objects.get(action="merchant.create").after["in_force"] is is_in_force


@pytest.mark.django_db(transaction=True)
def test_without_the_schemas_owner_nothing_is_created_in_force(database_url: str) -> None:
    factories.make_channel("sandbox")
    answer = subprocess.run(
        [sys.executable, "manage.py", *CREATE, "--in-force"],
        cwd=environment.ROOT,
        env={**os.environ, "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 1
    assert "This needs DATABASE_OWNER_URL" in answer.stderr
    assert not Merchant.objects.exists()
