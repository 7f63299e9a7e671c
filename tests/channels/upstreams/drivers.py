"""How the contract suite plays the other side of each upstream.

An adapter in the registry without a driver here fails the suite. A driver says nothing about how our side
works: it makes the real upstream do what the contract has words for.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from channels.upstreams.base import Adapter, PaymentRequest
from channels.upstreams.gateway.adapter import GatewayAdapter
from channels.upstreams.payment_detail.adapter import PaymentDetailAdapter
from channels.upstreams.sandbox.adapter import SandboxAdapter
from channels.upstreams.transaction_request.adapter import TransactionRequestAdapter
from tests.channels.upstreams import detail_upstream, gateway_upstream, transaction_upstream
from tests.channels.upstreams.gateway_upstream import GatewayUpstream
from tests.support.sandbox import Sandbox

# What an upstream can do after it made the order and before its yes has reached us.
SPOILED = ("error_500", "hangs", "resets", "html", "half_answer", "forged")


class Driver(Protocol):
    """One upstream, running."""

    service: str
    currency: str
    # Whether the yes to a callback stands in the text of the answer, or its HTTP status is enough.
    reads_answers: bool
    # How many decimals of an amount the protocol can carry.
    decimals_max: int
    # The longest pause between a callback and its repeat.
    repeat_seconds_max: float

    def adapter(self, *, base_url: str = "", timeout_seconds: float = 15) -> Adapter:
        """Return an adapter for it, or with the same secrets for another address."""

    def adapter_of_another_account(self) -> Adapter:
        """Return an adapter of another account of the same upstream."""

    def adapter_in(self, currency: str) -> Adapter:
        """Return an adapter that can place orders in a currency."""

    def in_currency(self, request: PaymentRequest, currency: str) -> PaymentRequest:
        """Return the deposit in a currency, with the service and the fields that it needs there."""

    def behave(self) -> None:
        """Answer as it should from now on, and leave payouts pending."""

    def refuse(self) -> None:
        """Refuse new orders from now on."""

    def spoil(self, way: str) -> None:
        """Make new orders from now on, and spoil the answer in one of the ways in SPOILED."""

    def forge_callbacks(self) -> None:
        """Sign callbacks wrongly from now on."""

    def pay(self, reference: str, *, amount_x100: int | None = None) -> None:
        """Pay an order, or let a payout succeed."""

    def fail(self, reference: str) -> None:
        """Let an order fail."""


class SandboxDriver:
    """The sandbox, through its control API."""

    service = "SVC0001"
    currency = "CNY"
    reads_answers = True
    decimals_max = 18
    repeat_seconds_max = 1.5

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.behave()

    def adapter(self, *, base_url: str = "", timeout_seconds: float = 15) -> Adapter:
        settings = self._sandbox.settings(timeout_seconds=str(timeout_seconds))
        return SandboxAdapter(settings | ({"base_url": base_url} if base_url else {}))

    def adapter_of_another_account(self) -> Adapter:
        return SandboxAdapter(self._sandbox.settings("sandbox-thb"))

    def adapter_in(self, currency: str) -> Adapter:
        return self.adapter()

    def in_currency(self, request: PaymentRequest, currency: str) -> PaymentRequest:
        return replace(request, currency=currency)

    def behave(self) -> None:
        self._sandbox.behaviour("normal", payout_delay_seconds=600)

    def refuse(self) -> None:
        self._sandbox.behaviour("refuse", payout_delay_seconds=600)

    def spoil(self, way: str) -> None:
        mode = {
            "error_500": "error_500_but_done",
            "hangs": "timeout_but_done",
            "resets": "reset_but_done",
            "html": "html_but_done",
            "half_answer": "half_answer_but_done",
            "forged": "bad_signature",
        }[way]
        self._sandbox.behaviour(mode, payout_delay_seconds=600, delay_seconds=3 if way == "hangs" else 0)

    def forge_callbacks(self) -> None:
        self._sandbox.behaviour("bad_signature", payout_delay_seconds=600)

    def pay(self, reference: str, *, amount_x100: int | None = None) -> None:
        self._sandbox.pay(reference, amount=amount_x100)

    def fail(self, reference: str) -> None:
        self._sandbox.fail(reference)


class TransactionRequestDriver:
    """A transaction-request upstream that signs its answers, as DiamondPay does."""

    service = "SVC0001"
    currency = "CNY"
    reads_answers = False
    decimals_max = 18
    repeat_seconds_max = 1.5

    def __init__(self, upstream: transaction_upstream.Upstream) -> None:
        self._upstream = upstream

    def adapter(self, *, base_url: str = "", timeout_seconds: float = 15) -> Adapter:
        return self._adapter("ACCESS-ONE", base_url=base_url, timeout_seconds=timeout_seconds)

    def adapter_of_another_account(self) -> Adapter:
        return self._adapter("ACCESS-TWO")

    def _adapter(self, account: str, *, base_url: str = "", timeout_seconds: float = 15) -> Adapter:
        return TransactionRequestAdapter(
            {
                "base_url": base_url or self._upstream.base_url,
                "access_key": account,
                "secret_key": transaction_upstream.ACCOUNTS[account],
                "timeout_seconds": str(timeout_seconds),
            }
        )

    def adapter_in(self, currency: str) -> Adapter:
        return self.adapter()

    def in_currency(self, request: PaymentRequest, currency: str) -> PaymentRequest:
        return replace(request, currency=currency)

    def behave(self) -> None:
        self._upstream.mode = ""

    def refuse(self) -> None:
        self._upstream.mode = "refuse"

    def spoil(self, way: str) -> None:
        self._upstream.mode = way

    def forge_callbacks(self) -> None:
        self._upstream.forges_webhooks = True

    def pay(self, reference: str, *, amount_x100: int | None = None) -> None:
        amount = None if amount_x100 is None else Decimal(amount_x100) / 100
        self._upstream.end(reference, "Finished", amount=amount)

    def fail(self, reference: str) -> None:
        self._upstream.end(reference, "Failed", reason="the account is closed")


class PaymentDetailDriver:
    """A payment-detail upstream that signs its answers, as DiamondPay does. Its rate is 1 for everything."""

    service = "SVC0001"
    currency = "CNY"
    reads_answers = True
    decimals_max = 18
    repeat_seconds_max = 1.5

    def __init__(self, upstream: detail_upstream.Upstream) -> None:
        self._upstream = upstream

    def adapter(self, *, base_url: str = "", timeout_seconds: float = 15) -> Adapter:
        return self.bound(base_url=base_url or self._upstream.base_url, timeout_seconds=str(timeout_seconds))

    def adapter_of_another_account(self) -> Adapter:
        return self.bound("KEY-TWO")

    def adapter_in(self, currency: str) -> Adapter:
        return self.adapter()

    def bound(self, account: str = "KEY-ONE", **settings: str) -> PaymentDetailAdapter:
        """Return an adapter with settings of one's choice."""
        given = {
            "base_url": self._upstream.base_url, "key": account,
            "secret": detail_upstream.ACCOUNTS[account], "chain_id": "1", "token_symbol": "USDT",
        }  # fmt: skip
        return PaymentDetailAdapter({**given, **settings})

    def in_currency(self, request: PaymentRequest, currency: str) -> PaymentRequest:
        return replace(request, currency=currency)

    def behave(self) -> None:
        self._upstream.mode = ""

    def refuse(self) -> None:
        self._upstream.mode = "refuse"

    def spoil(self, way: str) -> None:
        self._upstream.mode = way

    def forge_callbacks(self) -> None:
        self._upstream.forges_callbacks = True

    def pay(self, reference: str, *, amount_x100: int | None = None) -> None:
        self._upstream.end(reference, 0, amount=None if amount_x100 is None else Decimal(amount_x100) / 100)

    def fail(self, reference: str) -> None:
        self._upstream.end(reference, 4)


