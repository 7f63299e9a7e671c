"""Placing orders: T1 (limits, order, freeze) → adapter, no transaction → T2 (submitted or refused).

One road for merchants' APIs and for operators' test orders. Terms are read without a lock and copied onto
the order.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from channels import queries as channel_queries
from channels import secrets as channel_secrets
from channels.models import Bank, Channel, Direction, Service
from channels.upstreams import registry
from diamondpay.lib import clock, crash, crypto, errors, money
from merchants import queries as merchant_queries
from merchants.models import Merchant, MerchantService
from operations import chain_terms, create_audit, routing, settlement
from operations.new_orders import NewOrder, NewPayment, NewPayout
from records import chain_payments, payments, payouts, submission
from records.models import Actor, Payment, Payout, Source

__all__ = ["NewOrder", "NewPayment", "NewPayout", "Terms", "place_payment", "place_payout", "terms_of"]

logger = logging.getLogger(__name__)

REMARK_LETTERS = (
    "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # Without 0, O, 1 and I, which payers mistake for each other.
)
REMARK_LENGTH = 6


@dataclass(frozen=True, slots=True)
class Terms:
    """What was decided for an order before it is written. Units: amount in the service's currency."""

    service: Service
    merchant_service: MerchantService
    bank: Bank | None
    decision: routing.Decision
    amount: Decimal
    worth: settlement.Worth
    over_chain: chain_payments.Plan | None = None


def place_payment(*, order: NewPayment, now: datetime | None = None) -> Payment:
    """Place a deposit and hand it to its upstream. A repeat with the same content returns the first order
    (D1).

    Afterwards the order is In Progress (accepted, or the upstream's answer is unknown) or Failed (refused).

    Raises: DomainError subclasses that name what is wrong; nothing is written then.
    """
    read_clock = clock.going_on_from(now) if now else clock.now
    now = now or clock.now()
    content_hash = order.content_hash()
    try:
        terms = _terms(order=order, direction=Direction.DEPOSIT, now=now)
        with transaction.atomic():
            payment = payments.create(
                columns=_payment_columns(order, terms, content_hash, now), party=order.party, now=now
            )
            if terms.over_chain is not None:
                chain_payments.begin(payment=payment, plan=terms.over_chain, now=now)
            create_audit.write(placed=payment, user=order.placed_by, address=order.address, now=now)
            crash.point("placement.before_commit")
    except errors.DomainError:
        # The number is taken, or what is refused today was accepted yesterday: it may be a repeat. It is
        # looked for only now, because nearly every order is a new one.
        first = _first_payment(order, content_hash)
        if first is None:
            raise
        return first
    crash.point("placement.committed")
    return submission.submit_payment(payment=payment, read_clock=read_clock)


def place_payout(*, order: NewPayout, now: datetime | None = None) -> Payout:
    """Place a payout: freeze amount + fee, then send it or leave it for review. Repeats as for deposits.

    Raises: DomainError subclasses, InsufficientBalance among them; nothing is written then.
    """
    read_clock = clock.going_on_from(now) if now else clock.now
    now = now or clock.now()
    content_hash = order.content_hash()
    first = _first_payout(order, content_hash)
    if first is not None:
        return first
    terms = _terms(order=order, direction=Direction.PAYOUT, now=now)
    under_review = order.requires_review or needs_review(merchant=order.merchant, amount=terms.amount)
    try:
        with transaction.atomic():
            payout = payouts.create(
                columns=_payout_columns(order, terms, content_hash),
                party=order.party,
                under_review=under_review,
                now=now,
            )
            create_audit.write(placed=payout, user=order.placed_by, address=order.address, now=now)
            crash.point("placement.before_commit")
    except errors.DuplicateOrderNumber:
        first = _first_payout(order, content_hash)
        if first is None:
            raise
        return first
    crash.point("placement.committed")
    attempt = None if under_review else payout.attempts.select_related("payout", "channel").first()
    if attempt is None:
        return payout
    return submission.submit_attempt(attempt=attempt, read_clock=read_clock)


