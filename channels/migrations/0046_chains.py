"""Chains and the tokens on them."""

from __future__ import annotations

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0045_rate_of_act"),
    ]

    operations = [
        migrations.CreateModel(
            name="Chain",
            fields=[
                (
                    "chain_id",
                    models.PositiveIntegerField(
                        primary_key=True,
                        serialize=False,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(2147483647),
                        ],
                        verbose_name="chain id",
                    ),
                ),
                (
                    "code",
                    models.CharField(
                        max_length=16,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z][A-Z0-9]{1,15}$", "2 to 16 capital letters or digits."
                            )
                        ],
                        verbose_name="code",
                    ),
                ),
                ("name", models.CharField(max_length=64, verbose_name="name")),
                (
                    "symbol",
                    models.CharField(
                        max_length=16,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z][A-Z0-9]{1,15}$", "2 to 16 capital letters or digits."
                            )
                        ],
                        verbose_name="native coin",
                    ),
                ),
                (
                    "confirmations",
                    models.PositiveIntegerField(
                        default=12,
                        help_text="A transfer counts once so many blocks hold it, its own included.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(200),
                        ],
                        verbose_name="confirmations",
                    ),
                ),
                (
                    "network_id",
                    models.PositiveBigIntegerField(
                        blank=True,
                        help_text="What an EVM node answers to eth_chainId; empty for other chains.",
                        null=True,
                        unique=True,
                        verbose_name="network id",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")],
                        default="open",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
            ],
            options={
                "verbose_name": "chain",
                "verbose_name_plural": "chains",
                "ordering": ["chain_id"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("confirmations__gte", 1), ("confirmations__lte", 200)),
                        name="chain_confirmations_range",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("chain_id__gte", 1)), name="chain_id_positive"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Token",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64, verbose_name="name")),
                (
                    "symbol",
                    models.CharField(
                        max_length=16,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[A-Z][A-Z0-9]{1,15}$", "2 to 16 capital letters or digits."
                            )
                        ],
                        verbose_name="symbol",
                    ),
                ),
                (
                    "address",
                    models.CharField(
                        blank=True,
                        help_text="Empty for the chain's native coin.",
                        max_length=64,
                        verbose_name="contract",
                    ),
                ),
                (
                    "decimals",
                    models.PositiveSmallIntegerField(
                        validators=[django.core.validators.MaxValueValidator(18)], verbose_name="decimals"
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")],
                        default="open",
                        max_length=8,
                        verbose_name="status",
                    ),
                ),
                (
                    "chain",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tokens",
                        to="channels.chain",
                        verbose_name="chain",
                    ),
                ),
                (
                    "currency",
                    models.ForeignKey(
                        help_text="Of the wallets in which orders quoted in the token are booked.",
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tokens",
                        to="channels.currency",
                        verbose_name="currency",
                    ),
                ),
            ],
            options={
                "verbose_name": "token",
                "verbose_name_plural": "tokens",
                "ordering": ["chain", "symbol"],
                "constraints": [
                    models.UniqueConstraint(fields=("chain", "symbol"), name="token_symbol_once"),
                    models.UniqueConstraint(fields=("chain", "address"), name="token_address_once"),
                    models.CheckConstraint(
                        condition=models.Q(("decimals__lte", 18)), name="token_decimals_range"
                    ),
                ],
            },
        ),
    ]
