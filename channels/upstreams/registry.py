"""The upstreams we can speak to. Adding one: a folder beside this file, and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from channels.upstreams.base import Adapter
from channels.upstreams.chain import ChainUpstream
from channels.upstreams.evm.adapter import EvmAdapter
from channels.upstreams.gateway.adapter import GatewayAdapter
from channels.upstreams.payment_detail.adapter import PaymentDetailAdapter
from channels.upstreams.sandbox.adapter import SandboxAdapter
from channels.upstreams.transaction_request.adapter import TransactionRequestAdapter

# Upstreams that are read and not asked: an order there is an address of ours.
CHAINS: dict[str, type[ChainUpstream]] = {"evm": EvmAdapter}
ADAPTERS: dict[str, type[Adapter]] = {
    **CHAINS,
    "gateway": GatewayAdapter,
    "payment_detail": PaymentDetailAdapter,
    "sandbox": SandboxAdapter,
    "transaction_request": TransactionRequestAdapter,
}


class UnknownUpstream(LookupError):
    """No adapter has this name."""


def adapter(*, name: str, settings: Mapping[str, str]) -> Adapter:
    """Return the adapter of an upstream, bound to a channel's decrypted settings.

    Raises: UnknownUpstream.
    """
    try:
        adapter_class = ADAPTERS[name]
    except KeyError:
        raise UnknownUpstream(name) from None
    return adapter_class(settings)


def names() -> list[str]:
    """Return the names a channel may be given, in alphabetical order."""
    return sorted(ADAPTERS)


def chain_upstream(*, name: str, settings: Mapping[str, str]) -> ChainUpstream | None:
    """Return the adapter of an upstream that is a chain, None for every other.

    Raises: ValueError naming the setting that is missing or makes no sense.
    """
    adapter_class = CHAINS.get(name)
    return None if adapter_class is None else adapter_class(settings)
