"""Who decides which act until when: rules as data, and what an act copies from its rule."""

import diamondpay.lib.fields
import django.core.validators
import django.db.models.deletion
from decimal import Decimal
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("channels", "0002_reference"),
        ("operations", "0010_form_tokens"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApprovalRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
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
                        ],
                        max_length=20,
                        verbose_name="act",
                    ),
                ),
                (
                    "amount_from",
                    diamondpay.lib.fields.MoneyField(
                        decimal_places=18,
                        default=Decimal("0"),
                        help_text="This amount included.",
                        max_digits=38,
                        verbose_name="from amount",
                    ),
                ),
                (
                    "amount_to",
                    diamondpay.lib.fields.MoneyField(
                        decimal_places=18,
                        default=Decimal("0"),
                        help_text="This amount not included; 0 = no upper end.",
                        max_digits=38,
                        verbose_name="below amount",
                    ),
                ),
                (
                    "expiry_hours",
                    models.PositiveSmallIntegerField(
                        default=24,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(720),
                        ],
                        verbose_name="hours until it expires",
                    ),
                ),
                ("is_active", models.BooleanField(default=True, verbose_name="active")),
            ],
            options={
                "verbose_name": "approval rule",
                "verbose_name_plural": "approval rules",
                "ordering": ["kind", "currency_id", "amount_from", "id"],
                "permissions": [
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
                ],
            },
        ),
        migrations.RemoveConstraint(
            model_name="act",
            name="act_decided_by_somebody",
        ),
        migrations.AlterField(
            model_name="act",
            name="object_kind",
            field=models.CharField(max_length=32, verbose_name="kind of object"),
        ),
        migrations.AddField(
            model_name="act",
            name="object_name",
            field=models.CharField(blank=True, default="", max_length=128, verbose_name="object"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="act",
            name="amount",
            field=diamondpay.lib.fields.MoneyField(
                blank=True, decimal_places=18, max_digits=38, null=True, verbose_name="amount"
            ),
        ),
        migrations.AddField(
            model_name="act",
            name="currency",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="channels.currency",
                verbose_name="currency",
            ),
        ),
        migrations.AddField(
            model_name="act",
            name="decider_role",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="auth.group",
                verbose_name="decided by role",
            ),
        ),
        migrations.AddField(
            model_name="act",
            name="expires_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="expires"),
        ),
        migrations.AddField(
            model_name="act",
            name="handed_over_at",
            field=models.DateTimeField(blank=True, null=True, verbose_name="key handed over"),
        ),
        migrations.AddField(
            model_name="act",
            name="handover_encrypted",
            field=models.BinaryField(null=True, verbose_name="new key"),
        ),
        migrations.AlterField(
            model_name="act",
            name="kind",
            field=models.CharField(
                choices=[
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
                ],
                max_length=20,
                verbose_name="act",
            ),
        ),
        migrations.AlterField(
            model_name="act",
            name="state",
            field=models.CharField(
                choices=[
                    ("requested", "Waiting for a decision"),
                    ("executed", "Approved and executed"),
                    ("rejected", "Rejected"),
                    ("expired", "Expired"),
                ],
                default="requested",
                max_length=10,
                verbose_name="state",
            ),
        ),
        migrations.AddIndex(
            model_name="act",
            index=models.Index(
                condition=models.Q(("state", "requested")), fields=["expires_at"], name="act_to_expire"
            ),
        ),
        migrations.AddConstraint(
            model_name="act",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("decided_at__isnull", True), ("decided_by__isnull", True), ("state", "requested")
                    ),
                    models.Q(
                        ("decided_at__isnull", False), ("decided_by__isnull", True), ("state", "expired")
                    ),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        ("state__in", ["executed", "rejected"]),
                    ),
                    _connector="OR",
                ),
                name="act_decided_by_somebody",
            ),
        ),
        migrations.AddField(
            model_name="approvalrule",
            name="currency",
            field=models.ForeignKey(
                blank=True,
                help_text="Empty: every currency that has no rule of its own.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="channels.currency",
                verbose_name="currency",
            ),
        ),
        migrations.AddField(
            model_name="approvalrule",
            name="role",
            field=models.ForeignKey(
                help_text="Super Administrators may always decide; nobody decides what they asked for.",
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="auth.group",
                verbose_name="role that decides",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrule",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount_from__gte", 0),
                    models.Q(("amount_to", 0), ("amount_to__gt", models.F("amount_from")), _connector="OR"),
                ),
                name="approval_rule_band",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrule",
            constraint=models.CheckConstraint(
                condition=models.Q(("expiry_hours__gte", 1), ("expiry_hours__lte", 720)),
                name="approval_rule_expiry",
            ),
        ),
        migrations.AddConstraint(
            model_name="approvalrule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_active", True)),
                fields=("kind", "currency", "amount_from"),
                name="approval_rule_once",
                nulls_distinct=False,
            ),
        ),
    ]
