"""Hand out what administrators do to other people's accounts: unlock, sign out, remove a second factor."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permissions, and those alone."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.SECURITY)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0030_batches"),
        ("diamondpay", "0010_people"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
