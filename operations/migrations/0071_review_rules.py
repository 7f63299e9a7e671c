"""Ship a rule of payout reviews for every reference currency that has none."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import approval_rules


def ship(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Write the rules; a currency for which people made one keeps theirs."""
    approval_rules.ship(
        apps=apps, using=schema_editor.connection.alias, rules_shipped=approval_rules.SHIPPED_FOR_REVIEWS
    )


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0070_rate_acts"),
        ("channels", "0011_settlement_reference"),
    ]

    operations = [migrations.RunPython(ship, migrations.RunPython.noop)]
