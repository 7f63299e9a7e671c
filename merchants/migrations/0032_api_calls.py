"""The request log: what merchants called and what they were answered."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("merchants", "0031_credential_scopes")]

    operations = [
        migrations.CreateModel(
            name="ApiCall",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("is_proved", models.BooleanField(verbose_name="caller proved")),
                ("api", models.CharField(max_length=20, verbose_name="API")),
                ("method", models.CharField(max_length=8, verbose_name="method")),
                ("path", models.CharField(max_length=256, verbose_name="path")),
                ("address", models.GenericIPAddressField(null=True, verbose_name="address")),
                ("status", models.PositiveSmallIntegerField(verbose_name="HTTP status")),
                ("code", models.CharField(max_length=40, verbose_name="code")),
                ("duration_ms", models.PositiveIntegerField(verbose_name="milliseconds")),
                ("request", models.TextField(verbose_name="request")),
                ("answer", models.TextField(verbose_name="answer")),
                ("lost_before", models.PositiveIntegerField(verbose_name="not logged before")),
                ("created_at", models.DateTimeField(verbose_name="time")),
                (
                    "credential",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="merchants.credential",
                        verbose_name="key",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="merchants.merchant",
                        verbose_name="merchant",
                    ),
                ),
            ],
            options={
                "verbose_name": "API call",
                "verbose_name_plural": "API calls",
                "indexes": [
                    models.Index(fields=["created_at"], name="api_call_oldest"),
                    models.Index(fields=["merchant", "-id"], name="api_call_of_merchant"),
                    models.Index(fields=["code", "-id"], name="api_call_of_code"),
                    models.Index(fields=["path", "-id"], name="api_call_of_path"),
                    models.Index(
                        condition=models.Q(("lost_before__gt", 0)),
                        fields=["created_at"],
                        name="api_call_losses",
                    ),
                ],
            },
        ),
    ]
