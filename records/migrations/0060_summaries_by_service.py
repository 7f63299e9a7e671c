"""Summaries by service and by four hours, added up from the hours that are kept; amounts found by currency."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"
# Nobody folds while this runs. Orders may be written: their changes wait as deltas, and no order is counted.
LOCK = "SELECT pg_advisory_xact_lock(7421001)"


def _loaded(subject: str) -> migrations.RunSQL:
    return migrations.RunSQL((SQL / f"{subject}.sql").read_text(encoding="utf-8"))


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0059_compared_balances"),
    ]

    operations = [
        migrations.RunSQL(LOCK),
        migrations.AlterField(
            model_name="platformtotal",
            name="grain",
            field=models.CharField(
                choices=[("hour", "Hour"), ("4h", "Four hours"), ("day", "Day")],
                max_length=4,
                verbose_name="length",
            ),
        ),
        migrations.AlterField(
            model_name="amounttotal",
            name="grain",
            field=models.CharField(
                choices=[("hour", "Hour"), ("4h", "Four hours"), ("day", "Day")],
                max_length=4,
                verbose_name="length",
            ),
        ),
        migrations.AlterField(
            model_name="summarytotal",
            name="grain",
            field=models.CharField(
                choices=[("hour", "Hour"), ("4h", "Four hours"), ("day", "Day")],
                max_length=4,
                verbose_name="length",
            ),
        ),
        migrations.RemoveConstraint(model_name="summarytotal", name="summary_total_once"),
        # Filled before its indexes are built, which then takes a tenth of the time.
        migrations.AddField(
            model_name="summarytotal",
            name="service",
            field=models.CharField(blank=True, default="", max_length=16, verbose_name="service"),
        ),
        _loaded("summaries"),
        migrations.RunSQL("SELECT records_refill_summaries()"),
        migrations.AddConstraint(
            model_name="summarytotal",
            constraint=models.UniqueConstraint(
                fields=(
                    "grain",
                    "kind",
                    "merchant",
                    "service",
                    "start",
                    "currency",
                    "settlement_currency",
                    "is_test",
                    "status",
                ),
                name="summary_total_once",
            ),
        ),
        migrations.AddIndex(
            model_name="summarytotal",
            index=models.Index(
                condition=models.Q(("service", ""), _negated=True),
                fields=["kind", "merchant", "grain", "start"],
                name="summary_total_by_service",
            ),
        ),
        migrations.RemoveIndex(model_name="amounttotal", name="amount_total_of_all"),
        migrations.AddIndex(
            model_name="amounttotal",
            index=models.Index(
                condition=models.Q(("service", "")),
                fields=["kind", "merchant", "currency", "grain", "start"],
                name="amount_total_of_currency",
            ),
        ),
        # Last, for this locks the orders until the end.
        _loaded("summary_checks"),
        _loaded("totals"),
    ]
