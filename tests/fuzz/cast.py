"""Who calls in the fuzz runs: made within the running product, beside its demo, by the product's functions.

Runs in a process of the platform: `opened` prints what the fuzzer needs to know as one line of JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from channels.models import Chain, ChannelService, RequiredField, Token
from diamondpay.lib import clock
from merchants import credentials
from merchants.models import Credential, Merchant, MerchantChannel, MerchantService
from records import ledger
from records.dialects import transaction_request as dialect
from records.models import Order, Payment, Payout
from tests import factories
from tests.support.evm import scenes
from tests.support.evm.node import NETWORK

# Enough for any payout that the channels' bounds let through, some ten thousand times.
_FUNDS = Decimal(10) ** 12
_SCOPES: Mapping[str, tuple[str, ...]] = {
    "full": ("read", "deposit", "payout"),
    "read": ("read",),
    "deposit": ("deposit",),
    "payout": ("payout",),
}
_CHAIN = 99


def opened(*, node_url: str, tokens: Mapping[str, str]) -> None:
    """Print every caller with its keys and the services that it may use.

    Every merchant of the demo has a full key of every API, the first one also a key of each scope alone.
    Further merchants settle in another currency, are paid over a chain, or are disabled.
    """
    first, *others = list(Merchant.objects.order_by("pk"))
    settled = _settling_elsewhere()
    chained = _paid_over_a_chain(node_url, tokens)
    disabled = factories.make_merchant("Fuzz disabled", channels=["sandbox"]).merchant
    merchants = [first, *others, settled, chained, disabled]
    callers = [
        caller
        for merchant in merchants
        for kind in (_SCOPES if merchant == first else ("full",))
        for caller in _keys(merchant, kind if merchant != disabled else "disabled")
    ]
    for wallet in MerchantChannel.objects.filter(merchant__in=merchants):
        ledger.adjust(
            merchant_channel=wallet, amount=_FUNDS, reason="fuzz", request_id=f"fuzz-{wallet.pk}",
            now=clock.now(), actor="tests",
        )  # fmt: skip
    Merchant.objects.filter(pk=disabled.pk).update(status=Merchant.Status.DISABLED)
    # One of them signs with HMAC-SHA256 alone.
    Merchant.objects.exclude(pk=others[0].pk).update(is_md5_allowed=True)
    services = {merchant.pk: list(_services(merchant)) for merchant in merchants}
    wallets = MerchantChannel.objects.filter(merchant__in=merchants)
    told = {
        "currencies": {
            merchant.pk: sorted(set(wallets.filter(merchant=merchant).values_list("currency_id", flat=True)))
            for merchant in merchants
        },
        "callers": callers, "services": services, "chain": _CHAIN, "known": list(_orders()),
        "settled": [first.pk, settled.pk], "chained": [chained.pk],
    }  # fmt: skip
    sys.stdout.write(json.dumps(told) + "\n")


def _settling_elsewhere() -> Merchant:
    factories.make_rate("7.47", "MTC", "CNY")
    return factories.make_merchant(
        "Fuzz settling in MTC", channels=["sandbox"], fee_permillage=30, settlement_currency="MTC"
    ).merchant


def _paid_over_a_chain(node_url: str, tokens: Mapping[str, str]) -> Merchant:
    chain = Chain.objects.create(
        chain_id=_CHAIN, code="LOCAL", name="Local", symbol="ETH", confirmations=scenes.CONFIRMATIONS,
        network_id=NETWORK,
    )  # fmt: skip
    for symbol, address in tokens.items():
        Token.objects.create(
            chain=chain, name=symbol, symbol=symbol, address=address, decimals=6 if address else 18,
            currency_id=symbol,
        )  # fmt: skip
    settings = {"chain": chain.code, "node_url": node_url, "private_node": "yes", "xpub": scenes.XPUB}
    service = scenes.SERVICES["USDT"]
    channel = factories.make_channel(
        "evm", currency="USDT", upstream="evm", services=[service], settings=settings
    )
    carried = ChannelService.objects.filter(channel=channel)
    factories.set_terms(carried, tolerance_below=50, tolerance_above=20)
    return factories.make_merchant("Fuzz over a chain", services=[service], channels=["evm"]).merchant


def _keys(merchant: Merchant, kind: str) -> Iterator[dict[str, Any]]:
    for api in Credential.Api:
        made = credentials.create(
            merchant=merchant,
            api=api,
            now=clock.now(),
            actor="tests",
            scopes=_SCOPES.get(kind, _SCOPES["full"]),
        )
        yield {
            "api": api.value,
            "kind": kind,
            "merchant": merchant.pk,
            "key": merchant.pk if api == Credential.Api.GATEWAY else made.credential.public_id,
            "secret": made.platform_key,
            "token": made.authorization,
        }


def _services(merchant: Merchant) -> Iterator[dict[str, Any]]:
    for activated in MerchantService.objects.filter(merchant=merchant).select_related("service"):
        service = activated.service
        required = RequiredField.objects.filter(
            service_type=service.service_type, direction=service.direction, is_required_over_api=True
        )
        fields = list(required.values_list("field", flat=True))
        yield {"id": service.pk, "direction": service.direction, "fields": fields}


def _orders() -> Iterator[dict[str, Any]]:
    """Return every order of the demo by all its numbers."""
    for payment in Payment.objects.order_by("pk"):
        code = dialect.request_code(trade_type=dialect.DEPOSIT, number=payment.pk)
        yield _order("payment", payment.payment_id, payment, code)
    for payout in Payout.objects.order_by("pk"):
        code = dialect.request_code(trade_type=dialect.WITHDRAW, number=payout.pk)
        yield _order("payout", payout.payout_id, payout, code)


def _order(kind: str, number: str, order: Order, code: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "number": number,
        "merchant_order_no": order.merchant_order_no,
        "merchant": order.merchant_id,
        "request_code": code,
        "is_told": bool(order.notify_url),
    }
