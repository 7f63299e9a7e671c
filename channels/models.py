"""How money can travel: currencies, services, banks, channels and what each channel carries."""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from channels.chain_models import Chain, Token, UnitsField
from diamondpay.lib import money
from diamondpay.lib.fields import MoneyField
from diamondpay.lib.in_force import disabled_before_in_force, terms_since

__all__ = [
    "Bank",
    "Chain",
    "Channel",
    "ChannelService",
    "Currency",
    "Direction",
    "ExchangeRate",
    "FeeType",
    "PaymentMethod",
    "RequiredField",
    "Service",
    "ServiceType",
    "Token",
    "UnitsField",
]


class Direction(models.TextChoices):
    """Which way the money goes, seen from the merchant's customer."""

    DEPOSIT = "deposit", _("Deposit")
    PAYOUT = "payout", _("Payout")


class FeeType(models.TextChoices):
    """How a fee is computed. Source: backoffice.md, Fees."""

    PERMILLAGE = "permillage", _("Permillage")
    FIXED = "fixed", _("Fixed")
    MIXED = "mixed", _("Permillage + fixed")


class Currency(models.Model):
    """A currency or token, with the number of decimals of its smallest unit."""

    code = models.CharField(
        _("code"),
        max_length=8,
        primary_key=True,
        validators=[RegexValidator(r"^[A-Z]{3,8}$", _("3 to 8 capital letters."))],
    )
    name = models.CharField(_("name"), max_length=64)
    exponent = models.PositiveSmallIntegerField(_("decimals"), validators=[MaxValueValidator(18)])
    is_crypto = models.BooleanField(_("crypto"), default=False)

    class Meta:
        verbose_name = _("currency")
        verbose_name_plural = _("currencies")
        ordering = ["code"]
        constraints = [models.CheckConstraint(condition=Q(exponent__lte=18), name="currency_exponent_range")]

    def __str__(self) -> str:
        return self.code


class ServiceType(models.Model):
    """A family of services that ask the payer or recipient for the same fields (CNY bank card, Thai, USDT
    …).
    """

    code = models.SlugField(_("code"), max_length=32, primary_key=True)
    name = models.CharField(_("name"), max_length=64)

    class Meta:
        verbose_name = _("service type")
        verbose_name_plural = _("service types")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name


