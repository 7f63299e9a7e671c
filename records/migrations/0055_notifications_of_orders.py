"""Find an order's notifications by an index: the unique ones leave out those that were asked for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("merchants", "0032_api_calls"),
        ("records", "0054_chain_transfers"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("payment__isnull", False)),
                fields=["payment", "id"],
                name="notification_of_payment",
            ),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("payout__isnull", False)),
                fields=["payout", "id"],
                name="notification_of_payout",
            ),
        ),
    ]
