"""Reading a chain that is reorganised, by nodes that fail and lie, and by watchers that die."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import override_settings

from channels import secrets
from channels.models import Chain, Channel
from channels.upstreams.chain import Block, ChainUnreadable, Transfer
from channels.upstreams.evm.adapter import EvmAdapter
from diamondpay.lib import crash
from records import chain_transfers, chain_watch
from records.models import ChainCursor, ChainPayment, ChainTransfer, Payment, PaymentStatus, Posting
from tests import factories
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node

__all__ = ["node"]

pytestmark = pytest.mark.django_db
SUCCESS, IN_PROGRESS = PaymentStatus.SUCCESS, PaymentStatus.IN_PROGRESS


def states() -> list[tuple[str, int]]:
    """Return state and block of every transfer."""
    return list(ChainTransfer.objects.order_by("id").values_list("state", "block_number"))


def test_a_transfer_whose_block_is_replaced_is_uncounted(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    with node.replaced():
        scene.pay(payment, 100_000_000, confirm=False)
        scene.watch()
        assert ChainPayment.objects.get().seen_units == 100_000_000
    node.mine(5)
    scene.watch()
    found = ChainPayment.objects.get()
    assert (found.detail, found.seen_units, found.transfer_hash) == ("pending", 0, "")
    assert [state for state, _block in states()] == ["orphaned"]
    assert scenes.credited(payment) == (IN_PROGRESS, None, None)


def test_a_transfer_that_another_block_takes_in_counts_once(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    with node.replaced():
        scene.pay(payment, 100_000_000, confirm=False)
        scene.watch()
    # The payer's transaction comes back, block and place in it being others.
    scene.pay(payment, 100_000_000)
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))
    confirmed = ChainTransfer.objects.filter(state="confirmed")
    assert (confirmed.count(), ChainPayment.objects.get().confirmed_units) == (1, 100_000_000)


def test_a_reorganisation_deeper_than_the_last_look_is_walked_back(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.watch()
    with node.replaced():
        scene.pay(payment, 100_000_000, confirm=False)
        scene.watch()
        node.mine(1)
        scene.watch()
    node.mine(40)
    scene.watch()
    recent = ChainCursor.objects.get().recent
    assert recent[-1][0] == node.head
    for number, digest in recent:
        assert digest == node.tester.get_block_by_number(number)["hash"]
    assert [state for state, _block in states()] == ["orphaned"]


def test_what_is_confirmed_stays_though_its_block_is_replaced(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    with node.replaced():
        scene.pay(payment, 100_000_000)
        scene.watch()
        assert scenes.credited(payment)[0] == SUCCESS
    node.mine(5)
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))
    assert [state for state, _block in states()] == ["confirmed"]


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(
    "place", ["chain.read", "chain.seen", "chain.confirmed", "settle.posted", "chain.booked"]
)
def test_a_watcher_that_dies_anywhere_and_comes_back_counts_once(
    node: Node, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 100_000_000)

    def die(name: str) -> None:
        if name == place:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(crash, "point", die)
        with pytest.raises(Killed):
            scene.watch()
    # A process that is killed frees nothing: its claim ends by itself.
    ChainCursor.objects.update(claimed_until=None)
    scene.watch()
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))
    assert Posting.objects.filter(payment=payment).count() == 1
    assert ChainTransfer.objects.count() == 1


def test_a_look_that_another_worker_was_faster_with_writes_nothing(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.watch()
    cursor = ChainCursor.objects.get()
    scene.pay(payment, 100_000_000)
    scene.watch()
    before = (states(), ChainCursor.objects.get().version)
    upstream = EvmAdapter(
        {"chain": "LOCAL", "node_url": node.url, "private_node": "yes", "xpub": scenes.XPUB}
    )
    blocks = upstream.blocks(first=int(cursor.block_number or 0) + 1, last=node.head)
    reading = chain_transfers.Reading(fork=int(cursor.block_number or 0), blocks=blocks, transfers=[])
    assert not chain_transfers.record(cursor=cursor, chain=scene.chain, reading=reading, now=scenes.now())
    assert (states(), ChainCursor.objects.get().version) == before


def test_two_watchers_never_read_for_one_channel_at_once(node: Node) -> None:
    scene = scenes.make(node)
    scene.place("100")
    scene.watch()
    ChainCursor.objects.update(claimed_until="2999-01-01T00:00:00Z")
    assert not chain_watch.watch(channel=scene.channel)


def _spoil(method: str, change: Callable[[Any], Any]) -> Callable[[str, Any], Any]:
    def fault(asked: str, answer: Any) -> Any:
        return change(json.loads(json.dumps(answer))) if asked == method and answer else answer

    return fault


def _with(name: str, value: Any) -> Callable[[Any], Any]:
    def change(answer: Any) -> Any:
        for found in answer if isinstance(answer, list) else [answer]:
            found[name] = value
        return answer

    return change


def _omitting(asked: str, answer: Any) -> Any:
    """Leave out the transaction itself wherever it would be told, but in the block's list."""
    return [] if asked in ("eth_getLogs", "eth_getBlockReceipts") else answer


