"""A merchant may ask to be told of an order: such a notification stands beside those of the changes."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q


def _once(order: str, *, condition: Q) -> models.UniqueConstraint:
    return models.UniqueConstraint(
        fields=[order, "order_version"], name=f"{order}_notification_once", condition=condition
    )


class Migration(migrations.Migration):
    dependencies = [("records", "0051_summary_totals")]

    operations = [
        migrations.AddField(
            "notification",
            "asked_at",
            models.DateTimeField(
                "asked for by the merchant", null=True, help_text="Empty for what a status change caused."
            ),
        ),
        migrations.RemoveConstraint("notification", "payment_notification_once"),
        migrations.RemoveConstraint("notification", "payout_notification_once"),
        migrations.AddConstraint(
            "notification", _once("payment", condition=Q(payment__isnull=False, asked_at__isnull=True))
        ),
        migrations.AddConstraint(
            "notification", _once("payout", condition=Q(payout__isnull=False, asked_at__isnull=True))
        ),
    ]
