"""Uploading proof of a payout and taking it out again, through the pages (promises.md, 3: upload; 4)."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from diamondpay.models import AuditRow, User
from records.models import Payout, Proof
from tests import factories
from tests.operations import act_forms
from tests.support import hostile_files
from tests.support.desk import Desk, desk, upstream
from tests.support.hostile_files import PHP, SCRIPT, File, pdf, picture
from tests.support.together import at_once

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def payout(desk: Desk) -> Payout:
    desk.fund("10000")
    return desk.payout()


@pytest.fixture
def url(payout: Payout, client: Client, operator: User) -> str:
    """The page that uploads, opened by operations."""
    client.force_login(operator)
    return act_forms.url_of("upload_proof", payout.payout_id)


def upload(client: Client, url: str, name: str, content: bytes, **typed: str) -> Any:
    sent = {**act_forms.opened(client, url), "step": "do", "reason": "bank slip", **typed}
    return client.post(url, {**sent, "file": SimpleUploadedFile(name, content)})


def taken(client: Client, proof: Proof) -> Any:
    return client.get(f"/admin/proofs/{proof.proof_id}/")


def stored() -> tuple[int, int]:
    """Return how many proofs and audit rows of people there are."""
    return Proof.objects.count(), AuditRow.objects.filter(user__isnull=False).count()


def test_a_proof_is_uploaded_shown_on_the_order_and_taken_out_again(
    client: Client, url: str, payout: Payout
) -> None:
    answer = upload(client, url, "slip.pdf", pdf())
    page = f"/admin/records/payout/{payout.pk}/change/"
    assert (answer.status_code, answer["Location"]) == (302, page)
    proof = Proof.objects.get()
    text = client.get(page).content.decode()
    assert f'href="/admin/proofs/{proof.proof_id}/" download' in text
    assert (">bank slip" in text, "Proof uploaded: PDF file" in text) == (True, True)
    answer = taken(client, proof)
    assert (answer.status_code, answer.content) == (200, pdf())


def test_what_is_handed_out_cannot_run_in_a_browser(client: Client, url: str) -> None:
    upload(client, url, "x.png", picture() + SCRIPT)
    proof = Proof.objects.get()
    answer = taken(client, proof)
    assert {name: answer[name] for name in (
        "Content-Type", "Content-Disposition", "X-Content-Type-Options", "Content-Security-Policy",
        "Cache-Control",
    )} == {
        "Content-Type": "image/png",
        "Content-Disposition": f'attachment; filename="proof-{proof.proof_id}.png"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "private, no-store, max-age=0, no-cache, must-revalidate",
    }  # fmt: skip
    assert SCRIPT not in answer.content


@pytest.mark.parametrize("group", range(8))
def test_a_hostile_file_is_refused_beside_its_field_and_nothing_is_kept(
    client: Client, url: str, group: int
) -> None:
    for file in hostile_files.REFUSED[group::8]:
        answer = upload(client, url, file.name or "none", file.content)
        assert answer.status_code == 200, file.case
        complaints = act_forms.complaints(answer)
        assert list(complaints) == ["file"], file.case
        # Django itself turns away a name that is only a path.
        assert file.refused in complaints["file"][0], file.case
        assert answer.context["form"]["reason"].value() == "bank slip"
    assert stored() == (0, 0)


@pytest.mark.parametrize("file", hostile_files.KEPT, ids=lambda file: file.case)
def test_what_is_made_harmless_is_kept_under_a_name_of_our_own(client: Client, url: str, file: File) -> None:
    assert upload(client, url, file.name, file.content).status_code == 302
    proof = Proof.objects.get()
    answer = taken(client, proof)
    assert (proof.kind, proof.uploaded_sha256) == (file.kept, hashlib.sha256(file.content).hexdigest())
    assert proof.sha256 == hashlib.sha256(answer.content).hexdigest()
    assert (SCRIPT in answer.content, PHP in answer.content) == (False, False)
    suffix = {"png": "png", "jpeg": "jpg", "pdf": "pdf"}[file.kept]
    assert answer["Content-Disposition"] == f'attachment; filename="proof-{proof.proof_id}.{suffix}"'
    assert len(proof.proof_id) == 24


@pytest.mark.parametrize("typed", [{"reason": ""}, {"reason": "  "}, {"reason": "x" * 501}])
def test_a_proof_says_what_it_shows(client: Client, url: str, typed: dict[str, str]) -> None:
    answer = upload(client, url, "slip.pdf", pdf(), **typed)
    assert (list(act_forms.complaints(answer)), stored()) == (["reason"], (0, 0))


def test_no_file_at_all_is_refused(client: Client, url: str) -> None:
    for wrong in ({}, {"file": "not a file"}, {"file": ""}):
        answer = client.post(url, {**act_forms.opened(client, url), "step": "do", "reason": "x", **wrong})
        assert (list(act_forms.complaints(answer)), stored()) == (["file"], (0, 0))


def test_the_form_asks_for_pictures_and_pdf_files_and_says_how_large(client: Client, url: str) -> None:
    text = client.get(url).content.decode()
    assert 'enctype="multipart/form-data"' in text
    assert 'accept=".jpg,.jpeg,.png,.pdf"' in text
    assert "at most 5 MB" in text


@pytest.mark.django_db(transaction=True)
def test_20_clicks_at_once_keep_one_proof_p8(desk: Desk) -> None:
    desk.fund()
    payout, operator, client = desk.payout(), factories.make_operator("many"), Client()
    client.force_login(operator)
    url = act_forms.url_of("upload_proof", payout.payout_id)
    form = {**act_forms.opened(client, url), "step": "do", "reason": "bank slip"}

    def press() -> Any:
        each = Client()
        each.cookies = client.cookies
        return each.post(url, {**form, "file": SimpleUploadedFile("slip.png", picture())})

    answers = at_once([functools.partial(press) for _number in range(20)])
    assert Counter((answer.status_code, answer["Location"]) for answer in answers) == {
        (302, f"/admin/records/payout/{payout.pk}/change/"): 20
    }
    assert Counter(AuditRow.objects.filter(user=operator).values_list("action", flat=True)) == {
        "proof.upload": 1
    }
    assert Proof.objects.count() == 1


def test_two_forms_keep_two_proofs(client: Client, url: str, payout: Payout) -> None:
    upload(client, url, "a.png", picture())
    shown = client.get(url)
    assert act_forms.table(shown)[0] == ("proofs", "1", "2")
    upload(client, url, "a.png", picture())
    assert Proof.objects.filter(payout=payout).count() == 2


def test_who_may_see_a_proof_and_who_may_not(client: Client, url: str, desk: Desk) -> None:
    upload(client, url, "slip.pdf", pdf())
    proof = Proof.objects.get()
    rival = factories.make_merchant("Rival", channels=["scripted"]).merchant
    people = {
        factories.make_merchant_user(desk.registered.merchant): 200,
        factories.make_merchant_user(rival, "spy"): 404,
        factories.make_user("rival-root", is_superuser=True, merchants=[rival]): 404,
        factories.make_customer_service(): 200,
        factories.make_finance(): 200,
        factories.make_user("nobody"): 403,
    }
    found = {}
    for user in people:
        client.force_login(user)
        found[user] = taken(client, proof).status_code
    assert found == people
    client.logout()
    assert taken(client, proof)["Location"].startswith("/admin/login/")
    took = AuditRow.objects.filter(action="proof.download").order_by("id")
    assert [row.user.username for row in took if row.user] == ["clerk", "service", "finance"]
    assert {(row.object_id, row.address) for row in took} == {(str(proof.pk), "127.0.0.1")}


def test_a_merchants_user_reads_no_name_of_our_people_beside_a_proof(
    client: Client, url: str, desk: Desk, payout: Payout, operator: User
) -> None:
    upload(client, url, "slip.png", picture())
    proof = Proof.objects.get()
    client.force_login(factories.make_merchant_user(desk.registered.merchant))
    for page in (f"payout/{payout.pk}", f"proof/{proof.pk}"):
        text = client.get(f"/admin/records/{page}/change/").content.decode()
        assert (">bank slip" in text or 'alt="bank slip"' in text, operator.username in text) == (True, False)


@pytest.mark.parametrize("name", ["x", "..", "%2e%2e", "0" * 24, "%00", "a" * 500, "' OR 1=1"])
def test_a_proof_that_is_none_is_unknown(client: Client, url: str, name: str) -> None:
    upload(client, url, "slip.png", picture())
    assert client.get(f"/admin/proofs/{name}/").status_code == 404
    assert not AuditRow.objects.filter(action="proof.download").exists()


def test_a_list_of_proofs_leaves_the_files_where_they_are(client: Client, url: str, operator: User) -> None:
    upload(client, url, "slip.png", picture())
    response = client.get("/admin/records/proof/")
    rows = response.context["cl"].result_list
    assert [row.get_deferred_fields() for row in rows] == [{"content_encrypted"}]
    assert "slip.png" not in response.content.decode()
    assert operator.has_perm("records.view_proof")


def test_a_deposits_proof_is_for_our_own_people(client: Client, desk: Desk, operator: User) -> None:
    client.force_login(operator)
    payment = desk.deposit()
    url = act_forms.url_of("upload_payment_proof", payment.payment_id)
    assert act_forms.table(client.get(url)) == [
        ("proofs", "0", "1"), ("the merchant's users", "–", "do not see it"),
    ]  # fmt: skip
    assert upload(client, url, "statement.pdf", pdf()).status_code == 302
    proof = Proof.objects.get()
    assert (proof.payment, proof.payout, taken(client, proof).content) == (payment, None, pdf())
    page = f"/admin/records/payment/{payment.pk}/change/"
    assert f"/admin/proofs/{proof.proof_id}/" in client.get(page).content.decode()
    client.force_login(factories.make_merchant_user(desk.registered.merchant))
    assert taken(client, proof).status_code == 404
    assert "bank slip" not in client.get(page).content.decode()


def test_a_form_that_would_fill_the_disk_is_refused_before_it_is_read(
    client: Client, url: str, settings: Settings
) -> None:
    settings.UPLOAD_BYTES_MAX = 1000
    file = {"file": SimpleUploadedFile("slip.png", b"x" * 2000)}
    assert client.post(url, file).status_code == 400
    # The check against forged requests reads the form of whoever has its cookie, signed in or not.
    stranger = Client(enforce_csrf_checks=True)
    stranger.get("/admin/login/")
    file = {"file": SimpleUploadedFile("slip.png", b"x" * 2000)}
    assert stranger.post("/admin/login/", file).status_code == 400
    small = {"file": SimpleUploadedFile("slip.png", b"x" * 10)}
    assert (client.post(url, small).status_code, stored()) == (200, (0, 0))
