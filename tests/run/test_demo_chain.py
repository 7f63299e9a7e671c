"""The demo's orders over the practice chain, at the real sandbox."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client
from pytest_django import Settings

from channels import chains
from channels.models import Chain, Channel
from channels.upstreams.sandbox import practice
from diamondpay.lib import clock
from diamondpay.run import demo_cast, demo_chain, demo_setup
from records import chain_watch, payer_links
from records.models import Case, ChainPayment, ChainTransfer, Payment
from tests import factories
from tests.support import sandbox as sandboxes
from tests.support.sandbox import Sandbox

SECONDS_MAX = 3 * practice.BLOCK_SECONDS * practice.CONFIRMATIONS


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of its own: what an earlier test sent stays on a chain."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    with sandboxes.running(folder) as started:
        yield started


@pytest.fixture
def stage(db: None, settings: Settings, sandbox: Sandbox, tmp_path: Path) -> demo_setup.Stage:
    """The demo's merchants and channels as the schema's owner makes them, without its two weeks of orders."""
    settings.HOME, settings.SANDBOX_PORT = tmp_path, sandbox.port
    with factories.founding():
        return demo_setup.prepared(order_count=150, now=clock.now())


def watch_until_quiet() -> None:
    """Look at the chain until nothing waits for confirmations any more."""
    end = time.monotonic() + SECONDS_MAX
    while time.monotonic() < end:
        chain_watch.watch_all()
        if ChainTransfer.objects.exists() and not ChainTransfer.objects.filter(state="seen").exists():
            return
        time.sleep(0.5)


def test_a_newcomer_finds_an_order_in_every_state(stage: demo_setup.Stage) -> None:
    shop = demo_cast.SHOPS[0]
    merchant = stage.merchants[shop.key]
    placed = demo_chain.place(merchant=merchant, number_prefix=shop.number_prefix)
    assert placed == len(demo_chain.STORIES) == ChainPayment.objects.count()
    watch_until_quiet()
    paid = [story for story in demo_chain.STORIES if story.part is not None]
    assert ChainTransfer.objects.count() == len(paid) == 6
    assert Counter(Payment.objects.values_list("status", flat=True)) == {1: 3, 0: 6}
    waiting = ChainPayment.objects.filter(is_open=True)
    assert Counter(waiting.values_list("detail", flat=True)) == {"pending": 4, "partial": 2}
    assert Counter(Case.objects.values_list("kind", flat=True)) == {"wrong_amount": 1, "wrong_currency": 1}
    assert Counter(ChainPayment.objects.values_list("mode", flat=True)) == {"dedicated": 7, "fixed": 2}


def test_a_demo_that_was_cut_short_pays_nothing_twice(stage: demo_setup.Stage, sandbox: Sandbox) -> None:
    shop = demo_cast.SHOPS[0]
    pages = []
    for _time in range(2):
        demo_chain.place(merchant=stage.merchants[shop.key], number_prefix=shop.number_prefix)
        addresses = ChainPayment.objects.order_by("pk").values_list("address", flat=True)
        pages.append([sandbox.get(f"{practice.WALLET_PATH}?request={each}").text for each in addresses])
    sent = [[page.count("<tr><td") for page in shown] for shown in pages]
    # Two orders share one address, of which one is paid.
    assert sent[0] == sent[1]
    assert ChainPayment.objects.count() == len(demo_chain.STORIES)


def test_the_practice_chain_is_listed_by_the_demo_alone(db: None) -> None:
    assert not Chain.objects.filter(network_id=practice.NETWORK).exists()
    assert not Channel.objects.filter(upstream="evm").exists()


def test_only_the_practice_chain_has_a_practice_wallet(stage: demo_setup.Stage, settings: Settings) -> None:
    listed, real = Chain.objects.get(pk=demo_chain.CHAIN_ID), Chain.objects.get(code="ETH")
    settings.PRACTICE_WALLET_URL = "http://127.0.0.1:8100/chain/wallet"
    assert chains.practice_wallet(listed, "ethereum:0x1?value=5") == (
        "http://127.0.0.1:8100/chain/wallet?request=ethereum%3A0x1%3Fvalue%3D5"
    )
    assert chains.practice_wallet(real, "ethereum:0x1?value=5") == ""
    settings.PRACTICE_WALLET_URL = ""
    assert chains.practice_wallet(listed, "ethereum:0x1?value=5") == ""


def test_the_payers_page_leads_to_the_practice_wallet(stage: demo_setup.Stage, client: Client) -> None:
    shop = demo_cast.SHOPS[0]
    demo_chain.place(merchant=stage.merchants[shop.key], number_prefix=shop.number_prefix)
    waiting = Payment.objects.get(merchant_order_no=f"{shop.number_prefix}-CHAIN-3")
    page = client.get(urlsplit(payer_links.payment_page(waiting)).path).content.decode()
    request = f"ethereum:{waiting.chain_payment.address}@{practice.NETWORK}?value={5 * 10**16}"
    assert escape(chains.practice_wallet(waiting.chain_payment.chain, request)) in page
