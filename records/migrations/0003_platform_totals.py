"""Totals of the platform and by amount, kept by the same triggers and folder as the merchants' totals."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations, models

import diamondpay.lib.fields

SQL = Path(__file__).resolve().parent.parent / "sql"
SUBJECTS = ["totals"]

# Nobody writes an order while this runs. Deltas of the old shape name no bucket, so they are folded first.
# The checks and the first filling come with the totals' last dimension, in 0050.
FOLD = """
LOCK TABLE records_payment, records_payout IN SHARE ROW EXCLUSIVE MODE;
SELECT pg_advisory_xact_lock(7421001);
DO $$ BEGIN
    WHILE EXISTS (SELECT FROM records_orderdelta) LOOP
        PERFORM records_fold_order_totals(1000000);
    END LOOP;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("records", "0002_rules")]

    operations = [
        migrations.RunSQL(FOLD),
        migrations.AddField(
            model_name="orderdelta",
            name="bucket",
            field=models.PositiveSmallIntegerField(default=0, verbose_name="amount bucket"),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="AmountTotal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "grain",
                    models.CharField(
                        choices=[("hour", "Hour"), ("day", "Day")], max_length=4, verbose_name="length"
                    ),
                ),
                ("start", models.DateTimeField(verbose_name="start")),
                ("kind", models.PositiveSmallIntegerField(verbose_name="kind")),
                ("merchant", models.CharField(blank=True, max_length=16, verbose_name="merchant")),
                ("service", models.CharField(max_length=16, verbose_name="service")),
                ("channel", models.CharField(max_length=32, verbose_name="channel")),
                ("currency", models.CharField(max_length=8, verbose_name="currency")),
                ("is_test", models.BooleanField(verbose_name="test orders")),
                ("bucket", models.PositiveSmallIntegerField(verbose_name="amount bucket")),
                ("order_count", models.BigIntegerField(verbose_name="orders")),
                ("success_count", models.BigIntegerField(verbose_name="successful orders")),
            ],
            options={
                "verbose_name": "amount total",
                "verbose_name_plural": "amount totals",
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "grain",
                            "kind",
                            "merchant",
                            "start",
                            "service",
                            "channel",
                            "currency",
                            "is_test",
                            "bucket",
                        ),
                        name="amount_total_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="PlatformTotal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "grain",
                    models.CharField(
                        choices=[("hour", "Hour"), ("day", "Day")], max_length=4, verbose_name="length"
                    ),
                ),
                ("start", models.DateTimeField(verbose_name="start")),
                ("kind", models.PositiveSmallIntegerField(verbose_name="kind")),
                ("service", models.CharField(max_length=16, verbose_name="service")),
                ("channel", models.CharField(max_length=32, verbose_name="channel")),
                ("currency", models.CharField(max_length=8, verbose_name="currency")),
                ("is_test", models.BooleanField(verbose_name="test orders")),
                ("status", models.PositiveSmallIntegerField(verbose_name="status")),
                ("order_count", models.BigIntegerField(verbose_name="orders")),
                (
                    "requested_sum",
                    diamondpay.lib.fields.MoneyField(
                        decimal_places=18, max_digits=38, verbose_name="requested"
                    ),
                ),
                (
                    "actual_sum",
                    diamondpay.lib.fields.MoneyField(decimal_places=18, max_digits=38, verbose_name="actual"),
                ),
                (
                    "fee_sum",
                    diamondpay.lib.fields.MoneyField(decimal_places=18, max_digits=38, verbose_name="fee"),
                ),
                (
                    "credited_sum",
                    diamondpay.lib.fields.MoneyField(
                        decimal_places=18, max_digits=38, verbose_name="credited"
                    ),
                ),
            ],
            options={
                "verbose_name": "platform total",
                "verbose_name_plural": "platform totals",
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "grain",
                            "kind",
                            "start",
                            "service",
                            "channel",
                            "currency",
                            "is_test",
                            "status",
                        ),
                        name="platform_total_once",
                    )
                ],
            },
        ),
        *(migrations.RunSQL((SQL / f"{subject}.sql").read_text(encoding="utf-8")) for subject in SUBJECTS),
    ]
