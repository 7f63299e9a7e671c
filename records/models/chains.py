"""Payments over a chain: what an order expects where, and every transfer that was seen."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models import Chain, Channel, Token, UnitsField
from diamondpay.lib.fields import MoneyField
from records.models.payments import Payment


class ChainPayment(models.Model):
    """The chain's side of a deposit order. Written by `records.chain_payments` alone.

    Where and on which chain is fixed at birth; token and amount are set once, together. The sums, `detail`
    and what is told of the transfer are kept by triggers on transfers (`records/sql/chains.sql`).
    """

    class Mode(models.TextChoices):
        DEDICATED = "dedicated", _("Dedicated address")
        FIXED = "fixed", _("Fixed amount")

    class Detail(models.TextChoices):
        PENDING = "pending", _("Nothing seen yet")
        CONFIRMING = "confirming", _("Waiting for confirmations")
        PARTIAL = "partial", _("Partially paid")

    payment = models.OneToOneField(
        Payment,
        models.PROTECT,
        primary_key=True,
        related_name="chain_payment",
        verbose_name=_("deposit order"),
    )
    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="+", verbose_name=_("channel"), db_index=False
    )
    chain = models.ForeignKey(
        Chain, models.PROTECT, related_name="+", verbose_name=_("chain"), db_index=False
    )
    token = models.ForeignKey(
        Token, models.PROTECT, null=True, related_name="+", verbose_name=_("token"), db_index=False
    )
    mode = models.CharField(_("collection mode"), max_length=12, choices=Mode)
    address = models.CharField(_("receiving address"), max_length=64)
    derivation_index = models.PositiveBigIntegerField(_("derivation index"), null=True)
    expected_units = UnitsField(_("expected units"), null=True)
    seen_units = UnitsField(_("units seen"), default=0, db_default=0)
    confirmed_units = UnitsField(_("units confirmed"), default=0, db_default=0)
    detail = models.CharField(
        _("detail"), max_length=12, choices=Detail, default=Detail.PENDING, db_default=Detail.PENDING
    )
    told = models.CharField(
        _("detail told"), max_length=12, choices=Detail, default=Detail.PENDING, db_default=Detail.PENDING
    )
    transfer_hash = models.CharField(_("transaction"), max_length=80, default="", db_default="")
    from_address = models.CharField(_("sender"), max_length=64, default="", db_default="")
    block_time = models.DateTimeField(_("block time"), null=True)
    block_number = models.PositiveBigIntegerField(_("block"), null=True)
    description = models.CharField(_("description"), max_length=500, default="", db_default="")
    redirect_url = models.CharField(_("return address"), max_length=500, default="", db_default="")
    is_open = models.BooleanField(_("open"), default=True, db_default=True)
    watched_until = models.DateTimeField(_("watched until"))
    balance_block = models.PositiveBigIntegerField(_("balance compared at block"), null=True)

    class Meta:
        verbose_name = _("chain payment")
        verbose_name_plural = _("chain payments")
        constraints = [
            models.UniqueConstraint(
                fields=["chain", "address"], name="chain_payment_address_once", condition=Q(mode="dedicated")
            ),
            # An amount tells whose payment it is only while no other open order waits for the same.
            models.UniqueConstraint(
                fields=["chain", "address", "token", "expected_units"],
                name="chain_payment_amount_once",
                condition=Q(mode="fixed", is_open=True),
            ),
            models.CheckConstraint(
                condition=Q(mode="dedicated", derivation_index__isnull=False)
                | Q(mode="fixed", derivation_index__isnull=True),
                name="chain_payment_index_of_mode",
            ),
            models.CheckConstraint(
                condition=Q(token__isnull=True, expected_units__isnull=True)
                | Q(token__isnull=False, expected_units__gt=0),
                name="chain_payment_expects_of_token",
            ),
            models.CheckConstraint(
                condition=Q(seen_units__gte=0, confirmed_units__gte=0), name="chain_payment_sums_not_negative"
            ),
        ]
        indexes = [
            models.Index(fields=["channel", "watched_until"], name="chain_payment_watched"),
            models.Index(fields=["chain", "address"], name="chain_payment_address"),
            models.Index(
                fields=["channel", "balance_block"],
                name="chain_payment_to_compare",
                condition=Q(is_open=True),
            ),
            models.Index(
                fields=["channel"],
                name="chain_payment_to_tell",
                condition=Q(is_open=True) & ~Q(told=models.F("detail")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.payment_id} {self.address}"


class ChainQuote(models.Model):
    """What an order costs in one token, fixed when it was made. Units: unit_price in the order's currency."""

    chain_payment = models.ForeignKey(
        ChainPayment, models.PROTECT, related_name="quotes", verbose_name=_("chain payment"), db_index=False
    )
    token = models.ForeignKey(
        Token, models.PROTECT, related_name="+", verbose_name=_("token"), db_index=False
    )
    units = UnitsField(_("units"))
    unit_price = MoneyField(_("exchange rate"))

    class Meta:
        verbose_name = _("chain quote")
        verbose_name_plural = _("chain quotes")
        constraints = [
            models.UniqueConstraint(fields=["chain_payment", "token"], name="chain_quote_once"),
            models.CheckConstraint(condition=Q(units__gt=0, unit_price__gt=0), name="chain_quote_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.units} {self.token_id}"


class ChainTransfer(models.Model):
    """One transfer to an address of ours, once, however often and in whichever block it is seen.

    `log_index` is its place among its transaction's events, which stays the same when another block takes the
    transaction in; -1 for a transfer of the native coin. `effect` names what was booked for it.
    """

    class State(models.TextChoices):
        SEEN = "seen", _("Seen")
        CONFIRMED = "confirmed", _("Confirmed")
        ORPHANED = "orphaned", _("Orphaned")

    chain = models.ForeignKey(
        Chain, models.PROTECT, related_name="+", verbose_name=_("chain"), db_index=False
    )
    tx_hash = models.CharField(_("transaction"), max_length=80)
    log_index = models.IntegerField(_("place in the transaction"))
    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="+", verbose_name=_("channel"), db_index=False
    )
    token = models.ForeignKey(
        Token, models.PROTECT, related_name="+", verbose_name=_("token"), db_index=False
    )
    from_address = models.CharField(_("sender"), max_length=64)
    to_address = models.CharField(_("receiving address"), max_length=64)
    units = UnitsField(_("units"))
    block_number = models.PositiveBigIntegerField(_("block"))
    block_hash = models.CharField(_("block hash"), max_length=80)
    block_time = models.DateTimeField(_("block time"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.SEEN)
    payment = models.ForeignKey(
        Payment,
        models.PROTECT,
        null=True,
        related_name="chain_transfers",
        verbose_name=_("deposit order"),
    )
    effect = models.CharField(_("booked as"), max_length=128, default="", db_default="")
    seen_at = models.DateTimeField(_("seen"))
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)

    class Meta:
        verbose_name = _("chain transfer")
        verbose_name_plural = _("chain transfers")
        constraints = [
            models.UniqueConstraint(fields=["chain", "tx_hash", "log_index"], name="chain_transfer_once"),
            models.CheckConstraint(condition=Q(units__gt=0), name="chain_transfer_positive"),
            models.CheckConstraint(
                condition=Q(state="confirmed", confirmed_at__isnull=False)
                | (~Q(state="confirmed") & Q(confirmed_at__isnull=True, effect="")),
                name="chain_transfer_booked_when_confirmed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["channel", "block_number"], name="chain_transfer_waiting", condition=Q(state="seen")
            ),
            models.Index(
                fields=["channel", "id"],
                name="chain_transfer_to_book",
                condition=Q(state="confirmed", effect=""),
            ),
            # The list of transfers, the box above it, and the search for a number.
            models.Index(fields=["-seen_at", "-id"], name="chain_transfer_newest"),
            models.Index(fields=["channel", "-seen_at", "-id"], name="chain_transfer_of_channel"),
            # Nearly every transfer is confirmed.
            models.Index(
                fields=["state", "-seen_at", "-id"],
                name="chain_transfer_of_state",
                condition=Q(state__in=["seen", "orphaned"]),
            ),
            models.Index(fields=["tx_hash", "-id"], name="chain_transfer_of_hash"),
            models.Index(fields=["to_address", "-id"], name="chain_transfer_to"),
            models.Index(fields=["from_address", "-id"], name="chain_transfer_from"),
        ]

    def __str__(self) -> str:
        return f"{self.tx_hash}:{self.log_index}"


class ChainKey(models.Model):
    """How many addresses were derived from an extended public key; an index is given once."""

    fingerprint = models.CharField(_("key"), max_length=64, primary_key=True)
    next_index = models.PositiveBigIntegerField(_("next index"), default=0)

    class Meta:
        verbose_name = _("chain key")
        verbose_name_plural = _("chain keys")

    def __str__(self) -> str:
        return self.fingerprint[:12]


class ChainCursor(models.Model):
    """How far a channel has read its chain, the last blocks it read, and what the node last said wrongly.

    `recent` holds [number, hash] of the newest blocks read, ascending; the last one is `block_number`.
    """

    channel = models.OneToOneField(
        Channel, models.PROTECT, primary_key=True, related_name="chain_cursor", verbose_name=_("channel")
    )
    chain = models.ForeignKey(
        Chain, models.PROTECT, related_name="+", verbose_name=_("chain"), db_index=False
    )
    block_number = models.PositiveBigIntegerField(_("block"), null=True)
    block_time = models.DateTimeField(_("block time"), null=True)
    recent = models.JSONField(_("recent blocks"), default=list)
    version = models.PositiveBigIntegerField(_("version"), default=0)
    claimed_until = models.DateTimeField(_("claimed until"), null=True)
    read_at = models.DateTimeField(_("read"), null=True)
    fault = models.CharField(_("fault"), max_length=500, default="", db_default="")
    fault_since = models.DateTimeField(_("fault since"), null=True)

    class Meta:
        verbose_name = _("chain cursor")
        verbose_name_plural = _("chain cursors")

    def __str__(self) -> str:
        return f"{self.channel_id} {self.block_number}"
