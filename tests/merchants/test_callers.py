"""Who calls, told by one statement: the moment, the merchant, its live keys, and from where it may call."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from diamondpay.lib import clock
from merchants import credentials
from merchants.models import AllowedAddress, Credential
from merchants.registration import Registered

GATEWAY = Credential.Api.GATEWAY


def caller(acme: Registered) -> credentials.Caller:
    return credentials.caller_by_id(acme.merchant.pk, api=GATEWAY)


def test_one_statement_tells_the_moment_the_merchant_and_its_live_keys_newest_first(acme: Registered) -> None:
    ended = credentials.create(merchant=acme.merchant, api=GATEWAY, now=clock.now() - timedelta(hours=2))
    credentials.end(ended.credential, clock.now() - timedelta(hours=1))
    second = credentials.create(merchant=acme.merchant, api=GATEWAY, now=clock.now() + timedelta(hours=1))
    credentials.create(merchant=acme.merchant, api=Credential.Api.PAYMENT_DETAIL, now=clock.now())
    before = clock.now()
    with CaptureQueriesContext(connection) as captured:
        found = caller(acme)
        assert [credential.merchant for credential in found.credentials] == [acme.merchant] * 2
    assert len(captured) == 1
    assert before <= found.now <= clock.now()
    assert found.merchant == acme.merchant
    assert found.credentials == (second.credential, acme.credential)


def test_a_token_tells_the_same_about_its_own_key_alone(acme: Registered) -> None:
    second = credentials.create(merchant=acme.merchant, api=GATEWAY, now=clock.now())
    found = credentials.caller_by_token(second.authorization)
    assert (found.merchant, found.credentials) == (acme.merchant, (second.credential,))


@pytest.mark.parametrize("text", ["", "PF9999", "x" * 40])
def test_nobody_has_a_moment_too(acme: Registered, text: str) -> None:
    before = clock.now()
    for found in (credentials.caller_by_id(text, api=GATEWAY), credentials.caller_by_token(text)):
        assert (found.merchant, found.credentials, found.networks) == (None, (), ())
        assert before <= found.now <= clock.now()


def test_a_key_that_was_ended_is_gone_with_the_next_call(acme: Registered) -> None:
    assert caller(acme).credentials == (acme.credential,)
    credentials.end(acme.credential, clock.now())
    assert (caller(acme).merchant, caller(acme).credentials) == (acme.merchant, ())


def test_without_a_list_every_address_is_allowed(acme: Registered, rival: Registered) -> None:
    AllowedAddress.objects.create(merchant=rival.merchant, network="198.51.100.0/24")
    assert caller(acme).may_call_from("203.0.113.9")
    assert caller(acme).may_call_from(None)


def test_with_a_list_only_what_is_on_it_is_allowed(acme: Registered) -> None:
    AllowedAddress.objects.create(merchant=acme.merchant, network="203.0.113.0/24")
    AllowedAddress.objects.create(merchant=acme.merchant, network="2001:db8::/32")
    found = caller(acme)
    addresses = ("203.0.113.9", "2001:db8::1", "198.51.100.1", None)
    assert [found.may_call_from(address) for address in addresses] == [True, True, False, False]