class GatewayDriver:
    """A whole DiamondPay over its own gateway API, with the sandbox behind it."""

    service = "SVC0001"
    currency = "CNY"
    reads_answers = True
    decimals_max = 2
    # A second, and the sweep that finds it every five.
    repeat_seconds_max = 7.0

    def __init__(self, upstream: GatewayUpstream) -> None:
        self.upstream = upstream
        self.behave()

    def adapter(self, *, base_url: str = "", timeout_seconds: float = 15) -> Adapter:
        return self.bound(base_url=base_url or self.upstream.proxy.url, timeout_seconds=str(timeout_seconds))

    def adapter_of_another_account(self) -> Adapter:
        return self.bound(gateway_upstream.TWO)

    def adapter_in(self, currency: str) -> Adapter:
        return self.bound(currency=currency)

    def bound(self, account: str = gateway_upstream.ONE, **settings: str) -> GatewayAdapter:
        """Return an adapter with settings of one's choice."""
        given = {"base_url": self.upstream.proxy.url, "currency": self.currency, **settings}
        return GatewayAdapter({**self.upstream.accounts[account], **given})

    def in_currency(self, request: PaymentRequest, currency: str) -> PaymentRequest:
        bank = {"VND": "BIDV", "IDR": "BCA"}.get(currency, "")
        payer = replace(request.payer, bank_code=bank, id_number="12345678909")
        service = gateway_upstream.SERVICES[currency]
        return replace(request, currency=currency, service=service, payer=payer)

    def behave(self) -> None:
        self.upstream.reset()

    def refuse(self) -> None:
        self.upstream.set_open(is_open=False)

    def spoil(self, way: str) -> None:
        self.upstream.proxy.mode = way

    def forge_callbacks(self) -> None:
        self.upstream.swap_keys()

    def pay(self, reference: str, *, amount_x100: int | None = None) -> None:
        self.upstream.end(reference, is_paid=True, amount_x100=amount_x100)

    def fail(self, reference: str) -> None:
        self.upstream.end(reference, is_paid=False)
