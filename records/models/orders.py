"""What deposit and payout orders have in common, and the history of both."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from channels.models import Bank, Channel, Currency, FeeType, PaymentMethod, Service
from channels.upstreams.base import RefusalCause
from diamondpay.lib.fields import MoneyField
from merchants.models import Merchant, MerchantChannel

# Lists and the search find a merchant's number by its capitals: `merchant_order_no__upper`.
models.CharField.register_lookup(Upper)


class Actor(models.TextChoices):
    """Who or what changed an order."""

    MERCHANT = "merchant", _("Merchant")
    OPERATOR = "operator", _("Operator")
    CALLBACK = "callback", _("Upstream callback")
    SUBMISSION = "submission", _("Upstream answer")
    QUERY = "query", _("Upstream query")
    EXPIRY = "expiry", _("Expiry")
    SYSTEM = "system", _("System")


class Source(models.TextChoices):
    """Where an order was made. Source: transaction-request-api.md."""

    BACK_OFFICE = "MerchantBackend", _("Back office")
    API_V1 = "API_V1", _("Gateway API")
    API_V2 = "API_V2", _("Order API")


class SignType(models.TextChoices):
    """How the merchant signed, and so how we sign back."""

    MD5 = "MD5", "MD5"
    HMAC_SHA256 = "HMAC-SHA256", "HMAC-SHA256"


# Why an upstream refused, where a merchant can mend it (`channels.upstreams.base.RefusalCause`).
CAUSES = [(RefusalCause.ACCOUNT_UNKNOWN.value, _("There is no such account"))]


class Order(models.Model):
    """The columns of every order. Terms are copied at creation and never change (D4)."""

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="+", verbose_name=_("merchant"), db_index=False
    )
    merchant_order_no = models.CharField(_("merchant order no."), max_length=100)
    service = models.ForeignKey(
        Service, models.PROTECT, related_name="+", verbose_name=_("service"), db_index=False
    )
    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="+", verbose_name=_("channel"), db_index=False
    )
    merchant_channel = models.ForeignKey(
        MerchantChannel, models.PROTECT, related_name="+", verbose_name=_("merchant channel"), db_index=False
    )
    currency = models.ForeignKey(
        Currency, models.PROTECT, related_name="+", verbose_name=_("currency"), db_index=False
    )
    settlement_currency = models.ForeignKey(
        Currency, models.PROTECT, related_name="+", verbose_name=_("settlement currency"), db_index=False
    )
    unit_price = MoneyField(_("exchange rate"), default=Decimal(1))
    requested_amount = MoneyField(_("requested amount"))
    quoted_amount = MoneyField(
        _("amount asked for in settlement units"),
        null=True,
        blank=True,
        help_text=_("Empty when the merchant asked in the order's currency."),
    )
    payment_method = models.CharField(
        _("payment method"), max_length=10, choices=PaymentMethod, blank=True, default="", db_default=""
    )
    actual_amount = MoneyField(_("actual amount"), null=True, blank=True)
    fee = MoneyField(_("fee"), null=True, blank=True)
    fee_type = models.CharField(_("fee type"), max_length=12, choices=FeeType)
    fee_permillage = models.DecimalField(_("fee ‰"), max_digits=9, decimal_places=4)
    fee_fixed = MoneyField(_("fixed fee"))
    limit_lower_bound = MoneyField(_("lower limit at creation"), default=Decimal(0))
    limit_upper_bound = MoneyField(_("upper limit at creation"), default=Decimal(0))

    party_name = models.CharField(_("name"), max_length=128, blank=True)
    party_encrypted = models.BinaryField(_("personal fields"), default=bytes, editable=False)
    account_masked = models.CharField(_("account"), max_length=128, blank=True)
    account_tail = models.CharField(_("account ends with"), max_length=8, blank=True)
    account_hash = models.BinaryField(null=True, editable=False)
    phone_masked = models.CharField(_("phone"), max_length=32, blank=True)
    phone_hash = models.BinaryField(null=True, editable=False)
    id_number_masked = models.CharField(_("ID number"), max_length=64, blank=True)
    id_number_hash = models.BinaryField(null=True, editable=False)
    bank = models.ForeignKey(
        Bank, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("bank"), db_index=False
    )

    source = models.CharField(_("source"), max_length=16, choices=Source)
    dialect = models.CharField(
        _("API"), max_length=32, help_text=_("The language of the order's notifications.")
    )
    sign_type = models.CharField(
        _("signature"), max_length=16, choices=SignType, default=SignType.HMAC_SHA256
    )
    notify_url = models.CharField(_("callback address"), max_length=256, blank=True)
    request_hash = models.BinaryField(editable=False)
    is_test = models.BooleanField(_("test order"), default=False)
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("placed by"),
        db_index=False,
    )
    routing = models.JSONField(_("routing"), default=dict, blank=True)
    channel_order_no = models.CharField(_("channel order no."), max_length=128, blank=True)
    memo = models.CharField(_("memo"), max_length=500, blank=True)
    error_message = models.CharField(_("error"), max_length=500, blank=True)

    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("updated"))
    submitted_at = models.DateTimeField(_("accepted by the upstream"), null=True, blank=True)
    completed_at = models.DateTimeField(_("completed"), null=True, blank=True)
    recorded_at = models.DateTimeField(_("recorded"), null=True, editable=False)
    next_query_at = models.DateTimeField(_("next query"), null=True, blank=True)
    query_count = models.PositiveSmallIntegerField(_("queries"), default=0)
    version = models.PositiveIntegerField(_("version"), default=0, help_text=_("Counts the status changes."))
    changed_by = models.CharField(_("changed by"), max_length=12, choices=Actor)
    changed_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("user"),
        db_index=False,
    )
    change_reason = models.CharField(_("why"), max_length=500, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "merchant_order_no"], name="%(class)s_merchant_order_no_once"
            ),
            models.CheckConstraint(condition=Q(requested_amount__gt=0), name="%(class)s_requested_positive"),
            models.CheckConstraint(
                condition=~Q(merchant_order_no=""), name="%(class)s_has_merchant_order_no"
            ),
            models.CheckConstraint(
                condition=Q(fee_permillage__gte=0, fee_permillage__lt=1000, fee_fixed__gte=0),
                name="%(class)s_fee_range",
            ),
            models.CheckConstraint(condition=Q(unit_price__gt=0), name="%(class)s_unit_price_positive"),
            models.CheckConstraint(
                condition=Q(unit_price=1) | ~Q(settlement_currency=F("currency")),
                name="%(class)s_one_currency_one_price",
            ),
            models.CheckConstraint(
                condition=Q(quoted_amount__isnull=True) | Q(quoted_amount__gt=0),
                name="%(class)s_quoted_positive",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="%(class)s_newest"),
            models.Index(fields=["merchant", "-created_at", "-id"], name="%(class)s_of_merchant"),
            # Lists by one of these, newest first. Most orders succeed, so what succeeded is never far apart
            # and the indexes of statuses leave it out; an order that succeeds leaves them.
            models.Index(
                fields=["status", "-created_at", "-id"], name="%(class)s_of_status", condition=~Q(status=1)
            ),
            models.Index(
                fields=["merchant", "status", "-created_at", "-id"],
                name="%(class)s_merchant_status",
                condition=~Q(status=1),
            ),
            models.Index(fields=["service", "-created_at", "-id"], name="%(class)s_of_service"),
            models.Index(fields=["channel", "-created_at", "-id"], name="%(class)s_of_channel"),
            models.Index(
                fields=["-completed_at"], name="%(class)s_completed", condition=Q(completed_at__isnull=False)
            ),
            models.Index(fields=["-created_at", "-id"], name="%(class)s_tests", condition=Q(is_test=True)),
            # Orders that settle in another currency are few, and a list of them is short.
            models.Index(
                fields=["settlement_currency", "-created_at", "-id"],
                name="%(class)s_converted",
                condition=~Q(settlement_currency=F("currency")),
            ),
            # In capitals, because people type numbers as they hear them.
            models.Index(Upper("merchant_order_no"), name="%(class)s_folded_no"),
            models.Index(fields=["requested_amount", "-created_at"], name="%(class)s_amount"),
            models.Index(
                fields=["account_hash"], name="%(class)s_account", condition=Q(account_hash__isnull=False)
            ),
            models.Index(
                fields=["account_tail", "-created_at"], name="%(class)s_tail", condition=~Q(account_tail="")
            ),
            models.Index(
                fields=["phone_hash"], name="%(class)s_phone", condition=Q(phone_hash__isnull=False)
            ),
            models.Index(
                fields=["id_number_hash"],
                name="%(class)s_id_number",
                condition=Q(id_number_hash__isnull=False),
            ),
        ]


class StatusChange(models.Model):
    """One change of one order's status; written by the database in the same statement as the change (D5).

    The order it refers to is the row being changed, which is never removed, so nothing looks it up again.
    """

    payment = models.ForeignKey(
        "records.Payment",
        models.PROTECT,
        null=True,
        related_name="status_changes",
        verbose_name=_("deposit order"),
        db_index=False,
        db_constraint=False,
    )
    payout = models.ForeignKey(
        "records.Payout",
        models.PROTECT,
        null=True,
        related_name="status_changes",
        verbose_name=_("payout order"),
        db_index=False,
        db_constraint=False,
    )
    version = models.PositiveIntegerField(_("version"))
    from_status = models.SmallIntegerField(_("from"), null=True)
    to_status = models.SmallIntegerField(_("to"))
    changed_by = models.CharField(_("changed by"), max_length=12, choices=Actor)
    changed_by_user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("user"),
        db_index=False,
    )
    reason = models.CharField(_("why"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("time"))
    recorded_at = models.DateTimeField(_("recorded"))

    class Meta:
        verbose_name = _("status change")
        verbose_name_plural = _("status changes")
        constraints = [
            models.UniqueConstraint(
                fields=["payment", "version"],
                name="payment_status_change_once",
                condition=Q(payment__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["payout", "version"],
                name="payout_status_change_once",
                condition=Q(payout__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(payment__isnull=False, payout__isnull=True)
                | Q(payment__isnull=True, payout__isnull=False),
                name="status_change_of_one_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.from_status} → {self.to_status}"


class UpstreamCall(models.Model):
    """One HTTP call to an upstream about a deposit, masked, for the order's timeline."""

    class Purpose(models.TextChoices):
        SUBMIT = "submit", _("Submit")
        QUERY = "query", _("Query")

    payment = models.ForeignKey(
        "records.Payment",
        models.PROTECT,
        null=True,
        related_name="upstream_calls",
        verbose_name=_("deposit order"),
    )
    attempt = models.ForeignKey(
        "records.PayoutAttempt",
        models.PROTECT,
        null=True,
        related_name="upstream_calls",
        verbose_name=_("payout attempt"),
    )
    purpose = models.CharField(_("purpose"), max_length=8, choices=Purpose)
    outcome = models.CharField(_("outcome"), max_length=16)
    # Has a default in the database, because the hand-written statement of accepted orders leaves it out.
    cause = models.CharField(
        _("cause of a refusal"), max_length=16, choices=CAUSES, blank=True, default="", db_default=""
    )
    request = models.TextField(_("request"), blank=True)
    response = models.TextField(_("response"), blank=True)
    http_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    duration_ms = models.PositiveIntegerField(_("ms"))
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    created_at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("upstream call")
        verbose_name_plural = _("upstream calls")
        constraints = [
            models.CheckConstraint(
                condition=Q(payment__isnull=False, attempt__isnull=True)
                | Q(payment__isnull=True, attempt__isnull=False),
                name="upstream_call_of_one_order",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} {self.outcome}"
