"""The book of money: accounts, postings, balance records, transfers, manual freezes.

Rows are written by `records.ledger` alone; the database moves the balances (`records/sql/ledger.sql`).
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, Currency
from diamondpay.lib import money
from diamondpay.lib.fields import MoneyField
from merchants.models import Merchant, MerchantChannel


class Account(models.Model):
    """One balance. Merchant accounts are chained and never negative; system accounts are totals of their
    entries.

    Opened by triggers when a wallet, channel or currency is created; the application cannot insert or
    update them.
    """

    class Kind(models.TextChoices):
        AVAILABLE = "available", _("Available")
        FROZEN = "frozen", _("Frozen")
        CLEARING = "clearing", _("Channel clearing")
        SUSPENSE = "suspense", _("Suspense")
        FEES = "fees", _("Fees")
        ADJUSTMENT = "adjustment", _("Adjustment")
        EXCHANGE = "exchange", _("Exchange")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    merchant = models.ForeignKey(
        Merchant, models.PROTECT, null=True, related_name="accounts", verbose_name=_("merchant")
    )
    merchant_channel = models.ForeignKey(
        MerchantChannel,
        models.PROTECT,
        null=True,
        related_name="accounts",
        verbose_name=_("merchant channel"),
    )
    channel = models.ForeignKey(
        Channel, models.PROTECT, null=True, related_name="accounts", verbose_name=_("channel")
    )
    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    is_chained = models.BooleanField(_("chained"))
    balance = MoneyField(_("balance"), default=0)
    sequence = models.BigIntegerField(_("entries"), default=0)

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        constraints = [
            models.CheckConstraint(
                condition=Q(is_chained=False) | Q(balance__gte=0), name="account_not_overdrawn"
            ),
            models.CheckConstraint(
                condition=Q(is_chained=True) | Q(balance=0, sequence=0), name="account_system_is_a_total"
            ),
            models.CheckConstraint(
                condition=Q(
                    is_chained=True,
                    kind__in=["available", "frozen"],
                    merchant_channel__isnull=False,
                    merchant__isnull=False,
                )
                | Q(
                    is_chained=False,
                    kind__in=["clearing", "suspense"],
                    channel__isnull=False,
                    merchant_channel__isnull=True,
                )
                | Q(
                    is_chained=False,
                    kind__in=["fees", "adjustment", "exchange"],
                    channel__isnull=True,
                    merchant_channel__isnull=True,
                ),
                name="account_kind_fits_owner",
            ),
            models.UniqueConstraint(fields=["merchant_channel", "kind"], name="account_of_wallet_once"),
            models.UniqueConstraint(
                fields=["channel", "kind", "currency"],
                name="account_of_channel_once",
                condition=Q(kind__in=["clearing", "suspense"]),
            ),
            models.UniqueConstraint(
                fields=["kind", "currency"],
                name="account_of_system_once",
                condition=Q(kind__in=["fees", "adjustment", "exchange"]),
            ),
        ]

    def __str__(self) -> str:
        owner = self.merchant_channel_id or self.channel_id or ""
        return " ".join(part for part in (str(self.get_kind_display()), owner, self.currency_id) if part)


class PostingKind(models.TextChoices):
    """What a posting does."""

    DEPOSIT_CREDIT = "deposit_credit", _("Deposit credit")
    DEPOSIT_REFUND = "deposit_refund", _("Deposit refund")
    PAYOUT_DEBIT = "payout_debit", _("Payout debit")
    BALANCE_FREEZE = "balance_freeze", _("Balance freeze")
    BALANCE_UNFREEZE = "balance_unfreeze", _("Balance unfreeze")
    MANUAL_ADJUSTMENT = "manual_adjustment", _("Manual adjustment")
    MANUAL_SUPPLEMENT = "manual_supplement", _("Manual supplement adjustment")
    TRANSFER = "transfer", _("Transfer")
    SUSPENSE = "suspense", _("Suspense")
    EXCHANGE = "exchange", _("Exchange")
    REVERSAL = "reversal", _("Reversal")


class ChangeType(models.TextChoices):
    """What a balance record says of one account. Source: backoffice.md, Records (the last four are system
    entries).
    """

    DEPOSIT_CREDIT = "deposit_credit", _("Deposit credit")
    PAYOUT_DEBIT = "payout_debit", _("Payout debit")
    BALANCE_FREEZE = "balance_freeze", _("Balance freeze")
    BALANCE_UNFREEZE = "balance_unfreeze", _("Balance unfreeze")
    MANUAL_ADJUSTMENT = "manual_adjustment", _("Manual adjustment")
    MANUAL_SUPPLEMENT = "manual_supplement", _("Manual supplement adjustment")
    TRANSFER_OUT = "transfer_out", _("Transfer out")
    TRANSFER_IN = "transfer_in", _("Transfer in")
    DEPOSIT_REFUND = "deposit_refund", _("Deposit refund")
    SUSPENSE = "suspense", _("Suspense")
    EXCHANGE = "exchange", _("Exchange")
    REVERSAL = "reversal", _("Reversal")


# The changes that no order makes by itself.
RARE_CHANGES = [
    "manual_adjustment", "manual_supplement", "transfer_out", "transfer_in", "deposit_refund", "suspense",
    "exchange", "reversal",
]  # fmt: skip


class Posting(models.Model):
    """One business effect on the book, once (L7). Its entries sum to zero in one currency (L1)."""

    effect_key = models.CharField(_("effect"), max_length=128, unique=True)
    kind = models.CharField(_("kind"), max_length=20, choices=PostingKind)
    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    payment = models.ForeignKey(
        "records.Payment",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="postings",
        verbose_name=_("deposit order"),
    )
    payout = models.ForeignKey(
        "records.Payout",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="postings",
        verbose_name=_("payout order"),
    )
    reverses = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="reversed_by", verbose_name=_("reverses")
    )
    order_no = models.CharField(_("associated order number"), max_length=64, blank=True)
    remark = models.CharField(_("remark"), max_length=500, blank=True)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("operator"),
    )
    created_at = models.DateTimeField(_("time"))
    recorded_at = models.DateTimeField(_("recorded"), null=True, editable=False)
    recorded_xid = models.BigIntegerField(null=True, editable=False)

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")

    def __str__(self) -> str:
        return self.effect_key


class BalanceRecord(models.Model):
    """One entry of a posting on one account: the change and, for merchant accounts, the balance before and
    after.

    Python gives posting, account and amount; the database fills all else from the locked account and the
    posting. The trigger that does so finds both, neither can be removed, and what it copies are their own
    references: foreign keys would look at all of it again, while the wallet is locked, and lock the rows of
    system accounts and currencies that every credit shares.
    """

    posting = models.ForeignKey(
        Posting, models.PROTECT, related_name="entries", verbose_name=_("posting"), db_constraint=False
    )
    account = models.ForeignKey(
        Account, models.PROTECT, related_name="entries", verbose_name=_("account"), db_constraint=False
    )
    account_kind = models.CharField(_("balance"), max_length=12, choices=Account.Kind, default="")
    sequence = models.BigIntegerField(_("sequence"), null=True)
    amount = MoneyField(_("change amount"))
    balance_before = MoneyField(_("balance before"), null=True)
    balance_after = MoneyField(_("balance after"), null=True)
    change_type = models.CharField(_("change type"), max_length=20, choices=ChangeType, default="")
    currency = models.ForeignKey(
        Currency,
        models.PROTECT,
        null=True,
        related_name="+",
        verbose_name=_("currency"),
        db_constraint=False,
    )
    merchant = models.ForeignKey(
        Merchant,
        models.PROTECT,
        null=True,
        related_name="balance_records",
        verbose_name=_("merchant"),
        db_index=False,
        db_constraint=False,
    )
    merchant_channel = models.ForeignKey(
        MerchantChannel,
        models.PROTECT,
        null=True,
        related_name="balance_records",
        verbose_name=_("merchant channel"),
        db_index=False,
        db_constraint=False,
    )
    channel = models.ForeignKey(
        Channel,
        models.PROTECT,
        null=True,
        related_name="balance_records",
        verbose_name=_("channel"),
        db_index=False,
        db_constraint=False,
    )
    order_no = models.CharField(_("associated order number"), max_length=64, blank=True, default="")
    created_at = models.DateTimeField(_("change time"), null=True)
    recorded_at = models.DateTimeField(_("recorded"), null=True, editable=False)

    class Meta:
        verbose_name = _("balance record")
        verbose_name_plural = _("balance records")
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="entry_amount_not_zero"),
            models.CheckConstraint(
                condition=Q(sequence__isnull=True, balance_before__isnull=True, balance_after__isnull=True)
                | Q(sequence__gte=1, balance_after=models.F("balance_before") + models.F("amount")),
                name="entry_arithmetic",
            ),
            models.UniqueConstraint(fields=["account", "sequence"], name="entry_sequence_once"),
        ]
        indexes = [
            models.Index(
                fields=["-created_at", "-id"], name="entry_newest", condition=Q(merchant__isnull=False)
            ),
            models.Index(
                fields=["merchant", "-created_at", "-id"],
                name="entry_of_merchant",
                condition=Q(merchant__isnull=False),
            ),
            models.Index(fields=["order_no"], name="entry_of_order", condition=~Q(order_no="")),
            models.Index(
                fields=["channel", "-created_at", "-id"],
                name="entry_of_channel",
                condition=Q(merchant__isnull=False),
            ),
            # What orders do not do; their own changes are so many that they are never far apart.
            models.Index(
                fields=["change_type", "-created_at", "-id"],
                name="entry_of_rare_type",
                condition=Q(merchant__isnull=False, change_type__in=RARE_CHANGES),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_change_type_display()} {money.render(self.amount, 0)} {self.currency_id}"


class BalanceTransfer(models.Model):
    """Money moved from one merchant's wallet to another's, both legs or none (P7)."""

    request_id = models.CharField(_("request id"), max_length=64, unique=True)
    source = models.ForeignKey(
        MerchantChannel, models.PROTECT, related_name="transfers_out", verbose_name=_("source wallet")
    )
    destination = models.ForeignKey(
        MerchantChannel, models.PROTECT, related_name="transfers_in", verbose_name=_("destination wallet")
    )
    source_merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="+", verbose_name=_("source merchant")
    )
    destination_merchant = models.ForeignKey(
        Merchant, models.PROTECT, related_name="+", verbose_name=_("destination merchant")
    )
    amount = MoneyField(_("transfer amount"))
    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    posting = models.OneToOneField(
        Posting, models.PROTECT, related_name="transfer", verbose_name=_("posting")
    )
    reason = models.CharField(_("reason"), max_length=500)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("operator")
    )
    created_at = models.DateTimeField(_("operation time"))

    class Meta:
        verbose_name = _("balance transfer")
        verbose_name_plural = _("balance transfers")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(
                condition=~Q(source_merchant=models.F("destination_merchant")),
                name="transfer_between_two_merchants",
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="transfer_has_reason"),
        ]
        indexes = [models.Index(fields=["-created_at", "-id"], name="transfer_newest")]

    def __str__(self) -> str:
        return self.request_id


class ManualFreeze(models.Model):
    """Money a person froze on a wallet; lifted at most once (P1, P2, P8)."""

    request_id = models.CharField(_("request id"), max_length=64, unique=True)
    merchant_channel = models.ForeignKey(
        MerchantChannel, models.PROTECT, related_name="manual_freezes", verbose_name=_("merchant channel")
    )
    amount = MoneyField(_("amount"))
    currency = models.ForeignKey(Currency, models.PROTECT, related_name="+", verbose_name=_("currency"))
    posting = models.OneToOneField(
        Posting, models.PROTECT, related_name="manual_freeze", verbose_name=_("posting")
    )
    lifted_by = models.OneToOneField(
        Posting,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="lifted_freeze",
        verbose_name=_("lifted by"),
    )
    reason = models.CharField(_("reason"), max_length=500)
    operator = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("operator")
    )
    created_at = models.DateTimeField(_("time"))

    class Meta:
        verbose_name = _("manual freeze")
        verbose_name_plural = _("manual freezes")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="freeze_amount_positive"),
            models.CheckConstraint(condition=~Q(reason=""), name="freeze_has_reason"),
        ]

    def __str__(self) -> str:
        return self.request_id
