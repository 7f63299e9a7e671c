"""Reference data as first shipped: currencies, service types with their required fields, services.

Loaded once by the migration `0002_reference` and edited in the back office from then on, so a change here
reaches new databases only. Banks are in `reference_banks`.
Source: gateway-api.md, 7. Services and banks; backoffice.md, Required fields by service type.
"""

from __future__ import annotations

from dataclasses import dataclass

DEPOSIT, PAYOUT = "deposit", "payout"

# code, name, decimals of the smallest unit, crypto
CURRENCIES = (
    ("BRL", "Brazilian real", 2, False),
    ("BTC", "Bitcoin", 8, True),
    ("CNY", "Chinese yuan", 2, False),
    ("ETH", "Ether", 18, True),
    ("EUR", "Euro", 2, False),
    ("HKD", "Hong Kong dollar", 2, False),
    ("IDR", "Indonesian rupiah", 2, False),
    ("INR", "Indian rupee", 2, False),
    ("JPY", "Japanese yen", 0, False),
    ("KRW", "South Korean won", 0, False),
    ("MTC", "Settlement unit", 2, False),
    ("MYR", "Malaysian ringgit", 2, False),
    ("PHP", "Philippine peso", 2, False),
    ("SGD", "Singapore dollar", 2, False),
    ("THB", "Thai baht", 2, False),
    ("TRX", "TRON", 6, True),
    ("TWD", "New Taiwan dollar", 2, False),
    ("USD", "United States dollar", 2, False),
    ("USDC", "USD Coin", 6, True),
    ("USDT", "Tether", 6, True),
    ("VND", "Vietnamese dong", 0, False),
)

