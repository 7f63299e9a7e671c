"""What the gateway API answers with: items of lists, single orders, balances, created orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels.upstreams import base
from diamondpay.lib import errors
from records import parties, payer_links, queries
from records.dialects import gateway
from records.models import Payment, PaymentStatus, PayoutStatus


def payment_item(row: queries.PaymentRow, *, merchant_id: str) -> dict[str, object]:
    """Return a deposit as it stands in a list, unsigned."""
    return {
        "amount": gateway.had(row.requested_amount),
        "real_amount": gateway.had(row.actual_amount),
        "fee": gateway.charged(row.fee),
        "payment_id": row.payment_id,
        "payment_cl_id": row.merchant_order_no,
        "payment_cl_name": row.party_name,
        "platform_id": merchant_id,
        "platform_channel_id": row.merchant_channel_id,
        "status": gateway.payment_status(status=row.status, is_submitted=row.submitted_at is not None),
        "memo": row.memo,
        "create_time": gateway.unix_seconds(row.created_at),
        "update_time": gateway.unix_seconds(row.updated_at),
    }


def payout_item(row: queries.PayoutRow, *, merchant_id: str) -> dict[str, object]:
    """Return a payout as it stands in a list, unsigned."""
    return {
        "amount": gateway.had(row.requested_amount),
        "fee": gateway.charged(row.fee),
        "payout_id": row.payout_id,
        "payout_cl_id": row.merchant_order_no,
        "platform_id": merchant_id,
        "platform_channel_id": row.merchant_channel_id,
        "status": gateway.payout_status(status=row.status, is_submitted=row.submitted_at is not None),
        "memo": row.memo,
        "create_time": gateway.unix_seconds(row.created_at),
        "update_time": gateway.unix_seconds(row.updated_at),
    }


def payment_detail(row: queries.PaymentRow) -> dict[str, object]:
    """Return one deposit; `success_time` is 0 until it is paid."""
    return {
        "payment_id": row.payment_id,
        "payment_cl_id": row.merchant_order_no,
        "amount": gateway.had(row.requested_amount),
        "real_amount": gateway.had(row.actual_amount),
        "fee": gateway.charged(row.fee),
        "status": gateway.payment_status(status=row.status, is_submitted=row.submitted_at is not None),
        "payment_cl_name": row.party_name,
        "create_time": gateway.unix_seconds(row.created_at),
        "success_time": _success_time(row.completed_at, is_success=row.status == PaymentStatus.SUCCESS),
    }


def payout_detail(row: queries.PayoutRow) -> dict[str, object]:
    """Return one payout; `success_time` is 0 until it is paid, `error_msg` empty unless it failed."""
    return {
        "payout_id": row.payout_id,
        "payout_cl_id": row.merchant_order_no,
        "amount": gateway.had(row.requested_amount),
        "fee": gateway.charged(row.fee),
        "status": gateway.payout_status(status=row.status, is_submitted=row.submitted_at is not None),
        "error_msg": row.error_message if row.status == PayoutStatus.FAILED else "",
        "create_time": gateway.unix_seconds(row.created_at),
        "success_time": _success_time(row.completed_at, is_success=row.status == PayoutStatus.SUCCESS),
    }


def _success_time(completed_at: datetime | None, *, is_success: bool) -> int:
    return gateway.unix_seconds(completed_at) if is_success and completed_at is not None else 0


def created_payment_v1(payment: Payment) -> dict[str, object]:
    """Return the answer to a created deposit; only services with a receiving account name both sides."""
    amounts: dict[str, object] = {"amount": gateway.had(payment.requested_amount)}
    numbers = {"payment_id": payment.payment_id, "payment_cl_id": payment.merchant_order_no}
    link = payer_links.payment_page(payment)
    receiver = parties.receiver_of(payment)
    if receiver is None and not payment.service.has_receiver:
        return {"link": link, "payment_info": amounts | numbers}
    to_send = payment.requested_amount if payment.display_amount is None else payment.display_amount
    # What the payer must send may not be rounded: one that cannot be written is left to the page.
    if gateway.is_exact(to_send):
        amounts["display_amount"] = gateway.had(to_send)
    return {
        "link": link,
        "payment_info": {
            **amounts,
            **numbers,
            "receiver": _receiver(receiver or base.Receiver()),
            "sender": _sender(payment),
            "token": payment.remark_code,
        },
    }


def created_payment_v2(payment: Payment) -> dict[str, object]:
    """Return the answer to a deposit created over v2."""
    return {
        "link": payer_links.payment_page(payment),
        "payment_id": payment.payment_id,
        "payment_cl_id": payment.merchant_order_no,
        "amount": gateway.had(payment.requested_amount),
    }


def _receiver(receiver: base.Receiver) -> dict[str, str]:
    return {
        "card_name": receiver.card_name,
        "card_number": receiver.card_number,
        "bank_name": receiver.bank_name,
        "bank_branch": receiver.bank_branch,
        "bank_logo": "",
    }


def _sender(payment: Payment) -> dict[str, str]:
    bank = payment.bank
    return {
        "card_name": payment.party_name,
        "card_number": payment.account_masked,
        "bank_id": bank.id if bank else "",
        "bank_code": bank.code if bank else "",
        "bank_name": bank.name if bank else "",
        "bank_logo": "",
        "bank_link": bank.link if bank else "",
    }


def one_currency(wallets: Sequence[queries.WalletRow], *, currency: str) -> list[queries.WalletRow]:
    """Return the wallets whose balances may be added up: those of one currency.

    The specification knows one `total_balance` and no currency. A merchant with wallets in several names the
    one that is meant in the parameter `currency`; a sum of yuan and baht would be a number of nothing.
    Raises: InvalidInput when several currencies are there and none is named, or the named one is not there.
    """
    by_currency: defaultdict[str, list[queries.WalletRow]] = defaultdict(list)
    for wallet in wallets:
        by_currency[wallet.currency].append(wallet)
    if currency:
        if currency not in by_currency:
            raise errors.InvalidInput({"currency": _("the merchant has no balance in it")})
        return by_currency[currency]
    if len(by_currency) > 1:
        words = _("the merchant has balances in {currencies}; name the one you mean")
        raise errors.InvalidInput({"currency": format_lazy(words, currencies=", ".join(sorted(by_currency)))})
    return list(wallets)


def balance_v1(
    wallets: Sequence[queries.WalletRow], *, merchant_id: str, sign_type: str, secret: str, now: datetime
) -> dict[str, object]:
    """Return the available balances, each channel signed and the sums signed (section 2, what is signed)."""
    channels = [
        gateway.signed(
            {
                "platform_channel_id": wallet.merchant_channel_id,
                "channel_name": wallet.name,
                "balance": gateway.had(wallet.available),
            },
            sign_type=sign_type,
            secret=secret,
        )
        for wallet in wallets
    ]
    sums = {
        "platform_id": merchant_id,
        "total": len(channels),
        "total_balance": gateway.had(sum((wallet.available for wallet in wallets), Decimal(0))),
        "request_time": gateway.unix_seconds(now),
    }
    signed = gateway.signed(sums, sign_type=sign_type, secret=secret)
    return {"platform_id": merchant_id, "platform_channels": channels, **signed}


def balance_v2(wallets: Sequence[queries.WalletRow], *, merchant_id: str) -> dict[str, object]:
    """Return the sums of what is available and of what is frozen."""
    return {
        "platform_id": merchant_id,
        "total_balance": gateway.had(sum((wallet.available for wallet in wallets), Decimal(0))),
        "total_frozen_balance": gateway.had(sum((wallet.frozen for wallet in wallets), Decimal(0))),
    }
