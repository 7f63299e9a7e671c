"""Batches of payouts and their rows."""

import diamondpay.lib.fields
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0002_reference"),
        ("merchants", "0001_initial"),
        ("operations", "0020_order_act_roles"),
        ("records", "0010_list_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="BatchPayout",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("file_name", models.CharField(max_length=160, verbose_name="file")),
                ("file_sha256", models.CharField(max_length=64, verbose_name="SHA-256 of the file")),
                ("content_hash", models.BinaryField()),
                ("row_count", models.PositiveIntegerField(verbose_name="payouts")),
                (
                    "amount",
                    diamondpay.lib.fields.MoneyField(decimal_places=18, max_digits=38, verbose_name="sum"),
                ),
                (
                    "fee",
                    diamondpay.lib.fields.MoneyField(decimal_places=18, max_digits=38, verbose_name="fees"),
                ),
                (
                    "frozen_amount",
                    diamondpay.lib.fields.MoneyField(
                        decimal_places=18, max_digits=38, verbose_name="to freeze"
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("prepared", "Waiting for confirmation"),
                            ("placing", "Being created"),
                            ("done", "Done"),
                            ("discarded", "Discarded"),
                        ],
                        default="prepared",
                        max_length=9,
                        verbose_name="state",
                    ),
                ),
                ("uploaded_at", models.DateTimeField(verbose_name="uploaded")),
                ("confirmed_at", models.DateTimeField(null=True, verbose_name="confirmed")),
                ("stopped_at", models.DateTimeField(null=True, verbose_name="stopped")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "confirmed_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="confirmed by",
                    ),
                ),
                (
                    "currency",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.currency",
                        verbose_name="currency",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="merchants.merchant",
                        verbose_name="merchant",
                    ),
                ),
                (
                    "merchant_channel",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="merchants.merchantchannel",
                        verbose_name="merchant channel",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.service",
                        verbose_name="service",
                    ),
                ),
                (
                    "stopped_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="stopped by",
                    ),
                ),
                (
                    "uploaded_by",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="uploaded by",
                    ),
                ),
            ],
            options={
                "verbose_name": "batch of payouts",
                "verbose_name_plural": "batches of payouts",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="BatchPayoutRow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField(verbose_name="number")),
                ("sheet_row", models.PositiveIntegerField(verbose_name="row in the file")),
                ("merchant_order_no", models.CharField(max_length=64, verbose_name="merchant order no.")),
                (
                    "amount",
                    diamondpay.lib.fields.MoneyField(decimal_places=18, max_digits=38, verbose_name="amount"),
                ),
                (
                    "fee",
                    diamondpay.lib.fields.MoneyField(decimal_places=18, max_digits=38, verbose_name="fee"),
                ),
                ("bank_branch", models.CharField(blank=True, max_length=128, verbose_name="bank branch")),
                ("party_name", models.CharField(blank=True, max_length=128, verbose_name="name")),
                ("party_encrypted", models.BinaryField(verbose_name="personal fields")),
                ("account_masked", models.CharField(blank=True, max_length=128, verbose_name="account")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("prepared", "Not confirmed"),
                            ("waiting", "Waiting"),
                            ("placed", "Created"),
                            ("failed", "Not created"),
                            ("stopped", "Stopped"),
                        ],
                        default="prepared",
                        max_length=8,
                        verbose_name="state",
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="reason")),
                ("leased_until", models.DateTimeField(null=True, verbose_name="in a worker's hands until")),
                ("try_count", models.PositiveSmallIntegerField(default=0, verbose_name="tries")),
                ("finished_at", models.DateTimeField(null=True, verbose_name="finished")),
                (
                    "bank",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.bank",
                        verbose_name="bank",
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="rows",
                        to="operations.batchpayout",
                        verbose_name="batch",
                    ),
                ),
                (
                    "merchant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="merchants.merchant",
                        verbose_name="merchant",
                    ),
                ),
                (
                    "merchant_channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="merchants.merchantchannel",
                        verbose_name="merchant channel",
                    ),
                ),
                (
                    "payout",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="records.payout",
                        verbose_name="payout order",
                    ),
                ),
            ],
            options={
                "verbose_name": "row of a batch",
                "verbose_name_plural": "rows of batches",
                "default_permissions": (),
            },
        ),
        migrations.AddConstraint(
            model_name="batchpayout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "discarded"), _negated=True),
                fields=("merchant", "content_hash"),
                name="batch_file_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__gt", 0),
                    ("fee__gte", 0),
                    (
                        "frozen_amount",
                        django.db.models.expressions.CombinedExpression(
                            models.F("amount"), "+", models.F("fee")
                        ),
                    ),
                    ("row_count__gt", 0),
                ),
                name="batch_sums",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("confirmed_by__isnull", False),
                        ("state__in", ["placing", "done"]),
                        ("confirmed_at__isnull", False),
                    ),
                    models.Q(
                        ("confirmed_by__isnull", True),
                        ("state__in", ["prepared", "discarded"]),
                        ("confirmed_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="batch_confirmed_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("finished_at__isnull", False), ("state__in", ["done", "discarded"])),
                    models.Q(("finished_at__isnull", True), ("state__in", ["prepared", "placing"])),
                    _connector="OR",
                ),
                name="batch_finished_when_over",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("stopped_at__isnull", True), ("stopped_by__isnull", True)),
                    models.Q(
                        ("confirmed_by__isnull", False),
                        ("stopped_at__isnull", False),
                        ("stopped_by__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="batch_stopped_by_somebody",
            ),
        ),
        migrations.AddIndex(
            model_name="batchpayoutrow",
            index=models.Index(
                condition=models.Q(("state", "waiting")), fields=["number", "id"], name="batch_row_queue"
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayoutrow",
            constraint=models.UniqueConstraint(fields=("batch", "number"), name="batch_row_once"),
        ),
        migrations.AddConstraint(
            model_name="batchpayoutrow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["waiting", "placed"])),
                fields=("merchant", "merchant_order_no"),
                name="batch_row_order_no_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayoutrow",
            constraint=models.UniqueConstraint(
                fields=("batch", "merchant_order_no"), name="batch_row_order_no_in_batch"
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayoutrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("payout__isnull", False), ("state", "placed")),
                    models.Q(models.Q(("state", "placed"), _negated=True), ("payout__isnull", True)),
                    _connector="OR",
                ),
                name="batch_row_placed_has_payout",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayoutrow",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "failed"), _negated=True),
                    models.Q(("reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="batch_row_failed_has_words",
            ),
        ),
        migrations.AddConstraint(
            model_name="batchpayoutrow",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0), ("fee__gte", 0)), name="batch_row_amounts"
            ),
        ),
    ]
