"""Keep up to which block the balance of an address was compared with what was read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0058_progress_news"),
    ]

    operations = [
        migrations.AddField(
            model_name="chainpayment",
            name="balance_block",
            field=models.PositiveBigIntegerField(null=True, verbose_name="balance compared at block"),
        ),
        migrations.AddIndex(
            model_name="chainpayment",
            index=models.Index(
                condition=models.Q(("is_open", True)),
                fields=["channel", "balance_block"],
                name="chain_payment_to_compare",
            ),
        ),
    ]
