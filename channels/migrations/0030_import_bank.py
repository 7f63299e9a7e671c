"""Give banks a right of their own to be handed in as a file."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("channels", "0011_settlement_reference")]

    operations = [
        migrations.AlterModelOptions(
            name="bank",
            options={
                "ordering": ["id"],
                "permissions": [("import_bank", "Can import banks from a file")],
                "verbose_name": "bank",
                "verbose_name_plural": "banks",
            },
        ),
    ]
