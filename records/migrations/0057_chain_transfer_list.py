"""Find transfers over chains by an index: in their list, by their numbers, and by the search."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0056_amounts_of_all"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(fields=["-seen_at", "-id"], name="chain_transfer_newest"),
        ),
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(fields=["channel", "-seen_at", "-id"], name="chain_transfer_of_channel"),
        ),
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(
                condition=models.Q(("state__in", ["seen", "orphaned"])),
                fields=["state", "-seen_at", "-id"],
                name="chain_transfer_of_state",
            ),
        ),
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(fields=["tx_hash", "-id"], name="chain_transfer_of_hash"),
        ),
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(fields=["to_address", "-id"], name="chain_transfer_to"),
        ),
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(fields=["from_address", "-id"], name="chain_transfer_from"),
        ),
    ]
