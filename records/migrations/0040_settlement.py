"""Orders that are settled in another currency: what was asked for, how it is paid, and what may be debited."""

from django.db import migrations, models
from django.db.models import F, Q

import diamondpay.lib.fields

METHODS = [
    ("BankCard", "Bank card"),
    ("WeChatPay", "WeChat Pay"),
    ("Alipay", "Alipay"),
    ("Blockchain", "Blockchain"),
    ("Account", "Account"),
]


def _of_both(model: str) -> list[migrations.operations.base.Operation]:
    return [
        migrations.AddField(
            model_name=model,
            name="quoted_amount",
            field=diamondpay.lib.fields.MoneyField(
                blank=True,
                decimal_places=18,
                help_text="Empty when the merchant asked in the order's currency.",
                max_digits=38,
                null=True,
                verbose_name="amount asked for in settlement units",
            ),
        ),
        migrations.AddField(
            model_name=model,
            name="payment_method",
            field=models.CharField(
                blank=True,
                choices=METHODS,
                db_default="",
                default="",
                max_length=10,
                verbose_name="payment method",
            ),
        ),
        migrations.AddConstraint(
            model_name=model,
            constraint=models.CheckConstraint(
                condition=Q(
                    ("unit_price", 1),
                    Q(("settlement_currency", F("currency")), _negated=True),
                    _connector="OR",
                ),
                name=f"{model}_one_currency_one_price",
            ),
        ),
        migrations.AddConstraint(
            model_name=model,
            constraint=models.CheckConstraint(
                condition=Q(("quoted_amount__isnull", True), ("quoted_amount__gt", 0), _connector="OR"),
                name=f"{model}_quoted_positive",
            ),
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0020_proofs"),
        ("channels", "0010_exchange_rates"),
    ]

    operations = [
        *_of_both("payment"),
        *_of_both("payout"),
        migrations.RemoveConstraint(model_name="payment", name="payment_settled_is_actual"),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=Q(
                    Q(("settlement_currency", F("currency")), _negated=True),
                    ("settled_amount__isnull", True),
                    ("settled_amount", F("actual_amount")),
                    _connector="OR",
                ),
                name="payment_settled_is_actual",
            ),
        ),
        migrations.RemoveConstraint(model_name="payout", name="payout_debited_amount"),
        migrations.AddConstraint(
            model_name="payout",
            constraint=models.CheckConstraint(
                condition=Q(
                    ("debited_amount__gt", F("fee")),
                    ("fee__gte", 0),
                    Q(
                        Q(("settlement_currency", F("currency")), _negated=True),
                        ("debited_amount", F("requested_amount") + F("fee")),
                        _connector="OR",
                    ),
                ),
                name="payout_debited_amount",
            ),
        ),
        migrations.AlterField(
            model_name="payout",
            name="debited_amount",
            field=diamondpay.lib.fields.MoneyField(
                decimal_places=18,
                help_text="Amount + fee in settlement units, frozen at creation.",
                max_digits=38,
                verbose_name="debited amount",
            ),
        ),
    ]
