"""Who calls and which order they ask for are read in one statement; it decides anew with every call."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from diamondpay.lib import clock, sql
from merchants import credentials
from merchants.models import AllowedAddress, Credential, Merchant
from merchants.registration import Registered
from records import payments, queries
from records.models import Actor, Payment
from tests import factories
from tests.merchants.api.payment_detail.conftest import Caller as DetailCaller
from tests.merchants.api.transaction_request.conftest import Caller as RequestCaller
from tests.support.desk import Desk, desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
GATEWAY, REQUEST, DETAIL = Credential.Api.values
APIS = (GATEWAY, REQUEST, DETAIL)
# How each API says no to whom it does not know, who is switched off, who calls from elsewhere, who may not.
REFUSALS = {
    GATEWAY: ("0006", "0003", "0027", "0006"),
    REQUEST: ("UNAUTHORIZED", "SERVICE_UNAVAILABLE", "IP_NOT_ALLOWED", "UNAUTHORIZED"),
    DETAIL: (401, 403, 403, 403),
}
YES = {GATEWAY: "0000", REQUEST: "SUCCESS", DETAIL: 200}
UNKNOWN = {GATEWAY: "0050", REQUEST: "NOT_FOUND", DETAIL: 404}
CODES = {GATEWAY: "error_code", REQUEST: "statusCode", DETAIL: "code"}


class Asking:
    """One merchant that asks for orders over all three APIs."""

    def __init__(self, registered: Registered) -> None:
        now = clock.now()
        further = {
            api: credentials.create(merchant=registered.merchant, api=api, now=now, actor="tests")
            for api in (REQUEST, DETAIL)
        }
        self.registered = replace(registered, further=further)
        # The first call of a minute notes that the key was used, in a statement of its own.
        Credential.objects.filter(merchant=registered.merchant).update(last_used_at=now)

    def asks(self, api: str, number: str, *, kind: str = "payments") -> Any:
        """Return the code of the answer."""
        return self.answer(api, number, kind=kind)[CODES[api]]

    def answer(self, api: str, number: str, *, kind: str = "payments") -> dict[str, Any]:
        """Ask for an order by the merchant's number."""
        if api == REQUEST:
            return RequestCaller(self.registered).get(merchantOrderNo=number).body
        if api == DETAIL:
            return DetailCaller(self.registered).detail(outTradeNo=number).body
        path = f"/gateway/api/v2/{kind}/{number}"
        answer = Client().get(path, headers={"authorization": self.registered.authorization})
        found: dict[str, Any] = json.loads(answer.content)
        return found

    def statements(self, api: str, number: str, *, kind: str = "payments") -> int:
        """Return how many statements a good answer takes beside our own look at the clock."""
        with CaptureQueriesContext(connection) as asked:
            assert self.asks(api, number, kind=kind) == YES[api]
        return sum("clock_timestamp()" not in each["sql"] or "AS now" in each["sql"] for each in asked)


@pytest.fixture
def asking(desk: Desk) -> Asking:
    """The desk's merchant."""
    return Asking(desk.registered)


def orders(desk: Desk) -> dict[str, Payment]:
    """Return a deposit in each state that is an end or none."""
    placed = {state: desk.deposit() for state in ("waiting", "paid", "failed", "closed")}
    desk.paid(placed["paid"])
    desk.failed(placed["failed"])
    payments.close(payment_pk=placed["closed"].pk, now=clock.now(), changed_by=Actor.EXPIRY, reason="")
    return placed


@pytest.mark.parametrize("api", APIS)
def test_one_deposit_takes_one_statement_in_every_state(api: str, asking: Asking, desk: Desk) -> None:
    counted = {
        state: asking.statements(api, order.merchant_order_no) for state, order in orders(desk).items()
    }
    # Whether a paid one was given back stands in the ledger.
    paid = 2 if api == DETAIL else 1
    assert counted == {"waiting": 1, "paid": paid, "failed": 1, "closed": 1}


@pytest.mark.parametrize("api", [GATEWAY, REQUEST])
def test_one_payout_takes_one_statement(api: str, asking: Asking, desk: Desk) -> None:
    desk.fund()
    number = desk.payout().merchant_order_no
    assert asking.statements(api, number, kind="payouts") == 1


def _ended(asking: Asking, api: str) -> None:
    credential = Credential.objects.get(merchant=asking.registered.merchant, api=api)
    credentials.end(credential, clock.now(), actor="tests")


def _switched_off(asking: Asking, _api: str) -> None:
    Merchant.objects.filter(pk=asking.registered.merchant.pk).update(status=Merchant.Status.DISABLED)


