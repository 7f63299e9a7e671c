"""The payer's page of a payment over a chain: what to send where, which token, and how far it has come."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from diamondpay.lib import clock
from records import payer_links, payments
from records.models import Actor, ChainPayment, Payment
from tests import factories
from tests.admin import chromium
from tests.records.evm_fixtures import node
from tests.support.evm import scenes
from tests.support.evm.node import Node

__all__ = ["node"]

WIDE = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
database = pytest.mark.django_db


def path_of(payment: Payment) -> str:
    """Return the path of a payment's page."""
    return payer_links.payment_page(payment).removeprefix("http://127.0.0.1:8000")


def state(payment: Payment) -> str:
    """Return what the open page is told."""
    found: str = json.loads(Client().get(f"{path_of(payment)}/status").content)["data"]["state"]
    return found


def fiat(node: Node) -> tuple[scenes.Scene, Payment]:
    """Place an order of 100 USD that may be paid in USDT or ETH."""
    factories.make_rate("1.0003", "USDT", "USD")
    factories.make_rate("3000", "ETH", "USD")
    scene = scenes.make(node, currency="USD")
    return scene, scene.place("100", symbol="USD", description="A book")


@database
def test_the_page_tells_address_exact_amount_and_network(node: Node) -> None:
    payment = scenes.make(node).place("12.345678", redirect_url="https://shop.example.com/done")
    page = Client().get(path_of(payment)).content.decode()
    address = ChainPayment.objects.get().address
    assert f'data-copy="{address}"' in page
    assert 'data-copy="12.345678"' in page
    assert "Send only USDT, and only over Local." in page
    assert 'href="https://shop.example.com/done"' in page
    assert (state(payment), page.count("<svg")) == ("waiting", 1)


@database
def test_the_payer_picks_a_token_once(node: Node) -> None:
    scene, payment = fiat(node)
    page = Client().get(path_of(payment)).content.decode()
    assert (state(payment), "99.970009" in page, "0.033333333333333334" in page) == ("choosing", True, True)
    answer = Client().post(f"{path_of(payment)}/token", {"token": scene.token("USDT").pk})
    assert (answer.status_code, answer["Location"]) == (302, path_of(payment))
    assert ChainPayment.objects.get().expected_units == 99_970_009
    again = Client().post(f"{path_of(payment)}/token", {"token": scene.token("ETH").pk})
    assert (again.status_code, ChainPayment.objects.get().token) == (409, scene.token("USDT"))
    assert "cannot become" in again.content.decode()


@database
@pytest.mark.parametrize("token", ["", "abc", "-1", "１", "9" * 40, "0", "\x00"])
def test_what_is_no_token_of_the_order_is_refused_in_words(node: Node, token: str) -> None:
    _scene, payment = fiat(node)
    answer = Client().post(f"{path_of(payment)}/token", {"token": token})
    assert answer.status_code == 409
    assert "This order cannot be paid in that token." in answer.content.decode()
    assert ChainPayment.objects.get().token_id is None


@database
def test_a_token_is_not_picked_from_another_site(node: Node) -> None:
    scene, payment = fiat(node)
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post(f"{path_of(payment)}/token", {"token": scene.token("USDT").pk})
    assert (answer.status_code, ChainPayment.objects.get().token_id) == (403, None)


@database
def test_a_link_that_is_none_picks_nothing(node: Node) -> None:
    assert Client().post("/gateway/portal/v1/payments/nonsense/token", {"token": 1}).status_code == 404


@database
def test_the_page_follows_seen_confirmed_partial_and_paid(node: Node) -> None:
    scene = scenes.make(node)
    payment = scene.place("100")
    scene.pay(payment, 30_000_000, confirm=False)
    scene.watch()
    assert state(payment) == "confirming-1-30000000"
    node.mine(1)
    scene.watch()
    assert "2 of 3 confirmations" in Client().get(path_of(payment)).content.decode()
    node.mine(1)
    scene.watch()
    page = Client().get(path_of(payment)).content.decode()
    assert (state(payment), 'data-copy="70"' in page) == ("partial", True)
    assert "30.00 USDT have arrived" in page
    scene.pay(payment, 70_000_000)
    scene.watch()
    assert (state(payment), "100.00" in Client().get(path_of(payment)).content.decode()) == ("paid", True)


@database
def test_an_ended_order_shows_no_address(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = scenes.make(node).place("100")
    address = ChainPayment.objects.get().address
    later = payment.expires_at + timedelta(seconds=1)
    with monkeypatch.context() as patched:
        patched.setattr("merchants.api.gateway.portal.clock.now", lambda: later)
        page = Client().get(path_of(payment)).content.decode()
        assert (state(payment), address in page) == ("expired", False)
    payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.SYSTEM, reason="tests")
    assert state(payment) == "expired"


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
def test_a_payer_picks_pays_and_sees_it_arrive_without_a_complaint(
    browser: Browser, live_server: LiveServer, node: Node, width: int, scheme: str
) -> None:
    scene, payment = fiat(node)
    with chromium.visit(browser, live_server.url, width=width, scheme=scheme) as visit:
        assert visit.open(path_of(payment)) == 200
        assert not visit.page.evaluate(WIDE)
        visit.page.locator("button.offer", has_text="USDT").click()
        expect(visit.page.locator("#address")).to_have_text(ChainPayment.objects.get().address)
        assert not visit.page.evaluate(WIDE)
        scene.pay(payment, 99_970_009, confirm=False)
        scene.watch()
        expect(visit.page.locator("h1")).to_have_text("Payment seen", timeout=15_000)
        node.mine(2)
        scene.watch()
        expect(visit.page.locator("h1")).to_have_text("Paid", timeout=15_000)
        assert visit.complaints == []
