"""The page of an act: permission, scope and state asked again, a look first, one deed however often sent."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from django.contrib.messages import get_messages
from django.test import Client

from diamondpay.models import AuditRow, User
from merchants.models import Membership
from operations.models import Act, FormToken
from tests import factories
from tests.operations import act_forms
from tests.support.desk import Desk, desk, open_desk, upstream

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def url(desk: Desk, client: Client, operator: User) -> str:
    """The page that asks to adjust Acme's wallet, opened by operations."""
    desk.fund("100")
    client.force_login(operator)
    return act_forms.url_of("adjust_balance", desk.wallet.pk)


def state() -> tuple[int, int, int]:
    """Return how many acts, used tokens and audit rows of people there are."""
    return Act.objects.count(), FormToken.objects.count(), AuditRow.objects.filter(user__isnull=False).count()


def test_the_table_shows_now_and_afterwards_and_the_button_names_act_and_amount(
    client: Client, desk: Desk, url: str
) -> None:
    look = act_forms.looked(client, url, amount="25.50")
    assert act_forms.table(look) == [("available balance", "100.00 CNY", "125.50 CNY")]
    assert ">Ask to adjust by 25.50 CNY</button>" in look.content.decode()
    assert (state(), desk.balances()[0]) == ((0, 0, 0), Decimal(100))


def test_the_deed_is_done_with_its_audit_row_and_leads_to_its_page_p8(
    client: Client, desk: Desk, url: str, operator: User
) -> None:
    answer = act_forms.done(client, url, amount="25.50")
    act = Act.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/operations/act/{act.pk}/change/")
    assert (act.kind, act.object_id, act.evidence) == ("adjust_balance", desk.wallet.pk, {"amount": "25.50"})
    assert (act.requested_by, act.reason, act.state) == (operator, "because", "requested")
    row = AuditRow.objects.get(action="act.request.adjust_balance")
    assert (row.user, row.address, row.object_id) == (operator, "127.0.0.1", desk.wallet.pk)
    assert [str(message) for message in get_messages(answer.wsgi_request)] == [
        f"Asked for: Manual adjustment, {desk.wallet}. It now waits for another person."
    ]


def test_the_same_form_sent_again_gets_the_same_answer_and_does_nothing_p8(client: Client, url: str) -> None:
    sent = act_forms.sent_of(act_forms.looked(client, url, amount="1"), amount="1")
    answers = [client.post(url, sent) for _click in range(3)]
    assert len({(answer.status_code, answer["Location"]) for answer in answers}) == 1
    assert state() == (1, 1, 1)


def test_a_used_form_with_other_content_is_refused_p8(client: Client, url: str) -> None:
    look = act_forms.looked(client, url, amount="1")
    client.post(url, act_forms.sent_of(look, amount="1"))
    again = act_forms.looked(client, url, amount="2")
    sent = {**act_forms.sent_of(again, amount="2"), "form_token": look.context["form_token"]}
    answer = client.post(url, sent)
    assert act_forms.complaints(answer) == {
        "__all__": ["This form was already sent with other content. Open the page again to do more."]
    }
    assert (state(), Act.objects.get().evidence) == ((1, 1, 1), {"amount": "1"})


@pytest.mark.parametrize("token", ["", "short", "x" * 33, "é" * 32, "' OR 1=1 --".ljust(32)])
def test_a_forged_token_does_nothing(client: Client, url: str, token: str) -> None:
    sent = act_forms.sent_of(act_forms.looked(client, url, amount="1"), amount="1")
    answer = client.post(url, {**sent, "form_token": token})
    assert "This form has no token. Open the page again." in answer.content.decode()
    assert state() == (0, 0, 0)


WRONG = [
    ("amount", "0", "Give an amount other than 0."),
    ("amount", "1e3", "Write a plain decimal number such as 1250.50."),
    ("amount", "１２", "Write a plain decimal number such as 1250.50."),
    ("amount", "1.005", "The amount has more decimals than the currency."),
    ("amount", "", "This field is required."),
    ("reason", "  ", "This field is required."),
    ("reason", "a\x00b", "Null characters are not allowed."),
]


