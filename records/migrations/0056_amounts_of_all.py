"""Amounts without services and channels: kept beside those of each, added up from them."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"
SUBJECTS = ["totals", "totals_checks"]
# Nobody folds while this runs. Orders may be written: their changes wait as deltas.
LOCK = "SELECT pg_advisory_xact_lock(7421001)"
# An older migration that counts anew already writes these rows, for it loads the functions as they are today.
ADD_UP = """
DELETE FROM records_amounttotal WHERE service = '';
INSERT INTO records_amounttotal
    (grain, start, kind, merchant, service, channel, currency, is_test, bucket, order_count, success_count)
SELECT grain, start, kind, merchant, '', '', currency, is_test, bucket, sum(order_count), sum(success_count)
FROM records_amounttotal GROUP BY grain, start, kind, merchant, currency, is_test, bucket;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0055_notifications_of_orders"),
    ]

    operations = [
        migrations.RunSQL(LOCK),
        migrations.AlterField(
            model_name="amounttotal",
            name="channel",
            field=models.CharField(blank=True, max_length=32, verbose_name="channel"),
        ),
        migrations.AlterField(
            model_name="amounttotal",
            name="service",
            field=models.CharField(blank=True, max_length=16, verbose_name="service"),
        ),
        *(migrations.RunSQL((SQL / f"{subject}.sql").read_text(encoding="utf-8")) for subject in SUBJECTS),
        migrations.RunSQL(ADD_UP),
        migrations.AddIndex(
            model_name="amounttotal",
            index=models.Index(
                condition=models.Q(("service", "")),
                fields=["kind", "merchant", "grain", "start"],
                name="amount_total_of_all",
            ),
        ),
    ]
