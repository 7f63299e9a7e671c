"""Counts and sums that are exact at every moment and cost the same at any size. Written by the database
alone.

Triggers append delta rows; `fold_order_totals()` and `fold_account_totals()` move them into totals; readers
(`records.totals`) add both.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.fields import MoneyField

DIMENSIONS = [
    "kind", "merchant", "service", "channel", "currency", "settlement_currency", "is_test", "status",
]  # fmt: skip
MEASURES = ["order_count", "requested_sum", "actual_sum", "fee_sum", "credited_sum"]


class Grain(models.TextChoices):
    """The length of time that one row of a total covers, both in UTC."""

    HOUR = "hour", _("Hour")
    FOUR_HOURS = "4h", _("Four hours")
    DAY = "day", _("Day")


class Measures(models.Model):
    """What every total of orders counts and adds up; `MEASURES` are its columns."""

    order_count = models.BigIntegerField(_("orders"))
    requested_sum = MoneyField(_("requested"))
    actual_sum = MoneyField(_("actual"))
    fee_sum = MoneyField(_("fee"))
    credited_sum = MoneyField(_("credited"))

    class Meta:
        abstract = True


class OrderFigures(Measures):
    """Dimensions and measures shared by delta and total rows. kind: 1 deposits, 2 payouts.

    Requested and actual sums are in `currency`; fee and credited sums in `settlement_currency`, the wallet's.
    """

    kind = models.PositiveSmallIntegerField(_("kind"))
    merchant = models.CharField(_("merchant"), max_length=16)
    service = models.CharField(_("service"), max_length=16)
    channel = models.CharField(_("channel"), max_length=32)
    currency = models.CharField(_("currency"), max_length=8)
    settlement_currency = models.CharField(_("settlement currency"), max_length=8)
    is_test = models.BooleanField(_("test orders"))
    status = models.PositiveSmallIntegerField(_("status"))

    class Meta:
        abstract = True


class OrderDelta(OrderFigures):
    """A signed change, not folded yet. hour is the hour (UTC) in which the order was created."""

    hour = models.DateTimeField(_("hour"))
    bucket = models.PositiveSmallIntegerField(_("amount bucket"))

    def __str__(self) -> str:
        return f"{self.hour} {self.order_count:+d}"


class OrderHourTotal(OrderFigures):
    """Totals of the orders created in one hour (UTC)."""

    hour = models.DateTimeField(_("hour"))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hour", *DIMENSIONS], name="order_hour_total_once")
        ]
        indexes: ClassVar = [models.Index(fields=["merchant", "hour"], name="order_hour_of_merchant")]

    def __str__(self) -> str:
        return f"{self.hour} {self.order_count}"


class OrderDayTotal(OrderFigures):
    """Totals of the orders created on one day (UTC)."""

    day = models.DateField(_("day"))

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["day", *DIMENSIONS], name="order_day_total_once")
        ]
        indexes: ClassVar = [models.Index(fields=["merchant", "day"], name="order_day_of_merchant")]

    def __str__(self) -> str:
        return f"{self.day} {self.order_count}"


class OrderTotal(OrderFigures):
    """Totals of all time."""

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["merchant", "kind", *DIMENSIONS[2:]], name="order_total_once")
        ]

    def __str__(self) -> str:
        return f"{self.merchant} {self.order_count}"


class PlatformTotal(Measures):
    """Totals of all merchants together, by the hour and by the day (UTC).

    A month by days of another zone needs its hours; of a thousand merchants those would be too many rows.
    """

    grain = models.CharField(_("length"), max_length=4, choices=Grain)
    start = models.DateTimeField(_("start"))
    kind = models.PositiveSmallIntegerField(_("kind"))
    service = models.CharField(_("service"), max_length=16)
    channel = models.CharField(_("channel"), max_length=32)
    currency = models.CharField(_("currency"), max_length=8)
    settlement_currency = models.CharField(_("settlement currency"), max_length=8)
    is_test = models.BooleanField(_("test orders"))
    status = models.PositiveSmallIntegerField(_("status"))

    class Meta:
        verbose_name = _("platform total")
        verbose_name_plural = _("platform totals")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "grain", "kind", "start", "service", "channel", "currency", "settlement_currency",
                    "is_test", "status",
                ],
                name="platform_total_once",
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.start} {self.order_count}"


class SummaryTotal(Measures):
    """Totals of all channels together, by the hour, by four hours and by the day (UTC).

    An empty merchant stands for all of them, an empty service for all services: most figures that people
    look at ask for no channel, and a platform with fifty pairs of service and channel would add up fifty rows
    for one. Four hours are what the days of most zones are made of. A service has no hours of its own, and
    those of a single merchant days alone.
    """

    grain = models.CharField(_("length"), max_length=4, choices=Grain)
    start = models.DateTimeField(_("start"))
    kind = models.PositiveSmallIntegerField(_("kind"))
    merchant = models.CharField(_("merchant"), max_length=16, blank=True)
    service = models.CharField(_("service"), max_length=16, blank=True, default="")
    currency = models.CharField(_("currency"), max_length=8)
    settlement_currency = models.CharField(_("settlement currency"), max_length=8)
    is_test = models.BooleanField(_("test orders"))
    status = models.PositiveSmallIntegerField(_("status"))

    class Meta:
        verbose_name = _("summary total")
        verbose_name_plural = _("summary totals")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "grain", "kind", "merchant", "service", "start", "currency", "settlement_currency",
                    "is_test", "status",
                ],
                name="summary_total_once",
            )
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(
                fields=["kind", "merchant", "grain", "start"],
                condition=~models.Q(service=""),
                name="summary_total_by_service",
            )
        ]

    def __str__(self) -> str:
        return f"{self.start} {self.order_count}"


class AmountTotal(models.Model):
    """How many orders were requested within an amount bucket, and how many of them succeeded.

    An empty merchant stands for all of them together, by the hour and by the day (UTC). Merchants have rows
    by the day and, of all services together, by four hours, of which the days of most zones are made. An
    empty service, and with it an empty channel, stands for all of these: that is what most look at. The edges
    of the buckets are `records.totals.AMOUNT_EDGES`.
    """

    grain = models.CharField(_("length"), max_length=4, choices=Grain)
    start = models.DateTimeField(_("start"))
    kind = models.PositiveSmallIntegerField(_("kind"))
    merchant = models.CharField(_("merchant"), max_length=16, blank=True)
    service = models.CharField(_("service"), max_length=16, blank=True)
    channel = models.CharField(_("channel"), max_length=32, blank=True)
    currency = models.CharField(_("currency"), max_length=8)
    is_test = models.BooleanField(_("test orders"))
    bucket = models.PositiveSmallIntegerField(_("amount bucket"))
    order_count = models.BigIntegerField(_("orders"))
    success_count = models.BigIntegerField(_("successful orders"))

    class Meta:
        verbose_name = _("amount total")
        verbose_name_plural = _("amount totals")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=[
                    "grain", "kind", "merchant", "start", "service", "channel", "currency", "is_test",
                    "bucket",
                ],
                name="amount_total_once",
            )
        ]  # fmt: skip
        indexes: ClassVar = [
            models.Index(
                fields=["kind", "merchant", "currency", "grain", "start"],
                condition=models.Q(service=""),
                name="amount_total_of_currency",
            )
        ]

    def __str__(self) -> str:
        return f"{self.start} {self.bucket} {self.order_count}"


class AccountDelta(models.Model):
    """A change of a system account, not folded yet."""

    # Only the trigger of an entry writes here, with the account that it has just read.
    account = models.ForeignKey(
        "records.Account", models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    amount = MoneyField(_("amount"))
    entry_count = models.IntegerField(_("entries"), default=1)

    def __str__(self) -> str:
        return f"{self.account_id} {self.amount}"


class AccountTotal(models.Model):
    """The folded balance of a system account; add the deltas for the balance of this moment."""

    account = models.OneToOneField("records.Account", models.PROTECT, primary_key=True, related_name="total")
    balance = MoneyField(_("balance"))
    entry_count = models.BigIntegerField(_("entries"))

    def __str__(self) -> str:
        return f"{self.account_id} {self.balance}"
