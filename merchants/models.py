"""Whom we serve and on what terms: merchants, activated services, wallets, credentials, members."""

from __future__ import annotations

import ipaddress
import zoneinfo
from decimal import Decimal

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, Currency, FeeType, Service
from diamondpay.lib.fields import MoneyField
from diamondpay.lib.in_force import disabled_before_in_force, terms_since
from merchants.calls.models import ApiCall

__all__ = [
    "AllowedAddress",
    "ApiCall",
    "Credential",
    "Membership",
    "Merchant",
    "MerchantChannel",
    "MerchantService",
    "ServiceBound",
    "SignedCall",
    "validate_network",
    "validate_time_zone",
]


def validate_time_zone(value: str) -> None:
    """Refuse a name that is not an IANA time zone."""
    try:
        zoneinfo.ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        raise ValidationError(
            _("%(value)s is not a time zone; write it like Asia/Shanghai."), params={"value": value}
        ) from None


def validate_network(value: str) -> None:
    """Refuse what is neither an address nor a network (IPv4 or IPv6)."""
    try:
        ipaddress.ip_network(value, strict=True)
    except ValueError:
        raise ValidationError(
            _("%(value)s is not an address or network; write it like 203.0.113.0/24."),
            params={"value": value},
        ) from None


class Merchant(models.Model):
    """A customer of the platform. The id is the merchant's platform_id (PF0001)."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        DISABLED = "disabled", _("Disabled")

    class PayoutAudit(models.TextChoices):
        DISABLED = "disabled", _("Disabled")
        MANUAL = "manual", _("Manual")
        AUTO = "auto", _("Auto up to an amount")

    class UsdtCollection(models.TextChoices):
        AMOUNT = "amount", _("Amount matching")
        ADDRESS = "address", _("Dedicated address")

    id = models.CharField(_("merchant id"), max_length=16, primary_key=True, editable=False)
    name = models.CharField(_("name"), max_length=128)
    organisation_id = models.PositiveIntegerField(_("organisation id"), unique=True, editable=False)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.ACTIVE)
    time_zone = models.CharField(
        _("time zone"), max_length=64, default="Asia/Shanghai", validators=[validate_time_zone]
    )
    notify_url = models.CharField(_("default callback address"), max_length=256, blank=True)
    debug_mode = models.BooleanField(
        _("debug mode"),
        default=False,
        help_text=_("Marks new orders as test orders; ends by itself at 00:00 local time."),
    )
    debug_ends_at = models.DateTimeField(_("debug mode ends"), null=True, blank=True, editable=False)
    payout_audit = models.CharField(
        _("payout audit"), max_length=8, choices=PayoutAudit, default=PayoutAudit.DISABLED
    )
    payout_audit_amount = MoneyField(
        _("audit above"),
        default=Decimal(0),
        help_text=_("With “Auto”, payouts up to this amount need no review."),
    )
    usdt_collection = models.CharField(
        _("USDT collection mode"), max_length=8, choices=UsdtCollection, default=UsdtCollection.AMOUNT
    )
    is_md5_allowed = models.BooleanField(
        _("MD5 signatures"), default=False, help_text=_("For merchants that cannot sign HMAC-SHA256 yet.")
    )
    is_repeat_refused = models.BooleanField(
        _("refuse every repeated order number"),
        default=False,
        help_text=_("Answers 0014 even when the content is the same."),
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("merchant")
        verbose_name_plural = _("merchants")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(payout_audit_amount__gte=0), name="merchant_audit_amount_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(debug_mode=False) | Q(debug_ends_at__isnull=False),
                name="merchant_debug_mode_ends",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.name}"


class MerchantService(models.Model):
    """A service the merchant has activated, with its fee and limits. Terms are copied onto each order."""

    class Status(models.TextChoices):
        ENABLED = "enabled", _("Enabled")
        DISABLED = "disabled", _("Disabled")

    class AfterFailure(models.TextChoices):
        FAIL = "fail", _("Fail the payout and release the money")
        HOLD = "hold", _("Hold the payout for a person")

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="merchant_services", verbose_name=_("merchant")
    )
    service = models.ForeignKey(
        Service, models.PROTECT, related_name="merchant_services", verbose_name=_("service")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.DISABLED)
    fee_type = models.CharField(_("fee type"), max_length=12, choices=FeeType, default=FeeType.PERMILLAGE)
    fee_permillage = models.DecimalField(_("fee ‰"), max_digits=9, decimal_places=4, default=Decimal(0))
    fee_fixed = MoneyField(_("fixed fee"), default=Decimal(0))
    single_limit_lower_bound = MoneyField(_("lower limit"), default=Decimal(0), help_text=_("0 = no limit."))
    single_limit_upper_bound = MoneyField(_("upper limit"), default=Decimal(0), help_text=_("0 = no limit."))
    after_failure = models.CharField(
        _("when an upstream refuses a payout"), max_length=4, choices=AfterFailure, default=AfterFailure.FAIL
    )
    terms_since = terms_since()

    class Meta:
        verbose_name = _("merchant service")
        verbose_name_plural = _("merchant services")
        ordering = ["merchant", "service"]
        permissions = [("import_merchantservice", "Can import merchant services from a file")]
        constraints = [
            models.UniqueConstraint(fields=["merchant", "service"], name="merchant_service_once"),
            models.CheckConstraint(
                condition=Q(fee_permillage__gte=0, fee_permillage__lt=1000, fee_fixed__gte=0),
                name="merchant_service_fee_range",
            ),
            models.CheckConstraint(
                condition=Q(single_limit_lower_bound__gte=0, single_limit_upper_bound__gte=0),
                name="merchant_service_limits_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(single_limit_upper_bound=0)
                | Q(single_limit_upper_bound__gte=F("single_limit_lower_bound")),
                name="merchant_service_limits_ordered",
            ),
            disabled_before_in_force("merchant_service"),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.service_id}"


class MerchantChannel(models.Model):
    """A merchant's wallet on a channel (PFC00000142). Balances are `records.Account` rows, opened by the
    database.
    """

    class Status(models.TextChoices):
        ENABLED = "enabled", _("Enabled")
        DISABLED = "disabled", _("Disabled")

    id = models.CharField(_("wallet id"), max_length=20, primary_key=True, editable=False)
    merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="merchant_channels", verbose_name=_("merchant")
    )
    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="merchant_channels", verbose_name=_("channel")
    )
    currency = models.ForeignKey(
        Currency, models.PROTECT, related_name="+", verbose_name=_("currency of the wallet")
    )
    name = models.CharField(_("name shown to the merchant"), max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.ENABLED)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("merchant channel")
        verbose_name_plural = _("merchant channels")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["merchant", "channel"], name="merchant_channel_once")]

    def __str__(self) -> str:
        return f"{self.id} {self.merchant_id} {self.channel_id}"


class ServiceBound(models.Model):
    """The limit of one service on one wallet (`service_bounds`); named first when several limits bind
    equally. It bounds nothing before it is in force.
    """

    merchant_channel = models.ForeignKey(
        MerchantChannel, models.CASCADE, related_name="service_bounds", verbose_name=_("merchant channel")
    )
    service = models.ForeignKey(Service, models.PROTECT, related_name="+", verbose_name=_("service"))
    lower_bound = MoneyField(_("lower bound"), default=Decimal(0), help_text=_("0 = no limit."))
    upper_bound = MoneyField(_("upper bound"), default=Decimal(0), help_text=_("0 = no limit."))
    terms_since = terms_since()

    class Meta:
        verbose_name = _("service boundary")
        verbose_name_plural = _("service boundaries")
        permissions = [("import_servicebound", "Can import service boundaries from a file")]
        constraints = [
            models.UniqueConstraint(fields=["merchant_channel", "service"], name="service_bound_once"),
            models.CheckConstraint(
                condition=Q(lower_bound__gte=0, upper_bound__gte=0), name="service_bound_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(upper_bound=0) | Q(upper_bound__gte=F("lower_bound")),
                name="service_bound_ordered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_channel_id} {self.service_id}"


class Credential(models.Model):
    """A secret with which a merchant proves who it is. Several may live at once; each is shown once, when
    made.

    `secret_encrypted` holds the signing secret (it must be readable to verify); `token_hash` the keyed hash
    of the token sent in the Authorization header, which is never stored in clear. The scopes say what a call
    with it may do; one switch each, so that the statement of every call reads plain columns.
    """

    class Scope(models.TextChoices):
        READ = "read", _("Read")
        DEPOSIT = "deposit", _("Create deposits")
        PAYOUT = "payout", _("Create payouts")

    class Api(models.TextChoices):
        GATEWAY = "gateway", _("Gateway API")
        TRANSACTION_REQUEST = "transaction_request", _("Transaction-request API")
        PAYMENT_DETAIL = "payment_detail", _("Payment-detail API")

    merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="credentials", verbose_name=_("merchant")
    )
    api = models.CharField(_("API"), max_length=20, choices=Api, default=Api.GATEWAY)
    public_id = models.CharField(_("key id"), max_length=64, unique=True, editable=False)
    secret_encrypted = models.BinaryField(_("secret"), editable=False)
    token_hash = models.BinaryField(_("token"), null=True, unique=True, editable=False)
    secret_tail = models.CharField(_("secret ends with"), max_length=4, editable=False)
    created_at = models.DateTimeField(_("created"), editable=False)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True, help_text=_("Empty: until it is ended."))
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True, editable=False)
    may_read = models.BooleanField(_("may read"), default=True, db_default=True)
    may_deposit = models.BooleanField(_("may create deposits"), default=True, db_default=True)
    may_payout = models.BooleanField(_("may create payouts"), default=True, db_default=True)

    class Meta:
        verbose_name = _("credential")
        verbose_name_plural = _("credentials")
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["merchant", "api"], name="credential_of_merchant")]
        permissions = [
            ("rotate_own_credential", _("Rotate and end the own merchant's keys")),
            ("test_own_callback", _("Send the own merchant a test callback")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(may_read=True) | Q(may_deposit=True) | Q(may_payout=True),
                name="credential_may_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.api} …{self.secret_tail}"

    @property
    def scopes(self) -> tuple[Credential.Scope, ...]:
        """What a call with this key may do, in the order of the scopes."""
        held = zip(self.Scope, (self.may_read, self.may_deposit, self.may_payout), strict=True)
        return tuple(scope for scope, is_held in held if is_held)


class SignedCall(models.Model):
    """A signed POST that was taken, for as long as its timestamp is accepted: a signature that does not cover
    the body must not carry a second one. Source: transaction-request-api.md, Authentication.

    `answer_encrypted` is the first answer, which the same body gets again.
    """

    credential = models.ForeignKey(
        Credential, models.CASCADE, related_name="+", verbose_name=_("credential"), db_index=False
    )
    timestamp_ms = models.BigIntegerField(_("timestamp"))
    body_hash = models.BinaryField(_("hash of the body"))
    answer_status = models.PositiveSmallIntegerField(_("HTTP status"), null=True)
    answer_encrypted = models.BinaryField(_("answer"), null=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("signed call")
        verbose_name_plural = _("signed calls")
        constraints = [
            models.UniqueConstraint(fields=["credential", "timestamp_ms"], name="signed_call_once"),
            models.CheckConstraint(
                condition=Q(answer_status__isnull=True, answer_encrypted__isnull=True)
                | Q(answer_status__isnull=False, answer_encrypted__isnull=False),
                name="signed_call_answer_whole",
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="signed_call_oldest")]

    def __str__(self) -> str:
        return f"{self.credential_id} {self.timestamp_ms}"


class AllowedAddress(models.Model):
    """An address or network from which the merchant may call the APIs. None listed: from anywhere."""

    merchant = models.ForeignKey(
        Merchant, models.CASCADE, related_name="allowed_addresses", verbose_name=_("merchant")
    )
    network = models.CharField(_("address or network"), max_length=64, validators=[validate_network])
    note = models.CharField(_("note"), max_length=128, blank=True)

    class Meta:
        verbose_name = _("allowed address")
        verbose_name_plural = _("IP allow-list")
        permissions = [("change_own_allowedaddress", _("Change the own merchant's IP allow-list"))]
        constraints = [models.UniqueConstraint(fields=["merchant", "network"], name="allowed_address_once")]

    def __str__(self) -> str:
        return self.network


class Membership(models.Model):
    """Binds a user to a merchant. A user with any membership sees those merchants' rows and nothing else."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="memberships", verbose_name=_("user")
    )
    merchant = models.ForeignKey(
        Merchant, models.CASCADE, related_name="memberships", verbose_name=_("merchant")
    )

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["user", "merchant"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.merchant_id}"
