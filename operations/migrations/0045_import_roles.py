"""Hand out the right to hand in banks, merchant services and limits as files: to administrators."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permissions, and those alone."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.IMPORTS)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0040_security_roles"),
        ("channels", "0030_import_bank"),
        ("merchants", "0030_import_terms"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
