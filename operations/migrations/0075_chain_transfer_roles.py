"""Hand out the right to see transfers over chains to those who see what upstreams say."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permissions, and those alone."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.CHAIN_TRANSFERS)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0074_chain_roles"),
        ("records", "0057_chain_transfer_list"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