def _calling_from_elsewhere(asking: Asking, _api: str) -> None:
    AllowedAddress.objects.create(merchant=asking.registered.merchant, network="203.0.113.0/24")


def _without_the_scope(asking: Asking, api: str) -> None:
    Credential.objects.filter(merchant=asking.registered.merchant, api=api).update(may_read=False)


CHANGES: list[Callable[[Asking, str], None]] = [
    _ended, _switched_off, _calling_from_elsewhere, _without_the_scope,
]  # fmt: skip


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.lstrip("_"))
def test_whatever_is_taken_away_is_refused_on_the_very_next_call(
    change: Callable[[Asking, str], None], api: str, asking: Asking, desk: Desk
) -> None:
    number = desk.deposit().merchant_order_no
    # Often enough that every layer has prepared and cached what it does.
    assert [asking.asks(api, number) for _call in range(8)] == [YES[api]] * 8
    change(asking, api)
    answer = asking.answer(api, number)
    assert answer[CODES[api]] == REFUSALS[api][CHANGES.index(change)]
    assert not answer.get("data")
    assert number not in json.dumps(answer)


@pytest.mark.parametrize("api", APIS)
def test_a_key_that_was_replaced_at_once_is_refused_and_the_new_one_answered(
    api: str, asking: Asking, desk: Desk
) -> None:
    number = desk.deposit().merchant_order_no
    assert asking.asks(api, number) == YES[api]
    old = asking.registered
    made = credentials.rotate(
        merchant=old.merchant, api=api, now=clock.now(), overlap_seconds=0, actor="tests"
    )
    assert asking.asks(api, number) == REFUSALS[api][0]
    if api == GATEWAY:
        headers = {"authorization": made.authorization}
        answer = Client().get(f"/gateway/api/v2/payments/{number}", headers=headers).json()
        assert answer["error_code"] == YES[api]
    else:
        asking.registered = replace(old, further={**old.further, api: made})
        assert asking.asks(api, number) == YES[api]


@pytest.mark.parametrize("api", APIS)
def test_the_number_of_another_merchants_order_is_unknown(api: str, asking: Asking, desk: Desk) -> None:
    rival = Asking(factories.make_merchant("Rival", channels=[desk.wallet.channel_id]))
    number = desk.deposit().merchant_order_no
    assert asking.asks(api, number) == YES[api]
    assert rival.asks(api, number) == UNKNOWN[api]


def test_what_is_wrong_with_a_question_is_told_to_nobody_who_is_not_let_in(asking: Asking) -> None:
    caller = DetailCaller(asking.registered)
    many = "&".join(f"a{number}=1" for number in range(2001))
    for query in ("x=1", "outTradeNo=a&outTradeNo=b", "outTradeNo=a%00b", many):
        path = f"/payment/detail?{query}"
        assert caller.send("GET", path, headers=caller.headers("GET", path)).status == 400
        forged = caller.headers("GET", path, x_pay_sign="A" * 44)
        assert caller.send("GET", path, headers=forged).status == 401
    requests = RequestCaller(asking.registered)
    assert requests.get().code == "INVALID_PARAMETER"
    assert requests.get(requests.headers(signature="F" * 64)).code == "UNAUTHORIZED"


def test_a_page_of_a_usual_size_is_the_beginning_of_one_of_any_size(desk: Desk) -> None:
    placed = [desk.deposit().payment_id for _number in range(12)]
    wanted: dict[str, Any] = {"merchant_id": desk.registered.merchant.pk}
    of_all: dict[str, Any] = {
        "start": clock.now() - timedelta(hours=1),
        "end": clock.now() + timedelta(hours=1),
    }
    all_at_all: dict[str, Any] = {}
    for asked in (all_at_all, of_all):
        usual, total = queries.payment_page(queries.Wanted(**wanted, **asked, limit=10))
        longer, same = queries.payment_page(queries.Wanted(**wanted, **asked, limit=11))
        rest, _total = queries.payment_page(queries.Wanted(**wanted, **asked, limit=10, offset=10))
        assert [row.payment_id for row in (*usual, *rest)] == placed[::-1]
        assert (usual, total, same) == (longer[:10], 12, 12)


def test_the_first_page_of_a_usual_size_is_planned_once(desk: Desk) -> None:
    desk.deposit()
    wanted = queries.Wanted(merchant_id=desk.registered.merchant.pk, limit=25)
    for _call in range(settings.PREPARED_AFTER_RUNS + 12):
        queries.payment_page(wanted)
    plans = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %(like)s"
    ((generic, custom),) = sql.rows(plans, {"like": "%LIMIT 25%"})
    assert generic > 0
    assert custom <= settings.PREPARED_AFTER_RUNS
