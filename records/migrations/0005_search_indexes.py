"""What the search box looks by: merchants' numbers in capitals, amounts, remark codes.

Django gives every unique text a second index for LIKE, which nothing here ever asks for. Those of the two
order tables go, so that an order is written into as many indexes as before.
"""

from django.db import migrations, models
from django.db.models import F, Q
from django.db.models.functions import Upper

_LIKE = {
    "records_payment_payment_id_b0ceb71b_like": ("records_payment", "payment_id"),
    "records_payout_payout_id_0bb38b05_like": ("records_payout", "payout_id"),
    "records_payoutattempt_reference_3c8085a7_like": ("records_payoutattempt", "reference"),
}


class Migration(migrations.Migration):
    dependencies = [("records", "0004_short_locks")]

    operations = [
        *(
            migrations.RunSQL(
                f'DROP INDEX IF EXISTS "{name}"',
                f'CREATE INDEX "{name}" ON "{table}" ("{column}" varchar_pattern_ops)',
            )
            for name, (table, column) in _LIKE.items()
        ),
        migrations.RemoveIndex("payment", "payment_merchant_no"),
        migrations.RemoveIndex("payout", "payout_merchant_no"),
        migrations.AddIndex("payment", models.Index(Upper("merchant_order_no"), name="payment_folded_no")),
        migrations.AddIndex("payout", models.Index(Upper("merchant_order_no"), name="payout_folded_no")),
        migrations.AddIndex(
            "payment", models.Index(fields=["requested_amount", "-created_at"], name="payment_amount")
        ),
        migrations.AddIndex(
            "payout", models.Index(fields=["requested_amount", "-created_at"], name="payout_amount")
        ),
        migrations.AddIndex(
            "payment",
            models.Index(
                fields=["actual_amount", "-created_at"],
                name="payment_other_amount",
                condition=Q(actual_amount__gt=F("requested_amount"))
                | Q(actual_amount__lt=F("requested_amount")),
            ),
        ),
        migrations.AddIndex(
            "payment",
            models.Index(
                Upper("remark_code"), F("id").desc(), name="payment_remark", condition=~Q(remark_code="")
            ),
        ),
    ]
