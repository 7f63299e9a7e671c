"""A batch of payouts and its rows, and the files of which no batch could be made."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from channels.models import Bank, Currency, Service
from diamondpay.lib.fields import MoneyField
from merchants.models import Merchant, MerchantChannel
from records.models import Payout


class BatchPayout(models.Model):
    """A file of payouts of one merchant and service. Changed by `operations.batches` alone.

    prepared ──► placing ──► done
        └──────► discarded

    Units: amounts in major units of the service's currency; `frozen_amount` is amount + fee.
    """

    class State(models.TextChoices):
        PREPARED = "prepared", _("Waiting for confirmation")
        PLACING = "placing", _("Being created")
        DONE = "done", _("Done")
        DISCARDED = "discarded", _("Discarded")

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", verbose_name=_("merchant"))
    service = models.ForeignKey(
        Service, models.PROTECT, related_name="+", verbose_name=_("service"), db_index=False
    )
    currency = models.ForeignKey(
        Currency, models.PROTECT, related_name="+", verbose_name=_("currency"), db_index=False
    )
    # None lets routing choose a wallet for each row.
    merchant_channel = models.ForeignKey(
        MerchantChannel,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("merchant channel"),
        db_index=False,
    )
    file_name = models.CharField(_("file"), max_length=160)
    file_sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)
    # Of the rows in any order, however they are packed: saving a file anew makes no other batch of it.
    content_hash = models.BinaryField(editable=False)
    row_count = models.PositiveIntegerField(_("payouts"))
    amount = MoneyField(_("sum"))
    fee = MoneyField(_("fees"))
    frozen_amount = MoneyField(_("to freeze"))
    state = models.CharField(_("state"), max_length=9, choices=State, default=State.PREPARED)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        verbose_name=_("uploaded by"),
        db_index=False,
    )
    uploaded_at = models.DateTimeField(_("uploaded"))
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("confirmed by"),
        db_index=False,
    )
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("stopped by"),
        db_index=False,
    )
    stopped_at = models.DateTimeField(_("stopped"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("batch of payouts")
        verbose_name_plural = _("batches of payouts")
        # Its pages are opened by the right to create payouts, 1015 or 1022.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "content_hash"], name="batch_file_once", condition=~Q(state="discarded")
            ),
            models.CheckConstraint(
                condition=Q(amount__gt=0, fee__gte=0, row_count__gt=0, frozen_amount=F("amount") + F("fee")),
                name="batch_sums",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["placing", "done"], confirmed_by__isnull=False)
                & Q(confirmed_at__isnull=False)
                | Q(state__in=["prepared", "discarded"], confirmed_by__isnull=True)
                & Q(confirmed_at__isnull=True),
                name="batch_confirmed_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["done", "discarded"], finished_at__isnull=False)
                | Q(state__in=["prepared", "placing"], finished_at__isnull=True),
                name="batch_finished_when_over",
            ),
            models.CheckConstraint(
                condition=Q(stopped_by__isnull=True, stopped_at__isnull=True)
                | Q(stopped_by__isnull=False, stopped_at__isnull=False, confirmed_by__isnull=False),
                name="batch_stopped_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.pk})"


class BatchPayoutRow(models.Model):
    """One payout of a batch, with the order number it will have; the queue of the workers.

    prepared ──► waiting ──► placed | failed
                    └──────► stopped   (never begun)
    """

    class State(models.TextChoices):
        PREPARED = "prepared", _("Not confirmed")
        WAITING = "waiting", _("Waiting")
        PLACED = "placed", _("Created")
        FAILED = "failed", _("Not created")
        STOPPED = "stopped", _("Stopped")

    batch = models.ForeignKey(
        BatchPayout, models.PROTECT, related_name="rows", verbose_name=_("batch"), db_index=False
    )
    merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="+", verbose_name=_("merchant"), db_index=False
    )
    number = models.PositiveIntegerField(_("number"))
    sheet_row = models.PositiveIntegerField(_("row in the file"))
    merchant_order_no = models.CharField(_("merchant order no."), max_length=64)
    amount = MoneyField(_("amount"))
    fee = MoneyField(_("fee"))
    merchant_channel = models.ForeignKey(
        MerchantChannel, models.PROTECT, related_name="+", verbose_name=_("merchant channel"), db_index=False
    )
    bank = models.ForeignKey(
        Bank, models.PROTECT, null=True, related_name="+", verbose_name=_("bank"), db_index=False
    )
    bank_branch = models.CharField(_("bank branch"), max_length=128, blank=True)
    party_name = models.CharField(_("name"), max_length=128, blank=True)
    party_encrypted = models.BinaryField(_("personal fields"), editable=False)
    account_masked = models.CharField(_("account"), max_length=128, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State, default=State.PREPARED)
    payout = models.OneToOneField(
        Payout, models.PROTECT, null=True, related_name="+", verbose_name=_("payout order")
    )
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    leased_until = models.DateTimeField(_("in a worker's hands until"), null=True)
    try_count = models.PositiveSmallIntegerField(_("tries"), default=0)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("row of a batch")
        verbose_name_plural = _("rows of batches")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["batch", "number"], name="batch_row_once"),
            models.UniqueConstraint(
                fields=["merchant", "merchant_order_no"],
                name="batch_row_order_no_once",
                condition=Q(state__in=["waiting", "placed"]),
            ),
            models.UniqueConstraint(
                fields=["batch", "merchant_order_no"], name="batch_row_order_no_in_batch"
            ),
            models.CheckConstraint(
                condition=Q(state="placed", payout__isnull=False)
                | (~Q(state="placed") & Q(payout__isnull=True)),
                name="batch_row_placed_has_payout",
            ),
            models.CheckConstraint(
                condition=~Q(state="failed") | ~Q(reason=""), name="batch_row_failed_has_words"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0, fee__gte=0), name="batch_row_amounts"),
        ]
        indexes = [
            models.Index(fields=["number", "id"], name="batch_row_queue", condition=Q(state="waiting"))
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.number}"


class ReturnedFile(models.Model):
    """An uploaded file with wrong rows, as it is given back: the words beside each. Nothing came of it.

    Sealed, for it holds whole card numbers, and emptied when its time is over; that it was there stays.
    Written by `operations.batches.returned` alone.
    """

    merchant = models.ForeignKey(Merchant, models.PROTECT, related_name="+", verbose_name=_("merchant"))
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        related_name="+",
        verbose_name=_("uploaded by"),
        db_index=False,
    )
    uploaded_at = models.DateTimeField(_("uploaded"))
    file_name = models.CharField(_("file"), max_length=160)
    file_sha256 = models.CharField(_("SHA-256 of the file"), max_length=64)
    row_count = models.PositiveIntegerField(_("rows"))
    faulty_count = models.PositiveIntegerField(_("wrong rows"))
    expires_at = models.DateTimeField(_("kept until"))
    # None when its time is over.
    content_encrypted = models.BinaryField(null=True, editable=False)

    class Meta:
        verbose_name = _("file of payouts given back")
        verbose_name_plural = _("files of payouts given back")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=Q(faulty_count__gt=0, row_count__gte=F("faulty_count")), name="returned_file_counts"
            ),
        ]
        indexes = [
            models.Index(
                fields=["uploaded_by", "-id"],
                name="returned_file_kept",
                condition=Q(content_encrypted__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.pk})"
