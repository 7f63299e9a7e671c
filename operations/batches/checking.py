"""What only the database can say of a file's payouts: limits, wallets, balances, banks, numbers in use.

The same functions that decide for a single payout decide here: `routing.choose`, `limits.check` behind it,
`pricing.fee_of`. Everything is fetched once for the whole file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal

from django.utils.translation import gettext as _t

from channels.models import Bank, Service
from diamondpay.lib import crypto, errors, money
from merchants import pricing
from merchants import queries as merchant_queries
from merchants.models import Merchant, MerchantService
from operations import routing
from operations.batches.columns import AMOUNT, CURRENCY, ORDER_NO, Field
from operations.batches.models import BatchPayoutRow
from operations.batches.reading import Fault, Line, Table
from records.models import Payout

_EXACT = Context(prec=80)
RowState = BatchPayoutRow.State


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What holds for every row: whose payouts they are, of which service, by which terms and wallets.

    `options` are the wallets that may carry them, the preferred first.
    """

    merchant: Merchant
    service: Service
    terms: MerchantService
    options: Sequence[routing.Option]

    @property
    def exponent(self) -> int:
        """The decimals of the service's currency."""
        return int(self.service.currency.exponent)

    def fee_of(self, amount: Decimal) -> Decimal:
        """Return the fee of a payout by the merchant's terms. Raises: money.AmountTooLarge."""
        return pricing.fee_of(
            amount=amount,
            fee_type=self.terms.fee_type,
            fee_permillage=self.terms.fee_permillage,
            fee_fixed=self.terms.fee_fixed,
            exponent=self.exponent,
        )

    def shown(self, amount: Decimal) -> str:
        """Return an amount for reading, with its currency."""
        return f"{money.render(amount, self.exponent)} {self.service.currency_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A line that can be placed: its fee, its wallet, its bank."""

    line: Line
    fee: Decimal
    merchant_channel_id: str
    bank: Bank | None

    @property
    def needed(self) -> Decimal:
        """What it takes from the wallet."""
        return _EXACT.add(self.line.amount, self.fee)


def ground(*, merchant: Merchant, service_id: str, merchant_channel_id: str = "") -> Ground:
    """Return what holds for every row.

    Raises: MerchantDisabled, ServiceUnknown, ServiceClosed, ServiceNotActivated, ChannelUnknown.
    """
    if merchant.status != Merchant.Status.ACTIVE:
        raise errors.MerchantDisabled
    terms = merchant_queries.activated_service(merchant=merchant, service_id=service_id)
    service = terms.service
    if service.direction != "payout":
        raise errors.ServiceUnknown
    options = routing.options(merchant=merchant, merchant_service=terms, service=service)
    if merchant_channel_id:
        options = [option for option in options if option.merchant_channel.pk == merchant_channel_id]
        if not options:
            raise errors.ChannelUnknown
    return Ground(merchant=merchant, service=service, terms=terms, options=options)


def check(table: Table, at: Ground) -> tuple[list[Planned], list[Fault]]:
    """Return the lines that can be placed, and every fault of the others. Four statements in all."""
    faults: list[Fault] = [*_doubled(table), *_used(table, at)]
    banks = _banks(at.service.currency_id) if any(line.field(Field.BANK) for line in table.lines) else {}
    planned: list[Planned] = []
    plan = _Plan(table, at)
    for line in table.lines:
        bank, wrong = _bank(table, line, banks)
        wrong += _currency(table, line, at)
        fee, merchant_channel_id, refused = Decimal(0), "", _decimals(table, line, at)
        if not refused:
            fee, merchant_channel_id, refused = plan.allot(line)
        wrong += refused
        faults += wrong
        if not wrong:
            planned.append(Planned(line=line, fee=fee, merchant_channel_id=merchant_channel_id, bank=bank))
    faults += plan.missing()
    return planned, sorted(faults, key=lambda fault: fault.row)


def used_numbers(*, merchant_id: str, numbers: Iterable[str]) -> dict[str, str]:
    """Return which of the merchant's order numbers are taken, and by what in words. Two statements."""
    asked = list(numbers)
    rows = BatchPayoutRow.objects.filter(
        merchant=merchant_id, merchant_order_no__in=asked, state=RowState.WAITING
    )
    found = {
        number: _t("a row of batch %d") % batch
        for number, batch in rows.values_list("merchant_order_no", "batch_id")
    }
    orders = Payout.objects.filter(merchant=merchant_id, merchant_order_no__in=asked)
    return found | dict(orders.values_list("merchant_order_no", "payout_id"))


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum; the interpreter's own context would round beyond 28 digits."""
    found = Decimal(0)
    for amount in amounts:
        found = _EXACT.add(found, amount)
    return found