class RequiredField(models.Model):
    """A field that orders of a service type must carry. Source: backoffice.md, Required fields by service
    type.

    Declared once; the operations forms, the APIs and the error texts all read it.
    """

    class Field(models.TextChoices):
        NAME = "name", _("Name")
        NUMBER = "number", _("Card or account number")
        LAST_NUMBER = "last_number", _("Last digits of the account")
        BANK = "bank", _("Bank code")
        PHONE = "phone", _("Phone number")
        ID_NUMBER = "id_number", _("ID number")
        REMARK_CODE = "remark_code", _("Remark code")
        IFSC_CODE = "ifsc_code", _("IFSC code")

    service_type = models.ForeignKey(
        ServiceType, models.CASCADE, related_name="required_fields", verbose_name=_("service type")
    )
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)
    field = models.CharField(_("field"), max_length=16, choices=Field)
    is_required_in_forms = models.BooleanField(_("required in the operations forms"), default=True)
    is_required_over_api = models.BooleanField(_("required over the APIs"), default=True)
    position = models.PositiveSmallIntegerField(_("position"), default=0)

    class Meta:
        verbose_name = _("required field")
        verbose_name_plural = _("required fields")
        ordering = ["service_type", "direction", "position"]
        constraints = [
            models.UniqueConstraint(
                fields=["service_type", "direction", "field"], name="required_field_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.service_type_id} {self.get_field_display()}"


class PaymentMethod(models.TextChoices):
    """How the payer pays or the recipient is paid. Source: transaction-request-api.md, Endpoints."""

    BANK_CARD = "BankCard", _("Bank card")
    WECHAT_PAY = "WeChatPay", _("WeChat Pay")
    ALIPAY = "Alipay", _("Alipay")
    BLOCKCHAIN = "Blockchain", _("Blockchain")
    ACCOUNT = "Account", _("Account")


class Service(models.Model):
    """Something a merchant can activate: SVC0001 bank-card deposit, SVC0004 bank-card payout …"""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    id = models.CharField(
        _("service id"), max_length=16, primary_key=True, validators=[RegexValidator(r"^SVC\d{4,}$")]
    )
    name = models.CharField(_("name"), max_length=64)
    direction = models.CharField(_("direction"), max_length=8, choices=Direction)
    service_type = models.ForeignKey(
        ServiceType, models.PROTECT, related_name="services", verbose_name=_("service type")
    )
    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    payment_method = models.CharField(
        _("payment method"),
        max_length=10,
        choices=PaymentMethod,
        blank=True,
        help_text=_("By this the transaction-request API finds the service."),
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.OPEN)
    expiry_seconds = models.PositiveIntegerField(
        _("expires after (seconds)"),
        default=600,
        validators=[MinValueValidator(60)],
        help_text=_("Deposits only."),
    )
    has_receiver = models.BooleanField(
        _("names a receiving account"),
        default=False,
        help_text=_("The create answer carries the account to pay to."),
    )
    requires_last_number = models.BooleanField(_("needs the payer's last digits"), default=False)
    requires_merchant_channel = models.BooleanField(
        _("merchant must name the wallet"),
        default=False,
        help_text=_("Payouts without platform_channel_id are refused."),
    )

    class Meta:
        verbose_name = _("service")
        verbose_name_plural = _("services")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.id} {self.name}"


class Bank(models.Model):
    """A bank that payers or recipients may name by id, code or name."""

    id = models.CharField(_("bank id"), max_length=16, primary_key=True)
    code = models.CharField(_("bank code"), max_length=32)
    name = models.CharField(_("name"), max_length=128)
    currency = models.ForeignKey(Currency, models.PROTECT, related_name="banks", verbose_name=_("currency"))
    link = models.URLField(_("online banking"), blank=True)
    is_open = models.BooleanField(_("open"), default=True)

    class Meta:
        verbose_name = _("bank")
        verbose_name_plural = _("banks")
        ordering = ["id"]
        permissions = [("import_bank", "Can import banks from a file")]
        constraints = [
            models.UniqueConstraint(fields=["currency", "code"], name="bank_code_once_per_currency")
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.code}"


class Channel(models.Model):
    """An account at an upstream provider. Its balance is a page of `records`, never of this room."""

    class Status(models.TextChoices):
        ENABLED = "enabled", _("Enabled")
        DISABLED = "disabled", _("Disabled")

    code = models.SlugField(_("channel"), max_length=32, primary_key=True)
    name = models.CharField(_("name"), max_length=64)
    upstream = models.CharField(_("upstream"), max_length=32)
    settings_encrypted = models.BinaryField(_("settings"), default=bytes, editable=False)
    currency = models.ForeignKey(
        Currency, models.PROTECT, related_name="channels", verbose_name=_("currency")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.DISABLED)
    weight = models.PositiveSmallIntegerField(
        _("weight"), default=100, help_text=_("Routing prefers the greater weight.")
    )
    payment_lower_bound = MoneyField(
        _("deposit lower bound"), default=Decimal(0), help_text=_("0 = no limit.")
    )
    payment_upper_bound = MoneyField(
        _("deposit upper bound"), default=Decimal(0), help_text=_("0 = no limit.")
    )
    payout_lower_bound = MoneyField(_("payout lower bound"), default=Decimal(0), help_text=_("0 = no limit."))
    payout_upper_bound = MoneyField(_("payout upper bound"), default=Decimal(0), help_text=_("0 = no limit."))
    terms_since = terms_since()
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    payment_lower_bound__gte=0,
                    payment_upper_bound__gte=0,
                    payout_lower_bound__gte=0,
                    payout_upper_bound__gte=0,
                ),
                name="channel_bounds_not_negative",
            ),
            disabled_before_in_force("channel"),
        ]

    def __str__(self) -> str:
        return self.code


