"""Bring the rights to the direct acts on orders, and hand them out."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import roles


def give(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Give the new permissions, and those alone."""
    roles.give(apps=apps, using=schema_editor.connection.alias, permissions=roles.ORDER_ACTS)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0012_four_eyes"),
        ("records", "0020_proofs"),
    ]

    operations = [
        migrations.AlterModelOptions(
            name="act",
            options={
                "ordering": ["-requested_at", "-id"],
                "permissions": [
                    (
                        "operation_payment_write",
                        "1014 OPERATION_PAYMENT_WRITE: create deposit orders for the own merchant",
                    ),
                    (
                        "operation_payment_global_write",
                        "1021 OPERATION_PAYMENT_GLOBAL_WRITE: create deposit orders for any merchant",
                    ),
                    (
                        "operation_payout_write",
                        "1015 OPERATION_PAYOUT_WRITE: create payout orders for the own merchant",
                    ),
                    (
                        "operation_payout_global_write",
                        "1022 OPERATION_PAYOUT_GLOBAL_WRITE: create payout orders for any merchant",
                    ),
                    ("close_payment", "Close a deposit order"),
                    ("review_payout", "Approve or reject a payout under review"),
                    ("resend_notification", "Resend a notification"),
                    ("resend_failed_notifications", "Resend all failed notifications of a merchant"),
                    ("requery_payment", "Ask the upstream about a deposit order"),
                    ("open_payment_page", "Open the payer's page and QR code of a deposit order"),
                    ("decide_act", "Decide acts that another person requested"),
                ],
                "verbose_name": "act",
                "verbose_name_plural": "acts",
            },
        ),
        migrations.RunPython(give, migrations.RunPython.noop),
    ]
