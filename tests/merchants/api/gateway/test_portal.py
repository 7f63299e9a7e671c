"""The payer's page: each state, the opaque link, and a page that needs no inline script or style."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client

from diamondpay.lib import clock, crypto
from records import parties, payer_links, payments
from records.models import Actor, Payment
from tests import factories
from tests.merchants.api.gateway.conftest import Caller
from tests.support.sandbox import Sandbox


def placed(caller: Caller, **changes: object) -> tuple[Payment, str]:
    """Place a deposit; return it and the path of its page."""
    link = caller.post("/v1/payments", caller.payment(**changes))["data"]["link"]
    return Payment.objects.get(merchant=caller.merchant), link.removeprefix("http://127.0.0.1:8000")


def opened(path: str, status: int = 200) -> str:
    response = Client().get(path)
    assert response.status_code == status
    return str(response.content, "utf-8")


def state(path: str) -> str:
    answer = json.loads(Client().get(f"{path}/status").content)
    found: str = answer["data"]["state"] if answer["error_code"] == "0000" else answer["error_code"]
    return found


def settle(payment: Payment, amount: str = "500") -> None:
    payments.settle(
        payment=payments.locked(payment.pk),
        actual_amount=Decimal(amount),
        now=clock.now(),
        changed_by=Actor.CALLBACK,
    )


def moved(monkeypatch: pytest.MonkeyPatch, seconds: int) -> datetime:
    """Let the page be opened so many seconds from now."""
    later = clock.now() + timedelta(seconds=seconds)
    monkeypatch.setattr("merchants.api.gateway.portal.clock.now", lambda: later)
    return later


def test_a_waiting_page_shows_what_to_send_where(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.behaviour(display_amount_add=7)
    payment, path = placed(caller, amount=123456, remark_code="AB12")
    receiver = parties.receiver_of(payment)
    assert receiver is not None
    page = opened(path)
    assert state(path) == "waiting"
    for text in ("1,234.63", "CNY", receiver.card_name, receiver.card_number, "AB12", payment.payment_id):
        assert text in page
    assert 'data-copy="1234.63"' in page
    assert "<svg" in page
    assert re.search(r'data-seconds="(59\d|600)"', page)


def test_a_page_whose_upstream_has_not_answered_is_being_prepared(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.behaviour("error_500_but_done")
    payment, path = placed(caller)
    assert payment.submitted_at is None
    page = opened(path)
    assert state(path) == "preparing"
    assert "Preparing your payment" in page
    assert "<svg" not in page


def test_a_paid_page_shows_what_arrived_and_no_account(caller: Caller) -> None:
    payment, path = placed(caller)
    settle(payment)
    page = opened(path)
    receiver = parties.receiver_of(payment)
    assert receiver is not None
    assert state(path) == "paid"
    assert "Amount received" in page
    assert "500.00" in page
    assert receiver.card_number not in page


def test_a_failed_and_a_closed_page_ask_not_to_pay(caller: Caller, other_caller: Caller) -> None:
    payment, path = placed(caller)
    payments.close(payment_pk=payment.pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="expired")
    assert state(path) == "expired"
    assert "Please do not send any money" in opened(path)
    failing, other_path = placed(other_caller)
    payments.fail(
        payment=payments.locked(failing.pk), now=clock.now(), changed_by=Actor.CALLBACK, reason="no"
    )
    assert state(other_path) == "failed"
    assert "Please do not send any money" in opened(other_path)


def test_after_ten_minutes_the_link_is_gone(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    payment, path = placed(caller)
    moved(monkeypatch, payer_links.LINK_SECONDS + 1)
    page = opened(path, 410)
    assert "This link has expired" in page
    assert payment.payment_id not in page
    assert state(path) == "0007"


def test_who_paid_in_the_last_minute_still_sees_it_for_an_hour(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment, path = placed(caller)
    settle(payment)
    moved(monkeypatch, payer_links.LINK_SECONDS + 1800)
    assert state(path) == "paid"
    assert "Your payment has arrived" in opened(path)
    moved(monkeypatch, payer_links.LINK_SECONDS + 3601)
    opened(path, 410)


def test_an_order_past_its_time_is_expired_before_the_sweeper_comes(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment, path = placed(caller)
    left = int((payment.expires_at - clock.now()).total_seconds())
    moved(monkeypatch, left - 5)
    assert state(path) == "waiting"
    later = payment.expires_at
    monkeypatch.setattr("merchants.api.gateway.portal.clock.now", lambda: later)
    monkeypatch.setattr(payer_links, "LINK_SECONDS", 5000)
    renewed = payer_links.payment_page(payment).removeprefix("http://127.0.0.1:8000")
    assert state(renewed) == "expired"


@pytest.mark.parametrize("change", ["", "x", "PM00000001", "../../admin"])
def test_a_link_that_was_changed_is_unknown(caller: Caller, change: str) -> None:
    _payment, path = placed(caller)
    token = path.rpartition("/")[2]
    wrong = change or token[:-1] + ("A" if token[-1] != "A" else "B")
    assert Client().get(f"/gateway/portal/v1/payments/{wrong}").status_code == 404
    other_kind = crypto.seal_token(b"0" * 16, "something.else")
    assert "no payment behind this link" in opened(f"/gateway/portal/v1/payments/{other_kind}", 404)


def test_the_page_keeps_to_itself_and_runs_nothing_inline(caller: Caller) -> None:
    _payment, path = placed(caller)
    response = Client().get(path)
    page = response.content.decode()
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|<style", page)
    assert Client().post(path).status_code == 405


def test_an_upstream_that_sends_a_script_as_its_link_is_not_linked(caller: Caller) -> None:
    payment, path = placed(caller)
    Payment.objects.filter(pk=payment.pk).update(link="javascript:alert(1)", qr_text="<b>&\"'")
    page = opened(path)
    assert "javascript:" not in page
    assert "<b>&" not in page
    assert page.count("<svg") == 1


def test_crypto_amounts_keep_every_digit_on_the_page_and_round_down_on_the_wire(
    sandbox: Sandbox, db: None
) -> None:
    factories.make_channel("usdt", "USDT", services=["SVC0085"], base_url=sandbox.base_url)
    caller = Caller(factories.make_merchant("Crypto", services=["SVC0085"], channels=["usdt"]))
    payment, path = placed(caller, service_id="SVC0085", amount=1050)
    assert "10.500000" in opened(path)
    payments.settle(
        payment=payments.locked(payment.pk),
        actual_amount=Decimal("10.507999"),
        now=clock.now(),
        changed_by=Actor.CALLBACK,
    )
    assert "10.507999" in opened(path)
    item = caller.get("/v1/payments")["data"][0]
    assert (item["amount"], item["real_amount"], item["fee"]) == (1050, 1050, 0)
    assert caller.get("/v2/platforms/balance")["data"]["total_balance"] == 1050
