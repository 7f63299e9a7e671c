"""The acts of one order, for its page."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "0003_export_roles")]

    operations = [
        migrations.AddIndex(
            "act",
            models.Index(fields=["object_kind", "object_id", "-requested_at"], name="act_of_object"),
        ),
    ]
