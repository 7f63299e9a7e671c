"""Summaries by service and by four hours, merchants' amounts by four hours; amounts found by currency."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parent.parent / "sql"
# Nobody folds while this runs. Orders may be written: their changes wait as deltas.
LOCK = "SELECT pg_advisory_xact_lock(7421001)"
# Added up before the table is changed, which until the end nobody can read. What 0051 left empty is added whole.
ADD_UP = """
SET LOCAL work_mem = '256MB';
CREATE TEMPORARY TABLE summaries_to_add ON COMMIT DROP AS
SELECT grain, start, kind, owner, served, currency, settlement_currency, is_test, status, sum(order_count) AS order_count,
    sum(requested_sum) AS requested_sum, sum(actual_sum) AS actual_sum, sum(fee_sum) AS fee_sum, sum(credited_sum) AS credited_sum
FROM records_orderhourtotal CROSS JOIN LATERAL records_summaries_of(hour, merchant, service)
WHERE grain = '4h' OR served <> '' OR NOT EXISTS (SELECT FROM records_summarytotal)
GROUP BY grain, start, kind, owner, served, currency, settlement_currency, is_test, status
ORDER BY grain, kind, owner, served, start;
"""
ADD = """
INSERT INTO records_summarytotal
    (grain, start, kind, merchant, service, currency, settlement_currency, is_test, status,
    order_count, requested_sum, actual_sum, fee_sum, credited_sum)
SELECT * FROM summaries_to_add;
"""
# The book as the totals have it: what no total holds yet is left out, for it will be folded. One statement sees one
# moment, so no order has to wait for it.
COUNT = """
CREATE TEMPORARY TABLE amounts_to_add ON COMMIT DROP AS
SELECT kind, start, merchant, currency, is_test, bucket, sum(order_count) AS order_count, sum(success_count) AS success_count
FROM (
    SELECT 1 AS kind, date_bin('4 hours', created_at, '2000-01-01 00:00+00') AS start, merchant_id AS merchant, currency_id AS currency,
        is_test, records_amount_bucket(requested_amount) AS bucket, count(*) AS order_count, count(*) FILTER (WHERE status = 1) AS success_count
    FROM records_payment GROUP BY 2, 3, 4, 5, 6
    UNION ALL
    SELECT 2, date_bin('4 hours', created_at, '2000-01-01 00:00+00'), merchant_id, currency_id,
        is_test, records_amount_bucket(requested_amount), count(*), count(*) FILTER (WHERE status = 1)
    FROM records_payout GROUP BY 2, 3, 4, 5, 6
    UNION ALL
    SELECT kind, date_bin('4 hours', hour, '2000-01-01 00:00+00'), merchant, currency, is_test, bucket,
        -order_count, CASE WHEN status = 1 THEN -order_count ELSE 0 END
    FROM records_orderdelta
) AS counted GROUP BY kind, start, merchant, currency, is_test, bucket
HAVING sum(order_count) <> 0 OR sum(success_count) <> 0
ORDER BY kind, merchant, currency, start;
"""
ADD_AMOUNTS = """
DELETE FROM records_amounttotal WHERE grain = '4h';
INSERT INTO records_amounttotal
    (grain, kind, start, merchant, service, channel, currency, is_test, bucket, order_count, success_count)
SELECT '4h', kind, start, merchant, '', '', currency, is_test, bucket, order_count, success_count FROM amounts_to_add;
"""


def _loaded(subject: str) -> migrations.RunSQL:
    return migrations.RunSQL((SQL / f"{subject}.sql").read_text(encoding="utf-8"))


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0059_compared_balances"),
    ]

    operations = [
        migrations.RunSQL(LOCK),
        _loaded("summaries"),
        migrations.RunSQL(ADD_UP),
        migrations.RunSQL(COUNT),
        migrations.RunSQL(ADD_AMOUNTS),
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
        migrations.RunSQL(ADD),
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
        _loaded("totals_checks"),
        _loaded("totals"),
    ]
