"""Proofs: what people upload to show that money moved, or did not."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import uploads


class Proof(models.Model):
    """A picture or PDF file that belongs to an order for good: append-only, kept encrypted in its own row.

    In the database rather than in a folder: a proof is there or not together with its audit row, every web
    process of every host has it, a backup holds it, and no name leads to a path.
    """

    class Kind(models.TextChoices):
        JPEG = uploads.Kind.JPEG.value, _("JPEG picture")
        PNG = uploads.Kind.PNG.value, _("PNG picture")
        PDF = uploads.Kind.PDF.value, _("PDF file")

    proof_id = models.CharField(_("proof"), max_length=32, unique=True)
    request_id = models.CharField(_("request id"), max_length=64)
    payment = models.ForeignKey(
        "records.Payment",
        models.PROTECT,
        null=True,
        related_name="proofs",
        verbose_name=_("deposit order"),
    )
    payout = models.ForeignKey(
        "records.Payout", models.PROTECT, null=True, related_name="proofs", verbose_name=_("payout order")
    )
    kind = models.CharField(_("kind"), max_length=4, choices=Kind)
    size_bytes = models.PositiveIntegerField(_("bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64, help_text=_("Of the file as it is kept."))
    uploaded_sha256 = models.CharField(
        _("SHA-256 as uploaded"),
        max_length=64,
        help_text=_("Of the file as it came; pictures are drawn anew before they are kept."),
    )
    note = models.CharField(_("note"), max_length=500)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    uploaded_at = models.DateTimeField(_("uploaded"))
    content_encrypted = models.BinaryField(_("content"), editable=False)

    class Meta:
        verbose_name = _("proof")
        verbose_name_plural = _("proofs")
        constraints = [
            models.UniqueConstraint(fields=["request_id"], name="proof_once"),
            models.CheckConstraint(
                condition=Q(payment__isnull=False, payout__isnull=True)
                | Q(payment__isnull=True, payout__isnull=False),
                name="proof_of_one_order",
            ),
            models.CheckConstraint(
                condition=Q(size_bytes__gt=0, size_bytes__lte=uploads.KEPT_BYTES_MAX), name="proof_size"
            ),
            models.CheckConstraint(condition=~Q(note=""), name="proof_has_note"),
            models.CheckConstraint(condition=Q(kind__in=["jpeg", "png", "pdf"]), name="proof_kind_known"),
        ]

    def __str__(self) -> str:
        return self.proof_id
