"""Channels and what they carry are in force since a moment; what stood before was in force already."""

from django.db import migrations, models
from django.db.models import Q

_STATUS = [("enabled", "Enabled"), ("disabled", "Disabled")]


class Migration(migrations.Migration):
    dependencies = [("channels", "0047_chain_reference")]

    operations = [
        *(
            migrations.AddField(
                model_name=model,
                name="terms_since",
                field=models.DateTimeField(
                    blank=True, editable=False, null=True, verbose_name="in force since"
                ),
            )
            for model in ("channel", "channelservice")
        ),
        *(
            migrations.AlterField(
                model_name=model,
                name="status",
                field=models.CharField(
                    choices=_STATUS, default="disabled", max_length=8, verbose_name="status"
                ),
            )
            for model in ("channel", "channelservice")
        ),
        migrations.RunSQL(
            "UPDATE channels_channel SET terms_since = now(); UPDATE channels_channelservice SET terms_since = now()"
        ),
        *(
            migrations.AddConstraint(
                model_name=model,
                constraint=models.CheckConstraint(
                    condition=Q(("status", "disabled"), ("terms_since__isnull", False), _connector="OR"),
                    name=f"{name}_off_before_in_force",
                ),
            )
            for model, name in (("channel", "channel"), ("channelservice", "channel_service"))
        ),
    ]
