"""The upstreams we can speak to. Adding one: a folder beside this file, and one line here."""

from __future__ import annotations

from collections.abc import Mapping

from channels.upstreams.base import Adapter
from channels.upstreams.gateway.adapter import GatewayAdapter
from channels.upstreams.payment_detail.adapter import PaymentDetailAdapter
from channels.upstreams.sandbox.adapter import SandboxAdapter
from channels.upstreams.transaction_request.adapter import TransactionRequestAdapter

ADAPTERS: dict[str, type[Adapter]] = {
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
