"""Deposit orders."""

from __future__ import annotations

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.fields import MoneyField
from diamondpay.lib.states import Moves
from records.models.orders import Order


class PaymentStatus(models.IntegerChoices):
    """Stored codes of a deposit. Source: backoffice.md, Stored status codes."""

    IN_PROGRESS = 0, _("In Progress")
    SUCCESS = 1, _("Success")
    FAILED = 2, _("Failed")
    CLOSED = 3, _("Closed")


PAYMENT_MOVES = Moves(
    {
        PaymentStatus.IN_PROGRESS: {PaymentStatus.SUCCESS, PaymentStatus.FAILED, PaymentStatus.CLOSED},
        PaymentStatus.FAILED: {PaymentStatus.SUCCESS},
        PaymentStatus.CLOSED: {PaymentStatus.SUCCESS},
    }
)


class Payment(Order):
    """A deposit order.

        0 In Progress ──► 1 Success      (paid; final)
              ├─────────► 2 Failed  ──► 1 Success, is_late   (money came after all)
              └─────────► 3 Closed  ──► 1 Success, is_late

    Changed by `records.payments` alone. The same table of moves stands in `records/sql/orders.sql` (D3).
    """

    payment_id = models.CharField(_("platform order no."), max_length=32, unique=True)
    status = models.PositiveSmallIntegerField(
        _("status"), choices=PaymentStatus, default=PaymentStatus.IN_PROGRESS
    )
    is_late = models.BooleanField(_("late payment"), default=False)
    display_amount = MoneyField(_("amount to pay"), null=True, blank=True)
    settled_amount = MoneyField(_("settled amount"), null=True, blank=True)
    credited_amount = MoneyField(_("credited amount"), null=True, blank=True)
    tolerance_below = models.DecimalField(
        _("tolerance below %"), max_digits=5, decimal_places=2, default=Decimal(0)
    )
    tolerance_above = models.DecimalField(
        _("tolerance above %"), max_digits=5, decimal_places=2, default=Decimal(0)
    )
    expires_at = models.DateTimeField(_("expires"))
    remark_code = models.CharField(_("remark code"), max_length=32, blank=True)
    link = models.CharField(_("upstream's page"), max_length=500, blank=True)
    qr_text = models.CharField(_("QR text"), max_length=1000, blank=True)
    receiver_encrypted = models.BinaryField(_("receiver"), default=bytes, editable=False)
    credit_posting = models.OneToOneField(
        "records.Posting",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="credited_payment",
        verbose_name=_("credit"),
    )

    class Meta(Order.Meta):
        verbose_name = _("deposit order")
        verbose_name_plural = _("deposit orders")
        constraints = [
            *Order.Meta.constraints,
            models.UniqueConstraint(
                fields=["channel", "channel_order_no"],
                name="payment_channel_order_no_once",
                condition=~Q(channel_order_no=""),
            ),
            models.CheckConstraint(condition=Q(status__in=[0, 1, 2, 3]), name="payment_status_known"),
            models.CheckConstraint(
                condition=Q(status=1, credit_posting__isnull=False)
                | (~Q(status=1) & Q(credit_posting__isnull=True)),
                name="payment_success_has_credit",
            ),
            models.CheckConstraint(
                condition=~Q(status=1)
                | Q(
                    actual_amount__gt=0,
                    settled_amount__gt=0,
                    fee__gte=0,
                    fee__lte=F("settled_amount"),
                    credited_amount=F("settled_amount") - F("fee"),
                    completed_at__isnull=False,
                ),
                name="payment_success_amounts",
            ),
            models.CheckConstraint(
                condition=~Q(settlement_currency=F("currency"))
                | Q(settled_amount__isnull=True)
                | Q(settled_amount=F("actual_amount")),
                name="payment_settled_is_actual",
            ),
            models.CheckConstraint(
                condition=Q(status=0) | Q(completed_at__isnull=False), name="payment_final_is_completed"
            ),
        ]
        indexes = [
            *Order.Meta.indexes,
            models.Index(
                fields=["next_query_at"], name="payment_to_query", condition=Q(next_query_at__isnull=False)
            ),
            models.Index(fields=["expires_at"], name="payment_to_expire", condition=Q(status=0)),
            models.Index(
                Upper("remark_code"), F("id").desc(), name="payment_remark", condition=~Q(remark_code="")
            ),
            # Nearly every payer pays what was asked for, so this holds next to nothing.
            models.Index(
                fields=["actual_amount", "-created_at"],
                name="payment_other_amount",
                condition=Q(actual_amount__gt=F("requested_amount"))
                | Q(actual_amount__lt=F("requested_amount")),
            ),
        ]

    def __str__(self) -> str:
        return self.payment_id
