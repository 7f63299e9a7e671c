"""Payers, recipients and amounts of the demo: plausible, and none of them real.

Card numbers lie in the range that UnionPay gives out for tests; the other accounts follow their country's
form only.
"""

from __future__ import annotations

import functools
import random
from dataclasses import dataclass
from decimal import Decimal

from channels.upstreams import base

REGULARS = 70
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_TEST_CARD = "625094"


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What people in one currency are called, where they bank, and what they usually pay.

    Units: amounts in major units. Payers like the round amounts; the rest is spread around `usual`.
    """

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    banks: tuple[tuple[str, str], ...]
    usual: int
    step: Decimal
    round_amounts: tuple[int, ...]
    lower: int
    upper: int
    is_family_name_first: bool = False


MARKETS = {
    "CNY": Market(
        first_names=("伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "涛"),
        last_names=("王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙"),
        banks=(("CCB", "China Construction Bank"), ("ICBC", "Industrial and Commercial Bank of China"),
               ("ABC", "Agricultural Bank of China"), ("CMB", "China Merchants Bank"),
               ("BOC", "Bank of China")),
        usual=320, step=Decimal("0.01"), round_amounts=(100, 200, 300, 500, 1000, 2000), lower=50, upper=9000,
        is_family_name_first=True,
    ),
    "THB": Market(
        first_names=("Somchai", "Malee", "Niran", "Kanya", "Arthit", "Ploy", "Chai", "Suda", "Anong"),
        last_names=("Srisai", "Thongdee", "Wongsa", "Jaidee", "Rattanakorn", "Boonmee", "Chaiyasit"),
        banks=(("KBANK", "Kasikornbank"), ("SCB", "Siam Commercial Bank"), ("BBL", "Bangkok Bank"),
               ("KTB", "Krungthai Bank")),
        usual=1500, step=Decimal("0.01"), round_amounts=(300, 500, 1000, 2000, 5000), lower=100, upper=40000,
    ),
    "VND": Market(
        first_names=("Anh", "Bình", "Châu", "Dũng", "Hà", "Hùng", "Lan", "Linh", "Minh", "Ngọc", "Thảo"),
        last_names=("Nguyễn Văn", "Trần Thị", "Lê Hoàng", "Phạm Minh", "Hoàng Thị", "Vũ Đức", "Đặng Thu"),
        banks=(("VCB", "Vietcombank"), ("TCB", "Techcombank"), ("MB", "Military Commercial Bank"),
               ("ACB", "Asia Commercial Bank")),
        usual=900_000, step=Decimal(1000), round_amounts=(200_000, 500_000, 1_000_000, 2_000_000),
        lower=50_000, upper=30_000_000, is_family_name_first=True,
    ),
    "BRL": Market(
        first_names=("João", "Maria", "Pedro", "Ana", "Lucas", "Beatriz", "Rafael", "Camila", "Luiza"),
        last_names=("Silva", "Santos", "Oliveira", "Souza", "Pereira", "Costa", "Ferreira", "Almeida"),
        banks=(),
        usual=180, step=Decimal("0.01"), round_amounts=(50, 100, 150, 200, 400), lower=10, upper=6000,
    ),
    "USDT": Market(
        first_names=("Kai", "Mei", "Daniel", "Priya", "Wei", "Sofia", "Omar", "Elena"),
        last_names=("Tan", "Lim", "Ng", "Kumar", "Rossi", "Haddad", "Novak"),
        banks=(),
        usual=120, step=Decimal("0.01"), round_amounts=(50, 100, 200, 500), lower=10, upper=8000,
    ),
}  # fmt: skip


def dice(*names: object) -> random.Random:
    """Return dice that fall the same way each time for the same names: the demo is the same everywhere."""
    return random.Random(" ".join(map(str, ("diamondpay demo", *names))))  # noqa: S311 - no secret


@functools.cache
def regulars(currency: str) -> tuple[base.Party, ...]:
    """Return the people who pay and are paid in a currency; the first ones come most often."""
    return tuple(_person(currency, number) for number in range(REGULARS))


def party(currency: str, throw: random.Random) -> base.Party:
    """Return somebody: a regular, more often one of the first."""
    return regulars(currency)[int(REGULARS * throw.random() ** 1.6)]


def amount(currency: str, throw: random.Random, *, factor: float = 1.0) -> Decimal:
    """Return what somebody pays, in whole steps of what the currency is used in."""
    market = MARKETS[currency]
    if throw.random() < 0.45:
        chosen = Decimal(throw.choice(market.round_amounts))
    else:
        spread = Decimal(str(round(throw.lognormvariate(0, 0.8) * market.usual * factor, 4)))
        chosen = (spread / market.step).to_integral_value() * market.step
    return min(max(chosen, Decimal(market.lower)), Decimal(market.upper))


def _person(currency: str, number: int) -> base.Party:
    throw = dice("person", currency, number)
    market = MARKETS[currency]
    first, last = throw.choice(market.first_names), throw.choice(market.last_names)
    if currency == "CNY":
        first += throw.choice((*market.first_names, "", ""))
        name = last + first
    else:
        name = f"{last} {first}" if market.is_family_name_first else f"{first} {last}"
    bank_code, bank_name = throw.choice(market.banks) if market.banks else ("", "")
    account, phone, id_number = _numbers(currency, throw)
    return base.Party(
        name=name,
        account=account,
        bank_code=bank_code,
        bank_name=bank_name,
        phone=phone,
        id_number=id_number,
    )


def _numbers(currency: str, throw: random.Random) -> tuple[str, str, str]:
    """Return account, phone and ID number in the form of the country."""
    if currency == "CNY":
        return _with_luhn_digit(_TEST_CARD + _digits(throw, 12)), "", ""
    if currency == "BRL":
        id_number = _digits(throw, 11)
        return id_number, f"+55119{_digits(throw, 8)}", id_number
    if currency == "USDT":
        return "T" + "".join(throw.choice(_BASE58) for _place in range(33)), "", ""
    return _digits(throw, 10 if currency == "THB" else 13), "", ""


def _digits(throw: random.Random, count: int) -> str:
    return "".join(str(throw.randrange(10)) for _place in range(count))


def _with_luhn_digit(number: str) -> str:
    doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(number))]
    return number + str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)
