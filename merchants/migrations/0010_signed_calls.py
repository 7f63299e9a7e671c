"""Signed POSTs that were taken, so that one signature never carries two bodies."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("merchants", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="SignedCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("timestamp_ms", models.BigIntegerField(verbose_name="timestamp")),
                ("body_hash", models.BinaryField(verbose_name="hash of the body")),
                ("answer_status", models.PositiveSmallIntegerField(null=True, verbose_name="HTTP status")),
                ("answer_encrypted", models.BinaryField(null=True, verbose_name="answer")),
                ("created_at", models.DateTimeField(verbose_name="created")),
                (
                    "credential",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="merchants.credential",
                        verbose_name="credential",
                    ),
                ),
            ],
            options={
                "verbose_name": "signed call",
                "verbose_name_plural": "signed calls",
                "indexes": [models.Index(fields=["created_at"], name="signed_call_oldest")],
                "constraints": [
                    models.UniqueConstraint(fields=("credential", "timestamp_ms"), name="signed_call_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("answer_encrypted__isnull", True), ("answer_status__isnull", True)),
                            models.Q(("answer_encrypted__isnull", False), ("answer_status__isnull", False)),
                            _connector="OR",
                        ),
                        name="signed_call_answer_whole",
                    ),
                ],
            },
        ),
    ]
