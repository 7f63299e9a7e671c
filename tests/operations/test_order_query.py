"""Many numbers at once: each is found by whatever it is, in the order asked, and nobody else's order is."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from diamondpay.lib import errors
from diamondpay.models import User
from merchants.registration import Registered
from operations import order_query
from records.dialects import transaction_request as dialect
from records.models import Notification
from tests import factories
from tests.admin import book

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme(db: None) -> Registered:
    """A merchant with money whose upstream cannot be reached."""
    acme = book.merchant("Acme")
    book.fund(acme)
    return acme


def found(text: str, user: User) -> list[tuple[str, str, list[str]]]:
    """Return what was asked, the order's number, and the keys that matched."""
    lines = order_query.find(text=text, user=user).lines
    return [(line.asked, line.number, [str(key) for key in line.keys]) for line in lines]


def test_numbers_of_every_kind_are_found_in_the_order_asked(acme: Registered, operator: User) -> None:
    paid, sent = book.deposit(acme, "Xin-1"), book.payout(acme, "Out-1")
    text = (
        f"{sent.payout_id}-1\nnothing\n{paid.payment_id}; Out-1,{paid.channel_order_no}"
        f"\t{sent.channel_order_no}\nXin-1"
    )
    assert found(text, operator) == [
        (f"{sent.payout_id}-1", sent.payout_id, ["payout attempt"]),
        ("nothing", "", []),
        (paid.payment_id, paid.payment_id, ["platform order no."]),
        ("Out-1", sent.payout_id, ["merchant order no."]),
        (paid.channel_order_no, paid.payment_id, ["channel order no."]),
        (sent.channel_order_no, sent.payout_id, ["channel order no.", "channel order no. of an attempt"]),
        ("Xin-1", paid.payment_id, ["merchant order no."]),
    ]


@pytest.mark.parametrize(
    "spelt",
    [
        str.lower,
        lambda text: "".join(chr(ord(sign) + 0xFEE0) for sign in text),
        lambda text: f"  {text[:4]} {text[4:]}\u200f ",
        lambda text: f"{text}\r\n{text.lower()}\n{text}",
        lambda text: f"PM{int(text[2:])}",
    ],
)
def test_a_number_is_found_however_it_is_typed_and_doubles_are_folded(
    acme: Registered, operator: User, spelt: Any
) -> None:
    payment = book.deposit(acme, "A-1")
    answer = order_query.find(text=spelt(payment.payment_id), user=operator)
    assert [line.number for line in answer.lines] == [payment.payment_id]
    assert (answer.asked_count, answer.found_count) == (1, 1)
    assert answer.lines[0].repeats == (3 if "\n" in spelt("PM00000001") else 1)


def test_a_number_of_several_merchants_shows_each_of_their_orders(acme: Registered, operator: User) -> None:
    rival = book.merchant("Rival")
    first, second = book.deposit(acme, "same"), book.deposit(rival, "same")
    assert [number for _asked, number, _keys in found("SAME", operator)] == [
        second.payment_id, first.payment_id,
    ]  # fmt: skip


def test_another_merchants_order_is_not_found_by_any_of_its_numbers(acme: Registered, clerk: User) -> None:
    rival, own = book.merchant("Rival"), book.deposit(acme, "own")
    book.fund(rival)
    paid, sent = book.deposit(rival, "R-1"), book.payout(rival, "R-2")
    theirs = [paid.payment_id, "R-1", paid.channel_order_no, sent.payout_id, "R-2", f"{sent.payout_id}-1"]
    theirs.append(sent.channel_order_no)
    assert found("\n".join([*theirs, "own"]), factories.make_merchant_user(acme.merchant, "member")) == [
        *((number, "", []) for number in theirs),
        ("own", own.payment_id, ["merchant order no."]),
    ]


def test_only_tables_that_the_person_may_open_are_asked(acme: Registered) -> None:
    paid, sent = book.deposit(acme, "D"), book.payout(acme, "P")
    reader = factories.make_user("reader", permissions=["records.view_payment"])
    numbers = f"{paid.payment_id}\n{sent.payout_id}\nP"
    assert [number for _asked, number, _keys in found(numbers, reader)] == [paid.payment_id, "", ""]
    assert not hasattr(order_query.find(text="D", user=reader).lines[0].order, "told")


def test_the_newest_notification_tells_its_state(acme: Registered, operator: User) -> None:
    payment = book.deposit(acme, "N-1")
    Notification.objects.filter(payment=payment).update(
        state="success", due_at=None, finished_at=payment.created_at
    )
    open_one = book.deposit(acme, "N-2", is_paid=False)
    lines = order_query.find(text=f"N-1,{open_one.payment_id}", user=operator).lines
    assert [line.order.told for line in lines] == ["success", None]


def test_five_hundred_numbers_cost_as_many_statements_as_two(acme: Registered, operator: User) -> None:
    numbers = [book.deposit(acme, f"D-{n}", is_paid=False).payment_id for n in range(6)]
    numbers += [book.payout(acme, f"P-{n}", is_paid=False).payout_id for n in range(6)]
    counts = []
    for asked in (
        [numbers[0], numbers[-1]],
        [*numbers, *(f"D-{n}" for n in range(6)), *(f"X{n}" for n in range(482))],
    ):
        user = User.objects.get(pk=operator.pk)
        user.has_perm("records.view_payment")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            order_query.find(text="\n".join(asked), user=user)
        counts.append(len(queries))
    # Whose rows the person may see was asked with the permission.
    assert counts == [3, 3]


def test_every_key_is_served_by_an_index(acme: Registered, operator: User) -> None:
    book.payout(acme, "P")
    book.fold()
    told = [
        dialect.internal_order_no(trade_type=kind, number=7) for kind in (dialect.DEPOSIT, dialect.WITHDRAW)
    ]
    asked = order_query._asked("\n".join([*(f"N{n}" for n in range(498)), *told]))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        for arm in order_query._arms(asked, operator):
            plan = arm.rows.order_by().values_list("pk")[:2001].explain()
            assert "Seq Scan on records_" not in plan, plan
            assert "Index" in plan or "Bitmap" in plan


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Paste at least one number."),
        (" \n,;\t\u200f", "Paste at least one number."),
        (
            "\n".join(f"N{n}" for n in range(501)),
            "At most 500 numbers are looked up at once; these are 501.",
        ),
        ("9" * 100_001, "That is too long; paste at most 500 numbers."),
    ],
)
def test_a_text_that_cannot_be_looked_up_gets_words(operator: User, text: str, words: str) -> None:
    with pytest.raises(errors.InvalidInput) as refusal:
        order_query.find(text=text, user=operator)
    assert str(refusal.value.fields["numbers"]) == words


@pytest.mark.parametrize(
    "text", ["N" * 4000, "\x00", "'; DROP TABLE x; --", "%_\\", "🦄", "\ud800", "PM" + "9" * 40]
)
def test_a_number_that_cannot_be_one_is_simply_not_found(operator: User, text: str) -> None:
    lines = order_query.find(text=f"x\n{text}", user=operator).lines
    assert {line.number for line in lines} == {""}
