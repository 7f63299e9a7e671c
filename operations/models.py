"""What people asked for and what others decided: acts with four eyes."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from operations.batches.models import BatchPayout, BatchPayoutRow, ReturnedFile

__all__ = ["Act", "BatchPayout", "BatchPayoutRow", "ReturnedFile"]
from channels.models import Currency
from diamondpay.lib.fields import MoneyField


class Act(models.Model):
    """A deed that creates or releases money by hand: asked for by one person, decided by another (P6), done
    once (P8).

        requested ──► executed    (approved by another person before it expires)
            ├───────► rejected    (by another person)
            └───────► expired     (its time is over; nobody decided)

    `evidence`, and by which rule who decides until when, are frozen when the act is requested: what was
    approved is exactly what is executed. The database holds all of it (`operations/sql/acts.sql`).
    `handover_encrypted` holds a new key until the person who asked for it fetches it, once.
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
        CHANGE_TERMS = "change_terms", _("Change of terms")
        ROTATE_CREDENTIAL = "rotate_credential", _("New key")
        ADD_RATE = "add_rate", _("New exchange rate")
        ACTIVATE_TERMS = "activate_terms", _("First activation")

    class State(models.TextChoices):
        REQUESTED = "requested", _("Waiting for a decision")
        EXECUTED = "executed", _("Approved and executed")
        REJECTED = "rejected", _("Rejected")
        EXPIRED = "expired", _("Expired")

    request_id = models.CharField(_("request id"), max_length=64, unique=True)
    kind = models.CharField(_("act"), max_length=20, choices=Kind)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.REQUESTED)
    object_kind = models.CharField(_("kind of object"), max_length=32)
    object_id = models.CharField(_("object id"), max_length=64)
    object_name = models.CharField(_("object"), max_length=128, blank=True)
    evidence = models.JSONField(_("evidence"), default=dict)
    reason = models.CharField(_("reason"), max_length=500)
    amount = MoneyField(_("amount"), null=True, blank=True)
    currency = models.ForeignKey(
        Currency, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("currency")
    )
    decider_role = models.ForeignKey(
        Group,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by role"),
    )
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
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
    handover_encrypted = models.BinaryField(_("new key"), null=True, editable=False)
    handed_over_at = models.DateTimeField(_("key handed over"), null=True, blank=True)

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
                | Q(state="expired", decided_by__isnull=True, decided_at__isnull=False)
                | Q(
                    state__in=["executed", "rejected"],
                    decided_by__isnull=False,
                    decided_at__isnull=False,
                ),
                name="act_decided_by_somebody",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="act_has_reason"),
        ]
        indexes = [
            models.Index(fields=["object_kind", "object_id", "-requested_at"], name="act_of_object"),
            models.Index(fields=["requested_at", "id"], name="act_waiting", condition=Q(state="requested")),
            models.Index(fields=["expires_at"], name="act_to_expire", condition=Q(state="requested")),
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
        return f"{self.get_kind_display()} {self.object_name or self.object_id}"

    @property
    def told_evidence(self) -> dict[str, str]:
        """The evidence as pages tell it: without what is sealed (`operations.terms`)."""
        return {name: value for name, value in self.evidence.items() if not name.startswith("sealed.")}


class ApprovalRule(models.Model):
    """Who decides an act of a kind, an amount and a currency, and until when.

    The narrowest active rule holds: its currency before no currency, then the greatest `amount_from`. What
    it says is copied onto the act when it is asked for, so changing a rule changes no act that waits.
    """

    kind = models.CharField(_("act"), max_length=20, choices=Act.Kind)
    currency = models.ForeignKey(
        Currency,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("currency"),
        help_text=_("Empty: every currency that has no rule of its own."),
    )
    amount_from = MoneyField(_("from amount"), default=Decimal(0), help_text=_("This amount included."))
    amount_to = MoneyField(
        _("below amount"), default=Decimal(0), help_text=_("This amount not included; 0 = no upper end.")
    )
    role = models.ForeignKey(
        Group,
        models.PROTECT,
        related_name="+",
        verbose_name=_("role that decides"),
        help_text=_("Super Administrators may always decide; nobody decides what they asked for."),
    )
    expiry_hours = models.PositiveSmallIntegerField(
        _("hours until it expires"),
        default=24,
        validators=[MinValueValidator(1), MaxValueValidator(720)],
    )
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("approval rule")
        verbose_name_plural = _("approval rules")
        ordering = ["kind", "currency_id", "amount_from", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(amount_from__gte=0) & (Q(amount_to=0) | Q(amount_to__gt=F("amount_from"))),
                name="approval_rule_band",
            ),
            models.CheckConstraint(
                condition=Q(expiry_hours__gte=1, expiry_hours__lte=720), name="approval_rule_expiry"
            ),
            models.UniqueConstraint(
                fields=["kind", "currency", "amount_from"],
                name="approval_rule_once",
                condition=Q(is_active=True),
                nulls_distinct=False,
            ),
        ]
        permissions = [
            ("ask_review_payout", _("Ask for a payout review by two people")),
            ("ask_fail_payout", _("Ask to mark a payout as failed")),
            ("ask_reinitiate_payout", _("Ask to re-initiate a payout")),
            ("ask_supplement_payment", _("Ask to supplement a deposit")),
            ("ask_refund_payment", _("Ask to refund a deposit")),
            ("ask_adjust_balance", _("Ask to adjust a balance")),
            ("ask_supplement_balance", _("Ask for a supplement adjustment")),
            ("ask_freeze_balance", _("Ask to freeze a balance")),
            ("ask_unfreeze_balance", _("Ask to unfreeze a balance")),
            ("ask_transfer_balance", _("Ask to transfer between merchants")),
            ("ask_change_terms", _("Ask to change fees, limits and bounds")),
            ("ask_rotate_credential", _("Ask for a merchant's new key")),
            ("ask_add_rate", _("Ask for a new exchange rate")),
            ("ask_activate_terms", _("Ask to put fees, limits and bounds in force")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.currency_id or ''} {self.amount_from.normalize():f}–"


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
