"""The sandbox's practice chain, read by the product's own adapter, and its wallet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from channels.upstreams.chain import NATIVE, ChainUnreadable
from channels.upstreams.evm import keccak
from channels.upstreams.sandbox import practice
from tests.support import practice as practices
from tests.support.evm.scenes import SHARED

BEGUN = 1_900_000_000.0
USDT = next(coin for coin in practice.COINS if coin.symbol == "USDT")
TOKEN = keccak.read_address(USDT.contract)
ASSETS = frozenset({TOKEN, NATIVE})


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[practices.Chain]:
    """A practice chain of its own."""
    with practices.running(tmp_path, now=BEGUN) as found:
        yield found


def request_for(address: str, units: int) -> str:
    """Return what the payer's page draws for so many units of the token."""
    return f"ethereum:{TOKEN}@{practice.NETWORK}/transfer?address={address}&uint256={units}"


def told(chain: practices.Chain) -> list[tuple[str, str, int, int]]:
    """Return what the adapter finds at the shared address: asset, receiver, units, block."""
    adapter = chain.adapter()
    blocks = adapter.blocks(first=0, last=adapter.head(network_id=practice.NETWORK))
    found = adapter.transfers(blocks=blocks, assets=ASSETS, addresses=frozenset({SHARED}))
    return [(each.asset, each.to_address, each.units, each.block.number) for each in found]


def test_blocks_come_by_the_clock_and_follow_one_another(chain: practices.Chain) -> None:
    adapter = chain.adapter()
    assert adapter.head(network_id=practice.NETWORK) == 0
    chain.now += 7 * practice.BLOCK_SECONDS + 1
    assert adapter.head(network_id=practice.NETWORK) == 7
    blocks = adapter.blocks(first=0, last=7)
    assert [block.time.timestamp() - BEGUN for block in blocks] == [3.0 * number for number in range(8)]
    assert len({block.hash for block in blocks}) == 8
    with pytest.raises(ChainUnreadable, match="not of 1"):
        adapter.head(network_id=1)
    with pytest.raises(ChainUnreadable, match="no block"):
        adapter.blocks(first=8, last=8)


def test_what_the_wallet_sends_is_read_from_the_next_block(chain: practices.Chain) -> None:
    assert chain.send(request_for(SHARED, 12_340_000), share="exact").status_code == 303
    assert chain.send(request_for(SHARED, 12_340_000), amount="0.000001").status_code == 303
    assert chain.send(f"ethereum:{SHARED}@{practice.NETWORK}?value=10", share="half").status_code == 303
    assert told(chain) == []
    chain.pass_blocks(1)
    assert sorted(told(chain)) == [
        (NATIVE, SHARED, 5, 1), (TOKEN, SHARED, 1, 1), (TOKEN, SHARED, 12_340_000, 1),
    ]  # fmt: skip


def test_a_form_that_is_sent_twice_pays_once(chain: practices.Chain) -> None:
    for _time in range(2):
        assert chain.send(request_for(SHARED, 5), key="one", share="twice").status_code == 303
    chain.pass_blocks(1)
    assert told(chain) == [(TOKEN, SHARED, 10, 1)]


def test_a_restart_goes_on_where_the_chain_stood_and_changes_no_block(chain: practices.Chain) -> None:
    adapter = chain.adapter()
    chain.send(request_for(SHARED, 5), share="exact")
    chain.pass_blocks(4)
    before = adapter.blocks(first=0, last=adapter.head(network_id=practice.NETWORK))
    chain.send(request_for(SHARED, 7), share="exact")
    chain.book.close()
    chain.now += 86_400
    chain.open()
    # A night without the sandbox is no night of blocks; what was sent before it is in the next one.
    assert adapter.head(network_id=practice.NETWORK) == 5
    after = adapter.blocks(first=0, last=5)
    assert after[:5] == before
    assert after[5].time.timestamp() == BEGUN + 4 * practice.BLOCK_SECONDS + 86_400
    assert [row[2:] for row in told(chain)] == [(5, 1), (7, 5)]


def test_a_clock_that_goes_back_takes_no_block_away(chain: practices.Chain) -> None:
    chain.pass_blocks(5)
    assert chain.book.head() == 5
    chain.now -= 60
    assert chain.book.head() == 5
    assert chain.book.send(key="a", contract="", to_address=SHARED.lower(), units=1).block_number == 6


@pytest.mark.parametrize(
    ("request_text", "fields", "words"),
    [
        (request_for(SHARED, 5), {"amount": "0.0000001"}, "USDT has 6 decimals and no more"),
        (request_for(SHARED, 5), {"amount": "1e3"}, "not an amount in plain digits"),
        (request_for(SHARED, 5), {"amount": "0"}, "not above zero"),
        (request_for(SHARED, 5), {"amount": "99999999999999"}, "more, or less, than this wallet sends"),
        (request_for(SHARED, 1), {"share": "half"}, "more, or less, than this wallet sends"),
        (SHARED, {"amount": "1", "coin": "0x00"}, "choose what to send"),
        (f"ethereum:{SHARED}@1?value=5", {"share": "exact"}, "for another chain"),
        (request_for(SHARED.lower().replace("5aae", "5AAE"), 5), {"share": "exact"}, "mistyped"),
        (request_for(SHARED, 5).replace(TOKEN, SHARED), {"share": "exact"}, "no such token"),
        ("javascript:alert(1)", {"share": "exact"}, "no payment request"),
        ("<script>", {}, "no payment request"),
    ],
)
def test_what_the_wallet_cannot_send_is_said_and_not_sent(
    chain: practices.Chain, request_text: str, fields: dict[str, str], words: str
) -> None:
    answer = chain.send(request_text, key="k", **fields)
    assert (answer.status_code, words in answer.text, "<script>" in answer.text) == (400, True, False)
    assert chain.book.sent_latest(count=1) == []
    if "amount" in fields and "decimals" in words:
        assert f'value="{fields["amount"]}"' in answer.text


def test_the_pages_say_that_nothing_is_worth_anything(chain: practices.Chain) -> None:
    for page in (chain.open_wallet(SHARED), httpx.get(chain.url + practice.NODE_PATH, trust_env=False)):
        assert page.status_code == 200
        assert "Nothing here is worth anything, there are no private keys" in page.text
        assert "script-src" not in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32600), (b"[]", -32600), (b"7", -32600), (b"[" * 100_000, -32600),
        (b'{"id":1,"method":"eth_sendRawTransaction","params":[]}', -32601),
        (b'{"id":1,"method":"eth_getBlockByNumber","params":["first",false]}', -32602),
        (b'{"id":1,"method":"eth_getBlockByNumber","params":{"a":1}}', -32602),
        (b'{"id":1,"method":"eth_getLogs","params":[{"blockHash":"0x12"}]}', -32602),
        (b'{"id":1,"method":"eth_getBalance","params":["0x12","0x0"]}', -32602),
        (b'{"id":1,"method":"eth_getLogs","params":[{"blockHash":"0x' + b"f" * 64 + b'"}]}', -32000),
    ],
)  # fmt: skip
def test_what_the_node_cannot_answer_is_an_error_of_json_rpc(
    chain: practices.Chain, body: bytes, code: int
) -> None:
    answer = httpx.post(chain.url + practice.NODE_PATH, content=body, trust_env=False)
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, code)
