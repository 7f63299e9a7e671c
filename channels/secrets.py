"""A channel's settings at its upstream: sealed at rest, opened only to speak to the upstream."""

from __future__ import annotations

import json
from collections.abc import Mapping

from channels.models import Channel
from channels.upstreams import registry
from channels.upstreams.base import Adapter
from channels.upstreams.chain import ChainUpstream
from diamondpay.lib import crypto

CONTEXT = "channel.settings"


def seal_settings(values: Mapping[str, str]) -> bytes:
    """Return the settings encrypted, ready for `Channel.settings_encrypted`."""
    return crypto.encrypt(json.dumps(dict(values), ensure_ascii=False, sort_keys=True), CONTEXT)


def settings_of(channel: Channel) -> dict[str, str]:
    """Return the channel's settings in clear; empty when none were ever set.

    Raises: crypto.CannotDecrypt when no configured key made them.
    """
    sealed = bytes(channel.settings_encrypted)
    if not sealed:
        return {}
    return open_settings(sealed)


def open_settings(sealed: bytes) -> dict[str, str]:
    """Return sealed settings in clear. Raises: crypto.CannotDecrypt when no configured key made them."""
    values: dict[str, str] = json.loads(crypto.decrypt(sealed, CONTEXT))
    return values


def adapter_of(channel: Channel) -> Adapter:
    """Return the adapter of the channel's upstream, bound to its settings.

    Raises: registry.UnknownUpstream; ValueError naming the setting that is missing or makes no sense.
    """
    return registry.adapter(name=channel.upstream, settings=settings_of(channel))


def chain_of(channel: Channel) -> ChainUpstream | None:
    """Return the adapter of a channel that collects over a chain, None for every other channel.

    Raises: ValueError naming the setting that is missing or makes no sense.
    """
    if channel.upstream not in registry.CHAINS:
        return None
    return registry.chain_upstream(name=channel.upstream, settings=settings_of(channel))
