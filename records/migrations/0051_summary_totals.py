"""Totals without services and channels, and with them the functions, the checks and all figures anew."""

from pathlib import Path

from django.db import migrations, models

import diamondpay.lib.fields

SQL = Path(__file__).resolve().parent.parent / "sql"
SUBJECTS = ["totals", "totals_checks"]
# Nobody writes an order and nobody folds while this runs. Sums of two currencies cannot be told apart afterwards, so
# nothing of totals from before 0050 is kept: the recount empties them and counts every order anew.
LOCK = """
LOCK TABLE records_payment, records_payout IN SHARE ROW EXCLUSIVE MODE;
SELECT pg_advisory_xact_lock(7421001);
"""

NO_SUMMARIES = """
CREATE OR REPLACE FUNCTION records_refill_summaries() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RETURN; END $$
"""


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0050_totals_by_settlement"),
    ]

    operations = [
        migrations.RunSQL(LOCK),
        migrations.CreateModel(
            name="SummaryTotal",
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
                ("currency", models.CharField(max_length=8, verbose_name="currency")),
                ("settlement_currency", models.CharField(max_length=8, verbose_name="settlement currency")),
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
                "verbose_name": "summary total",
                "verbose_name_plural": "summary totals",
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "grain",
                            "kind",
                            "merchant",
                            "start",
                            "currency",
                            "settlement_currency",
                            "is_test",
                            "status",
                        ),
                        name="summary_total_once",
                    )
                ],
            },
        ),
        *(migrations.RunSQL((SQL / f"{subject}.sql").read_text(encoding="utf-8")) for subject in SUBJECTS),
        # The functions that are loaded here know summaries as 0060 keeps them, which fills them.
        migrations.RunSQL(NO_SUMMARIES),
        migrations.RunSQL("SELECT records_recount_totals()"),
    ]
