"""Create the roles as first shipped; an administrator changes them from then on."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def create_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Create the groups and give them their permissions."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.PERMISSIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0001_initial"),
        ("records", "0002_rules"),
        ("merchants", "0001_initial"),
        ("channels", "0002_reference"),
        ("diamondpay", "0001_initial"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [migrations.RunPython(create_roles, migrations.RunPython.noop)]
