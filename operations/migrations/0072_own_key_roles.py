"""Hand out the rights over a merchant's own keys, addresses, test callbacks and request log."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permissions, and those alone."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.OWN_KEYS)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0071_review_rules"),
        ("merchants", "0032_api_calls"),
    ]

    operations = [migrations.RunPython(give, migrations.RunPython.noop)]
