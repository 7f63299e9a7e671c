"""An exchange rate names the act by which two people made it; an act makes one rate."""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("channels", "0030_import_bank")]

    operations = [
        migrations.AddField(
            model_name="exchangerate",
            name="request_id",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                max_length=64,
                verbose_name="request id",
            ),
        ),
        migrations.AddConstraint(
            model_name="exchangerate",
            constraint=models.UniqueConstraint(
                condition=Q(("request_id", ""), _negated=True),
                fields=("request_id",),
                name="exchange_rate_once_for_act",
            ),
        ),
    ]
