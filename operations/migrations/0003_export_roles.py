"""Hand out the right to make files: to finance, to merchants' users for their own rows, to administrators."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permissions, and those alone."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.EXPORTS)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0002_roles"),
        ("records", "0007_exports"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
