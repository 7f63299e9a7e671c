"""Who plays in the demo: channels, merchants and people, with the terms they have."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from channels.models import FeeType
from merchants.models import Merchant, MerchantService
from operations import roles
from records.models import SignType

_AUDIT = Merchant.PayoutAudit
_AFTER = MerchantService.AfterFailure


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A channel: an account of ours at the sandbox. Units: bounds in major units, 0 = no limit."""

    code: str
    name: str
    account: str
    currency: str
    services: tuple[str, ...]
    weight: int = 100
    lower: str = "0"
    upper: str = "0"
    tolerance_below: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fee:
    """What a service costs a merchant."""

    fee_type: str = FeeType.PERMILLAGE
    permillage: str = "0"
    fixed: str = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A merchant. Units: fund in major units of each wallet's currency, in the order of the channels.

    share: how many of a hundred orders are its own. Shops without a host are told of nothing.
    """

    key: str
    name: str
    currency: str
    time_zone: str
    channels: tuple[str, ...]
    deposits: tuple[tuple[str, Fee], ...]
    payouts: tuple[str, Fee]
    funds: tuple[str, ...]
    share: int
    host: str = ""
    dialect: str = "gateway.v2"
    sign_type: str = SignType.HMAC_SHA256
    payout_audit: str = _AUDIT.DISABLED
    payout_audit_amount: str = "0"
    after_failure: str = _AFTER.FAIL

    @property
    def notify_url(self) -> str:
        """Where the shop wants to be told of its orders. No such host exists outside the rehearsal."""
        return f"https://{self.host}/diamondpay/notify" if self.host else ""

    @property
    def number_prefix(self) -> str:
        """What its order numbers begin with."""
        return "".join(word[0] for word in self.name.split()).upper()


LINES = (
    Line(
        code="sandbox",
        name="Sandbox CNY",
        account="sandbox",
        currency="CNY",
        services=("SVC0001", "SVC0004", "SVC0005", "SVC0010"),
        lower="1",
        upper="100000",
    ),
    Line(
        code="sandbox-cny-2",
        name="Sandbox CNY, second account",
        account="demo",
        currency="CNY",
        services=("SVC0004", "SVC0005", "SVC0010"),
        weight=120,
        lower="50",
        upper="3000",
    ),
    Line(
        code="sandbox-thb",
        name="Sandbox THB",
        account="sandbox-thb",
        currency="THB",
        services=("SVC0046", "SVC0065", "SVC0082"),
        lower="20",
        upper="500000",
    ),
    Line(
        code="sandbox-vnd",
        name="Sandbox VND",
        account="sandbox-vnd",
        currency="VND",
        services=("SVC0080", "SVC0081"),
        lower="10000",
        upper="300000000",
    ),
    Line(
        code="sandbox-brl",
        name="Sandbox BRL",
        account="sandbox-brl",
        currency="BRL",
        services=("SVC0022", "SVC0023"),
        lower="1",
        upper="50000",
    ),
    Line(
        code="sandbox-usdt",
        name="Sandbox USDT",
        account="sandbox-usdt",
        currency="USDT",
        services=("SVC0085", "SVC0086"),
        lower="1",
        upper="200000",
        tolerance_below="1",
    ),
)

SHOPS = (
    Shop(
        key="lotus",
        name="Lotus Games",
        currency="CNY",
        time_zone="Asia/Shanghai",
        channels=("sandbox", "sandbox-cny-2"),
        deposits=(
            ("SVC0001", Fee(permillage="8")),
            ("SVC0005", Fee(permillage="12")),
            ("SVC0010", Fee(permillage="15")),
        ),
        payouts=("SVC0004", Fee(fee_type=FeeType.MIXED, permillage="2", fixed="1")),
        funds=("400000", "150000"),
        share=34,
        host="pay.lotus-games.example",
        dialect="gateway.v1",
        sign_type=SignType.MD5,
        payout_audit=_AUDIT.AUTO,
        payout_audit_amount="2000",
    ),
    Shop(
        key="siam",
        name="Siam Basket",
        currency="THB",
        time_zone="Asia/Bangkok",
        channels=("sandbox-thb", "sandbox"),
        deposits=(("SVC0046", Fee(permillage="10")), ("SVC0065", Fee(permillage="9"))),
        payouts=("SVC0082", Fee(fee_type=FeeType.FIXED, fixed="10")),
        funds=("1500000", "50000"),
        share=22,
        host="callback.siam-basket.example",
        payout_audit=_AUDIT.MANUAL,
    ),
    Shop(
        key="mekong",
        name="Mekong Market",
        currency="VND",
        time_zone="Asia/Ho_Chi_Minh",
        channels=("sandbox-vnd",),
        deposits=(("SVC0080", Fee(permillage="14")),),
        payouts=("SVC0081", Fee(fee_type=FeeType.MIXED, permillage="3", fixed="5000")),
        funds=("900000000",),
        share=17,
        after_failure=_AFTER.HOLD,
    ),
    Shop(
        key="carioca",
        name="Carioca Bilhetes",
        currency="BRL",
        time_zone="America/Sao_Paulo",
        channels=("sandbox-brl",),
        deposits=(("SVC0022", Fee(permillage="9.9")),),
        payouts=("SVC0023", Fee(permillage="5")),
        funds=("200000",),
        share=15,
        host="hooks.carioca-bilhetes.example",
    ),
    Shop(
        key="harbour",
        name="Harbour Trading",
        currency="USDT",
        time_zone="Asia/Singapore",
        channels=("sandbox-usdt",),
        deposits=(("SVC0085", Fee(permillage="5")),),
        payouts=("SVC0086", Fee(fee_type=FeeType.FIXED, fixed="1.5")),
        funds=("120000",),
        share=12,
    ),
)
SHOP_BY_KEY = {shop.key: shop for shop in SHOPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who signs in. Passwords are public: the demo runs on a developer's machine only."""

    username: str
    title: str
    password: str
    role: str = ""
    shop: str = ""
    is_superuser: bool = False


PEOPLE = (
    Person(username="admin", title="Administrator", password="demo-admin-2468", is_superuser=True),  # noqa: S106
    Person(
        username="operator",
        title="Operations staff",
        password="demo-operator-2468",  # noqa: S106
        role=roles.OPERATIONS_STAFF,
    ),
    Person(
        username="approver",
        title="Super administrator",
        password="demo-approver-2468",  # noqa: S106
        role=roles.SUPER_ADMINISTRATOR,
    ),
    Person(
        username="finance",
        title="Finance staff",
        password="demo-finance-2468",  # noqa: S106
        role=roles.FINANCE_STAFF,
    ),
    Person(
        username="service",
        title="Customer service",
        password="demo-service-2468",  # noqa: S106
        role=roles.CUSTOMER_SERVICE,
    ),
    Person(
        username="lotus",
        title="Merchant user, CNY",
        password="demo-lotus-2468",  # noqa: S106
        role=roles.MERCHANT_USER,
        shop="lotus",
    ),
    Person(
        username="siam",
        title="Merchant user, THB",
        password="demo-siam-2468",  # noqa: S106
        role=roles.MERCHANT_USER,
        shop="siam",
    ),
)


def fee_of_line(line: Line, service_id: str) -> Decimal:
    """Return what the upstream takes for a service, in ‰."""
    is_payout = any(service_id == shop.payouts[0] for shop in SHOPS)
    return Decimal("1") if is_payout else Decimal("4") if line.currency == "CNY" else Decimal("5")
