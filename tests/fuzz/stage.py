"""The product as it runs, with two weeks of demo orders in every state, for hostile calls over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support import platform as platforms
from tests.support import receiver as receivers
from tests.support import sandbox as sandboxes
from tests.support.evm import node as nodes
from tests.support.platform import Platform

# The least that the demo takes; with it every state of an order is there.
DEMO_ORDERS = 100
DOCUMENTS = {
    "gateway": "/docs/api/schema/",
    "transaction_request": "/docs/api/transaction-request/schema/",
    "payment_detail": "/docs/api/payment-detail/schema/",
}
# So many calls that the limits, which have tests of their own, swallow none.
_NO_LIMIT = "1000000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A key of a merchant. `kind` is full, one scope alone, or disabled; `token` is of the gateway alone."""

    api: str
    kind: str
    merchant: str
    key: str
    secret: str
    token: str

    def __repr__(self) -> str:
        return f"Caller({self.api}, {self.merchant}, {self.kind})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """An order that was there before: our number, the merchant's, whose it is, its code for callers.

    Of one that is not told there is nowhere to send a notification to.
    """

    kind: str
    number: str
    merchant_order_no: str
    merchant: str
    request_code: str
    is_told: bool


@dataclass(slots=True)
class Stage:
    """A running product, who may call it, and what can be asked for.

    Merchants in `settled` can have card orders in CNY, and the first has some; those in `chained` are paid
    over the chain. `currencies` are those of their wallets.
    """

    platform: Platform
    notify_url: str
    callers: list[Caller]
    services: dict[str, list[dict[str, Any]]]
    chain: int
    known: list[Known]
    settled: list[str]
    chained: list[str]
    currencies: dict[str, list[str]]

    def document(self, api: str) -> dict[str, Any]:
        """Return an OpenAPI document as it is served."""
        answer = httpx.get(f"{self.platform.url}{DOCUMENTS[api]}", trust_env=False, timeout=30)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def new_orders(self, kind: str) -> dict[tuple[str, str], int]:
        """Return the status of every order that was not there before, by its merchant and number."""
        before = {(order.merchant, order.merchant_order_no) for order in self.known if order.kind == kind}
        rows = self.platform.rows(f"SELECT merchant_id, merchant_order_no, status FROM records_{kind}")
        return {(merchant, no): status for merchant, no, status in rows if (merchant, no) not in before}

    def failures_logged(self) -> list[str]:
        """Return what the web processes logged of calls that nobody foresaw."""
        signs = ("call failed", "Traceback", "Internal Server Error", "could not be kept")
        return [
            line for line in self.platform.log(platforms.WEB).splitlines() if any(s in line for s in signs)
        ]


@contextmanager
def running(folder: Path) -> Iterator[Stage]:
    """Start everything, fill it, and end it with the context."""
    with ExitStack() as stack:
        sandbox = stack.enter_context(sandboxes.running(_made(folder / "sandbox")))
        receiver = stack.enter_context(receivers.listening())
        node = stack.enter_context(nodes.running())
        platform = stack.enter_context(
            platforms.running(
                home=_made(folder / "platform"), sandbox=sandbox, parts=(),
                DIAMONDPAY_SANDBOX_PORT=str(sandbox.port),
                DIAMONDPAY_API_CALLS_PER_MINUTE=_NO_LIMIT,
                DIAMONDPAY_API_REFUSALS_PER_MINUTE=_NO_LIMIT,
            )
        )  # fmt: skip
        platform.command("demo", "--orders", str(DEMO_ORDERS))
        tokens = {"ETH": "", "USDT": node.deploy()}
        script = f"from tests.fuzz import cast; cast.opened(node_url={node.url!r}, tokens={tokens!r})"
        told = json.loads(platform.command("shell", "--no-imports", "-c", script).splitlines()[-1])
        for part in (platforms.WEB, platforms.WORKER, platforms.BEAT):
            platform.start(part)
        yield Stage(
            platform=platform,
            notify_url=receiver.url,
            callers=[Caller(**caller) for caller in told["callers"]],
            services=told["services"],
            chain=told["chain"],
            known=[Known(**order) for order in told["known"]],
            settled=told["settled"],
            chained=told["chained"],
            currencies=told["currencies"],
        )


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
