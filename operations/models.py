"""What people asked for and what others decided: acts with four eyes."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Act(models.Model):
    """A deed that creates or releases money by hand: asked for by one person, decided by another (P6), done
    once (P8).

    `evidence` is frozen when the act is requested: what was approved is exactly what is executed.
    """

    class Kind(models.TextChoices):
        REVIEW_PAYOUT = "review_payout", _("Payout review")
        FAIL_PAYOUT = "fail_payout", _("Mark a payout as failed")
        REINITIATE_PAYOUT = "reinitiate_payout", _("Re-initiate a payout")
        SUPPLEMENT_PAYMENT = "supplement_payment", _("Supplement a deposit")
        REFUND_PAYMENT = "refund_payment", _("Refund a deposit")
        ADJUST_BALANCE = "adjust_balance", _("Manual adjustment")
        SUPPLEMENT_BALANCE = "supplement_balance", _("Manual supplement adjustment")
        FREEZE_BALANCE = "freeze_balance", _("Freeze")
        UNFREEZE_BALANCE = "unfreeze_balance", _("Unfreeze")
        TRANSFER_BALANCE = "transfer_balance", _("Transfer between merchants")

    class State(models.TextChoices):
        REQUESTED = "requested", _("Waiting for a decision")
        EXECUTED = "executed", _("Approved and executed")
        REJECTED = "rejected", _("Rejected")

    request_id = models.CharField(_("request id"), max_length=64, unique=True)
    kind = models.CharField(_("act"), max_length=20, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.REQUESTED)
    object_kind = models.CharField(_("object"), max_length=32)
    object_id = models.CharField(_("object id"), max_length=64)
    evidence = models.JSONField(_("evidence"), default=dict)
    reason = models.CharField(_("reason"), max_length=500)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("requested by")
    )
    requested_at = models.DateTimeField(_("requested"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
    )
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decision_reason = models.CharField(_("why so decided"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("act")
        verbose_name_plural = _("acts")
        ordering = ["-requested_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")), name="act_four_eyes"
            ),
            models.CheckConstraint(
                condition=Q(state="requested", decided_by__isnull=True, decided_at__isnull=True)
                | (~Q(state="requested") & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="act_decided_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="act_has_reason"),
        ]
        indexes = [
            models.Index(fields=["object_kind", "object_id", "-requested_at"], name="act_of_object"),
            models.Index(fields=["requested_at", "id"], name="act_waiting", condition=Q(state="requested")),
        ]
        permissions = [
            (
                "operation_payment_write",
                _("1014 OPERATION_PAYMENT_WRITE: create deposit orders for the own merchant"),
            ),
            (
                "operation_payment_global_write",
                _("1021 OPERATION_PAYMENT_GLOBAL_WRITE: create deposit orders for any merchant"),
            ),
            (
                "operation_payout_write",
                _("1015 OPERATION_PAYOUT_WRITE: create payout orders for the own merchant"),
            ),
            (
                "operation_payout_global_write",
                _("1022 OPERATION_PAYOUT_GLOBAL_WRITE: create payout orders for any merchant"),
            ),
            ("close_payment", _("Close a deposit order")),
            ("review_payout", _("Approve or reject a payout under review")),
            ("resend_notification", _("Resend a notification")),
            ("resend_failed_notifications", _("Resend all failed notifications of a merchant")),
            ("requery_payment", _("Ask the upstream about a deposit order")),
            ("open_payment_page", _("Open the payer's page and QR code of a deposit order")),
            ("decide_act", _("Decide acts that another person requested")),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.object_id}"


class FormToken(models.Model):
    """A form of an act that was sent, with its answer: who sends it again gets that answer and does nothing
    more (P8). Written in the deed's transaction.
    """

    token = models.CharField(_("token"), max_length=32, unique=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("user")
    )
    act = models.CharField(_("act"), max_length=64)
    object_id = models.CharField(_("object id"), max_length=64)
    content = models.CharField(_("content"), max_length=64)
    outcome = models.JSONField(_("answer"), default=dict)
    used_at = models.DateTimeField(_("used"))

    class Meta:
        verbose_name = _("form token")
        verbose_name_plural = _("form tokens")

    def __str__(self) -> str:
        return self.token
