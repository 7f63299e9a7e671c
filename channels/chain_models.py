"""Chains and the tokens on them: the payment-detail API's lists of chains and currencies."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

# A count of smallest units: every number that a chain can hold (2^256 has 78 digits).
UNIT_DIGITS = 78


class UnitsField(models.DecimalField):  # type: ignore[type-arg]
    """A count of a token's smallest units, numeric(78,0)."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs["max_digits"] = UNIT_DIGITS
        kwargs["decimal_places"] = 0
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]


class Chain(models.Model):
    """A block chain. Its id is ours, and stays what merchants were told; `network_id` is the chain's own."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    chain_id = models.PositiveIntegerField(
        _("chain id"), primary_key=True, validators=[MinValueValidator(1), MaxValueValidator(2**31 - 1)]
    )
    code = models.CharField(
        _("code"),
        max_length=16,
        unique=True,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9]{1,15}$", _("2 to 16 capital letters or digits."))],
    )
    name = models.CharField(_("name"), max_length=64)
    symbol = models.CharField(
        _("native coin"),
        max_length=16,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9]{1,15}$", _("2 to 16 capital letters or digits."))],
    )
    confirmations = models.PositiveIntegerField(
        _("confirmations"),
        default=12,
        validators=[MinValueValidator(1), MaxValueValidator(200)],
        help_text=_("A transfer counts once so many blocks hold it, its own included."),
    )
    network_id = models.PositiveBigIntegerField(
        _("network id"),
        null=True,
        blank=True,
        unique=True,
        help_text=_("What an EVM node answers to eth_chainId; empty for other chains."),
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.OPEN)

    class Meta:
        verbose_name = _("chain")
        verbose_name_plural = _("chains")
        ordering = ["chain_id"]
        constraints = [
            # As many blocks as `records.chain_watch` keeps the hashes of, with room to spare.
            models.CheckConstraint(
                condition=Q(confirmations__gte=1, confirmations__lte=200), name="chain_confirmations_range"
            ),
            models.CheckConstraint(condition=Q(chain_id__gte=1), name="chain_id_positive"),
        ]

    def __str__(self) -> str:
        return self.name


class Token(models.Model):
    """What is paid with on a chain: its native coin (no address) or a token contract.

    An order quoted in the token is booked in `currency`, which has at least as many decimals.
    """

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        CLOSED = "closed", _("Closed")

    chain = models.ForeignKey(Chain, models.PROTECT, related_name="tokens", verbose_name=_("chain"))
    name = models.CharField(_("name"), max_length=64)
    symbol = models.CharField(
        _("symbol"),
        max_length=16,
        validators=[RegexValidator(r"^[A-Z][A-Z0-9]{1,15}$", _("2 to 16 capital letters or digits."))],
    )
    address = models.CharField(
        _("contract"), max_length=64, blank=True, help_text=_("Empty for the chain's native coin.")
    )
    decimals = models.PositiveSmallIntegerField(_("decimals"), validators=[MaxValueValidator(18)])
    currency = models.ForeignKey(
        "channels.Currency",
        models.PROTECT,
        related_name="tokens",
        verbose_name=_("currency"),
        help_text=_("Of the wallets in which orders quoted in the token are booked."),
    )
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.OPEN)

    class Meta:
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
        ordering = ["chain", "symbol"]
        constraints = [
            models.UniqueConstraint(fields=["chain", "symbol"], name="token_symbol_once"),
            models.UniqueConstraint(fields=["chain", "address"], name="token_address_once"),
            models.CheckConstraint(condition=Q(decimals__lte=18), name="token_decimals_range"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} ({self.chain_id})"

    @property
    def is_native(self) -> bool:
        """Say whether it is the chain's own coin."""
        return not self.address
