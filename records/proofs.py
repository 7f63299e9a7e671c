"""The one writer of proofs: kept once, encrypted, handed out only to those who may see their order.

Source: promises.md, 3 (upload) and 4 (files and proofs only through a view that checks permission).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from diamondpay import audit
from diamondpay.lib import crypto, errors, transactions, uploads
from diamondpay.models import User
from records.models import Payment, Payout, Proof

_NAME_BYTES = 12


class ProofDamaged(errors.DomainError):
    """What is kept is not what was uploaded."""

    code = "proof_damaged"
    words = _("This proof is damaged, or sealed with a key that is gone. Tell whoever runs the platform.")


def without_content(queryset: QuerySet[Proof]) -> QuerySet[Proof]:
    """Return proofs as lists and pages read them: a content may have 20 MB."""
    return queryset.defer("content_encrypted")


def keep(
    *,
    order: Payment | Payout,
    file: uploads.Harmless,
    uploaded_sha256: str,
    note: str,
    request_id: str,
    user: User,
    address: str | None,
    now: datetime,
) -> Proof:
    """Keep a file with its order; a repeated request id returns the first proof (P8).

    Whether the person may is the caller's matter. The file was made harmless before (`uploads.harmless`).
    Raises: InvalidInput without a note, and when the request id stands for another proof.
    """
    if not note.strip():
        raise errors.InvalidInput({"note": _t("This is required.")})
    is_payout = isinstance(order, Payout)
    number = order.payout_id if isinstance(order, Payout) else order.payment_id
    proof_id = secrets.token_hex(_NAME_BYTES)
    try:
        with transaction.atomic():
            proof = Proof.objects.create(
                proof_id=proof_id, request_id=request_id, kind=file.kind.value,
                payment=None if isinstance(order, Payout) else order,
                payout=order if isinstance(order, Payout) else None,
                size_bytes=len(file.content), sha256=hashlib.sha256(file.content).hexdigest(),
                uploaded_sha256=uploaded_sha256, note=note.strip()[:500], uploaded_by=user, uploaded_at=now,
                content_encrypted=crypto.encrypt_bytes(file.content, _context(proof_id)),
            )  # fmt: skip
            audit.write(
                action="proof.upload", object_kind="payout" if is_payout else "payment", object_id=number,
                user=user, address=address, reason=proof.note, now=now, after=_said(proof),
            )  # fmt: skip
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) != "proof_once":
            raise
        first = without_content(Proof.objects.all()).get(request_id=request_id)
        asked = (order.pk, uploaded_sha256, user.pk)
        if (first.payout_id or first.payment_id, first.uploaded_sha256, first.uploaded_by_id) != asked:
            raise errors.InvalidInput({"request_id": _t("It was used for another proof.")}) from refusal
        return first
    return proof


@transaction.atomic
def taken(*, proof: Proof, user: User, address: str | None, now: datetime) -> bytes:
    """Return a proof's content for a person who may have it, and write down that they took it.

    The caller found the proof among those that this person may see.
    Raises: ProofDamaged.
    """
    sealed = Proof.objects.values_list("content_encrypted", flat=True).get(pk=proof.pk)
    try:
        content = crypto.decrypt_bytes(sealed, _context(proof.proof_id))
    except crypto.CannotDecrypt:
        raise ProofDamaged from None
    if hashlib.sha256(content).hexdigest() != proof.sha256:
        raise ProofDamaged
    audit.write(
        action="proof.download", object_kind="proof", object_id=str(proof.pk), user=user, address=address,
        now=now, after=_said(proof),
    )  # fmt: skip
    return content


def file_name(proof: Proof) -> str:
    """Return the name under which a proof is saved: our own, never the uploader's."""
    return f"proof-{proof.proof_id}.{uploads.SUFFIXES[uploads.Kind(proof.kind)]}"


def _context(proof_id: str) -> str:
    return f"proof.{proof_id}"


def _said(proof: Proof) -> dict[str, object]:
    # The beginning of the hash names the file; the whole of it would be masked as an opaque word.
    return {
        "proof": proof.proof_id,
        "kind": proof.kind,
        "bytes": proof.size_bytes,
        "sha256": proof.sha256[:16],
    }
