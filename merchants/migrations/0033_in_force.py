"""Activated services and boundaries are in force since a moment; what stood before was in force already."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("merchants", "0032_api_calls"), ("channels", "0048_in_force")]

    operations = [
        *(
            migrations.AddField(
                model_name=model,
                name="terms_since",
                field=models.DateTimeField(
                    blank=True, editable=False, null=True, verbose_name="in force since"
                ),
            )
            for model in ("merchantservice", "servicebound")
        ),
        migrations.AlterField(
            model_name="merchantservice",
            name="status",
            field=models.CharField(
                choices=[("enabled", "Enabled"), ("disabled", "Disabled")],
                default="disabled",
                max_length=8,
                verbose_name="status",
            ),
        ),
        migrations.RunSQL(
            "UPDATE merchants_merchantservice SET terms_since = now();"
            " UPDATE merchants_servicebound SET terms_since = now()"
        ),
        migrations.AddConstraint(
            model_name="merchantservice",
            constraint=models.CheckConstraint(
                condition=Q(("status", "disabled"), ("terms_since__isnull", False), _connector="OR"),
                name="merchant_service_off_before_in_force",
            ),
        ),
    ]