SERVICE_TYPES = (
    ("cny-bank-card", "CNY bank card"),
    ("cny-wallet", "CNY Alipay / WeChat"),
    ("thai", "Thai"),
    ("vietnamese", "Vietnamese"),
    ("indonesian", "Indonesian"),
    ("brazilian", "Brazilian"),
    ("indian", "Indian"),
    ("usdt", "USDT"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A field that a service type asks for; with both switches off it is offered and never demanded."""

    field: str
    in_forms: bool = True
    over_api: bool = True


# The table of backoffice.md for deposits. Payouts over the gateway API always carry name and number; what
# its field list does not know (a Brazilian recipient's phone and ID number) only the forms demand.
REQUIRED_FIELDS: dict[tuple[str, str], tuple[Wanted, ...]] = {
    ("cny-bank-card", DEPOSIT): (
        Wanted("name", over_api=False),
        Wanted("number", over_api=False),
        Wanted("remark_code", over_api=False),
    ),
    ("cny-bank-card", PAYOUT): (
        Wanted("name"),
        Wanted("number"),
        Wanted("bank", in_forms=False, over_api=False),
    ),
    ("cny-wallet", DEPOSIT): (Wanted("name"),),
    ("cny-wallet", PAYOUT): (Wanted("name"), Wanted("number")),
    ("thai", DEPOSIT): (Wanted("name"), Wanted("number"), Wanted("bank")),
    ("thai", PAYOUT): (Wanted("name"), Wanted("number"), Wanted("bank")),
    ("vietnamese", DEPOSIT): (Wanted("name"), Wanted("bank")),
    ("vietnamese", PAYOUT): (Wanted("name"), Wanted("number"), Wanted("bank")),
    ("indonesian", DEPOSIT): (Wanted("name"), Wanted("bank")),
    ("indonesian", PAYOUT): (Wanted("name"), Wanted("number"), Wanted("bank")),
    ("brazilian", DEPOSIT): (Wanted("name"), Wanted("number"), Wanted("phone"), Wanted("id_number")),
    ("brazilian", PAYOUT): (
        Wanted("name"),
        Wanted("number"),
        Wanted("phone", over_api=False),
        Wanted("id_number", over_api=False),
    ),
    ("indian", DEPOSIT): (Wanted("name", over_api=False),),
    ("indian", PAYOUT): (Wanted("name"), Wanted("number"), Wanted("ifsc_code")),
    ("usdt", DEPOSIT): (),
    ("usdt", PAYOUT): (Wanted("name", in_forms=False), Wanted("number")),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A service as shipped."""

    id: str
    name: str
    direction: str
    service_type: str
    currency: str
    has_receiver: bool = False


SERVICES = (
    Offer("SVC0001", "Bank-card deposit", DEPOSIT, "cny-bank-card", "CNY", has_receiver=True),
    Offer("SVC0004", "Bank-card payout", PAYOUT, "cny-bank-card", "CNY"),
    Offer("SVC0005", "Alipay scan to card", DEPOSIT, "cny-wallet", "CNY", has_receiver=True),
    Offer("SVC0006", "UnionPay QuickPass", DEPOSIT, "cny-wallet", "CNY"),
    Offer("SVC0008", "WeChat QR", DEPOSIT, "cny-wallet", "CNY"),
    Offer("SVC0010", "Alipay QR", DEPOSIT, "cny-wallet", "CNY"),
    Offer("SVC0011", "Alipay H5", DEPOSIT, "cny-wallet", "CNY"),
    Offer("SVC0022", "BRL deposit (Pix)", DEPOSIT, "brazilian", "BRL"),
    Offer("SVC0023", "BRL payout", PAYOUT, "brazilian", "BRL"),
    Offer("SVC0030", "INR bank", DEPOSIT, "indian", "INR"),
    Offer("SVC0031", "INR UPI", DEPOSIT, "indian", "INR"),
    Offer("SVC0044", "THB TrueMoney", DEPOSIT, "thai", "THB"),
    Offer("SVC0045", "THB bank gateway", DEPOSIT, "thai", "THB"),
    Offer("SVC0046", "THB bank QR", DEPOSIT, "thai", "THB"),
    Offer("SVC0055", "IDR card to card", DEPOSIT, "indonesian", "IDR"),
    Offer("SVC0056", "IDR QRIS", DEPOSIT, "indonesian", "IDR"),
    Offer("SVC0057", "OVO", DEPOSIT, "indonesian", "IDR"),
    Offer("SVC0058", "DANA", DEPOSIT, "indonesian", "IDR"),
    Offer("SVC0059", "LinkAja", DEPOSIT, "indonesian", "IDR"),
    Offer("SVC0060", "GoPay", DEPOSIT, "indonesian", "IDR"),
    Offer("SVC0065", "THB PromptPay", DEPOSIT, "thai", "THB"),
    Offer("SVC0069", "IDR e-wallet", DEPOSIT, "indonesian", "IDR"),
    Offer("SVC0080", "VND deposit", DEPOSIT, "vietnamese", "VND"),
    Offer("SVC0081", "VND payout", PAYOUT, "vietnamese", "VND"),
    Offer("SVC0082", "THB payout", PAYOUT, "thai", "THB"),
    Offer("SVC0083", "IDR payout", PAYOUT, "indonesian", "IDR"),
    Offer("SVC0084", "INR payout", PAYOUT, "indian", "INR"),
    Offer("SVC0085", "USDT deposit", DEPOSIT, "usdt", "USDT"),
    Offer("SVC0086", "USDT payout", PAYOUT, "usdt", "USDT"),
)

# What follows came with the migration `0011_settlement_reference`.
# Source: transaction-request-api.md, Endpoints (MTC is the settlement unit; fiat is CNY or HKD).
SETTLEMENT_CURRENCIES = frozenset({"MTC", "CNY", "HKD"})
HKD_REQUIRED_FIELDS: dict[str, tuple[Wanted, ...]] = {
    DEPOSIT: (Wanted("name", over_api=False),),
    PAYOUT: (Wanted("name"), Wanted("number")),
}
HKD_SERVICES = (
    Offer("SVC0090", "HKD bank-card deposit", DEPOSIT, "hkd-bank-card", "HKD", has_receiver=True),
    Offer("SVC0091", "HKD bank-card payout", PAYOUT, "hkd-bank-card", "HKD"),
)
PAYMENT_METHODS: dict[str, tuple[str, ...]] = {
    "BankCard": ("SVC0001", "SVC0004", "SVC0006", "SVC0090", "SVC0091"),
    "WeChatPay": ("SVC0008",),
    "Alipay": ("SVC0005", "SVC0010", "SVC0011"),
    "Blockchain": ("SVC0085", "SVC0086"),
}
