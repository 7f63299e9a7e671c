"""Give merchant services and limits a right of their own to be handed in as a file."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("merchants", "0010_signed_calls")]

    operations = [
        migrations.AlterModelOptions(
            name="merchantservice",
            options={
                "ordering": ["merchant", "service"],
                "permissions": [("import_merchantservice", "Can import merchant services from a file")],
                "verbose_name": "merchant service",
                "verbose_name_plural": "merchant services",
            },
        ),
        migrations.AlterModelOptions(
            name="servicebound",
            options={
                "permissions": [("import_servicebound", "Can import service boundaries from a file")],
                "verbose_name": "service boundary",
                "verbose_name_plural": "service boundaries",
            },
        ),
    ]
