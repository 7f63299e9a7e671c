"""What a merchant or operator asks to be placed, and what tells a repeat of it from another order."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from decimal import Decimal

from channels.upstreams import base
from diamondpay.lib import crypto, money
from diamondpay.models import User
from merchants.models import Merchant


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What a merchant or operator asks for.

    Units: amount in major units of the service's currency, or of `quoted_in` where that is given: the
    settlement currency, of which the payer pays amount × exchange rate.
    """

    merchant: Merchant
    service_id: str
    merchant_order_no: str
    amount: Decimal
    party: base.Party
    sign_type: str
    source: str
    dialect: str = "gateway.v1"
    notify_url: str = ""
    bank: str = ""
    currency: str = ""
    merchant_channel_id: str = ""
    channel_code: str = ""
    is_test: bool = False
    placed_by: User | None = None
    # Where the person who places it sits, for the audit trail.
    address: str | None = None
    quoted_in: str = ""

    def content_hash(self) -> bytes:
        """Return what tells a repeat from another order of one number; keyed, for it covers card numbers."""
        content = {name: str(value) for name, value in self.content().items()}
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return crypto.keyed_hash(digest, "order.request")

    def content(self) -> dict[str, object]:
        """Return what makes two requests the same, field by field."""
        # What came later is left out where it is not used, so that older orders keep the hash they have.
        later = {"quoted_in": self.quoted_in} if self.quoted_in else {}
        return {
            **later,
            "service": self.service_id,
            "amount": money.plain(self.amount),
            "currency": self.currency.upper(),
            "bank": self.bank,
            "notify_url": self.notify_url,
            "merchant_channel": self.merchant_channel_id,
            "channel": self.channel_code,
            "party": json.dumps(asdict(self.party), sort_keys=True),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayment(NewOrder):
    """A deposit to place. `expiry_seconds` stands for the service's where it is not 0."""

    remark_code: str = ""
    last_numbers: tuple[str, ...] = ()
    expiry_seconds: int = 0
    # For orders over a chain: on which (0: any), in which token ("": any), for what, and back to where.
    chain_id: int = 0
    token: str = ""
    description: str = ""
    redirect_url: str = ""

    def content(self) -> dict[str, object]:
        """Return what makes two requests the same, field by field."""
        over_chain = {
            "chain": self.chain_id,
            "token": self.token,
            "description": self.description,
            "redirect_url": self.redirect_url,
        }
        return {
            **NewOrder.content(self),
            **{name: value for name, value in over_chain.items() if value},
            "remark_code": self.remark_code,
            "last_numbers": json.dumps(self.last_numbers),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPayout(NewOrder):
    """A payout to place. `fee_expected` is what a person was shown: with any other fee it is refused;
    `requires_review` adds a review and never takes one away.
    """

    bank_branch: str = ""
    fee_expected: Decimal | None = None
    requires_review: bool = False

    def content(self) -> dict[str, object]:
        """Return what makes two requests the same, field by field."""
        later = {"requires_review": "yes"} if self.requires_review else {}
        return {**NewOrder.content(self), **later, "bank_branch": self.bank_branch}
