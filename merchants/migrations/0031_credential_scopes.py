"""Say of each key what it may do, and give merchants' users rights over what is their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("merchants", "0030_import_terms")]

    operations = [
        migrations.AddField(
            model_name="credential",
            name="may_read",
            field=models.BooleanField(db_default=True, default=True, verbose_name="may read"),
        ),
        migrations.AddField(
            model_name="credential",
            name="may_deposit",
            field=models.BooleanField(db_default=True, default=True, verbose_name="may create deposits"),
        ),
        migrations.AddField(
            model_name="credential",
            name="may_payout",
            field=models.BooleanField(db_default=True, default=True, verbose_name="may create payouts"),
        ),
        migrations.AddConstraint(
            model_name="credential",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("may_read", True), ("may_deposit", True), ("may_payout", True), _connector="OR"
                ),
                name="credential_may_something",
            ),
        ),
        migrations.AlterModelOptions(
            name="credential",
            options={
                "ordering": ["-created_at", "-id"],
                "permissions": [
                    ("rotate_own_credential", "Rotate and end the own merchant's keys"),
                    ("test_own_callback", "Send the own merchant a test callback"),
                ],
                "verbose_name": "credential",
                "verbose_name_plural": "credentials",
            },
        ),
        migrations.AlterModelOptions(
            name="allowedaddress",
            options={
                "permissions": [("change_own_allowedaddress", "Change the own merchant's IP allow-list")],
                "verbose_name": "allowed address",
                "verbose_name_plural": "IP allow-list",
            },
        ),
    ]