class ChannelService(models.Model):
    """That a channel carries a service, what the upstream charges for it, and the amounts it takes."""

    class Status(models.TextChoices):
        ENABLED = "enabled", _("Enabled")
        DISABLED = "disabled", _("Disabled")

    channel = models.ForeignKey(
        Channel, models.CASCADE, related_name="channel_services", verbose_name=_("channel")
    )
    service = models.ForeignKey(
        Service, models.PROTECT, related_name="channel_services", verbose_name=_("service")
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.DISABLED)
    fee_type = models.CharField(_("fee type"), max_length=12, choices=FeeType, default=FeeType.PERMILLAGE)
    fee_permillage = models.DecimalField(_("fee ‰"), max_digits=9, decimal_places=4, default=Decimal(0))
    fee_fixed = MoneyField(_("fixed fee"), default=Decimal(0))
    lower_bound = MoneyField(
        _("single transaction lower bound"), default=Decimal(0), help_text=_("0 = no limit.")
    )
    upper_bound = MoneyField(
        _("single transaction upper bound"), default=Decimal(0), help_text=_("0 = no limit.")
    )
    tolerance_below = models.DecimalField(
        _("tolerance below %"),
        max_digits=5,
        decimal_places=2,
        default=Decimal(0),
        help_text=_(
            "A payment this much below the expected amount is still credited, with the amount that arrived."
        ),
    )
    tolerance_above = models.DecimalField(
        _("tolerance above %"), max_digits=5, decimal_places=2, default=Decimal(0)
    )
    terms_since = terms_since()

    class Meta:
        verbose_name = _("channel service")
        verbose_name_plural = _("channel services")
        ordering = ["channel", "service"]
        constraints = [
            models.UniqueConstraint(fields=["channel", "service"], name="channel_service_once"),
            models.CheckConstraint(
                condition=Q(fee_permillage__gte=0, fee_permillage__lt=1000, fee_fixed__gte=0),
                name="channel_service_fee_range",
            ),
            models.CheckConstraint(
                condition=Q(lower_bound__gte=0, upper_bound__gte=0),
                name="channel_service_bounds_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(upper_bound=0) | Q(upper_bound__gte=F("lower_bound")),
                name="channel_service_bounds_ordered",
            ),
            models.CheckConstraint(
                condition=Q(tolerance_below__gte=0, tolerance_below__lte=100, tolerance_above__gte=0),
                name="channel_service_tolerance",
            ),
            disabled_before_in_force("channel_service"),
        ]

    def __str__(self) -> str:
        return f"{self.channel_id} {self.service_id}"


class ExchangeRate(models.Model):
    """What one unit of `base` costs in `quote` from a moment on (1 MTC = 7.47 CNY); the history of all rates.

    A row is never changed or removed: the rate in force is the one whose `valid_from` came last. Made by
    `channels.rates.add` alone; one that a person made names the act by which two of them did
    (`operations/sql/rates.sql` refuses any other).
    """

    base = models.ForeignKey(
        Currency, models.PROTECT, related_name="+", verbose_name=_("one unit of"), db_index=False
    )
    quote = models.ForeignKey(
        Currency, models.PROTECT, related_name="+", verbose_name=_("costs in"), db_index=False
    )
    rate = MoneyField(_("rate"))
    valid_from = models.DateTimeField(_("valid from"))
    created_at = models.DateTimeField(_("created"), editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("created by"),
        db_index=False,
    )
    reason = models.CharField(_("reason"), max_length=500)
    request_id = models.CharField(
        _("request id"), max_length=64, blank=True, default="", db_default="", editable=False
    )

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        ordering = ["-valid_from", "-id"]
        constraints = [
            # Its index is also how the rate in force is found.
            models.UniqueConstraint(fields=["base", "quote", "valid_from"], name="exchange_rate_once"),
            models.CheckConstraint(condition=Q(rate__gt=0), name="exchange_rate_positive"),
            models.CheckConstraint(condition=~Q(base=F("quote")), name="exchange_rate_of_two_currencies"),
            models.UniqueConstraint(
                fields=["request_id"], name="exchange_rate_once_for_act", condition=~Q(request_id="")
            ),
            # What was in force at a moment that has passed must stay what it was.
            models.CheckConstraint(
                condition=Q(valid_from__gte=F("created_at")), name="exchange_rate_not_backdated"
            ),
        ]
        indexes = [models.Index(fields=["-valid_from", "-id"], name="exchange_rate_newest")]

    def __str__(self) -> str:
        return f"1 {self.base_id} = {money.plain(self.rate)} {self.quote_id}"

    @property
    def pair(self) -> str:
        """The two currencies, as the page that asks for their next rate names them."""
        return f"{self.base_id}-{self.quote_id}"
