"""Proofs: a read-only list, a page with the picture, and the one way out, which looks at who asks.

A proof leaves as an attachment under a policy of its own in which nothing runs, whatever a browser takes it
for; as the source of a picture on our own page it shows all the same.
"""

from __future__ import annotations

from typing import Any

from csp.constants import HEADER
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import clock, pages, uploads
from diamondpay.lib.admin import ReadOnlyAdmin, address_of
from diamondpay.lib.admin_columns import Columns
from diamondpay.lib.admin_list import Key
from diamondpay.models import User
from records import filters, proofs
from records.admin import parts
from records.models import Proof

PERMISSION = "records.view_proof"
# What the answer may do in a browser: nothing. It is a site of its own that loads, runs and sends nothing.
POLICY = "default-src 'none'; sandbox"
_proof = Columns(Proof)


def file_url(proof: Proof) -> str:
    """Return where a proof's file is."""
    return reverse("admin:proof_file", args=[proof.proof_id])


def size_words(proof: Proof) -> str:
    """Return how large a proof is, in words."""
    kilobytes = max(1, round(proof.size_bytes / 1024))
    return f"{kilobytes} kB" if kilobytes < 1024 else f"{proof.size_bytes / 1024 / 1024:.1f} MB"


def _file(proof: Proof) -> SafeString:
    return format_html('<a href="{}" download>{}</a>', file_url(proof), proofs.file_name(proof))


def _picture(proof: Proof) -> SafeString:
    if proof.kind == Proof.Kind.PDF:
        return parts.nothing()
    return format_html('<img class="proof-picture" src="{}" alt="{}">', file_url(proof), proof.note)


def _order(proof: Proof) -> SafeString:
    if proof.payout is not None:
        return parts.link(type(proof.payout), proof.payout.pk, proof.payout.payout_id)
    if proof.payment is not None:
        return parts.link(type(proof.payment), proof.payment.pk, proof.payment.payment_id)
    return parts.nothing()


_FILE = _proof.computed(_file, name="file", label=_("file"))
_ORDER = _proof.computed(_order, name="order", label=_("order"))
_SIZE = _proof.computed(size_words, name="size", label=_("size"))
_PICTURE = _proof.computed(_picture, name="picture", label=_("picture"))


@admin.register(Proof)
class ProofAdmin(ReadOnlyAdmin):
    """Proofs of orders, newest first."""

    list_display = (
        _proof.page("proof_id"), _ORDER, _proof.text("kind"), _SIZE, _proof.text("note"),
        _proof.moment("uploaded_at"),
    )  # fmt: skip
    list_display_links = None
    list_select_related = ("payment", "payout")
    exact_search = (
        Key(field="payout__payout_id", label=_("payout order no."), length_max=32, newest_first="-id"),
        Key(field="payment__payment_id", label=_("deposit order no."), length_max=32, newest_first="-id"),
        Key(field="proof_id", label=_("proof"), length_max=32),
    )
    facts = (
        (None, (
            _ORDER, _FILE, _proof.text("kind"), _SIZE, _proof.text("note"), _proof.full_moment("uploaded_at"),
            _proof.text("sha256"), _proof.text("uploaded_sha256"), _PICTURE,
        )),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Leave the files themselves where they are."""
        return proofs.without_content(super().get_queryset(request)).select_related("payment", "payout")


def download(request: HttpRequest, proof_id: str) -> HttpResponseBase:
    """Hand out a proof to somebody who may see its order, with an audit row."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied
    found = filters.visible_to(user, Proof.objects.all())
    proof = proofs.without_content(found).filter(proof_id=proof_id).first() if proof_id.isalnum() else None
    if proof is None:
        raise Http404
    try:
        content = proofs.taken(proof=proof, user=user, address=address_of(request), now=clock.now())
    except proofs.ProofDamaged as refusal:
        messages.error(request, str(refusal))
        return redirect(parts.page_url(Proof, proof.pk))
    answer = HttpResponse(content, content_type=uploads.CONTENT_TYPES[uploads.Kind(proof.kind)])
    answer["Content-Disposition"] = f'attachment; filename="{proofs.file_name(proof)}"'
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Cache-Control"] = "private, no-store"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    answer[HEADER] = POLICY
    return answer


pages.add_page(
    pages.Page(
        path="proofs/<str:proof_id>/",
        name="proof_file",
        view=download,
        permissions=(PERMISSION,),
        discloses="proof",
    )
)
