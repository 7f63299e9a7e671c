"""What a paid deposit, and its refund, put into the book. `records.payments` decides that and when."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django.utils.translation import gettext as _t

from diamondpay.lib import errors, money, sql
from diamondpay.models import User
from merchants import pricing
from records import ledger
from records.models import Payment, Posting, PostingKind

_EXPONENT = "SELECT exponent FROM channels_currency WHERE code = %(code)s"


class NotCreditable(errors.LedgerRefused):
    """What arrived cannot be credited: it is worth nothing in the wallet's currency, or no sum of it."""

    code = "not_creditable"


def quoted(*, payment: Payment, actual_amount: Decimal) -> tuple[pricing.Quote, Decimal]:
    """Return the fee and the credit of what arrived, and the amount they add up to.

    Units: actual_amount in major units of the order's currency; what is returned, of the wallet's.
    Raises: NotCreditable when it is worth nothing there, too much for the book, or too exact.
    """
    exponent = sql.rows(_EXPONENT, {"code": payment.settlement_currency_id})[0][0]
    try:
        settled_amount = money.converted(actual_amount, unit_price=payment.unit_price, exponent=exponent)
    except money.AmountTooLarge as fault:
        raise NotCreditable(fault.reason) from fault
    is_converted = payment.settlement_currency_id != payment.currency_id
    if settled_amount <= 0 or (not is_converted and settled_amount != actual_amount):
        words = _t("%(amount)s %(currency)s for order %(order)s cannot be credited as %(settled)s.")
        raise NotCreditable(
            words
            % {
                "amount": money.plain(actual_amount),
                "currency": payment.currency_id,
                "order": payment.payment_id,
                "settled": f"{money.plain(settled_amount)} {payment.settlement_currency_id}",
            }
        )
    quote = pricing.quote_settled(
        settled=settled_amount,
        fee_type=payment.fee_type,
        fee_permillage=payment.fee_permillage,
        fee_fixed=payment.fee_fixed,
        exponent=exponent,
    )
    return quote, settled_amount


def begin(*, payment: Payment, now: datetime, operator: User | None, remark: str) -> Posting:
    """Begin the one credit posting of a deposit (D2). Raises: ledger.EffectExists."""
    return ledger.begin(
        effect_key=f"payment:{payment.payment_id}:credit",
        kind=PostingKind.DEPOSIT_CREDIT,
        currency_id=payment.settlement_currency_id,
        now=now,
        payment=payment,
        order_no=payment.payment_id,
        operator=operator,
        remark=remark,
    )


def enter(
    *, payment: Payment, posting: Posting, actual_amount: Decimal, quote: pricing.Quote, now: datetime
) -> None:
    """Enter what was begun: from the channel (through the exchange account, if converted) to wallet and fees.

    Locks: the wallet's account, until the commit.
    """
    accounts = ledger.accounts_of(
        merchant_channel_id=payment.merchant_channel_id,
        channel_id=payment.channel_id,
        currency_id=payment.settlement_currency_id,
    )
    if payment.settlement_currency_id == payment.currency_id:
        counterpart = accounts["clearing"]
    else:
        counterpart = accounts["exchange"]
        _post_exchange(payment=payment, actual_amount=actual_amount, now=now)
    ledger.enter(
        posting=posting,
        legs=[
            (counterpart, -(quote.credited + quote.fee)),
            (accounts["available"], quote.credited),
            (accounts["fees"], quote.fee),
        ],
    )


def _post_exchange(*, payment: Payment, actual_amount: Decimal, now: datetime) -> None:
    """Book what the channel received, in the order's currency, against that currency's exchange account."""
    exchange = ledger.system_accounts_of(channel_id=payment.channel_id, currency_id=payment.currency_id)
    ledger.post(
        effect_key=f"payment:{payment.payment_id}:exchange",
        kind=PostingKind.EXCHANGE,
        currency_id=payment.currency_id,
        legs=[(exchange["clearing"], -actual_amount), (exchange["exchange"], actual_amount)],
        now=now,
        payment=payment,
        order_no=payment.payment_id,
    )


def refund(*, payment: Payment, is_fee_returned: bool, now: datetime, operator: User, remark: str) -> Posting:
    """Give what arrived back to the channel: from the wallet and, where the fee is returned, from the fees.

    Raises: ledger.EffectExists when it was refunded before; InsufficientBalance.
    Locks: the wallet's account.
    """
    accounts = ledger.accounts_of(
        merchant_channel_id=payment.merchant_channel_id,
        channel_id=payment.channel_id,
        currency_id=payment.settlement_currency_id,
    )
    settled, fee = payment.settled_amount or Decimal(0), payment.fee or Decimal(0)
    returned = fee if is_fee_returned else Decimal(0)
    is_converted = payment.settlement_currency_id != payment.currency_id
    posting = ledger.post(
        effect_key=f"payment:{payment.payment_id}:refund",
        kind=PostingKind.DEPOSIT_REFUND,
        currency_id=payment.settlement_currency_id,
        legs=[
            (accounts["exchange" if is_converted else "clearing"], settled),
            (accounts["available"], returned - settled),
            (accounts["fees"], -returned),
        ],
        now=now,
        payment=payment,
        order_no=payment.payment_id,
        operator=operator,
        remark=remark,
    )
    if is_converted:
        arrived = payment.actual_amount or Decimal(0)
        exchange = ledger.system_accounts_of(channel_id=payment.channel_id, currency_id=payment.currency_id)
        ledger.post(
            effect_key=f"payment:{payment.payment_id}:refund-exchange",
            kind=PostingKind.EXCHANGE,
            currency_id=payment.currency_id,
            legs=[(exchange["clearing"], arrived), (exchange["exchange"], -arrived)],
            now=now,
            payment=payment,
            order_no=payment.payment_id,
            operator=operator,
        )
    return posting
