"""Terms are put in force by two people, and changed by two, in the database too."""

from __future__ import annotations

from pathlib import Path

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from operations import approval_rules, roles

SQL = Path(__file__).resolve().parent.parent / "sql"
KINDS = [
    ("review_payout", "Payout review"),
    ("fail_payout", "Mark a payout as failed"),
    ("reinitiate_payout", "Re-initiate a payout"),
    ("supplement_payment", "Supplement a deposit"),
    ("refund_payment", "Refund a deposit"),
    ("adjust_balance", "Manual adjustment"),
    ("supplement_balance", "Manual supplement adjustment"),
    ("freeze_balance", "Freeze"),
    ("unfreeze_balance", "Unfreeze"),
    ("transfer_balance", "Transfer between merchants"),
    ("change_terms", "Change of terms"),
    ("rotate_credential", "New key"),
    ("add_rate", "New exchange rate"),
    ("activate_terms", "First activation"),
]
PERMISSIONS = [
    ("ask_review_payout", "Ask for a payout review by two people"),
    ("ask_fail_payout", "Ask to mark a payout as failed"),
    ("ask_reinitiate_payout", "Ask to re-initiate a payout"),
    ("ask_supplement_payment", "Ask to supplement a deposit"),
    ("ask_refund_payment", "Ask to refund a deposit"),
    ("ask_adjust_balance", "Ask to adjust a balance"),
    ("ask_supplement_balance", "Ask for a supplement adjustment"),
    ("ask_freeze_balance", "Ask to freeze a balance"),
    ("ask_unfreeze_balance", "Ask to unfreeze a balance"),
    ("ask_transfer_balance", "Ask to transfer between merchants"),
    ("ask_change_terms", "Ask to change fees, limits and bounds"),
    ("ask_rotate_credential", "Ask for a merchant's new key"),
    ("ask_add_rate", "Ask for a new exchange rate"),
    ("ask_activate_terms", "Ask to put fees, limits and bounds in force"),
]


def hand_over(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Ship the rule and give the right to ask to whoever asks for changes of terms as shipped."""
    using = schema_editor.connection.alias
    roles.give(apps=apps, using=using, permissions=roles.ACTIVATIONS)
    approval_rules.ship(apps=apps, using=using, rules_shipped=approval_rules.SHIPPED_FOR_ACTIVATIONS)


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0075_chain_transfer_roles"),
        ("channels", "0048_in_force"),
        ("merchants", "0033_in_force"),
    ]

    operations = [
        *(
            migrations.AlterField(
                model_name=model,
                name="kind",
                field=models.CharField(choices=KINDS, max_length=20, verbose_name="act"),
            )
            for model in ("act", "approvalrule")
        ),
        migrations.AlterModelOptions(
            name="approvalrule",
            options={
                "verbose_name": "approval rule",
                "verbose_name_plural": "approval rules",
                "ordering": ["kind", "currency_id", "amount_from", "id"],
                "permissions": PERMISSIONS,
            },
        ),
        migrations.RunPython(hand_over, migrations.RunPython.noop),
        migrations.RunSQL((SQL / "terms.sql").read_text(encoding="utf-8")),
    ]
