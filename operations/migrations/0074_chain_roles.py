"""Hand out the right to see chains and tokens, and to keep them: administrators."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permissions, and those alone."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.CHAINS)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0073_returned_files"),
        ("channels", "0047_chain_reference"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
