"""What a typed text may mean, and the keys by which orders are found, each by an index of its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _

from channels.models import Chain, Channel
from channels.upstreams.evm import keccak
from diamondpay.lib import crypto, money
from records import parties
from records.dialects import transaction_request as dialect
from records.models import Payment, Payout, PayoutAttempt

TEXT_LENGTH_MAX = 128
SHOWN_MAX = 50
AMOUNT_DAYS = 30
# Orders whose account has the right last four characters and is opened to compare the rest of a longer tail.
TAIL_CANDIDATES_MAX = 300

_NUMBER_LENGTH_MAX = 32
_NUMBER_WIDTH = 8
_OUR_NUMBER = re.compile(r"([A-Z]*(?:PM|POT))([0-9]{1,8})")
_ACCOUNT_LENGTH_MIN = 6
_ACCOUNT_LENGTH_MAX = 40
_REMARK_LENGTH_MAX = 32
_TAIL = re.compile(r"[0-9A-Z]{4}|[0-9]{5,12}")
_HEXADECIMAL = re.compile(r"(?:0[xX])?([0-9a-fA-F]{64}|[0-9a-fA-F]{40})")
_AMOUNT = re.compile(r"(?:[0-9]{1,12}|[0-9]{1,3}(?:,[0-9]{3}){1,3})(?:\.[0-9]{1,18})?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A typed text in its spellings: as it was meant, without blanks, in capitals."""

    typed: str
    joined: str

    @property
    def upper(self) -> str:
        """The text without blanks, in capitals: how our own numbers are written."""
        return self.joined.upper()

    @property
    def number(self) -> str:
        """The text as an order number of ours, with the zeros that people leave out: `PM145`."""
        short = _OUR_NUMBER.fullmatch(self.upper)
        return f"{short[1]}{short[2]:0>{_NUMBER_WIDTH}}" if short else self.upper

    def outside(self, kind: str) -> list[int]:
        """Return the order of a kind behind the text, where it is one of the numbers of an order that the
        transaction-request API tells: the request code or the internal number.
        """
        opened = dialect.opened_code(self.joined.lower()) or dialect.opened_internal_order_no(self.upper)
        wanted = dialect.DEPOSIT if kind == "payment" else dialect.WITHDRAW
        return [opened[1]] if opened is not None and opened[0] == wanted and opened[1] < 2**63 else []

    @property
    def spellings(self) -> list[str]:
        """The spellings in which other systems' numbers may have been stored."""
        found = (self.typed, self.joined, self.typed.upper(), self.joined.upper(), self.joined.lower())
        return list(dict.fromkeys(found))

    @property
    def amount(self) -> Decimal | None:
        """The amount that the text is, thousands separators forgiven; None for other texts and zero."""
        plain = self.joined.replace(",", "").lstrip("0") if _AMOUNT.fullmatch(self.joined) else ""
        if not plain:
            return None
        found = money.parse_plain(f"0{plain}" if plain.startswith(".") else plain)
        return found or None

    @property
    def tail(self) -> str:
        """The last characters of an account that the text may be; "" where it cannot be any."""
        text = crypto.normalise_account(self.typed)
        return text if _TAIL.fullmatch(text) else ""

    @property
    def account(self) -> str:
        """The whole account, phone or ID number that the text may be; "" where it cannot be any."""
        text = crypto.normalise_account(self.typed)
        is_long = _ACCOUNT_LENGTH_MIN <= len(text) <= _ACCOUNT_LENGTH_MAX
        return text if is_long and any(sign.isdigit() for sign in text) else ""


def wanted(text: str) -> Wanted:
    """Return a text as it was meant: full-width characters become plain, what cannot be seen goes."""
    folded = unicodedata.normalize("NFKC", text[: 8 * TEXT_LENGTH_MAX])
    seen = "".join(
        sign for sign in folded if unicodedata.category(sign) not in ("Cc", "Cf", "Cs") or sign.isspace()
    )
    words = seen.split()
    return Wanted(typed=" ".join(words), joined="".join(words))


