"""Hand out the right to see exchange rates, and to add one: finance and administrators."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permissions, and those alone."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.RATES)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0045_import_roles"),
        ("channels", "0010_exchange_rates"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
