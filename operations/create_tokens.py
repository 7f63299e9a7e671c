"""What a form of a new order carries: its order number under a signature, and a reviewed payout sealed.

One form is one order number, so any number of presses of its button end as one order: placement takes a
repeated number with the same content for the same order (D1).
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal

from django.core import signing

from diamondpay.lib import crypto
from diamondpay.models import User
from operations.create_entry import Entry
from operations.create_kinds import Kind

_SALT = "operations.create"
_CONTEXT = "operations.create.review"
# Without 0, O, 1 and I: people read these numbers to each other.
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
# 32^10: nobody guesses the number of another's test order.
_SUFFIX_LENGTH = 10


class BadForm(Exception):
    """The form was not made by us for this person and page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A payout whose before and after a person is looking at. Units: fee in major units."""

    entry: Entry
    order_no: str
    fee: Decimal


def new_order_no(now: datetime) -> str:
    """Return a number for a test order: when it was begun (UTC), and a suffix that cannot be guessed."""
    suffix = "".join(secrets.choice(_LETTERS) for _place in range(_SUFFIX_LENGTH))
    return f"TEST-{now:%Y%m%d-%H%M%S}-{suffix}"


def signed(*, order_no: str, kind: Kind, user: User) -> str:
    """Return the order number under a signature, for this person and page."""
    return signing.dumps([order_no, kind.name, user.pk], salt=_SALT)


def order_no_of(token: str, *, kind: Kind, user: User) -> str:
    """Return the order number that a form carries. Raises: BadForm."""
    try:
        order_no, name, user_pk = signing.loads(token, salt=_SALT)
    except (signing.BadSignature, ValueError, TypeError):
        raise BadForm from None
    if (name, user_pk) != (kind.name, user.pk):
        raise BadForm
    return str(order_no)


def sealed(reviewed: Reviewed, *, kind: Kind, user: User) -> str:
    """Return a reviewed payout as text that nobody can read or change: it holds an account number."""
    content = {
        "entry": asdict(reviewed.entry), "order_no": reviewed.order_no, "fee": str(reviewed.fee),
        "for": [kind.name, user.pk],
    }  # fmt: skip
    return base64.urlsafe_b64encode(crypto.encrypt(json.dumps(content), _CONTEXT)).decode()


def reviewed_of(text: str, *, kind: Kind, user: User) -> Reviewed:
    """Return the payout that was reviewed. Raises: BadForm."""
    try:
        content = json.loads(crypto.decrypt(base64.urlsafe_b64decode(text.encode()), _CONTEXT))
    except (binascii.Error, ValueError, crypto.CannotDecrypt):
        raise BadForm from None
    if content["for"] != [kind.name, user.pk]:
        raise BadForm
    return Reviewed(
        entry=Entry(**content["entry"]), order_no=content["order_no"], fee=Decimal(content["fee"])
    )
