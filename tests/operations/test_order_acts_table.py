"""Direct acts that are refused: in the trail, for orders that are none, for who placed them (A1, P3, P6).

Who may do which act in which state stands in `acts.csv`, and `test_acts_by_role` walks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from diamondpay.lib import acts, clock
from diamondpay.models import AuditRow, User
from records import payments, payouts
from records.models import Actor, Case, Notification, Payment, Payout, Proof
from tests import factories
from tests.operations import act_forms
from tests.support.desk import Desk, desk, upstream
from tests.support.hostile_files import picture

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
Order = Payment | Payout

# Who may do what, by the roles as shipped.
MAY = {
    "open_payment_page": {"operations", "administrator", "service"},
    "show_payment_qr": {"operations", "administrator", "service"},
    "requery_payment": {"operations", "administrator"},
    "close_payment": {"operations", "administrator"},
    "approve_payout": {"finance", "administrator"},
    "reject_payout": {"finance", "administrator"},
    "upload_proof": {"operations", "finance", "administrator"},
    "upload_payment_proof": {"operations", "finance", "administrator"},
}
PAGES = ("open_payment_page", "show_payment_qr")
DEPOSITS = ("open", "paid", "failed", "closed")
PAYOUTS = ("sent", "held", "paid out", "failed payout", "in review", "rejected")
OF_DEPOSITS = (
    "open_payment_page", "show_payment_qr", "requery_payment", "close_payment", "upload_payment_proof",
)  # fmt: skip


@pytest.fixture
def people(desk: Desk) -> dict[str, User]:
    """Somebody of each role, and two who see another merchant or nothing but hold every right."""
    rival = factories.make_merchant("Rival", channels=["scripted"]).merchant
    return {
        "operations": factories.make_operator(),
        "finance": factories.make_finance(),
        "administrator": factories.make_approver(),
        "service": factories.make_customer_service(),
        "merchant": factories.make_merchant_user(desk.registered.merchant),
        "rival": factories.make_user("spy", is_superuser=True, merchants=[rival]),
        "auditor": factories.make_auditor(),
        "no role": factories.make_user("nobody"),
    }


@pytest.fixture
def orders(desk: Desk) -> dict[str, Order]:
    """An order in every state, made by the real functions."""
    desk.fund("10000")
    found: dict[str, Order] = {name: desk.deposit() for name in DEPOSITS}
    desk.paid(found["paid"])  # type: ignore[arg-type]
    desk.failed(found["failed"])  # type: ignore[arg-type]
    payments.close(payment_pk=found["closed"].pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="over")
    for name, rule in (("sent", "fail"), ("held", "hold"), ("paid out", "fail"), ("failed payout", "fail")):
        desk.after_failure(rule)
        payout = desk.payout()
        if name == "paid out":
            desk.paid(payout.attempts.get())
        elif name != "sent":
            desk.failed(payout.attempts.get())
        found[name] = payout
    desk.audit("manual")
    found |= {name: desk.payout() for name in ("in review", "rejected")}
    boss = factories.make_user("boss", is_superuser=True)
    payouts.reject(payout_pk=found["rejected"].pk, user=boss, reason="no", now=clock.now())
    for order in found.values():
        order.refresh_from_db()
    return found


def number_of(order: Order) -> str:
    return order.payout_id if isinstance(order, Payout) else order.payment_id


def state() -> list[Any]:
    """Return what an act could change, but for the notes of refused attempts."""
    return [
        list(Payment.objects.order_by("pk").values("status", "version")),
        list(Payout.objects.order_by("pk").values("status", "version", "is_held")),
        Notification.objects.count(), Proof.objects.count(), Case.objects.count(),
        AuditRow.objects.exclude(action__endswith=".refused").count(),
    ]  # fmt: skip


@contextmanager
def undone() -> Iterator[None]:
    """Take back whatever is done inside."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def tried(client: Client, act: str, order: Order) -> str:
    """Try an act the whole way; return what came of it, and prove that a refusal changed nothing."""
    url, before = act_forms.url_of(act, number_of(order)), state()
    if act in PAGES:
        answer = client.get(url)
        is_done = answer.status_code == 200 or (
            answer.status_code == 302 and "/gateway/portal/v1/payments/" in answer["Location"]
        )
    else:
        shown = client.get(url)
        context = shown.context if shown.status_code == 200 else {}
        typed = {
            "form_token": context.get("form_token", "a" * 32), "seen": context.get("seen", ""), "step": "do",
            "reason": "because", "file": SimpleUploadedFile("slip.png", picture()),
        }  # fmt: skip
        answer = client.post(url, typed)
        is_done = answer.status_code == 302
    if not is_done:
        assert state() == before, f"{act} was refused and changed something"
    elif act not in PAGES:
        assert state() != before, f"{act} said it was done and changed nothing"
    return (
        "done"
        if is_done
        else {200: "not now", 302: "not now"}.get(answer.status_code, str(answer.status_code))
    )


@pytest.mark.parametrize("act", [act for act in MAY if act not in PAGES and act != "upload_payment_proof"])
def test_refused_attempts_are_written_down_a1(
    people: Mapping[str, User], orders: Mapping[str, Order], act: str
) -> None:
    order = orders["paid" if act in OF_DEPOSITS else "rejected"]
    allowed = sorted(MAY[act])[0]
    for role in ("auditor", "rival", allowed):
        client = Client()
        client.force_login(people[role])
        with undone():
            tried(client, act, order)
            row = AuditRow.objects.get(action=f"{act}.refused")
            assert (row.user, row.address, row.object_id) == (people[role], "127.0.0.1", number_of(order))
            code = {"auditor": "not_allowed", "rival": "order_unknown"}.get(role, "refused")
            assert row.after["refusal"] == code


@pytest.mark.parametrize("act", [act for act in MAY if act not in PAGES])
@pytest.mark.parametrize("number", ["PM99999999", "x", "%00", "%20", "9" * 64, "POT1' OR 1=1"])
def test_an_order_that_is_none_is_unknown(people: Mapping[str, User], act: str, number: str) -> None:
    client = Client()
    client.force_login(people[sorted(MAY[act])[0]])
    assert client.get(f"/admin/acts/{act}/{number}/").status_code == 404
    assert not AuditRow.objects.filter(action__endswith=".refused").exists()


@pytest.mark.parametrize("act", ["approve_payout", "reject_payout"])
def test_not_even_a_superuser_reviews_what_they_placed_p6(desk: Desk, client: Client, act: str) -> None:
    desk.fund()
    desk.audit("manual")
    root = factories.make_user("root", is_superuser=True)
    payout = desk.payout(placed_by=root)
    client.force_login(root)
    shown = client.get(act_forms.url_of(act, payout.payout_id))
    assert "You placed this payout; another person must review it." in shown.content.decode()
    before = state()
    assert tried(client, act, payout) == "not now"
    assert (state(), AuditRow.objects.filter(action=f"{act}.refused").count()) == (before, 1)
    assert {offer.name for offer in acts.allowed(root, payout)} & {act} == set()
