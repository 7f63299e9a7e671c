"""Payout orders and their attempts at upstreams."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models import Channel
from diamondpay.lib.fields import MoneyField
from diamondpay.lib.states import Moves
from merchants.models import MerchantService
from records.models.orders import Order


class PayoutStatus(models.IntegerChoices):
    """Stored codes of a payout. Source: backoffice.md, Stored status codes."""

    IN_PROGRESS = 0, _("In Progress")
    SUCCESS = 1, _("Success")
    FAILED = 2, _("Failed")
    UNDER_REVIEW = 3, _("Under Review")
    REVIEW_REJECTED = 4, _("Review Rejected")


PAYOUT_MOVES = Moves(
    {
        PayoutStatus.UNDER_REVIEW: {PayoutStatus.IN_PROGRESS, PayoutStatus.REVIEW_REJECTED},
        PayoutStatus.IN_PROGRESS: {PayoutStatus.SUCCESS, PayoutStatus.FAILED},
    }
)


class Payout(Order):
    """A payout order. Creating it freezes amount + fee; a freeze is resolved once, settled or released (P1,
    P2).

        3 Under Review ──► 0 In Progress ──► 1 Success   (settled)
              │                  └─────────► 2 Failed    (released)
              └──────────► 4 Review Rejected             (released)

    1, 2 and 4 are final. Changed by `records.payouts` alone; the same moves stand in
    `records/sql/orders.sql` (P3).
    """

    payout_id = models.CharField(_("platform order no."), max_length=32, unique=True)
    status = models.PositiveSmallIntegerField(_("status"), choices=PayoutStatus)
    debited_amount = MoneyField(
        _("debited amount"), help_text=_("Amount + fee in settlement units, frozen at creation.")
    )
    after_failure = models.CharField(_("after failure"), max_length=4, choices=MerchantService.AfterFailure)
    is_held = models.BooleanField(
        _("held"), default=False, help_text=_("The last attempt failed; a person decides.")
    )
    bank_name = models.CharField(_("bank name"), max_length=128, blank=True)
    bank_branch = models.CharField(_("bank branch"), max_length=128, blank=True)
    freeze_posting = models.OneToOneField(
        "records.Posting", models.PROTECT, related_name="frozen_payout", verbose_name=_("freeze")
    )
    resolve_posting = models.OneToOneField(
        "records.Posting",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="resolved_payout",
        verbose_name=_("settle or release"),
    )

    class Meta(Order.Meta):
        verbose_name = _("payout order")
        verbose_name_plural = _("payout orders")
        constraints = [
            *Order.Meta.constraints,
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2, 3, 4]), name="payout_status_known"),
            models.CheckConstraint(
                condition=Q(status__in=[1, 2, 4], resolve_posting__isnull=False, completed_at__isnull=False)
                | Q(status__in=[0, 3], resolve_posting__isnull=True),
                name="payout_resolved_when_final",
            ),
            models.CheckConstraint(
                condition=Q(fee__gte=0, debited_amount__gt=models.F("fee"))
                & (
                    ~Q(settlement_currency=models.F("currency"))
                    | Q(debited_amount=models.F("requested_amount") + models.F("fee"))
                ),
                name="payout_debited_amount",
            ),
            models.CheckConstraint(
                condition=~Q(status=1) | Q(actual_amount__gt=0), name="payout_success_amount"
            ),
        ]
        indexes = [
            *Order.Meta.indexes,
            models.Index(
                fields=["channel_order_no"], name="payout_channel_no", condition=~Q(channel_order_no="")
            ),
            models.Index(fields=["created_at"], name="payout_open", condition=Q(status__in=[0, 3])),
        ]

    def __str__(self) -> str:
        return self.payout_id


ATTEMPT_MOVES = Moves(
    {
        "prepared": {"sent", "failed"},
        "sent": {"succeeded", "failed", "unknown"},
        "unknown": {"succeeded", "failed"},
    }
)


class PayoutAttempt(models.Model):
    """One try of a payout at one upstream; its reference is the upstream's key, so one reference is one
    order there.

        prepared ──► sent ──► succeeded | failed | unknown ──► succeeded | failed
            └──────────────────────────► failed   (never sent)

    At most one live attempt per payout; a new one only after the last has definitely failed (P4).
    """

    class State(models.TextChoices):
        PREPARED = "prepared", _("Prepared")
        SENT = "sent", _("Sent")
        SUCCEEDED = "succeeded", _("Succeeded")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown")

    payout = models.ForeignKey(
        Payout, models.PROTECT, related_name="attempts", verbose_name=_("payout order")
    )
    number = models.PositiveSmallIntegerField(_("attempt"))
    reference = models.CharField(_("our reference"), max_length=64, unique=True)
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="+", verbose_name=_("channel"))
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PREPARED)
    channel_order_no = models.CharField(_("channel order no."), max_length=128, blank=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    prepared_at = models.DateTimeField(_("prepared"))
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    accepted_at = models.DateTimeField(_("accepted"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    next_query_at = models.DateTimeField(_("next query"), null=True, blank=True)
    query_count = models.PositiveSmallIntegerField(_("queries"), default=0)

    class Meta:
        verbose_name = _("payout attempt")
        verbose_name_plural = _("payout attempts")
        constraints = [
            models.UniqueConstraint(fields=["payout", "number"], name="attempt_number_once"),
            models.UniqueConstraint(
                fields=["payout"],
                name="attempt_live_once",
                condition=Q(state__in=["prepared", "sent", "unknown", "succeeded"]),
            ),
            models.UniqueConstraint(
                fields=["channel", "channel_order_no"],
                name="attempt_channel_order_no_once",
                condition=~Q(channel_order_no=""),
            ),
            models.CheckConstraint(
                condition=Q(state__in=["succeeded", "failed"], finished_at__isnull=False)
                | Q(state__in=["prepared", "sent", "unknown"], finished_at__isnull=True),
                name="attempt_finished_when_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_query_at"],
                name="attempt_to_query",
                condition=Q(state__in=["prepared", "sent", "unknown"], next_query_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.reference
