"""Signing in: locks, second factors, idle and ended sessions, and what the audit trail says of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from diamondpay.models import AuditRow, RoleRule, SignIn, Tries, User
from tests import factories
from tests.admin import signing

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fifteen_minutes(settings: Any) -> None:
    """The time after which production signs out."""
    settings.IDLE_SECONDS = 900


def words(response: Any) -> str:
    """Return the page as text."""
    return str(response.content.decode())


def test_signing_in_and_out_is_audited_with_the_address(client: Client, operator: User) -> None:
    assert signing.sign_in(client, "operator").status_code == 302
    row = signing.sign_in_of(client)
    assert (row.user, row.address, row.ended_at) == (operator, "127.0.0.1", None)
    assert client.post("/admin/logout/").status_code == 200
    row.refresh_from_db()
    assert row.ending == SignIn.Ending.SIGNED_OUT
    assert list(AuditRow.objects.order_by("id").values_list("action", "user", "address")) == [
        ("user.sign_in", operator.pk, "127.0.0.1"), ("user.sign_out", operator.pk, "127.0.0.1"),
    ]  # fmt: skip
    assert client.get("/admin/").status_code == 302


def test_the_tenth_wrong_password_locks_also_the_right_one(client: Client, operator: User) -> None:
    answers = [words(signing.sign_in(client, "operator", "wrong")) for _each in range(10)]
    assert all("Please enter the correct username" in answer for answer in answers)
    locked = signing.sign_in(client, "operator")
    assert "Too many tries" in words(locked)
    assert "_auth_user_id" not in client.session
    # From elsewhere the person can still get in.
    assert signing.sign_in(client, "operator", REMOTE_ADDR="203.0.113.7").status_code == 302
    rows = AuditRow.objects.filter(is_refused=True).order_by("id")
    assert [row.action for row in rows] == ["user.sign_in_refused"] * 10 + ["user.sign_in_locked"]
    assert {(row.actor, row.object_id) for row in rows} == {("operator", str(operator.pk))}


def test_an_unknown_name_is_answered_and_locked_like_a_known_one(client: Client, operator: User) -> None:
    def answered(name: str, address: str) -> list[str]:
        pages = [words(signing.sign_in(client, name, "wrong", REMOTE_ADDR=address)) for _each in range(11)]
        return [
            page.replace(name, "NAME").partition("<main")[2].partition("csrfmiddleware")[0] for page in pages
        ]

    assert answered("operator", "203.0.113.1") == answered("somebody", "203.0.113.2")
    unknown = AuditRow.objects.filter(address="203.0.113.2")
    assert {(row.actor, row.object_id) for row in unknown} == {("unknown", "")}
    assert "somebody" not in str(list(AuditRow.objects.values())) + str(list(Tries.objects.values()))


def test_somebody_who_is_no_staff_counts_as_a_wrong_password(client: Client) -> None:
    factories.make_user("guest", is_staff=False)
    for _each in range(10):
        signing.sign_in(client, "guest")
    assert "Too many tries" in words(signing.sign_in(client, "guest"))


@pytest.mark.parametrize("data", [{"username": "a\x00b", "password": "x"}, {"username": "", "password": ""}])
def test_a_form_that_is_none_gets_words_and_counts_nothing(client: Client, data: dict[str, str]) -> None:
    assert client.post(signing.LOGIN, data).status_code == 200
    assert (Tries.objects.count(), AuditRow.objects.count()) == (0, 0)


def test_an_idle_session_ends_and_says_why(client: Client, operator: User) -> None:
    signing.sign_in(client, "operator")
    row = signing.sign_in_of(client)
    signing.age(row, active_at=timedelta(minutes=14, seconds=50))
    assert client.get("/admin/records/payment/").status_code == 200
    signing.age(signing.sign_in_of(client), active_at=timedelta(minutes=15))
    answer = client.get("/admin/records/payment/?status=1", follow=True)
    assert answer.redirect_chain == [
        ("/admin/login/?next=%2Fadmin%2Frecords%2Fpayment%2F%3Fstatus%3D1&ended=idle", 302)
    ]
    assert "You were signed out: Nothing was done for too long." in words(answer)
    row.refresh_from_db()
    assert row.ending == SignIn.Ending.IDLE


def test_what_a_page_fetches_by_itself_keeps_nobody_signed_in(client: Client, operator: User) -> None:
    signing.sign_in(client, "operator")
    row = signing.sign_in_of(client)

    def active_after(**headers: str) -> bool:
        signing.age(row, active_at=timedelta(minutes=2))
        row.refresh_from_db()
        before = row.active_at
        assert client.get("/admin/security/session/", headers=headers).status_code == 200
        row.refresh_from_db()
        return row.active_at > before

    assert active_after()
    assert not active_after(**{"HX-Request": "true"})
    assert not active_after(**{"Sec-Fetch-Mode": "cors"})
    assert active_after(**{"HX-Request": "true", "X-Activity": "1"})
    assert 0 < client.get("/admin/security/session/").json()["seconds_left"] <= 900


def test_a_part_of_a_page_of_an_ended_session_leads_the_whole_page_to_the_login(
    client: Client, operator: User
) -> None:
    signing.sign_in(client, "operator")
    signing.age(signing.sign_in_of(client), active_at=timedelta(minutes=16))
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/admin/records/payment/?status=1"}
    answer = client.get("/admin/exports/indicator/", headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["HX-Redirect"].startswith("/admin/login/?next=%2Fadmin%2Frecords%2Fpayment%2F%3Fstatus%3D1")


def test_a_new_password_ends_every_other_session(client: Client, operator: User) -> None:
    other = Client()
    for each in (client, other):
        signing.sign_in(each, "operator")
    new = "another long password 42"
    typed = {"old_password": factories.PASSWORD, "new_password1": new, "new_password2": new}
    assert client.post("/admin/password_change/", typed).status_code == 302
    assert client.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302
    endings = list(SignIn.objects.order_by("id").values_list("ending", flat=True))
    assert endings == ["", SignIn.Ending.PASSWORD]


def test_signing_out_everywhere_ends_all_sessions_but_this_one(client: Client, operator: User) -> None:
    others = [Client(), Client()]
    for each in (client, *others):
        signing.sign_in(each, "operator")
    third = factories.make_finance()
    signing.sign_in(stranger := Client(), third.username)
    chosen = {"sign_in": str(signing.sign_in_of(others[0]).pk)}
    foreign = {"sign_in": str(signing.sign_in_of(stranger).pk)}
    assert client.post("/admin/security/sign-out/", foreign).status_code == 302
    assert client.post("/admin/security/sign-out/", chosen).status_code == 302
    assert [each.get("/admin/").status_code for each in (client, *others, stranger)] == [200, 302, 200, 200]
    assert client.post("/admin/security/sign-out/", {}).status_code == 302
    assert [each.get("/admin/").status_code for each in (client, *others, stranger)] == [200, 302, 302, 200]
    row = AuditRow.objects.get(action="user.signed_out_everywhere")
    assert (row.before, row.after) == ({"sign_ins": 2}, {"sign_ins": 1})


def test_a_session_without_its_sign_in_is_none(client: Client, operator: User) -> None:
    client.force_login(operator)
    session = client.session
    session["sign_in"] = signing.sign_in_of(client).pk + 1000
    session.save()
    assert client.get("/admin/").status_code == 302


@pytest.mark.parametrize("path", ["/admin/", "/admin/records/payment/", "/RecordPayment", "/admin/security/"])
def test_no_page_opens_between_the_password_and_the_code(client: Client, operator: User, path: str) -> None:
    secret, _codes = signing.set_up_factor(operator)
    signing.sign_in(client, "operator")
    assert client.get(path)["Location"] == "/admin/second-factor/"
    assert client.post(path, {})["Location"] == "/admin/second-factor/"
    wrong = client.post("/admin/second-factor/", {"code": "000000"})
    assert "This code is not right" in words(wrong)
    right = client.post("/admin/second-factor/", {"code": signing.code_now(secret), "next": path})
    assert right["Location"] == path
    assert client.get("/admin/records/payment/").status_code == 200
    assert AuditRow.objects.get(action="user.second_factor_refused").is_refused
    assert AuditRow.objects.get(action="user.second_factor_given").after == {"by": "app"}


def test_the_code_page_leads_to_no_other_site(client: Client, operator: User) -> None:
    secret, _codes = signing.set_up_factor(operator)
    signing.sign_in(client, "operator")
    typed = {"code": signing.code_now(secret), "next": "https://evil.example/"}
    assert client.post("/admin/second-factor/", typed)["Location"] == "/admin/"


def test_too_many_wrong_codes_end_the_session(client: Client, operator: User) -> None:
    signing.set_up_factor(operator)
    signing.sign_in(client, "operator")
    row = signing.sign_in_of(client)
    for _each in range(10):
        client.post("/admin/second-factor/", {"code": "000000"})
    answer = client.post("/admin/second-factor/", {"code": "000000"})
    assert answer["Location"] == "/admin/login/?ended=tries"
    row.refresh_from_db()
    assert (row.ending, "_auth_user_id" in client.session) == (SignIn.Ending.TRIES, False)


def test_a_recovery_code_signs_in_and_says_how_many_are_left(client: Client, operator: User) -> None:
    _secret, codes = signing.set_up_factor(operator)
    signing.sign_in(client, "operator")
    answer = client.post("/admin/second-factor/", {"code": codes[3]}, follow=True)
    assert "9 are left" in words(answer)


def test_a_role_that_asks_for_a_second_factor_opens_nothing_but_its_set_up(
    client: Client, operator: User
) -> None:
    client.force_login(operator)
    assert client.get("/admin/").status_code == 200
    RoleRule.objects.create(role=Group.objects.get(name="Operations Staff"), needs_second_factor=True)
    assert client.get("/admin/")["Location"] == "/admin/security/second-factor/"
    page = client.get("/admin/security/second-factor/")
    assert "Your role requires a second factor" in words(page)
    secret = page.context["secret"].replace(" ", "")
    wrong = client.post("/admin/security/second-factor/", {"code": "12345"})
    assert "This code is not right" in words(wrong)
    done = client.post("/admin/security/second-factor/", {"code": signing.code_now(secret)})
    assert [len(code) for code in done.context["codes"]] == [19] * 10
    assert client.get("/admin/").status_code == 200
    # Nobody takes away what their role requires.
    client.post("/admin/security/second-factor/remove/", {})
    assert client.get("/admin/security/").context["has_factor"]


def test_the_setting_asks_everybody(client: Client, finance: User, settings: Any) -> None:
    client.force_login(finance)
    assert client.get("/admin/").status_code == 200
    settings.REQUIRE_SECOND_FACTOR = True
    assert client.get("/admin/")["Location"] == "/admin/security/second-factor/"


def test_a_second_factor_set_up_elsewhere_is_asked_for_in_every_open_session(
    client: Client, operator: User
) -> None:
    client.force_login(operator)
    signing.set_up_factor(operator)
    assert client.get("/admin/")["Location"] == "/admin/second-factor/"


def test_a_refused_page_is_noted_once_and_reading_is_not(client: Client, operator: User) -> None:
    client.force_login(operator)
    assert client.get("/admin/auth/group/add/").status_code == 403
    assert not AuditRow.objects.exists()
    assert client.post("/admin/auth/group/add/", {"name": "mine"}).status_code == 403
    row = AuditRow.objects.get()
    assert (row.action, row.object_kind, row.user, row.is_refused, row.address) == (
        "page.refused", "group", operator, True, "127.0.0.1",
    )  # fmt: skip
    assert row.after == {"page": "/admin/auth/group/add/", "method": "POST"}
