"""Proofs: kept once and encrypted, handed out by permission and scope, never changed (P8, A1, L6)."""

from __future__ import annotations

import hashlib

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction

from diamondpay.lib import clock, errors, uploads
from diamondpay.models import AuditRow, User
from merchants import access
from records import proofs
from records.models import Payment, Payout, Proof
from tests import factories
from tests.support import clones
from tests.support.desk import Desk, desk, upstream
from tests.support.hostile_files import pdf, picture

__all__ = ["desk", "upstream"]
pytestmark = pytest.mark.django_db
ADDRESS = "203.0.113.9"


def keep(order: Payment | Payout, user: User, *, number: str = "token-1", content: bytes = b"") -> Proof:
    content = content or pdf()
    return proofs.keep(
        order=order, file=uploads.harmless(name="a.pdf", content=content), note="bank slip",
        uploaded_sha256=hashlib.sha256(content).hexdigest(), request_id=number, user=user, address=ADDRESS,
        now=clock.now(),
    )  # fmt: skip


@pytest.fixture
def sent(desk: Desk) -> Payout:
    desk.fund()
    return desk.payout()


def test_a_proof_is_kept_encrypted_with_who_when_and_what(sent: Payout, operator: User) -> None:
    proof = keep(sent, operator)
    sealed = bytes(Proof.objects.values_list("content_encrypted", flat=True).get())
    assert b"%PDF" not in sealed
    assert proofs.taken(proof=proof, user=operator, address=None, now=clock.now()) == pdf()
    assert (proof.payout, proof.payment, proof.kind, proof.size_bytes) == (sent, None, "pdf", len(pdf()))
    assert proof.sha256 == proof.uploaded_sha256 == hashlib.sha256(pdf()).hexdigest()
    row = AuditRow.objects.get(action="proof.upload")
    assert (row.user, row.address, row.object_kind, row.object_id, row.reason) == (
        operator, ADDRESS, "payout", sent.payout_id, "bank slip",
    )  # fmt: skip
    assert row.after["proof"] == proof.proof_id


def test_a_picture_keeps_the_hash_of_what_came_beside_that_of_what_is_kept(
    sent: Payout, operator: User
) -> None:
    content = picture() + b"<script>"
    proof = keep(sent, operator, content=content)
    kept = proofs.taken(proof=proof, user=operator, address=None, now=clock.now())
    assert proof.uploaded_sha256 == hashlib.sha256(content).hexdigest()
    assert (proof.sha256, proof.size_bytes) == (hashlib.sha256(kept).hexdigest(), len(kept))
    assert proof.sha256 != proof.uploaded_sha256


def test_the_same_form_keeps_one_proof_p8(sent: Payout, operator: User, finance: User, desk: Desk) -> None:
    first = keep(sent, operator)
    assert keep(sent, operator).pk == first.pk
    for order, user, content in (
        (sent, finance, b""), (desk.payout(), operator, b""), (sent, operator, picture()),
    ):  # fmt: skip
        with pytest.raises(errors.InvalidInput, match="used for another proof"):
            keep(order, user, content=content)
    assert (Proof.objects.count(), AuditRow.objects.filter(action="proof.upload").count()) == (1, 1)


def test_a_proof_needs_a_note(sent: Payout, operator: User) -> None:
    with pytest.raises(errors.InvalidInput, match="note"):
        proofs.keep(
            order=sent, file=uploads.harmless(name="a.pdf", content=pdf()), note="  ", uploaded_sha256="0",
            request_id="t", user=operator, address=None, now=clock.now(),
        )  # fmt: skip
    assert not Proof.objects.exists()


def test_taking_a_proof_is_written_down_a1(sent: Payout, operator: User, finance: User) -> None:
    proof = keep(sent, operator)
    proofs.taken(proof=proof, user=finance, address=ADDRESS, now=clock.now())
    row = AuditRow.objects.get(action="proof.download")
    assert (row.user, row.address, row.object_id) == (finance, ADDRESS, str(proof.pk))


def test_a_merchants_user_sees_proofs_of_their_own_payouts_alone(
    desk: Desk, sent: Payout, operator: User
) -> None:
    keep(sent, operator)
    keep(desk.deposit(), operator, number="token-2")
    rival = factories.make_merchant("Rival", channels=["scripted"])
    own = factories.make_merchant_user(desk.registered.merchant)
    other = factories.make_merchant_user(rival.merchant, "spy")
    seen = {
        user.username: access.visible_to(user, Proof.objects.all()).count() for user in (own, other, operator)
    }
    assert seen == {"clerk": 1, "spy": 0, "operator": 2}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE records_proof SET note = 'other'", "DELETE FROM records_proof", "TRUNCATE records_proof"],
)
def test_the_application_cannot_change_a_proof_l6(sent: Payout, operator: User, statement: str) -> None:
    proof = keep(sent, operator)
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(statement)
    assert Proof.objects.get().note == proof.note


@pytest.mark.django_db(transaction=True)
def test_not_even_the_owner_of_the_tables_changes_a_proof_l6(
    clone: clones.Clone, owner_connection: psycopg.Connection, desk: Desk, operator: User
) -> None:
    desk.fund()
    keep(desk.payout(), operator)
    for statement in (
        "UPDATE records_proof SET note = 'x'",
        "DELETE FROM records_proof",
        "TRUNCATE records_proof",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            owner_connection.execute(statement)
    assert Proof.objects.get().note == "bank slip"


@pytest.mark.django_db(transaction=True)
def test_a_proof_that_was_swapped_behind_our_back_is_not_handed_out(
    clone: clones.Clone, owner_connection: psycopg.Connection, desk: Desk, operator: User
) -> None:
    desk.fund()
    payout = desk.payout()
    one, other = keep(payout, operator), keep(payout, operator, number="token-2", content=picture())
    owner_connection.execute("ALTER TABLE records_proof DISABLE TRIGGER USER")
    owner_connection.execute(
        "UPDATE records_proof SET content_encrypted = "
        "(SELECT content_encrypted FROM records_proof WHERE id = %s) WHERE id = %s", [other.pk, one.pk],
    )  # fmt: skip
    with pytest.raises(proofs.ProofDamaged):
        proofs.taken(proof=one, user=operator, address=None, now=clock.now())
    assert not AuditRow.objects.filter(action="proof.download").exists()
