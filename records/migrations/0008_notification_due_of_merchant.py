"""Find what is due of one merchant without reading the queue of another."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0001_initial"),
        ("records", "0007_exports"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("state", "retrying")),
                fields=["merchant", "due_at", "id"],
                name="notification_due_of_merchant",
            ),
        ),
    ]
