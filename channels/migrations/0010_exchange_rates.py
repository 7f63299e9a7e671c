"""Exchange rates with their history, which nobody rewrites, and how a service is paid."""

import diamondpay.lib.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# What is written stays written, also for the owner of the table.
RULES = """
CREATE FUNCTION channels_forbid_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is forbidden: its rows are append-only', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER exchange_rate_append_only BEFORE UPDATE OR DELETE ON channels_exchangerate
    FOR EACH ROW EXECUTE FUNCTION channels_forbid_rewriting();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON channels_exchangerate
    FOR EACH STATEMENT EXECUTE FUNCTION channels_forbid_rewriting();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0002_reference"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="service",
            name="payment_method",
            field=models.CharField(
                blank=True,
                choices=[
                    ("BankCard", "Bank card"),
                    ("WeChatPay", "WeChat Pay"),
                    ("Alipay", "Alipay"),
                    ("Blockchain", "Blockchain"),
                    ("Account", "Account"),
                ],
                help_text="By this the transaction-request API finds the service.",
                max_length=10,
                verbose_name="payment method",
            ),
        ),
        migrations.CreateModel(
            name="ExchangeRate",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "rate",
                    diamondpay.lib.fields.MoneyField(decimal_places=18, max_digits=38, verbose_name="rate"),
                ),
                ("valid_from", models.DateTimeField(verbose_name="valid from")),
                ("created_at", models.DateTimeField(editable=False, verbose_name="created")),
                ("reason", models.CharField(max_length=500, verbose_name="reason")),
                (
                    "base",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.currency",
                        verbose_name="one unit of",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="created by",
                    ),
                ),
                (
                    "quote",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.currency",
                        verbose_name="costs in",
                    ),
                ),
            ],
            options={
                "verbose_name": "exchange rate",
                "verbose_name_plural": "exchange rates",
                "ordering": ["-valid_from", "-id"],
                "indexes": [models.Index(fields=["-valid_from", "-id"], name="exchange_rate_newest")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("base", "quote", "valid_from"), name="exchange_rate_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("rate__gt", 0)), name="exchange_rate_positive"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("base", models.F("quote")), _negated=True),
                        name="exchange_rate_of_two_currencies",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("valid_from__gte", models.F("created_at"))),
                        name="exchange_rate_not_backdated",
                    ),
                ],
            },
        ),
        migrations.RunSQL(RULES, migrations.RunSQL.noop),
    ]
