"""Payments over chains: what orders expect and where, the keys of addresses, and how far chains were read."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import channels.chain_models
import diamondpay.lib.fields


class Migration(migrations.Migration):
    dependencies = [
        ("channels", "0046_chains"),
        ("records", "0052_asked_notifications"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChainKey",
            fields=[
                (
                    "fingerprint",
                    models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name="key"),
                ),
                ("next_index", models.PositiveBigIntegerField(default=0, verbose_name="next index")),
            ],
            options={
                "verbose_name": "chain key",
                "verbose_name_plural": "chain keys",
            },
        ),
        migrations.CreateModel(
            name="ChainCursor",
            fields=[
                (
                    "channel",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="chain_cursor",
                        serialize=False,
                        to="channels.channel",
                        verbose_name="channel",
                    ),
                ),
                ("block_number", models.PositiveBigIntegerField(null=True, verbose_name="block")),
                ("block_time", models.DateTimeField(null=True, verbose_name="block time")),
                ("recent", models.JSONField(default=list, verbose_name="recent blocks")),
                ("version", models.PositiveBigIntegerField(default=0, verbose_name="version")),
                ("claimed_until", models.DateTimeField(null=True, verbose_name="claimed until")),
                ("read_at", models.DateTimeField(null=True, verbose_name="read")),
                ("fault", models.CharField(db_default="", default="", max_length=500, verbose_name="fault")),
                ("fault_since", models.DateTimeField(null=True, verbose_name="fault since")),
                (
                    "chain",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.chain",
                        verbose_name="chain",
                    ),
                ),
            ],
            options={
                "verbose_name": "chain cursor",
                "verbose_name_plural": "chain cursors",
            },
        ),
        migrations.CreateModel(
            name="ChainPayment",
            fields=[
                (
                    "payment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="chain_payment",
                        serialize=False,
                        to="records.payment",
                        verbose_name="deposit order",
                    ),
                ),
                (
                    "mode",
                    models.CharField(
                        choices=[("dedicated", "Dedicated address"), ("fixed", "Fixed amount")],
                        max_length=12,
                        verbose_name="collection mode",
                    ),
                ),
                ("address", models.CharField(max_length=64, verbose_name="receiving address")),
                (
                    "derivation_index",
                    models.PositiveBigIntegerField(null=True, verbose_name="derivation index"),
                ),
                (
                    "expected_units",
                    channels.chain_models.UnitsField(
                        decimal_places=0, max_digits=78, null=True, verbose_name="expected units"
                    ),
                ),
                (
                    "seen_units",
                    channels.chain_models.UnitsField(
                        db_default=0, decimal_places=0, default=0, max_digits=78, verbose_name="units seen"
                    ),
                ),
                (
                    "confirmed_units",
                    channels.chain_models.UnitsField(
                        db_default=0,
                        decimal_places=0,
                        default=0,
                        max_digits=78,
                        verbose_name="units confirmed",
                    ),
                ),
                (
                    "detail",
                    models.CharField(
                        choices=[
                            ("pending", "Nothing seen yet"),
                            ("confirming", "Waiting for confirmations"),
                            ("partial", "Partially paid"),
                        ],
                        db_default="pending",
                        default="pending",
                        max_length=12,
                        verbose_name="detail",
                    ),
                ),
                (
                    "transfer_hash",
                    models.CharField(db_default="", default="", max_length=80, verbose_name="transaction"),
                ),
                (
                    "from_address",
                    models.CharField(db_default="", default="", max_length=64, verbose_name="sender"),
                ),
                ("block_time", models.DateTimeField(null=True, verbose_name="block time")),
                ("block_number", models.PositiveBigIntegerField(null=True, verbose_name="block")),
                (
                    "description",
                    models.CharField(db_default="", default="", max_length=500, verbose_name="description"),
                ),
                (
                    "redirect_url",
                    models.CharField(
                        db_default="", default="", max_length=500, verbose_name="return address"
                    ),
                ),
                ("is_open", models.BooleanField(db_default=True, default=True, verbose_name="open")),
                ("watched_until", models.DateTimeField(verbose_name="watched until")),
                (
                    "chain",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.chain",
                        verbose_name="chain",
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.channel",
                        verbose_name="channel",
                    ),
                ),
                (
                    "token",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.token",
                        verbose_name="token",
                    ),
                ),
            ],
            options={
                "verbose_name": "chain payment",
                "verbose_name_plural": "chain payments",
            },
        ),
        migrations.CreateModel(
            name="ChainQuote",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "units",
                    channels.chain_models.UnitsField(decimal_places=0, max_digits=78, verbose_name="units"),
                ),
                (
                    "unit_price",
                    diamondpay.lib.fields.MoneyField(
                        decimal_places=18, max_digits=38, verbose_name="exchange rate"
                    ),
                ),
                (
                    "chain_payment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="quotes",
                        to="records.chainpayment",
                        verbose_name="chain payment",
                    ),
                ),
                (
                    "token",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="channels.token",
                        verbose_name="token",
                    ),
                ),
            ],
            options={
                "verbose_name": "chain quote",
                "verbose_name_plural": "chain quotes",
            },
        ),
        migrations.AddIndex(
            model_name="chainpayment",
            index=models.Index(fields=["channel", "watched_until"], name="chain_payment_watched"),
        ),
        migrations.AddIndex(
            model_name="chainpayment",
            index=models.Index(fields=["chain", "address"], name="chain_payment_address"),
        ),
        migrations.AddConstraint(
            model_name="chainpayment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("mode", "dedicated")),
                fields=("chain", "address"),
                name="chain_payment_address_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="chainpayment",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_open", True), ("mode", "fixed")),
                fields=("chain", "address", "token", "expected_units"),
                name="chain_payment_amount_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="chainpayment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("derivation_index__isnull", False), ("mode", "dedicated")),
                    models.Q(("derivation_index__isnull", True), ("mode", "fixed")),
                    _connector="OR",
                ),
                name="chain_payment_index_of_mode",
            ),
        ),
        migrations.AddConstraint(
            model_name="chainpayment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("expected_units__isnull", True), ("token__isnull", True)),
                    models.Q(("expected_units__gt", 0), ("token__isnull", False)),
                    _connector="OR",
                ),
                name="chain_payment_expects_of_token",
            ),
        ),
        migrations.AddConstraint(
            model_name="chainpayment",
            constraint=models.CheckConstraint(
                condition=models.Q(("confirmed_units__gte", 0), ("seen_units__gte", 0)),
                name="chain_payment_sums_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="chainquote",
            constraint=models.UniqueConstraint(fields=("chain_payment", "token"), name="chain_quote_once"),
        ),
        migrations.AddConstraint(
            model_name="chainquote",
            constraint=models.CheckConstraint(
                condition=models.Q(("unit_price__gt", 0), ("units__gt", 0)), name="chain_quote_positive"
            ),
        ),
    ]
