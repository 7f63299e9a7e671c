"""Guard acts in the database, ship the approval rules, and hand out the rights to ask."""

from __future__ import annotations

from pathlib import Path

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import approval_rules, roles

SQL = Path(__file__).resolve().parent.parent / "sql"


def ship(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Write the shipped rules and give the new permissions, and those alone."""
    using = schema_editor.connection.alias
    roles.give(apps=apps, using=using, permissions=roles.APPROVALS)
    approval_rules.ship(apps=apps, using=using)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0011_approval_rules"),
        ("records", "0002_rules"),
    ]

    operations = [
        migrations.RunSQL((SQL / "acts.sql").read_text(encoding="utf-8")),
        migrations.RunPython(ship, migrations.RunPython.noop),
    ]