def needs_review(*, merchant: Merchant, amount: Decimal) -> bool:
    """Say whether a payout of this merchant waits for a person. Source: backoffice.md, Merchants."""
    if merchant.payout_audit == Merchant.PayoutAudit.MANUAL:
        return True
    return merchant.payout_audit == Merchant.PayoutAudit.AUTO and amount > merchant.payout_audit_amount


def terms_of(order: NewPayment | NewPayout) -> Terms:
    """Return what would be decided for the order if it were placed now; nothing is written.

    Raises: DomainError subclasses, exactly as placing it would, but for a number that is taken.
    """
    is_deposit = isinstance(order, NewPayment)
    direction = Direction.DEPOSIT if is_deposit else Direction.PAYOUT
    return _terms(order=order, direction=direction, now=clock.now())


def _first_payment(order: NewOrder, content_hash: bytes) -> Payment | None:
    """Return the order that has this number already. Raises: DuplicateOrderNumber when its content is
    another.
    """
    first = (
        Payment.objects.filter(merchant=order.merchant, merchant_order_no=order.merchant_order_no)
        .select_related("channel", "bank")
        .first()
    )
    _refuse_other_content(order, content_hash, first)
    return first


def _first_payout(order: NewOrder, content_hash: bytes) -> Payout | None:
    """Return the order that has this number already. Raises: DuplicateOrderNumber when its content is
    another.
    """
    first = Payout.objects.filter(merchant=order.merchant, merchant_order_no=order.merchant_order_no).first()
    _refuse_other_content(order, content_hash, first)
    return first


def _refuse_other_content(order: NewOrder, content_hash: bytes, first: Payment | Payout | None) -> None:
    if first is not None and (order.merchant.is_repeat_refused or bytes(first.request_hash) != content_hash):
        raise errors.DuplicateOrderNumber


def _terms(*, order: NewPayment | NewPayout, direction: Direction, now: datetime) -> Terms:
    """Decide everything about an order that does not need a lock."""
    if order.merchant.status != Merchant.Status.ACTIVE:
        raise errors.MerchantDisabled
    merchant_service = merchant_queries.activated_service(
        merchant=order.merchant, service_id=order.service_id
    )
    service = merchant_service.service
    if service.direction != direction:
        raise errors.ServiceUnknown
    _check_amount(order, service)
    _check_required(order, service)
    bank = channel_queries.bank(text=order.bank, currency=service.currency_id) if order.bank else None
    if service.requires_merchant_channel and not (order.merchant_channel_id or order.channel_code):
        raise errors.ChannelRequired
    amount = order.amount
    if order.quoted_in:
        amount = settlement.in_order_currency(
            amount=amount, currency=order.quoted_in, service=service, now=now
        )
    settled = settlement.Settlement(service=service, terms=merchant_service, amount=amount, now=now)
    decision = routing.pick(
        merchant=order.merchant,
        merchant_service=merchant_service,
        service=service,
        amount=amount,
        needed=settled.debited,
        settlement_currency=order.quoted_in,
        merchant_channel_id=order.merchant_channel_id,
        channel_code=order.channel_code,
        channel_codes=chain_terms.channels_of(order) if isinstance(order, NewPayment) else None,
    )
    _check_adapter(decision.choice.channel)
    worth = settled.worth(decision.choice.merchant_channel.currency_id)
    if isinstance(order, NewPayout) and order.fee_expected not in (None, worth.fee):
        shape = _("The fee is {fee} now. Look at the amounts again before you send it.")
        exponent = settlement.exponent_of(decision.choice.merchant_channel.currency_id)
        words = format_lazy(shape, fee=money.render(worth.fee, exponent))
        raise errors.InvalidInput({"amount": words})
    over_chain = None
    if isinstance(order, NewPayment):
        channel = decision.choice.channel
        over_chain = chain_terms.plan(order=order, service=service, channel=channel, amount=amount, now=now)
    return Terms(service, merchant_service, bank, decision, amount, worth, over_chain)


