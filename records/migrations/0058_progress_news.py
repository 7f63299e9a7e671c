"""Tell merchants how an open order over a chain goes on: the newest news alone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0057_chain_transfer_list"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="notification",
            name="payment_notification_once",
        ),
        migrations.AddField(
            model_name="chainpayment",
            name="told",
            field=models.CharField(
                choices=[
                    ("pending", "Nothing seen yet"),
                    ("confirming", "Waiting for confirmations"),
                    ("partial", "Partially paid"),
                ],
                db_default="pending",
                default="pending",
                max_length=12,
                verbose_name="detail told",
            ),
        ),
        migrations.AddField(
            model_name="notification",
            name="progress_number",
            field=models.PositiveSmallIntegerField(
                help_text="Empty for what a status change caused.",
                null=True,
                verbose_name="news of an open order",
            ),
        ),
        migrations.AlterField(
            model_name="notification",
            name="state",
            field=models.CharField(
                choices=[
                    ("retrying", "Retrying"),
                    ("success", "Success"),
                    ("failed", "Failed"),
                    ("replaced", "Replaced"),
                ],
                default="retrying",
                max_length=8,
                verbose_name="status",
            ),
        ),
        migrations.AddIndex(
            model_name="chainpayment",
            index=models.Index(
                condition=models.Q(("is_open", True), models.Q(("told", models.F("detail")), _negated=True)),
                fields=["channel"],
                name="chain_payment_to_tell",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("asked_at__isnull", True), ("payment__isnull", False), ("progress_number__isnull", True)
                ),
                fields=("payment", "order_version"),
                name="payment_notification_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.UniqueConstraint(
                condition=models.Q(("progress_number__isnull", False)),
                fields=("payment", "progress_number"),
                name="payment_progress_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="notification",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "replaced"), _negated=True),
                    ("progress_number__isnull", False),
                    _connector="OR",
                ),
                name="notification_replaced_is_progress",
            ),
        ),
    ]
