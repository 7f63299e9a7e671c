"""Who may create test orders for whom, by every road, and reproducing an order without seeing its numbers."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from diamondpay.models import AuditRow, User
from merchants.models import Membership
from merchants.registration import Registered
from records import parties
from records.models import Payment, Payout
from tests import factories
from tests.admin import book
from tests.admin.test_lists import url_of
from tests.operations import creating
from tests.operations.creating import PAYMENT_PAGE, PAYOUT_PAGE, faults, opened, orders, owner, staff
from tests.support.scripted_upstream import upstream

__all__ = ["owner", "staff", "upstream"]
pytestmark = pytest.mark.django_db

NO_MERCHANT = "There is no such merchant, or you may not create orders for it."
PERMISSIONS = {
    "1014": "operations.operation_payment_write", "1021": "operations.operation_payment_global_write",
    "1015": "operations.operation_payout_write", "1022": "operations.operation_payout_global_write",
}  # fmt: skip


@pytest.mark.parametrize(("code", "pages"), [("1014", (200, 403)), ("1021", (200, 403)),
                                             ("1015", (403, 200)), ("1022", (403, 200))])  # fmt: skip
def test_each_permission_opens_its_page_and_no_other(
    client: Client, owner: Registered, code: str, pages: tuple[int, int]
) -> None:
    # The global rights are the platform's own; a merchant's member holds the other pair.
    bound = [owner.merchant] if code in ("1014", "1015") else []
    user = factories.make_user("one", merchants=bound, permissions=[PERMISSIONS[code]])
    client.force_login(user)
    assert (client.get(PAYMENT_PAGE).status_code, client.get(PAYOUT_PAGE).status_code) == pages
    page = client.get(PAYMENT_PAGE if pages[0] == 200 else PAYOUT_PAGE)
    assert page.context["desk"].merchant == owner.merchant
    menu = client.get("/admin/").content.decode()
    assert ("Create Deposit Order" in menu, "Create Payout Order" in menu) == (
        pages[0] == 200, pages[1] == 200,
    )  # fmt: skip


def test_a_merchants_user_creates_for_the_own_merchant_without_choosing(
    client: Client, owner: Registered
) -> None:
    clerk = factories.make_merchant_user(owner.merchant)
    client.force_login(clerk)
    assert opened(client, owner, merchant="").send("place").status_code == 302
    payment = Payment.objects.get()
    assert (payment.merchant, payment.placed_by, payment.is_test) == (owner.merchant, clerk, True)
    review = opened(client, owner, is_payout=True, merchant="").send("review")
    assert client.post(PAYOUT_PAGE, {"sealed": review.context["sealed"], "act": "send"}).status_code == 302
    assert Payout.objects.get().placed_by == clerk
    page = client.get(PAYMENT_PAGE, {"service": "SVC0001"}).content.decode()
    assert owner.wallets[0].pk in page
    assert "scripted" not in page


def test_a_merchants_user_reaches_no_other_merchant_by_hand_made_posts(
    client: Client, owner: Registered
) -> None:
    rival = creating.make_owner("Rival")
    book.fund(rival, "5000")
    client.force_login(factories.make_merchant_user(owner.merchant))
    theirs: dict[str, Any] = {"merchant": rival.merchant.pk, "channel": rival.wallets[0].pk}
    answers = [
        opened(client, owner, **theirs).send("place"), opened(client, owner, **theirs).send("refresh"),
        opened(client, owner, channel=rival.wallets[0].pk).send("place"),
        opened(client, owner, is_payout=True, **theirs).send("review"),
        client.get(PAYMENT_PAGE, theirs), client.get(PAYMENT_PAGE, {"merchant": "Riv"}),
    ]  # fmt: skip
    assert faults(answers[0])["merchant"] == NO_MERCHANT
    assert faults(answers[2]) == {"channel": "This merchant has no such channel."}
    assert faults(answers[3])["merchant"] == NO_MERCHANT
    assert [answer for answer in answers if "Rival" in answer.content.decode()] == []
    assert (orders(), AuditRow.objects.filter(user__username="clerk").count()) == ((0, 0), 0)


def test_a_review_made_before_the_membership_ended_places_nothing(client: Client, owner: Registered) -> None:
    clerk = factories.make_merchant_user(owner.merchant)
    client.force_login(clerk)
    review = opened(client, owner, is_payout=True).send("review")
    Membership.objects.filter(user=clerk).delete()
    answer = client.post(PAYOUT_PAGE, {"sealed": review.context["sealed"], "act": "send"})
    assert faults(answer)["merchant"] == NO_MERCHANT
    assert orders() == (0, 0)


def test_somebody_with_the_own_right_and_no_merchant_is_told_so(client: Client, owner: Registered) -> None:
    client.force_login(factories.make_user("lost", permissions=[PERMISSIONS["1014"]]))
    page = client.get(PAYMENT_PAGE).content.decode()
    assert "You may create orders for your own merchant, and you belong to none." in page
    assert faults(opened(client, owner).send("place"))["merchant"] == NO_MERCHANT
    assert orders() == (0, 0)


def like(client: Client, order: Payment | Payout) -> Any:
    """Open the form filled in as the order was, as its page offers it."""
    page = client.get(url_of(type(order), "change", order.pk))
    offered = [act for act in page.context["acts"] if act["label"] == "Reproduce this order"]
    assert len(offered) == 1
    return client.get(offered[0]["url"])


def test_reproducing_fills_the_form_and_uses_the_number_without_showing_it(
    client: Client, owner: Registered, staff: User
) -> None:
    first = book.deposit(owner, "theirs", amount="700", is_paid=False)
    page = like(client, first)
    text = page.content.decode()
    assert [secret for secret in (book.CARD, book.PARTY.phone, book.PARTY.id_number) if secret in text] == []
    assert f'placeholder="{"*" * 15}0123"' in text
    fields = {
        "form": page.context["form_token"], "like": page.context["entry"].like, "merchant": owner.merchant.pk,
        "service": "SVC0001", "channel": page.context["desk"].channel.key,
        "amount": page.context["entry"].amount, "name": page.context["entry"].fields["name"],
        "remark_code": "R2",
    }  # fmt: skip
    assert creating.Form(client, PAYMENT_PAGE, fields).send("place").status_code == 302
    again = Payment.objects.latest("id")
    assert (again.merchant_order_no != "theirs", again.requested_amount, again.is_test) == (True, 700, True)
    assert (parties.party_of(again).account, parties.party_of(again).name) == (book.CARD, "Zhang Wei")
    assert again.notify_url == creating.DEFAULT_URL


def test_a_payout_is_reproduced_through_its_review(client: Client, owner: Registered, staff: User) -> None:
    first = book.payout(owner, "theirs", amount="600", is_paid=False)
    page = like(client, first)
    fields = {
        "form": page.context["form_token"], "like": first.payout_id, "merchant": owner.merchant.pk,
        "service": "SVC0004", "channel": owner.wallets[0].pk, "amount": "600.00", "name": "Zhang Wei",
    }  # fmt: skip
    review = creating.Form(client, PAYOUT_PAGE, fields).send("review")
    assert book.CARD not in review.content.decode()
    client.post(PAYOUT_PAGE, {"sealed": review.context["sealed"], "act": "send"})
    assert parties.party_of(Payout.objects.latest("id")).account == book.CARD


def test_numbers_are_never_taken_from_another_merchants_order(
    client: Client, owner: Registered, staff: User
) -> None:
    rival = creating.make_owner("Rival")
    theirs = book.deposit(rival, "theirs", amount="700", is_paid=False)
    answer = opened(client, owner, like=theirs.payment_id, number="").send("place")
    assert faults(answer) == {"number": "This service requires it."}
    client.force_login(factories.make_merchant_user(owner.merchant))
    answer = opened(client, owner, like=theirs.payment_id, number="").send("place")
    assert faults(answer) == {"number": "This service requires it."}
    assert Payment.objects.count() == 1


def test_an_order_that_one_may_not_see_is_not_reproduced(client: Client, owner: Registered) -> None:
    rival = creating.make_owner("Rival")
    theirs = book.deposit(rival, "theirs", amount="700", is_paid=False)
    client.force_login(factories.make_merchant_user(owner.merchant))
    for number in (theirs.payment_id, "PM404", "x" * 99, "%00", "POT00000001"):
        answer: Any = client.get(f"{PAYMENT_PAGE}like/{number}/")
        assert (answer.status_code, answer.url) == (302, PAYMENT_PAGE)
    blind = factories.make_user("blind", merchants=[rival.merchant], permissions=[PERMISSIONS["1014"]])
    client.force_login(blind)
    assert client.get(f"{PAYMENT_PAGE}like/{theirs.payment_id}/").status_code == 302


def test_who_may_create_and_not_read_is_led_back_to_the_form(client: Client, owner: Registered) -> None:
    client.force_login(
        factories.make_user("blind", merchants=[owner.merchant], permissions=[PERMISSIONS["1014"]])
    )
    answer = opened(client, owner).send("place")
    assert (answer.status_code, answer.url, orders()) == (302, PAYMENT_PAGE, (1, 0))


def test_the_order_page_offers_it_to_those_alone_who_may_create(client: Client, owner: Registered) -> None:
    order = book.deposit(owner, "a", amount="700", is_paid=False)
    offered = {}
    for user in (
        factories.make_operator(), factories.make_approver(), factories.make_merchant_user(owner.merchant),
        factories.make_finance(), factories.make_customer_service(),
        factories.make_user("root", is_superuser=True),
    ):  # fmt: skip
        client.force_login(user)
        acts = client.get(url_of(Payment, "change", order.pk)).context["acts"]
        offered[user.username] = sum(act["label"] == "Reproduce this order" for act in acts)
    assert offered == {"operator": 1, "approver": 1, "clerk": 1, "finance": 0, "service": 0, "root": 1}