class _Plan:
    """Gives each row a wallet and keeps what is left of each, the preferred wallet first."""

    def __init__(self, table: Table, at: Ground) -> None:
        self._table, self._at = table, at
        self._left = {option.merchant_channel.pk: option.available or Decimal(0) for option in at.options}
        self._available = total(self._left.values())
        self._needed = Decimal(0)
        self._first_without: Line | None = None

    def allot(self, line: Line) -> tuple[Decimal, str, list[Fault]]:
        """Return a row's fee and wallet, or what stands in the way of the row."""
        try:
            fee = self._at.fee_of(line.amount)
            needed = _EXACT.add(line.amount, fee)
            chosen = routing.choose(
                offered=self._options(), service=self._at.service, amount=line.amount, needed=needed
            )
        except errors.InsufficientBalance:
            # Told once for the file: the sums say more than a complaint on every row that follows.
            self._first_without = self._first_without or line
            self._needed = _EXACT.add(self._needed, needed)
            return fee, "", []
        except (errors.DomainError, money.AmountTooLarge) as refusal:
            return Decimal(0), "", [self._table.fault(line, AMOUNT, in_words(refusal))]
        wallet = chosen.choice.merchant_channel.pk
        self._needed = _EXACT.add(self._needed, needed)
        self._left[wallet] = _EXACT.subtract(self._left[wallet], needed)
        return fee, wallet, []

    def missing(self) -> list[Fault]:
        """Return the complaint that the balance does not suffice for the file."""
        if self._first_without is None:
            return []
        words = _t(
            "From this row on the balance does not suffice: the file needs %(needed)s with fees, and"
            " %(available)s are available."
        )
        shown = {"needed": self._at.shown(self._needed), "available": self._at.shown(self._available)}
        return [self._table.fault(self._first_without, AMOUNT, words % shown)]

    def _options(self) -> list[routing.Option]:
        return [
            replace(option, available=self._left[option.merchant_channel.pk]) for option in self._at.options
        ]


def in_words(refusal: Exception) -> str:
    """Return a refusal as a sentence; where no channel is left, with each wallet's reason.

    Not by the channels' names, as the refusal itself has it: merchants' users do not know those.
    """
    words = str(refusal)
    if isinstance(refusal, errors.NoChannelAvailable) and refusal.details:
        reasons = (f"{key}: {each.partition(': ')[2]}" for key, each in refusal.details.items())
        words = f"{words} {'; '.join(reasons)}"
    return words


def _doubled(table: Table) -> Iterable[Fault]:
    """Find what the file has twice: order numbers, and payouts that nothing tells apart."""
    numbers: dict[str, int] = {}
    payouts: dict[tuple[str, Decimal], int] = {}
    for line in table.lines:
        number = line.field(ORDER_NO)
        if number:
            first = numbers.setdefault(number, line.row)
            if first != line.row:
                yield table.fault(line, ORDER_NO, _t("Row %d has the same order number.") % first)
            continue
        account = crypto.normalise_account(line.field(Field.NUMBER))
        first = payouts.setdefault((account, line.amount), line.row)
        if account and first != line.row:
            words = _t(
                "Row %d pays the same amount to the same account. If both are meant, give each an order"
                " number."
            )
            yield table.fault(line, Field.NUMBER, words % first)


def _used(table: Table, at: Ground) -> Iterable[Fault]:
    numbers = [line.field(ORDER_NO) for line in table.lines if line.field(ORDER_NO)]
    taken = used_numbers(merchant_id=at.merchant.pk, numbers=numbers) if numbers else {}
    for line in table.lines:
        holder = taken.get(line.field(ORDER_NO))
        if holder:
            yield table.fault(line, ORDER_NO, _t("This order number is already used by %s.") % holder)


def _banks(currency_id: str) -> dict[str, Bank]:
    """Return the open banks of a currency by id, code and name in capitals; an id or code goes first.

    The rule is that of `channels.queries.bank`, for all rows at once.
    """
    banks = list(Bank.objects.filter(currency=currency_id, is_open=True).order_by("pk"))
    found: dict[str, Bank] = {}
    for words in (
        [(word.upper(), bank) for bank in banks for word in (bank.pk, bank.code)],
        [(bank.name.upper(), bank) for bank in banks],
    ):
        for word, bank in words:
            found.setdefault(word, bank)
    return found


def _bank(table: Table, line: Line, banks: Mapping[str, Bank]) -> tuple[Bank | None, list[Fault]]:
    text = line.field(Field.BANK)
    found = banks.get(text.upper())
    if not text or found is not None:
        return found, []
    reason = _t("This bank does not exist, is closed, or is not for this currency.")
    return None, [table.fault(line, Field.BANK, reason)]


def _currency(table: Table, line: Line, at: Ground) -> list[Fault]:
    given = line.field(CURRENCY)
    if given in ("", at.service.currency_id):
        return []
    return [table.fault(line, CURRENCY, _t("The service is in %s.") % at.service.currency_id)]


def _decimals(table: Table, line: Line, at: Ground) -> list[Fault]:
    if money.decimals_used(line.amount) <= at.exponent:
        return []
    words = _t("%(currency)s has %(count)d decimals.")
    shown = {"currency": at.service.currency_id, "count": at.exponent}
    return [table.fault(line, AMOUNT, words % shown)]
