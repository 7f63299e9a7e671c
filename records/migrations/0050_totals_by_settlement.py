"""Totals by settlement currency: fees and credits of converted orders stand under the currency they are in."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import F, Q

KEYS = ("kind", "merchant", "service", "channel", "currency", "settlement_currency", "is_test", "status")
PLATFORM = (
    "grain",
    "kind",
    "start",
    "service",
    "channel",
    "currency",
    "settlement_currency",
    "is_test",
    "status",
)
ONCE = {
    "orderhourtotal": ("order_hour_total_once", ("hour", *KEYS)),
    "orderdaytotal": ("order_day_total_once", ("day", *KEYS)),
    "ordertotal": ("order_total_once", ("merchant", "kind", *KEYS[2:])),
    "platformtotal": ("platform_total_once", PLATFORM),
}
# Nobody writes an order and nobody folds while this runs. The functions, the checks and the recount that fills the
# new columns come with the totals' last table, in 0051.
LOCK = """
LOCK TABLE records_payment, records_payout IN SHARE ROW EXCLUSIVE MODE;
SELECT pg_advisory_xact_lock(7421001);
"""


def _columns() -> list[migrations.operations.base.Operation]:
    return [
        migrations.AddField(
            model_name=model,
            name="settlement_currency",
            field=models.CharField(default="", max_length=8, verbose_name="settlement currency"),
            preserve_default=False,
        )
        for model in ("orderdelta", *ONCE)
    ]


def _keys() -> list[migrations.operations.base.Operation]:
    found: list[migrations.operations.base.Operation] = []
    for model, (name, fields) in ONCE.items():
        found.append(migrations.RemoveConstraint(model_name=model, name=name))
        constraint = models.UniqueConstraint(fields=fields, name=name)
        found.append(migrations.AddConstraint(model_name=model, constraint=constraint))
    return found


def _indexes() -> list[migrations.operations.base.Operation]:
    """Return the indexes by which lists find the few orders that settle in another currency."""
    return [
        migrations.AddIndex(
            model_name=model,
            index=models.Index(
                fields=["settlement_currency", "-created_at", "-id"],
                name=f"{model}_converted",
                condition=Q(("settlement_currency", F("currency")), _negated=True),
            ),
        )
        for model in ("payment", "payout")
    ]


class Migration(migrations.Migration):
    dependencies = [("records", "0041_settlement_rules")]

    operations = [
        migrations.RunSQL(LOCK),
        *_columns(),
        *_keys(),
        *_indexes(),
    ]