@pytest.mark.parametrize(("field", "typed", "words"), WRONG)
@pytest.mark.parametrize("step", ["look", "do"])
def test_wrong_input_stays_with_its_error_beside_the_field(
    client: Client, url: str, field: str, typed: str, words: str, step: str
) -> None:
    values = {"amount": "5", "reason": "because", field: typed}
    answer = client.post(url, {**act_forms.opened(client, url), "step": step, **values})
    assert (answer.status_code, act_forms.complaints(answer)) == (200, {field: [words]})
    assert answer.context["form"]["amount"].value() == values["amount"]
    assert state() == (0, 0, 0)


def test_nothing_is_done_without_a_look_first(client: Client, url: str) -> None:
    sent = {"form_token": "a" * 32, "step": "do", "reason": "because", "amount": "1", "seen": "made up"}
    answer = client.post(url, sent)
    assert "Nothing was done; look at it once more." in answer.content.decode()
    assert answer.context["is_looking"]
    assert state() == (0, 0, 0)


def test_a_right_that_was_taken_away_meanwhile_is_gone_and_the_attempt_is_kept(
    client: Client, url: str, operator: User
) -> None:
    sent = act_forms.sent_of(act_forms.looked(client, url, amount="1"), amount="1")
    operator.groups.clear()
    assert client.post(url, sent).status_code == 403
    assert (Act.objects.count(), FormToken.objects.count()) == (0, 0)
    row = AuditRow.objects.get(user=operator)
    assert (row.action, row.after["refusal"]) == ("adjust_balance.refused", "not_allowed")


def test_a_scope_that_was_narrowed_meanwhile_holds(
    client: Client, desk: Desk, url: str, operator: User
) -> None:
    sent = act_forms.sent_of(act_forms.looked(client, url, amount="1"), amount="1")
    Membership.objects.create(user=operator, merchant=open_desk(desk.upstream, "Rival").registered.merchant)
    # Whoever belongs to a merchant holds no right of the platform's any more.
    assert client.post(url, sent).status_code == 403
    row = AuditRow.objects.get(user=operator)
    assert (row.action, row.object_id) == ("adjust_balance.refused", desk.wallet.pk)
    assert (Act.objects.count(), FormToken.objects.count()) == (0, 0)


@pytest.mark.parametrize("role", ["Customer Service", "Merchant user", ""])
def test_whoever_may_not_sees_neither_page_nor_button(
    client: Client, desk: Desk, url: str, role: str
) -> None:
    person = factories.make_user("person", role=role, permissions=["merchants.view_merchantchannel"])
    if role == "Merchant user":
        Membership.objects.create(user=person, merchant=desk.registered.merchant)
    client.force_login(person)
    assert (client.get(url).status_code, client.post(url, {"step": "do"}).status_code) == (403, 403)
    page = client.get(f"/admin/merchants/merchantchannel/{desk.wallet.pk}/change/").content.decode()
    assert "Adjust balance" not in page
    assert (Act.objects.count(), AuditRow.objects.filter(action="adjust_balance.refused").count()) == (0, 1)


@pytest.mark.parametrize("object_id", ["PFC999", "x" * 65, "a%00b", "%E2%80%AE", "1'--"])
def test_an_unknown_object_is_not_found(client: Client, url: str, object_id: str) -> None:
    address = url.rsplit("/", 2)[0] + f"/{object_id}/"
    assert client.get(address).status_code == 404
    assert Act.objects.count() == 0


def test_the_wallets_page_offers_the_act(client: Client, desk: Desk, url: str) -> None:
    page = client.get(f"/admin/merchants/merchantchannel/{desk.wallet.pk}/change/").content.decode()
    assert f'href="{url}"' in page
    account = desk.wallet.accounts.get(kind="available")
    assert f'href="{url}"' in client.get(f"/admin/records/account/{account.pk}/change/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_50_posts_of_one_form_at_once_do_one_deed_and_answer_alike_p8(desk: Desk) -> None:
    desk.fund("100")
    operator, client = factories.make_operator("many"), Client()
    client.force_login(operator)
    url = act_forms.url_of("adjust_balance", desk.wallet.pk)
    answers = act_forms.done_at_once(client, url, count=50, amount="7")
    act = Act.objects.get()
    assert Counter((answer.status_code, answer["Location"]) for answer in answers) == {
        (302, f"/admin/operations/act/{act.pk}/change/"): 50
    }
    assert (FormToken.objects.count(), AuditRow.objects.filter(user=operator).count()) == (1, 1)
