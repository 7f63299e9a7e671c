"""Callbacks in from upstreams, notifications out to merchants, and the cases people must look at."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, Currency
from diamondpay.lib.fields import MoneyField
from merchants.models import Merchant
from records.models.orders import SignType


class Case(models.Model):
    """Something a person must decide: money in suspense, a late success, a held payout."""

    class Kind(models.TextChoices):
        WRONG_AMOUNT = "wrong_amount", _("Another amount was paid")
        WRONG_CURRENCY = "wrong_currency", _("Another currency was paid")
        UNKNOWN_ORDER = "unknown_order", _("Money for an unknown order")
        PAID_AGAIN = "paid_again", _("A credited order was paid again")
        PAID_AFTER_END = "paid_after_end", _("Upstream says paid after the payout ended")
        PAYOUT_HELD = "payout_held", _("A payout is held after a failure")
        PAYOUT_UNKNOWN = "payout_unknown", _("A payout's fate is unknown for long")
        PAYOUT_AMOUNT = "payout_amount", _("Upstream paid out another amount")
        CONTRADICTION = "contradiction", _("The upstream contradicts itself")

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    key = models.CharField(
        _("key"), max_length=160, unique=True, help_text=_("The same event opens one case.")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.OPEN)
    merchant = models.ForeignKey(
        Merchant, models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("merchant")
    )
    channel = models.ForeignKey(
        Channel, models.PROTECT, null=True, blank=True, related_name="cases", verbose_name=_("channel")
    )
    payment = models.ForeignKey(
        "records.Payment",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="cases",
        verbose_name=_("deposit order"),
    )
    payout = models.ForeignKey(
        "records.Payout",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="cases",
        verbose_name=_("payout order"),
    )
    posting = models.ForeignKey(
        "records.Posting",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="cases",
        verbose_name=_("suspense posting"),
    )
    amount = MoneyField(_("amount"), null=True, blank=True)
    currency = models.ForeignKey(
        Currency, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("currency")
    )
    summary = models.CharField(_("what happened"), max_length=500)
    opened_at = models.DateTimeField(_("opened"))
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("closed by"),
    )
    resolution = models.CharField(_("resolution"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        constraints = [
            models.CheckConstraint(
                condition=Q(status="open", closed_at__isnull=True)
                | Q(status="closed", closed_at__isnull=False),
                name="case_closed_has_time",
            )
        ]
        indexes = [models.Index(fields=["-opened_at"], name="case_open", condition=Q(status="open"))]

    def __str__(self) -> str:
        return str(self.get_kind_display())


class UpstreamCallback(models.Model):
    """A callback as it arrived, stored before anything else, then verified, then given exactly one outcome
    (D6).
    """

    class Outcome(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        CREDITED = "credited", _("Credited")
        SETTLED = "settled", _("Settled")
        DUPLICATE = "duplicate", _("Duplicate")
        SUSPENSE = "suspense", _("In suspense")
        NOTED = "noted", _("Noted")
        REFUSED = "refused", _("Refused")

    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="callbacks", verbose_name=_("channel"), db_index=False
    )
    received_at = models.DateTimeField(_("received"))
    source_address = models.GenericIPAddressField(_("from"), null=True)
    headers = models.JSONField(_("headers"), default=dict)
    body = models.BinaryField(_("body"))
    body_bytes = models.PositiveIntegerField(_("bytes"))
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome, default=Outcome.WAITING)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    reference = models.CharField(_("reference"), max_length=64, blank=True)
    payment = models.ForeignKey(
        "records.Payment",
        models.PROTECT,
        null=True,
        related_name="callbacks",
        verbose_name=_("deposit order"),
    )
    attempt = models.ForeignKey(
        "records.PayoutAttempt",
        models.PROTECT,
        null=True,
        related_name="callbacks",
        verbose_name=_("payout attempt"),
    )
    case = models.ForeignKey(
        Case, models.PROTECT, null=True, related_name="callbacks", verbose_name=_("case")
    )
    try_count = models.PositiveSmallIntegerField(_("tries"), default=0)
    due_at = models.DateTimeField(_("due"), null=True)
    answered_at = models.DateTimeField(_("given an outcome"), null=True)

    class Meta:
        verbose_name = _("upstream callback")
        verbose_name_plural = _("upstream callbacks")
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="waiting", answered_at__isnull=True, due_at__isnull=False)
                | (~Q(outcome="waiting") & Q(answered_at__isnull=False, due_at__isnull=True)),
                name="callback_outcome_or_due",
            ),
            models.CheckConstraint(
                condition=~Q(outcome="suspense") | Q(case__isnull=False), name="callback_suspense_has_case"
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="callback_waiting", condition=Q(outcome="waiting")),
            models.Index(fields=["-received_at", "-id"], name="callback_newest"),
            # The outcomes that people look for; nearly every callback is credited or settled.
            models.Index(
                fields=["outcome", "-received_at", "-id"],
                name="callback_of_outcome",
                condition=Q(outcome__in=["duplicate", "suspense", "noted", "refused"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel_id} {self.get_outcome_display()} {self.reference}"


class Notification(models.Model):
    """What a merchant must be told of one status change; delivered at least once or Failed after 1 + 5
    attempts (N1).

    `facts` is the dialect's unsigned content as of the change; it is signed afresh for each attempt.
    A merchant may also ask to be told (`records.telling`), and is told how an order over a chain goes on
    (`records.chain_telling`): such rows are beside those of the changes, and of the latter only the newest
    is sent.
    """

    class State(models.TextChoices):
        RETRYING = "retrying", _("Retrying")
        SUCCESS = "success", _("Success")
        FAILED = "failed", _("Failed")
        REPLACED = "replaced", _("Replaced")

    webhook_id = models.CharField(_("webhook-id"), max_length=64, unique=True)
    merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="notifications", verbose_name=_("merchant"), db_index=False
    )
    payment = models.ForeignKey(
        "records.Payment",
        models.PROTECT,
        null=True,
        related_name="notifications",
        verbose_name=_("deposit order"),
        db_index=False,
    )
    payout = models.ForeignKey(
        "records.Payout",
        models.PROTECT,
        null=True,
        related_name="notifications",
        verbose_name=_("payout order"),
        db_index=False,
    )
    order_no = models.CharField(_("order number"), max_length=64)
    order_version = models.PositiveIntegerField(_("order version"))
    order_status = models.PositiveSmallIntegerField(_("order status"))
    dialect = models.CharField(_("API"), max_length=32)
    sign_type = models.CharField(_("signature"), max_length=16, choices=SignType)
    url = models.CharField(_("address"), max_length=256)
    facts = models.JSONField(_("content"))
    state = models.CharField(_("status"), max_length=8, choices=State, default=State.RETRYING)
    attempt_count = models.PositiveSmallIntegerField(_("attempts"), default=0)
    attempt_count_max = models.PositiveSmallIntegerField(_("attempts at most"), default=6)
    due_at = models.DateTimeField(_("next attempt"), null=True)
    leased_until = models.DateTimeField(_("in a worker's hands until"), null=True)
    created_at = models.DateTimeField(_("time"))
    asked_at = models.DateTimeField(
        _("asked for by the merchant"), null=True, help_text=_("Empty for what a status change caused.")
    )
    progress_number = models.PositiveSmallIntegerField(
        _("news of an open order"), null=True, help_text=_("Empty for what a status change caused.")
    )
    finished_at = models.DateTimeField(_("finished"), null=True)
    last_reason = models.CharField(_("last result"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "order_version"],
                name="payment_notification_once",
                condition=Q(payment__isnull=False, asked_at__isnull=True, progress_number__isnull=True),
            ),
            models.UniqueConstraint(
                fields=["payment", "progress_number"],
                name="payment_progress_once",
                condition=Q(progress_number__isnull=False),
            ),
            # Only what has news after it is replaced: news of an open order.
            models.CheckConstraint(
                condition=~Q(state="replaced") | Q(progress_number__isnull=False),
                name="notification_replaced_is_progress",
            ),
            models.UniqueConstraint(
                fields=["payout", "order_version"],
                name="payout_notification_once",
                condition=Q(payout__isnull=False, asked_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(payment__isnull=False, payout__isnull=True)
                | Q(payment__isnull=True, payout__isnull=False),
                name="notification_of_one_order",
            ),
            models.CheckConstraint(
                condition=Q(state="retrying", due_at__isnull=False, finished_at__isnull=True)
                | (
                    ~Q(state="retrying")
                    & Q(due_at__isnull=True, finished_at__isnull=False, leased_until__isnull=True)
                ),
                name="notification_due_or_finished",
            ),
            models.CheckConstraint(
                condition=Q(attempt_count__lte=models.F("attempt_count_max"))
                & (~Q(state="failed") | Q(attempt_count=models.F("attempt_count_max"))),
                name="notification_fails_after_all_attempts",
            ),
        ]
        indexes = [
            # An order's page and the audit look for all of an order's, also those that were asked for.
            models.Index(
                fields=["payment", "id"],
                name="notification_of_payment",
                condition=Q(payment__isnull=False),
            ),
            models.Index(
                fields=["payout", "id"], name="notification_of_payout", condition=Q(payout__isnull=False)
            ),
            models.Index(fields=["due_at"], name="notification_due", condition=Q(state="retrying")),
            models.Index(
                fields=["merchant", "due_at", "id"],
                name="notification_due_of_merchant",
                condition=Q(state="retrying"),
            ),
            models.Index(fields=["-created_at", "-id"], name="notification_newest"),
            models.Index(
                fields=["-created_at", "-id"], name="notification_failed", condition=Q(state="failed")
            ),
            models.Index(fields=["merchant", "-created_at", "-id"], name="notification_of_merchant"),
        ]

    def __str__(self) -> str:
        return f"{self.order_no} {self.get_state_display()}"


class NotificationAttempt(models.Model):
    """One sending of a notification: counted before it is sent, its result set once (N2, L6)."""

    notification = models.ForeignKey(
        Notification, models.PROTECT, related_name="attempts", verbose_name=_("notification"), db_index=False
    )
    number = models.PositiveSmallIntegerField(_("attempt"))
    started_at = models.DateTimeField(_("time"))
    url = models.CharField(_("address"), max_length=256)
    body = models.TextField(_("content"), blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True)
    is_success = models.BooleanField(_("success"), null=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    answer = models.TextField(_("merchant's response"), blank=True)
    reason = models.CharField(_("result"), max_length=500, blank=True)
    duration_ms = models.PositiveIntegerField(_("ms"), null=True)

    class Meta:
        verbose_name = _("notification attempt")
        verbose_name_plural = _("notification attempts")
        constraints = [
            models.UniqueConstraint(fields=["notification", "number"], name="notification_attempt_once")
        ]

    def __str__(self) -> str:
        return f"{self.notification_id} {self.number}"