def chain_spelling(text: str) -> str:
    """Return a transaction's hash or an address of a chain as it is stored; "" for what can be neither.

    Wallets and explorers write both in other capitals, and with or without 0x.
    """
    found = _HEXADECIMAL.fullmatch("".join(text.split()))
    if found is None:
        return ""
    digits = found[1].lower()
    return f"0x{digits}" if len(digits) == 64 else keccak.checksummed(bytes.fromhex(digits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One key asked of one table.

    `rows` yields the primary keys of orders in its first column. A key is unique where it names an order by
    a number; `is_candidate` rows have still to be compared with the typed tail.
    """

    kind: str
    label: Any
    rows: QuerySet[Any]
    column: str = "pk"
    is_unique: bool = False
    is_candidate: bool = False


def payment_arms(rows: QuerySet[Payment], text: Wanted, now: datetime) -> Iterator[Arm]:
    """Return the keys of deposits that the text may be."""
    yield from _order_arms("payment", rows, text, now)
    if len(text.joined) <= _REMARK_LENGTH_MAX:
        folded = rows.alias(folded_code=Upper("remark_code"))
        codes = folded.filter(remark_code__gt="", folded_code=Upper(Value(text.joined)))
        yield Arm(kind="payment", label=_("remark code"), rows=codes.order_by("-id")[: SHOWN_MAX + 1])
    if named := chain_spelling(text.joined):
        yield from _chain_arms(rows, named)
    amount = text.amount
    if amount is not None:
        # Nearly every payer pays what was asked for: the index holds the few who did not.
        other = Q(actual_amount__gt=F("requested_amount")) | Q(actual_amount__lt=F("requested_amount"))
        recent = rows.filter(other, actual_amount=amount, created_at__gte=_since(now))
        yield Arm(kind="payment", label=_("actual amount"), rows=_newest(recent))


def payout_arms(rows: QuerySet[Payout], text: Wanted, now: datetime) -> Iterator[Arm]:
    """Return the keys of payouts that the text may be; a payout moves exactly what was asked for."""
    yield from _order_arms("payout", rows, text, now)


def attempt_arms(rows: QuerySet[PayoutAttempt], text: Wanted) -> Iterator[Arm]:
    """Return the keys of payouts' attempts that the text may be."""
    by_number = _on_any_channel(rows, text)
    found: list[tuple[Any, QuerySet[Any]]] = [(_("channel order no. of an attempt"), by_number)]
    if len(text.upper) <= 2 * _NUMBER_LENGTH_MAX:
        found.append((_("payout attempt"), rows.filter(reference=text.upper)))
    for label, attempts in found:
        yield Arm(
            kind="payout",
            label=label,
            rows=attempts.order_by()[: SHOWN_MAX + 1],
            column="payout_id",
            is_unique=True,
        )


def _chain_arms(rows: QuerySet[Payment], named: str) -> Iterator[Arm]:
    """Return the keys of deposits over a chain: where they are paid, and in which transactions."""
    # An index leads by the chain, of which there are few.
    chains = Chain.objects.order_by().values("pk")
    there = rows.filter(chain_payment__chain__in=chains, chain_payment__address=named)
    paid = rows.filter(chain_transfers__tx_hash=named)
    for label, found in ((_("receiving address"), there), (_("transaction"), paid)):
        yield Arm(kind="payment", label=label, rows=found.order_by()[: SHOWN_MAX + 1], is_unique=True)


def _order_arms(kind: str, rows: QuerySet[Any], text: Wanted, now: datetime) -> Iterator[Arm]:
    """Return the keys that deposits and payouts have in common."""
    for label, orders in _numbered(kind, rows, text):
        # Not sorted: a number has few orders, and sorting by id could lead the planner along the whole table.
        yield Arm(kind=kind, label=label, rows=orders.order_by()[: SHOWN_MAX + 1], is_unique=True)
    for label, orders in _of_party(rows, text):
        yield Arm(kind=kind, label=label, rows=orders.order_by()[: SHOWN_MAX + 1])
    tail = text.tail
    if tail:
        is_longer = len(tail) > parties.TAIL_LENGTH
        with_tail = rows.filter(account_tail=tail[-parties.TAIL_LENGTH :], account_tail__gt="")
        yield Arm(
            kind=kind, label=_("account ends with"), is_candidate=is_longer,
            rows=_newest(with_tail, TAIL_CANDIDATES_MAX if is_longer else SHOWN_MAX + 1),
        )  # fmt: skip
    amount = text.amount
    if amount is not None:
        recent = rows.filter(requested_amount=amount, created_at__gte=_since(now))
        yield Arm(kind=kind, label=_("requested amount"), rows=_newest(recent))


def _numbered(kind: str, rows: QuerySet[Any], text: Wanted) -> Iterator[tuple[Any, QuerySet[Any]]]:
    if len(text.upper) <= _NUMBER_LENGTH_MAX:
        yield _("platform order no."), rows.filter(**{f"{kind}_id": text.number})
    if outside := text.outside(kind):
        yield _("request code or internal no."), rows.filter(pk__in=outside)
    numbers = [Upper(Value(number)) for number in dict.fromkeys((text.typed, text.joined))]
    folded = rows.alias(folded_no=Upper("merchant_order_no"))
    yield _("merchant order no."), folded.filter(folded_no__in=numbers)
    if kind == "payment":
        yield _("channel order no."), _on_any_channel(rows, text)
    else:
        given = rows.filter(channel_order_no__in=text.spellings, channel_order_no__gt="")
        yield _("channel order no."), given


def _on_any_channel(rows: QuerySet[Any], text: Wanted) -> QuerySet[Any]:
    """Find an upstream's number by the unique index on channel and number, one probe for each channel."""
    channels = Channel.objects.order_by().values("pk")
    return rows.filter(channel__in=channels, channel_order_no__in=text.spellings, channel_order_no__gt="")


def _of_party(rows: QuerySet[Any], text: Wanted) -> Iterator[tuple[Any, QuerySet[Any]]]:
    """Find a whole account, phone or ID number by its keyed hash; it is stored nowhere in clear."""
    number = text.account
    if not number:
        return
    variants = list(dict.fromkeys((number, number.lstrip("+"))))
    for label, column, context in (
        (_("account number"), "account_hash", parties.ACCOUNT_CONTEXT),
        (_("phone"), "phone_hash", parties.PHONE_CONTEXT),
        (_("ID number"), "id_number_hash", parties.ID_NUMBER_CONTEXT),
    ):
        hashes = [crypto.keyed_hash(variant, context) for variant in variants]
        yield label, rows.filter(**{f"{column}__in": hashes})


def _newest(rows: QuerySet[Any], count: int = SHOWN_MAX + 1) -> QuerySet[Any]:
    return rows.order_by("-created_at")[:count]


def _since(now: datetime) -> datetime:
    return now - timedelta(days=AMOUNT_DAYS)
