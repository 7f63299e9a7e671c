"""Forms of acts do their deed once."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0005_waiting_acts"),
        ("records", "0002_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="FormToken",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("token", models.CharField(max_length=32, unique=True, verbose_name="token")),
                ("act", models.CharField(max_length=64, verbose_name="act")),
                ("object_id", models.CharField(max_length=64, verbose_name="object id")),
                ("content", models.CharField(max_length=64, verbose_name="content")),
                ("outcome", models.JSONField(default=dict, verbose_name="answer")),
                ("used_at", models.DateTimeField(verbose_name="used")),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={"verbose_name": "form token", "verbose_name_plural": "form tokens"},
        ),
        migrations.RunSQL(
            """
            CREATE TRIGGER form_token_no_delete BEFORE DELETE ON operations_formtoken
                FOR EACH ROW EXECUTE FUNCTION records_forbid();
            CREATE TRIGGER no_truncate BEFORE TRUNCATE ON operations_formtoken
                FOR EACH STATEMENT EXECUTE FUNCTION records_forbid();
            """
        ),
    ]
