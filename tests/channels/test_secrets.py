"""A channel's settings at its upstream."""

from __future__ import annotations

import pytest
from django.test import override_settings

from channels import secrets
from channels.models import Channel
from channels.upstreams import registry
from channels.upstreams.sandbox.adapter import SandboxAdapter
from diamondpay.lib import crypto
from tests import factories


def test_sealed_settings_come_back_as_they_were() -> None:
    values = {"base_url": "http://127.0.0.1:8100", "secret": "geheim – 秘密"}
    channel = Channel(code="c", settings_encrypted=secrets.seal_settings(values))
    assert secrets.settings_of(channel) == values


def test_sealed_settings_show_nothing_of_the_secret() -> None:
    assert b"geheim" not in secrets.seal_settings({"secret": "geheim"})


def test_a_channel_without_settings_has_none() -> None:
    assert secrets.settings_of(Channel(code="c")) == {}


def test_settings_cannot_be_read_as_another_field() -> None:
    sealed = secrets.seal_settings({"secret": "geheim"})
    with pytest.raises(crypto.CannotDecrypt):
        crypto.decrypt(sealed, "credential.secret")


def test_settings_need_the_key_that_sealed_them() -> None:
    channel = Channel(code="c", settings_encrypted=secrets.seal_settings({"secret": "geheim"}))
    with override_settings(ENCRYPTION_KEYS=(b"k" * 32,)), pytest.raises(crypto.CannotDecrypt):
        secrets.settings_of(channel)


@pytest.mark.django_db
def test_the_adapter_of_a_stored_channel_is_its_upstreams() -> None:
    factories.make_channel("alpha", account="alpha", secret="0123456789abcdef-secret")
    adapter = secrets.adapter_of(Channel.objects.get(pk="alpha"))
    assert isinstance(adapter, SandboxAdapter)


def test_a_channel_of_an_unknown_upstream_has_no_adapter() -> None:
    with pytest.raises(registry.UnknownUpstream):
        secrets.adapter_of(Channel(code="c", upstream="nobody"))
