"""Transfers seen on chains, and the rules of payments over chains."""

from __future__ import annotations

from pathlib import Path

import django.db.models.deletion
from django.db import migrations, models

import channels.chain_models

RULES = Path(__file__).resolve().parent.parent / "sql" / "chains.sql"


class Migration(migrations.Migration):
    dependencies = [
        ("records", "0053_chains"),
    ]

    operations = [
        migrations.CreateModel(
            name="ChainTransfer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("tx_hash", models.CharField(max_length=80, verbose_name="transaction")),
                ("log_index", models.IntegerField(verbose_name="place in the transaction")),
                ("from_address", models.CharField(max_length=64, verbose_name="sender")),
                ("to_address", models.CharField(max_length=64, verbose_name="receiving address")),
                (
                    "units",
                    channels.chain_models.UnitsField(decimal_places=0, max_digits=78, verbose_name="units"),
                ),
                ("block_number", models.PositiveBigIntegerField(verbose_name="block")),
                ("block_hash", models.CharField(max_length=80, verbose_name="block hash")),
                ("block_time", models.DateTimeField(verbose_name="block time")),
                (
                    "state",
                    models.CharField(
                        choices=[("seen", "Seen"), ("confirmed", "Confirmed"), ("orphaned", "Orphaned")],
                        default="seen",
                        max_length=10,
                        verbose_name="state",
                    ),
                ),
                (
                    "effect",
                    models.CharField(db_default="", default="", max_length=128, verbose_name="booked as"),
                ),
                ("seen_at", models.DateTimeField(verbose_name="seen")),
                ("confirmed_at", models.DateTimeField(null=True, verbose_name="confirmed")),
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
                    "payment",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="chain_transfers",
                        to="records.payment",
                        verbose_name="deposit order",
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
                "verbose_name": "chain transfer",
                "verbose_name_plural": "chain transfers",
            },
        ),
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(
                condition=models.Q(("state", "seen")),
                fields=["channel", "block_number"],
                name="chain_transfer_waiting",
            ),
        ),
        migrations.AddIndex(
            model_name="chaintransfer",
            index=models.Index(
                condition=models.Q(("effect", ""), ("state", "confirmed")),
                fields=["channel", "id"],
                name="chain_transfer_to_book",
            ),
        ),
        migrations.AddConstraint(
            model_name="chaintransfer",
            constraint=models.UniqueConstraint(
                fields=("chain", "tx_hash", "log_index"), name="chain_transfer_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="chaintransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(("units__gt", 0)), name="chain_transfer_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="chaintransfer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("confirmed_at__isnull", False), ("state", "confirmed")),
                    models.Q(
                        models.Q(("state", "confirmed"), _negated=True),
                        ("confirmed_at__isnull", True),
                        ("effect", ""),
                    ),
                    _connector="OR",
                ),
                name="chain_transfer_booked_when_confirmed",
            ),
        ),
        migrations.RunSQL(RULES.read_text(encoding="utf-8")),
    ]
