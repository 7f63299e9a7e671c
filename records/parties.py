"""Payers, recipients and receivers on an order: sealed whole, shown masked, found by keyed hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

from channels.upstreams import base
from diamondpay.lib import crypto
from records.models import Order, Payment

PARTY_CONTEXT = "order.party"
RECEIVER_CONTEXT = "order.receiver"
ACCOUNT_CONTEXT = "order.account"
PHONE_CONTEXT = "order.phone"
ID_NUMBER_CONTEXT = "order.id_number"
TAIL_LENGTH = 4


def sealed(party: base.Party) -> dict[str, object]:
    """Return the columns of an order that hold a party: sealed, masked and hashed."""
    account = crypto.normalise_account(party.account)
    return {
        "party_name": party.name,
        "party_encrypted": crypto.encrypt(json.dumps(asdict(party), ensure_ascii=False), PARTY_CONTEXT),
        "account_masked": crypto.mask(account) if account else "",
        # A tail of a very short account would be the account itself.
        "account_tail": account[-TAIL_LENGTH:]
        if len(account) >= 2 * TAIL_LENGTH or 0 < len(account) <= TAIL_LENGTH
        else "",
        "account_hash": crypto.keyed_hash(account, ACCOUNT_CONTEXT) if account else None,
        "phone_masked": crypto.mask(party.phone) if party.phone else "",
        "phone_hash": crypto.keyed_hash(party.phone, PHONE_CONTEXT) if party.phone else None,
        "id_number_masked": crypto.mask(party.id_number) if party.id_number else "",
        "id_number_hash": crypto.keyed_hash(party.id_number, ID_NUMBER_CONTEXT) if party.id_number else None,
    }


def party_of(order: Order) -> base.Party:
    """Return the payer or recipient in clear, for the upstream alone."""
    if not order.party_encrypted:
        return base.Party(name=order.party_name)
    fields: Mapping[str, str] = json.loads(crypto.decrypt(order.party_encrypted, PARTY_CONTEXT))
    return base.Party(**fields)


def sealed_receiver(receiver: base.Receiver | None) -> bytes:
    """Return the receiving account that an upstream named, sealed; empty where it named none."""
    return (
        crypto.encrypt(json.dumps(asdict(receiver), ensure_ascii=False), RECEIVER_CONTEXT)
        if receiver
        else b""
    )


def receiver_of(payment: Payment) -> base.Receiver | None:
    """Return where the payer must send the money, None where the upstream has a page of its own."""
    if not payment.receiver_encrypted:
        return None
    fields: Mapping[str, str] = json.loads(crypto.decrypt(payment.receiver_encrypted, RECEIVER_CONTEXT))
    return base.Receiver(**fields)
