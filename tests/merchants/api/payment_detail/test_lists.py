"""The lists of chains and of what may be paid with."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from channels.models import Chain, Token
from merchants.models import Credential
from tests import factories
from tests.merchants.api.payment_detail.conftest import Caller

pytestmark = pytest.mark.django_db
USDT = "0xdAC17F958D2ee523a2206206994597C13D831ec7"


def listed(caller: Caller, path: str, **query: str) -> list[dict[str, Any]]:
    """Return a list that was asked for."""
    answer = caller.get(path, None, **query)
    assert answer.status == 200, answer.body
    rows: list[dict[str, Any]] = answer.body["data"]
    return rows


def test_open_chains_are_listed_and_closed_ones_are_not(caller: Caller) -> None:
    ethereum = {"chainId": 2, "name": "Ethereum", "symbol": "ETH", "confirmations": 12}
    assert listed(caller, "/conf/list/chain") == [ethereum]
    Chain.objects.update(status=Chain.Status.CLOSED)
    assert listed(caller, "/conf/list/chain") == []


def test_a_currency_tells_its_contract_decimals_and_what_it_is_worth(caller: Caller) -> None:
    factories.make_rate("0.99", "USDT", "USD", hours_ago=2)
    factories.make_rate("1.0002", "USDT", "USD")
    factories.make_rate("7.2", "USDT", "CNY")
    rows = {row["symbol"]: row for row in listed(caller, "/conf/list/currency")}
    assert sorted(rows) == ["ETH", "USDC", "USDT"]
    assert rows["USDT"] == {
        "currencyId": Token.objects.get(chain=2, symbol="USDT").pk, "chainId": 2, "name": "Tether USD",
        "symbol": "USDT", "address": USDT, "decimals": 6, "exchangeRate": "1.0002",
    }  # fmt: skip
    assert (rows["ETH"]["address"], rows["ETH"]["decimals"], rows["ETH"]["exchangeRate"]) == (None, 18, None)


def test_one_chains_currencies_are_listed_alone(caller: Caller) -> None:
    Chain.objects.create(chain_id=98, code="OTHER", name="Other", symbol="OTH", confirmations=1)
    Token.objects.create(
        chain_id=98, name="Tether", symbol="USDT", address="x", decimals=6, currency_id="USDT"
    )
    assert [row["chainId"] for row in listed(caller, "/conf/list/currency", chainId="98")] == [98]
    assert {row["chainId"] for row in listed(caller, "/conf/list/currency", chainId="2")} == {2}
    assert len(listed(caller, "/conf/list/currency")) == 4


QUESTIONS = ["?chainId=", "?chainId=0", "?chainId=-1", "?chainId=%00", "?chainId=1e3", "?chainId=02",
             "?chainId=２", "?chainId=2&chainId=2", "?chainId=99999999999", "?chainId=4294967298",
             "?chainId=1", "?chainId=12345", "?chainId=2'"]  # fmt: skip


@pytest.mark.parametrize("query", QUESTIONS)
def test_a_chain_that_is_none_is_named(query: str, caller: Caller) -> None:
    whole = f"/conf/list/currency{query}"
    answer = caller.send("GET", whole, headers=caller.headers("GET", whole))
    assert answer.status in (400, 401)
    if answer.status == 400:
        assert answer.words.startswith("chainId: ")


def test_the_lists_are_for_keys_that_may_read_and_for_nobody_else(caller: Caller) -> None:
    for path in ("/conf/list/chain", "/conf/list/currency"):
        assert caller.send("GET", path, headers={"x-none": "1"}).status == 401
        assert caller.send("POST", path, headers=caller.headers("POST", path)).status == 405
    Credential.objects.filter(public_id=caller.key).update(may_read=False)
    for path in ("/conf/list/chain", "/conf/list/currency"):
        assert "lacks the scope “read”" in caller.get(path).words
    assert caller.get("/conf/nothing").status == 404


def test_a_list_takes_as_many_statements_for_many_as_for_one(caller: Caller) -> None:
    listed(caller, "/conf/list/currency")
    with CaptureQueriesContext(connection) as few:
        listed(caller, "/conf/list/currency")
    Token.objects.bulk_create(
        Token(chain_id=2, name=f"T{n}", symbol=f"T{n}X", address=f"0x{n}", decimals=6, currency_id="USDT")
        for n in range(40)
    )
    with CaptureQueriesContext(connection) as many:
        listed(caller, "/conf/list/currency")
    assert len(many) == len(few)
