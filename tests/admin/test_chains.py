"""Chains and tokens in the back office, a channel's key, and the order's page of a chain payment."""

from __future__ import annotations

import pytest
from django.test import Client

from channels import secrets
from channels.models import Chain, Channel, Token
from diamondpay.models import AuditRow, User
from operations.models import Act, FormToken
from records.models import ChainPayment
from tests import factories
from tests.admin.forms import errors
from tests.operations import act_forms
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node

__all__ = ["node"]

pytestmark = pytest.mark.django_db

XPRV = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGB"
    "xrMPHi"
)


@pytest.fixture
def boss(client: Client) -> User:
    """A Super Administrator by role, signed in."""
    user = factories.make_approver("boss")
    client.force_login(user)
    return user


def test_the_chains_and_tokens_are_the_real_ones() -> None:
    chains = Chain.objects.values_list("chain_id", "code", "symbol", "network_id", "status")
    assert list(chains) == [(1, "TRON", "TRX", None, "closed"), (2, "ETH", "ETH", 1, "open")]
    tokens = Token.objects.order_by("chain", "symbol").values_list("chain", "symbol", "decimals", "currency")
    assert list(tokens) == [
        (1, "TRX", 6, "TRX"), (1, "USDT", 6, "USDT"),
        (2, "ETH", 18, "ETH"), (2, "USDC", 6, "USDC"), (2, "USDT", 6, "USDT"),
    ]  # fmt: skip


def test_a_private_key_is_refused_neither_stored_nor_shown_again(
    client: Client, boss: User, node: Node
) -> None:
    scenes.make(node)
    before = Channel.objects.get(pk="evm").settings_encrypted
    settings = secrets.settings_of(Channel.objects.get(pk="evm"))
    typed = {f"setting_{name}": value for name, value in settings.items()} | {"setting_xpub": XPRV}
    answer = act_forms.looked(client, act_forms.url_of("change_settings_channel", "evm"), **typed)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "This is a private key." in page
    assert XPRV not in page
    assert (Act.objects.count(), FormToken.objects.count()) == (0, 0)
    assert bytes(Channel.objects.get(pk="evm").settings_encrypted) == bytes(before)
    assert secrets.settings_of(Channel.objects.get(pk="evm"))["xpub"] == scenes.XPUB
    assert not AuditRow.objects.filter(object_kind="channel").exists()


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("address", "0x12", "Not a contract"),
        ("address", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "mistyped"),
        ("decimals", "18", "could not be booked"),
        ("symbol", "usdx", "capital letters"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_beside_its_field(
    client: Client, boss: User, field: str, value: str, words: str
) -> None:
    path, count = "/admin/channels/token/add/", Token.objects.count()
    token = {
        "chain": "2", "symbol": "USDX", "name": "X", "address": "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "decimals": "6", "currency": "USDT", "status": "open",
    }  # fmt: skip
    answer = client.post(path, token | {field: value})
    assert words in str(errors(answer)[field])
    assert Token.objects.count() == count
    assert client.post(path, token).status_code == 302
    assert Token.objects.get(symbol="USDX").address == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_the_page_of_an_order_lists_its_transfers(client: Client, boss: User, node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100", description="A book")
    tx_hash = scene.pay(payment, 30_000_000)
    scene.watch()
    path = f"/admin/records/payment/{payment.pk}/change/"
    page = client.get(path).content.decode()
    address = ChainPayment.objects.get().address
    for words in (tx_hash, "30 USDT", node.payer, address, "A book", "index 0"):
        assert words in page
    # Where it is paid is the platform's own: in full, with a button, under "Pay to" and with the chain.
    assert page.count(f'data-copy="{address}"') == 2
    assert "Partially paid" in page
    scene.pay(payment, 70_000_000)
    scene.watch()
    paid = client.get(path).content.decode()
    assert ("70 USDT" in paid, "100 USDT" in paid, "Partially paid" in paid) == (True, True, False)


def test_a_merchants_user_sees_the_transfers_of_its_own_order_alone(client: Client, node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    tx_hash = scene.pay(payment, 30_000_000)
    scene.watch()
    path = f"/admin/records/payment/{payment.pk}/change/"
    client.force_login(factories.make_merchant_user(scene.merchant))
    page = client.get(path).content.decode()
    assert (tx_hash in page, "index 0" in page) == (True, False)
    rival = factories.make_merchant("Rival", services=["SVC0085"], channels=["evm"])
    client.force_login(factories.make_merchant_user(rival.merchant, "other"))
    assert client.get(path).status_code == 302


def test_a_node_that_cannot_be_read_is_told_on_the_orders_page(
    client: Client, boss: User, node: Node
) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    node.raw_fault = lambda _body: (502, b"")
    scene.watch()
    page = client.get(f"/admin/records/payment/{payment.pk}/change/").content.decode()
    assert "the node answered HTTP 502" in page