def _check_adapter(channel: Channel) -> None:
    """Refuse an order whose channel cannot be spoken to, before it is written.

    Raises: NoChannelAvailable; what is wrong with the settings is in the log, for whoever runs the platform.
    """
    try:
        channel_secrets.adapter_of(channel)
    except (registry.UnknownUpstream, crypto.CannotDecrypt, ValueError) as fault:
        logger.exception("Channel %s cannot be used.", channel.pk)
        raise errors.NoChannelAvailable from fault


def _check_amount(order: NewOrder, service: Service) -> None:
    if order.currency and order.currency.upper() != service.currency_id:
        raise errors.InvalidInput({"currency": _("The service is in another currency.")})
    if order.amount <= 0:
        raise errors.InvalidInput({"amount": _("The amount must be positive.")})
    if not order.quoted_in and money.decimals_used(order.amount) > service.currency.exponent:
        raise errors.InvalidInput({"amount": _("The amount has more decimals than the currency.")})


def _check_required(order: NewPayment | NewPayout, service: Service) -> None:
    """Refuse an order without the fields its service needs, naming all that are missing at once."""
    given = {
        "name": order.party.name,
        "number": order.party.account,
        "bank": order.bank,
        "phone": order.party.phone,
        "id_number": order.party.id_number,
        "ifsc_code": order.party.ifsc_code,
    }
    if isinstance(order, NewPayment):
        given |= {"remark_code": order.remark_code, "last_number": " ".join(order.last_numbers)}
    is_over_api = order.source != Source.BACK_OFFICE
    missing = channel_queries.missing_fields(service=service, given=given, is_over_api=is_over_api)
    if missing:
        raise errors.InvalidInput(missing)


def _columns(order: NewOrder, terms: Terms, content_hash: bytes) -> dict[str, object]:
    choice, merchant_service, currency_id = (
        terms.decision.choice,
        terms.merchant_service,
        terms.service.currency_id,
    )
    return {
        "merchant": order.merchant,
        "merchant_order_no": order.merchant_order_no,
        "service": terms.service,
        "channel": choice.channel,
        "merchant_channel": choice.merchant_channel,
        "currency_id": currency_id,
        "settlement_currency_id": choice.merchant_channel.currency_id,
        "unit_price": terms.worth.unit_price,
        "requested_amount": terms.amount,
        "quoted_amount": order.amount if order.quoted_in else None,
        "payment_method": terms.service.payment_method,
        "fee_type": merchant_service.fee_type,
        "fee_permillage": merchant_service.fee_permillage,
        "fee_fixed": merchant_service.fee_fixed,
        "limit_lower_bound": choice.range.lower,
        "limit_upper_bound": choice.range.upper,
        "bank": terms.bank,
        "source": order.source,
        "dialect": order.dialect,
        "sign_type": order.sign_type,
        "notify_url": order.notify_url or order.merchant.notify_url,
        "request_hash": content_hash,
        "is_test": order.is_test or order.merchant.debug_mode,
        "placed_by": order.placed_by,
        "routing": terms.decision.as_json(),
        "changed_by": Actor.OPERATOR if order.placed_by else Actor.MERCHANT,
        "changed_by_user": order.placed_by,
    }


def _payment_columns(
    order: NewPayment, terms: Terms, content_hash: bytes, now: datetime
) -> dict[str, object]:
    channel_service = terms.decision.choice.channel_service
    remark_code = order.remark_code
    if not remark_code and terms.service.has_receiver:
        remark_code = "".join(secrets.choice(REMARK_LETTERS) for _place in range(REMARK_LENGTH))
    return {
        **_columns(order, terms, content_hash),
        "remark_code": remark_code,
        "tolerance_below": channel_service.tolerance_below,
        "tolerance_above": channel_service.tolerance_above,
        "expires_at": now + timedelta(seconds=order.expiry_seconds or terms.service.expiry_seconds),
    }


def _payout_columns(order: NewPayout, terms: Terms, content_hash: bytes) -> dict[str, object]:
    return {
        **_columns(order, terms, content_hash),
        "fee": terms.worth.fee,
        "debited_amount": terms.worth.debited,
        "after_failure": terms.merchant_service.after_failure,
        "bank_name": order.party.bank_name[:128],
        "bank_branch": order.bank_branch[:128],
    }
