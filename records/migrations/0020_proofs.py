"""Proofs of orders, append-only from the first row on."""

from __future__ import annotations

from pathlib import Path

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


RULES = Path(__file__).resolve().parent.parent / "sql" / "proofs.sql"


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0012_refusal_cause"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Proof",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("proof_id", models.CharField(max_length=32, unique=True, verbose_name="proof")),
                ("request_id", models.CharField(max_length=64, verbose_name="request id")),
                (
                    "kind",
                    models.CharField(
                        choices=[("jpeg", "JPEG picture"), ("png", "PNG picture"), ("pdf", "PDF file")],
                        max_length=4,
                        verbose_name="kind",
                    ),
                ),
                ("size_bytes", models.PositiveIntegerField(verbose_name="bytes")),
                (
                    "sha256",
                    models.CharField(
                        help_text="Of the file as it is kept.", max_length=64, verbose_name="SHA-256"
                    ),
                ),
                (
                    "uploaded_sha256",
                    models.CharField(
                        help_text="Of the file as it came; pictures are drawn anew before they are kept.",
                        max_length=64,
                        verbose_name="SHA-256 as uploaded",
                    ),
                ),
                ("note", models.CharField(max_length=500, verbose_name="note")),
                ("uploaded_at", models.DateTimeField(verbose_name="uploaded")),
                ("content_encrypted", models.BinaryField(verbose_name="content")),
                (
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proofs",
                        to="records.payment",
                        verbose_name="deposit order",
                    ),
                ),
                (
                    "payout",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proofs",
                        to="records.payout",
                        verbose_name="payout order",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="uploaded by",
                    ),
                ),
            ],
            options={
                "verbose_name": "proof",
                "verbose_name_plural": "proofs",
                "constraints": [
                    models.UniqueConstraint(fields=("request_id",), name="proof_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("payment__isnull", False), ("payout__isnull", True)),
                            models.Q(("payment__isnull", True), ("payout__isnull", False)),
                            _connector="OR",
                        ),
                        name="proof_of_one_order",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("size_bytes__gt", 0), ("size_bytes__lte", 20971520)),
                        name="proof_size",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("note", ""), _negated=True), name="proof_has_note"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["jpeg", "png", "pdf"])), name="proof_kind_known"
                    ),
                ],
            },
        ),
        migrations.RunSQL(RULES.read_text(encoding="utf-8")),
    ]
