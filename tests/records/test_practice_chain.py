"""Orders on the sandbox's practice chain: paid with its wallet, read and credited as on a real one."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from channels.models import Chain, Channel, ChannelService, Token
from channels.upstreams.sandbox import practice
from diamondpay.lib import clock
from merchants.api.gateway import chain_portal
from operations import chain_orders
from records import chain_payments, chain_watch
from records.models import Case, ChainPayment, Payment, PaymentStatus
from tests import factories
from tests.support import practice as practices
from tests.support.evm import scenes

pytestmark = pytest.mark.django_db
SUCCESS, IN_PROGRESS = PaymentStatus.SUCCESS, PaymentStatus.IN_PROGRESS


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[practices.Chain]:
    """A practice chain, listed, with a channel of USDT that derives addresses."""
    with practices.running(tmp_path, now=clock.now().timestamp()) as found:
        listed = Chain.objects.create(
            chain_id=90, code="PRACTICE", name="Practice chain", symbol="ETH",
            confirmations=practice.CONFIRMATIONS, network_id=practice.NETWORK,
        )  # fmt: skip
        for coin in practice.COINS:
            contract = found.adapter().canonical(coin.contract) if coin.contract else ""
            Token.objects.create(
                chain=listed, name=coin.name, symbol=coin.symbol, address=contract, decimals=coin.decimals,
                currency_id=coin.symbol,
            )  # fmt: skip
        factories.make_channel(
            "practice", currency="USDT", upstream="evm", services=["SVC0085"],
            settings=found.settings(shared_address=""),
        )  # fmt: skip
        factories.set_terms(ChannelService.objects.all(), tolerance_below=50, tolerance_above=20)
        yield found


def placed(amount: str) -> Payment:
    """Place an order quoted in USDT on the practice chain."""
    merchant = factories.make_merchant("Acme", services=["SVC0085"], channels=["practice"]).merchant
    return chain_orders.place(
        merchant=merchant, chain_id=90, quote_symbol="USDT", is_legal_tender=False,
        quote_amount=Decimal(amount), out_trade_no="T1",
    )  # fmt: skip


def watch() -> None:
    """Look at the chain once."""
    chain_watch.watch(channel=Channel.objects.get(pk="practice"))


def request_of(payment: Payment) -> str:
    """Return what the payer's page draws."""
    receiving = chain_payments.receiving_of(payment)
    assert receiving is not None
    return receiving.qr_text


def test_an_order_is_seen_confirmed_and_credited_over_a_restart(chain: practices.Chain) -> None:
    payment = placed("25.50")
    watch()
    assert chain.send(request_of(payment), share="exact").status_code == 303
    chain.pass_blocks(1)
    watch()
    assert ChainPayment.objects.get().detail == "confirming"
    chain.book.close()
    chain.open()
    watch()
    assert scenes.credited(payment) == (IN_PROGRESS, None, None)
    chain.pass_blocks()
    watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal("25.5"), Decimal("25.5"))


def test_two_parts_add_up(chain: practices.Chain) -> None:
    payment = placed("100")
    chain.send(request_of(payment), amount="20")
    chain.pass_blocks()
    watch()
    found = chain_portal.found_for(payment)
    assert found is not None
    assert (found.detail, scenes.credited(payment)[0]) == ("partial", IN_PROGRESS)
    shown = chain_portal.context(payment=payment, found=found, now=clock.now())
    # The wallet opens with what is missing.
    assert str(shown["practice_wallet"]).endswith("uint256%3D80000000")
    chain.send(request_of(payment), amount="80")
    chain.pass_blocks()
    watch()
    assert scenes.credited(payment) == (SUCCESS, Decimal(100), Decimal(100))


def test_twice_as_much_opens_a_case(chain: practices.Chain) -> None:
    payment = placed("100")
    chain.send(request_of(payment), share="twice")
    chain.pass_blocks()
    watch()
    assert scenes.credited(payment) == (IN_PROGRESS, None, None)
    assert (Case.objects.get().kind, Case.objects.get().amount) == (Case.Kind.WRONG_AMOUNT, Decimal(200))
