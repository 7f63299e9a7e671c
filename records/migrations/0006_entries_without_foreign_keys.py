"""Copies that a trigger makes of a row it has just read are not looked up a second time."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0002_reference"),
        ("merchants", "0001_initial"),
        ("records", "0005_search_indexes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="accountdelta",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="records.account",
            ),
        ),
        migrations.AlterField(
            model_name="balancerecord",
            name="account",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="records.account",
                verbose_name="account",
            ),
        ),
        migrations.AlterField(
            model_name="balancerecord",
            name="channel",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="balance_records",
                to="channels.channel",
                verbose_name="channel",
            ),
        ),
        migrations.AlterField(
            model_name="balancerecord",
            name="currency",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="channels.currency",
                verbose_name="currency",
            ),
        ),
        migrations.AlterField(
            model_name="balancerecord",
            name="merchant",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="balance_records",
                to="merchants.merchant",
                verbose_name="merchant",
            ),
        ),
        migrations.AlterField(
            model_name="balancerecord",
            name="merchant_channel",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="balance_records",
                to="merchants.merchantchannel",
                verbose_name="merchant channel",
            ),
        ),
        migrations.AlterField(
            model_name="balancerecord",
            name="posting",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="records.posting",
                verbose_name="posting",
            ),
        ),
        migrations.AlterField(
            model_name="statuschange",
            name="payment",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="status_changes",
                to="records.payment",
                verbose_name="deposit order",
            ),
        ),
        migrations.AlterField(
            model_name="statuschange",
            name="payout",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="status_changes",
                to="records.payout",
                verbose_name="payout order",
            ),
        ),
    ]
