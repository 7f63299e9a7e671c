"""The list of transfers over chains: found by every number, linked with its order, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from diamondpay.models import User
from records.models import ChainTransfer, Payment
from tests import factories
from tests.admin.test_lists import rows, url_of
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node

__all__ = ["node"]

pytestmark = pytest.mark.django_db
LIST = "/admin/records/chaintransfer/"
SEARCH = "/admin/search/"


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in."""
    user = factories.make_user("boss", is_superuser=True)
    client.force_login(user)
    return user


@pytest.fixture
def paid(node: Node) -> tuple[scenes.Scene, Payment]:
    """Two orders at addresses of their own, the first paid; and money at no order's address."""
    scene = scenes.make(node)
    first = scene.place("100", "T1")
    scene.place("50", "T2")
    scene.pay(first, 100_000_000)
    scene.watch()
    return scene, first


def found(client: Client, **asked: str) -> list[str]:
    """Return the transactions that the list shows."""
    return [row.tx_hash for row in rows(client.get(LIST, asked))]


def spellings(text: str) -> list[str]:
    """Return a hexadecimal number as people paste it."""
    return [text, text.lower(), f"0x{text[2:].upper()}", text[2:], f"  {text}\n"]


def test_a_transfer_is_found_by_its_transaction_address_and_order(
    client: Client, boss: User, paid: tuple[scenes.Scene, Payment]
) -> None:
    scene, payment = paid
    transfer = ChainTransfer.objects.get()
    asked = [*spellings(transfer.tx_hash), *spellings(transfer.to_address), payment.payment_id.lower()]
    for text in asked:
        assert found(client, q=text) == [transfer.tx_hash], text
    assert found(client, q="0x" + 64 * "a") == found(client, q=40 * "b") == []
    assert found(client, q=scene.node.payer) == [transfer.tx_hash]


def test_the_list_is_narrowed_by_chain_channel_token_state_and_time(
    client: Client, boss: User, paid: tuple[scenes.Scene, Payment]
) -> None:
    scene, _payment = paid
    transfer = ChainTransfer.objects.get()
    right = {
        "chain": "99", "channel": "evm", "token": str(scene.token("USDT").pk), "state": "confirmed",
        "seen": "today",
    }  # fmt: skip
    assert found(client, **right) == [transfer.tx_hash]
    wrong = {"chain": "2", "token": str(scene.token("ETH").pk), "state": "orphaned", "seen": "yesterday"}
    for name, value in wrong.items():
        assert found(client, **(right | {name: value})) == [], name
    page = client.get(LIST, {"chain": "77777"}).content.decode()
    assert "77777" in page
    assert found(client, chain="77777") == []


def test_the_list_is_narrowed_by_the_merchant_of_the_order(
    client: Client, boss: User, node: Node, paid: tuple[scenes.Scene, Payment]
) -> None:
    scene, payment = paid
    transfer = ChainTransfer.objects.get()
    rival = factories.make_merchant("Rival", channels=["evm"], services=[scenes.SERVICES["USDT"]])
    assert found(client, merchant=payment.merchant_id) == [transfer.tx_hash]
    assert found(client, merchant=rival.merchant.pk) == []
    both = client.get(LIST, {"merchant": [payment.merchant_id, rival.merchant.pk]})
    assert [row.tx_hash for row in rows(both)] == [transfer.tx_hash]
    assert found(client, merchant="PF999999") == []
    client.force_login(factories.make_user("member", merchants=[rival.merchant], is_superuser=True))
    own = client.get(LIST, {"merchant": payment.merchant_id})
    assert (rows(own), scene.merchant.name in own.content.decode()) == ([], False)


def test_the_transfer_and_its_order_lead_to_each_other(
    client: Client, boss: User, paid: tuple[scenes.Scene, Payment]
) -> None:
    _scene, payment = paid
    transfer = ChainTransfer.objects.get()
    order, page = url_of(Payment, "change", payment.pk), url_of(ChainTransfer, "change", transfer.pk)
    assert f'href="{order}"' in client.get(LIST).content.decode()
    assert f'href="{order}"' in client.get(page).content.decode()
    assert "100 USDT" in client.get(page).content.decode()
    assert f'href="{page}"' in client.get(order).content.decode()


def test_the_search_opens_the_order_of_a_transaction_and_of_an_address(
    client: Client, boss: User, paid: tuple[scenes.Scene, Payment]
) -> None:
    _scene, payment = paid
    transfer = ChainTransfer.objects.get()
    for text in (*spellings(transfer.tx_hash), *spellings(transfer.to_address)):
        answer = client.get(SEARCH, {"q": text})
        assert (answer.status_code, answer["Location"]) == (302, url_of(Payment, "change", payment.pk)), text
    waiting = Payment.objects.get(merchant_order_no="T2")
    # What the pages before had to say was shown by none of them.
    client = Client()
    client.force_login(boss)
    answer = client.get(SEARCH, {"q": waiting.chain_payment.address}, follow=True)
    assert [str(message) for message in answer.context["messages"]] == ["Found by its receiving address"]
    assert client.get(SEARCH, {"q": 64 * "f"}).status_code == 200


def test_the_search_opens_a_transfer_that_belongs_to_no_order(client: Client, boss: User, node: Node) -> None:
    scene = scenes.make(node, is_shared=True)
    scene.place("100")
    node.pay_token(scene.token("USDT").address, scenes.SHARED, 7_000_000)
    node.mine(3)
    scene.watch()
    transfer = ChainTransfer.objects.get(payment=None)
    answer = client.get(SEARCH, {"q": transfer.tx_hash})
    assert answer["Location"] == url_of(ChainTransfer, "change", transfer.pk)
    # An order waits at the shared address, and a transfer without one has come there.
    page = client.get(SEARCH, {"q": scenes.SHARED})
    assert page.status_code == 302
    assert page["Location"] == url_of(Payment, "change", Payment.objects.get().pk)


def test_a_merchants_user_sees_no_transfers_and_finds_only_its_own_orders(
    client: Client, paid: tuple[scenes.Scene, Payment]
) -> None:
    scene, payment = paid
    transfer = ChainTransfer.objects.get()
    rival = factories.make_merchant("Rival", services=["SVC0085"], channels=["evm"])
    member = factories.make_merchant_user(scene.merchant, "member")
    stranger = factories.make_merchant_user(rival.merchant, "stranger")
    may_see = Permission.objects.get(codename="view_chaintransfer")
    for user in (member, stranger):
        user.user_permissions.add(may_see)
        client.force_login(user)
        assert client.get(LIST).status_code == 403
        assert client.get(url_of(ChainTransfer, "change", transfer.pk)).status_code == 403
    answers: list[Any] = []
    for user in (member, stranger):
        client.force_login(user)
        answers.append(client.get(SEARCH, {"q": transfer.tx_hash}))
    assert answers[0]["Location"] == url_of(Payment, "change", payment.pk)
    assert (answers[1].status_code, payment.payment_id in answers[1].content.decode()) == (200, False)
    client.force_login(member)
    page = client.get(url_of(Payment, "change", payment.pk)).content.decode()
    assert (transfer.tx_hash in page, LIST in page) == (True, False)