LIES = {
    "another network": _spoil("eth_chainId", lambda _answer: "0x1"),
    "a head that is no number": _spoil("eth_blockNumber", lambda _answer: "12"),
    "a block of another number": _spoil("eth_getBlockByNumber", _with("number", "0x1")),
    "a block that follows another": _spoil("eth_getBlockByNumber", _with("parentHash", "0x" + "11" * 32)),
    "a time of the next millennium": _spoil("eth_getBlockByNumber", _with("timestamp", "0x" + "f" * 16)),
    "no block": _spoil("eth_getBlockByNumber", lambda _answer: None),
    "a log of another block": _spoil("eth_getLogs", _with("blockHash", "0x" + "22" * 32)),
    "a log of another amount": _spoil("eth_getLogs", _with("data", "0x" + "00" * 31 + "09")),
    "a log without an amount": _spoil("eth_getLogs", _with("data", "0x")),
    "logs that are no list": _spoil("eth_getLogs", lambda _answer: "yes"),
    "a log too few": _spoil("eth_getLogs", lambda _answer: []),
    "a filter without the event": _spoil("eth_getBlockByNumber", _with("logsBloom", "0x" + "00" * 256)),
    "a filter that is none": _spoil("eth_getBlockByNumber", _with("logsBloom", "0x")),
    "a receipt of another block": _spoil("eth_getBlockReceipts", _with("blockHash", "0x" + "33" * 32)),
    "a receipt of another transaction": _spoil(
        "eth_getBlockReceipts", _with("transactionHash", "0x" + "44" * 32)
    ),
    "a receipt without the event": _spoil("eth_getBlockReceipts", _with("logs", [])),
    "a receipt of a failure": _spoil("eth_getBlockReceipts", _with("status", "0x0")),
    "a receipt too few": _spoil("eth_getBlockReceipts", lambda _answer: []),
    "no receipts": _spoil("eth_getBlockReceipts", lambda _answer: None),
    "neither log nor event": _omitting,
}
RAW = {
    "HTML": lambda _body: (200, b"<html>Bad gateway</html>"),
    "half of it": lambda body: (200, body[: len(body) // 2]),
    "a server error": lambda body: (502, body),
    "an error": lambda _body: (200, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"limit"}}'),
    "deep brackets": lambda _body: (200, b"[" * 100_000),
    "nothing": lambda _body: (200, b""),
    "other ids": lambda body: (200, body.replace(b'"id": 1', b'"id": 7')),
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_node_that_lies_changes_nothing_and_the_truth_counts_afterwards(node: Node, lie: str) -> None:
    scene, payment = _changes_nothing(node, fault=LIES[lie])
    node.fault = None
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))
    assert ChainCursor.objects.get().fault == ""


@pytest.mark.parametrize("words", sorted(RAW))
def test_a_node_that_answers_garbage_changes_nothing(node: Node, words: str) -> None:
    scene, payment = _changes_nothing(node, raw_fault=RAW[words])
    node.raw_fault = None
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))
    assert ChainCursor.objects.get().fault == ""


def _changes_nothing(node: Node, **faults: Any) -> tuple[scenes.Scene, Payment]:
    """Pay an order while the node fails, and see that nothing moved but the cursor's fault."""
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.watch()
    before = ChainCursor.objects.get()
    scene.pay(payment, 100_000_000)
    for name, fault in faults.items():
        setattr(node, name, fault)
    scene.watch()
    after = ChainCursor.objects.get()
    assert (after.block_number, after.version) == (before.block_number, before.version)
    assert after.fault
    assert after.fault_since is not None
    assert (ChainTransfer.objects.count(), scenes.credited(payment)[0]) == (0, IN_PROGRESS)
    return scene, payment


def test_a_node_that_is_behind_or_gone_changes_nothing(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 100_000_000, confirm=False)
    scene.watch()
    node.fault = _spoil("eth_blockNumber", lambda _answer: "0x1")
    scene.watch()
    assert "behind" in ChainCursor.objects.get().fault
    node.fault = None
    _set(scene.channel, node_url="http://127.0.0.1:9")
    scene.watch()
    assert "did not answer" in ChainCursor.objects.get().fault
    assert (states()[0][0], scenes.credited(payment)[0]) == ("seen", IN_PROGRESS)


