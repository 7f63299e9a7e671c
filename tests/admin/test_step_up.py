"""Proving again who one is before money moves: when it is due, what is kept, what refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client, RequestFactory

from diamondpay import step_up
from diamondpay.lib import clock
from diamondpay.models import AuditRow, SignIn, User
from tests import factories
from tests.admin import signing

pytestmark = pytest.mark.django_db
LATE = timedelta(minutes=10)


@pytest.fixture
def target(client: Client) -> User:
    """Somebody whom a signed-in administrator may sign out."""
    client.force_login(factories.make_approver("boss"))
    user = factories.make_operator("target")
    Client().force_login(user)
    return user


def page(user: User) -> str:
    """Return the address of an act that wants a proof."""
    return f"/admin/people/{user.pk}/sign-out/"


def is_done(user: User) -> bool:
    """Say whether the act was done."""
    return not SignIn.objects.filter(user=user, ended_at__isnull=True).exists()


def wait(client: Client) -> None:
    """Let the last proof be too old."""
    signing.age(signing.sign_in_of(client), proved_at=LATE)


def test_right_after_signing_in_nothing_is_asked(client: Client, target: User) -> None:
    assert "step_up_proof" not in client.get(page(target)).content.decode()
    assert client.post(page(target), {"reason": "left"}).status_code == 302
    assert is_done(target)


def test_ten_minutes_later_the_form_asks_and_takes_the_password_with_it(client: Client, target: User) -> None:
    wait(client)
    shown = client.get(page(target)).content.decode()
    assert 'type="password" name="step_up_proof"' in shown
    answer = client.post(page(target), {"reason": "left", "step_up_proof": factories.PASSWORD})
    assert (answer.status_code, is_done(target)) == (302, True)
    # The proof serves for the next ten minutes.
    assert "step_up_proof" not in client.get(page(target)).content.decode()


def test_without_a_proof_nothing_is_done_and_what_was_typed_goes_on_with_it(
    client: Client, target: User
) -> None:
    wait(client)
    asked = client.post(page(target), {"reason": "left <b>us</b>", "several": ["1", "2"]})
    assert asked.context["kept"] == [("reason", "left <b>us</b>"), ("several", "1"), ("several", "2")]
    text = asked.content.decode()
    assert 'name="reason" value="left &lt;b&gt;us&lt;/b&gt;"' in text
    assert (is_done(target), AuditRow.objects.exists()) == (False, False)
    wrong = client.post(page(target), {"reason": "left", "step_up_proof": "guess"})
    assert "This is not your password." in wrong.content.decode()
    assert ("guess" in wrong.content.decode(), is_done(target)) == (False, False)
    row = AuditRow.objects.get()
    assert (row.action, row.is_refused) == ("user.step_up", True)
    again = {**dict(wrong.context["kept"]), "step_up_proof": factories.PASSWORD}
    assert client.post(page(target), again).status_code == 302
    assert is_done(target)
    assert AuditRow.objects.filter(reason="left", is_refused=False).exists()


def test_who_has_a_second_factor_proves_with_its_code_and_not_with_the_password(
    client: Client, target: User
) -> None:
    boss = User.objects.get(username="boss")
    secret, _codes = signing.set_up_factor(boss)
    SignIn.objects.filter(user=boss).update(second_factor_at=clock.now())
    wait(client)
    refused = client.post(page(target), {"reason": "left", "step_up_proof": factories.PASSWORD})
    assert "This code is not right" in refused.content.decode()
    assert not is_done(target)
    typed = {"reason": "left", "step_up_proof": signing.code_now(secret)}
    assert client.post(page(target), typed).status_code == 302
    assert is_done(target)


def test_rights_and_passwords_change_only_with_a_proof_and_no_password_goes_into_the_page(
    client: Client, target: User
) -> None:
    wait(client)
    new = "another long password 42"
    for path, typed in (
        (f"/admin/diamondpay/user/{target.pk}/change/", {"username": "renamed"}),
        (f"/admin/diamondpay/user/{target.pk}/password/", {"password1": new, "password2": new}),
        (f"/admin/auth/group/{target.groups.get().pk}/change/", {"name": "renamed"}),
    ):
        assert 'name="step_up_proof"' in client.get(path).content.decode()
        answer = client.post(path, typed)
        assert answer.context["title"] == "Please prove that it is you"
        assert new not in answer.content.decode()
    target.refresh_from_db()
    assert (target.username, target.check_password(factories.PASSWORD)) == ("target", True)
    assert target.groups.get().name == "Operations Staff"


def test_ten_wrong_proofs_end_the_session(client: Client, target: User) -> None:
    wait(client)
    row = signing.sign_in_of(client)
    for _each in range(10):
        client.post(page(target), {"reason": "left", "step_up_proof": "guess"})
    answer = client.post(page(target), {"reason": "left", "step_up_proof": factories.PASSWORD})
    assert answer["Location"] == "/admin/login/"
    row.refresh_from_db()
    assert (row.ending, is_done(target)) == (SignIn.Ending.TRIES, False)
    assert client.get("/admin/").status_code == 302


def test_a_form_with_a_file_is_proved_first_and_sent_again(client: Client, target: User) -> None:
    wait(client)
    asked = client.post(page(target), {"reason": "x", "proof": SimpleUploadedFile("a.png", b"png")})
    assert "choose your file and send it once more" in asked.content.decode()
    typed = {"next": page(target), "step_up_proof": factories.PASSWORD}
    assert client.post("/admin/security/prove/", typed)["Location"] == page(target)
    assert client.post(page(target), {"reason": "x"}).status_code == 302
    assert is_done(target)


def test_the_proof_page_asks_and_leads_back_within_the_site(client: Client, target: User) -> None:
    assert client.get("/admin/security/prove/?next=/admin/security/")["Location"] == "/admin/security/"
    wait(client)
    assert client.get("/admin/security/prove/?next=/admin/security/").status_code == 200
    typed = {"next": "//evil.example/", "step_up_proof": factories.PASSWORD}
    assert client.post("/admin/security/prove/", typed)["Location"] == "/admin/"


def test_a_view_gets_its_post_without_the_proof_and_not_at_all_without_a_session(operator: User) -> None:
    seen: list[Any] = []

    @step_up.required
    def view(request: Any, number: int) -> Any:
        seen.append((number, dict(request.POST)))

    now = clock.now()
    row = SignIn.objects.create(user=operator, started_at=now, active_at=now, proved_at=now - LATE)
    request: Any = RequestFactory().post("/", {"amount": "5", "step_up_proof": factories.PASSWORD})
    request.user, request.sign_in = operator, row
    view(request, 7)
    assert seen == [(7, {"amount": ["5"]})]
    stranger: Any = RequestFactory().post("/", {"amount": "5"})
    stranger.user = operator
    assert view(stranger, 8).status_code == 302
    assert len(seen) == 1


def test_a_proof_is_due_exactly_after_the_set_time(operator: User, settings: Any) -> None:
    settings.STEP_UP_SECONDS = 60
    now = clock.now()
    row = SignIn(user=operator, started_at=now, active_at=now, proved_at=now)
    due = [step_up.is_due(row, now=now + timedelta(seconds=seconds)) for seconds in (0, 59, 60)]
    assert due == [False, False, True]