def _set(channel: Channel, **changed: str) -> None:
    settings = {**secrets.settings_of(channel), **changed}
    channel.settings_encrypted = secrets.seal_settings(settings)
    factories.set_terms(Channel.objects.filter(pk=channel.pk), settings_encrypted=channel.settings_encrypted)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("xpub", ("xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3"
                 "TGtRBeJgk33yuGBxrMPHi"), "private key"),
        ("xpub", "", "xpub and shared_address"), ("node_url", "http://node.example.com", "https"),
        ("node_url", "https://127.0.0.1:8545", "loopback"), ("node_url", "https://10.1.2.3", "private"),
        ("node_url", "https://user:pass@node.example.com", "password"), ("chain", "eth", "code"),
        ("shared_address", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "mistyped"),
        ("amount_steps", "0", "whole number"), ("batch_size", "１０", "whole number"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused_in_words(field: str, value: str, words: str) -> None:
    settings = {"chain": "ETH", "node_url": "https://node.example.com", "xpub": scenes.XPUB, field: value}
    with pytest.raises(ValueError, match=words) as refusal:
        EvmAdapter(settings)
    assert field != "xpub" or not value or value not in str(refusal.value)


def test_a_public_name_that_leads_inside_is_not_connected_to() -> None:
    adapter = EvmAdapter({"chain": "ETH", "node_url": "https://localhost:9", "xpub": scenes.XPUB})
    with pytest.raises(ChainUnreadable, match="not a public address"):
        adapter.head(network_id=1)


@override_settings(CRASH_POINT="")
def test_a_channel_whose_settings_cannot_be_read_is_passed_over(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    factories.set_terms(Channel.objects.filter(pk=scene.channel.pk), settings_encrypted=b"nonsense")
    assert chain_watch.watch_all() == 0
    assert scenes.credited(payment)[0] == IN_PROGRESS


def _seen(scene: scenes.Scene, payment: Payment, *, units: int, digest: str) -> None:
    """Record that the one transaction of the test stands in a block, moving units to a payment's address."""
    cursor, number = ChainCursor.objects.get(), scene.node.head + 1
    block = Block(number, digest, "0x" + "00" * 32, scenes.now())
    transfer = Transfer(
        tx_hash="0x" + "77" * 32, log_index=0, asset=scene.token("USDT").address,
        from_address=scene.node.payer, to_address=payment.chain_payment.address, units=units, block=block,
    )  # fmt: skip
    reading = chain_transfers.Reading(fork=number - 1, blocks=[block], transfers=[transfer])
    assert chain_transfers.record(cursor=cursor, chain=scene.chain, reading=reading, now=scenes.now())


def test_a_transaction_that_moves_another_sum_in_another_block_counts_as_that(node: Node) -> None:
    scene = scenes.make(node)
    first, second = scene.place("100", "T1"), scene.place("100", "T2")
    scene.watch()
    sums = ChainPayment.objects.order_by("derivation_index").values_list("seen_units", flat=True)
    _seen(scene, first, units=100_000_000, digest="0x" + "aa" * 32)
    assert list(sums.all()) == [100_000_000, 0]
    # The same transaction and place after a reorganisation, as an exchange does it: another sum, elsewhere.
    _seen(scene, second, units=70_000_000, digest="0x" + "bb" * 32)
    assert list(sums.all()) == [0, 70_000_000]
    moved = ChainTransfer.objects.get()
    assert (moved.payment_id, moved.units, moved.state) == (second.pk, 70_000_000, "seen")


def test_what_a_transfer_moves_is_never_changed_within_its_block_nor_once_confirmed(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 100_000_000, confirm=False)
    scene.watch()
    changes: tuple[dict[str, Any], ...] = ({"units": 1}, {"to_address": "0x1"}, {"payment": None})
    for change in changes:
        with pytest.raises(IntegrityError, match="is what it is"), transaction.atomic():
            ChainTransfer.objects.update(**change)
    node.mine(2)
    scene.watch()
    with pytest.raises(IntegrityError, match="is confirmed"), transaction.atomic():
        ChainTransfer.objects.update(units=1, block_hash="0x" + "cc" * 32)
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))


def test_a_worker_whose_claim_another_took_over_neither_frees_it_nor_tells_of_a_fault(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = scenes.make(node)
    scene.place("100")
    theirs = datetime(2999, 1, 1, tzinfo=UTC)

    def taken_over(name: str) -> None:
        if name == "chain.read":
            ChainCursor.objects.update(claimed_until=theirs)
            node.raw_fault = RAW["HTML"]

    monkeypatch.setattr(crash, "point", taken_over)
    scene.watch()
    cursor = ChainCursor.objects.get()
    assert (cursor.claimed_until, cursor.fault) == (theirs, "")


def test_a_channel_that_was_put_on_another_chain_says_so_and_reads_nothing(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.watch()
    before = ChainCursor.objects.get().version
    Chain.objects.create(chain_id=98, code="OTHER", name="Other", symbol="OTH", confirmations=1)
    _set(scene.channel, chain="OTHER")
    scene.pay(payment, 100_000_000)
    scene.watch()
    cursor = ChainCursor.objects.get()
    assert ("orders wait on another chain" in cursor.fault, cursor.version) == (True, before)
    _set(scene.channel, chain="LOCAL")
    scene.watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))
