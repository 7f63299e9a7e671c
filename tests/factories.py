"""Real things for tests, made by the real functions; nothing here is a stand-in.

The migrations' reference data (currencies, services, banks, roles) is there in every test database.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.models import Manager, QuerySet
from psycopg.pq import TransactionStatus

from channels import rates, secrets
from channels.models import Channel, ChannelService, Currency, ExchangeRate, Service
from diamondpay.lib import clock, owner
from diamondpay.models import User
from merchants import registration
from merchants.models import Membership, Merchant, MerchantChannel, MerchantService, ServiceBound
from operations import roles

PASSWORD = "a long enough password 42"
SANDBOX_SECRET = "sandbox-demo-secret-0123456789abcdef"
SANDBOX_URL = "http://127.0.0.1:8100"
SERVICES = ("SVC0001", "SVC0004")


@contextmanager
def founding() -> Iterator[None]:
    """Set terms as the schema's owner may: by the switch of the tests' databases, else on its connection.

    Whoever tests what the database refuses stays outside.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('tests.founds_terms', true), '')")
        before = str(cursor.fetchone()[0])
        cursor.execute("SET tests.founds_terms = 'on'")
        cursor.execute("SELECT operations_owns_schema()")
        has_switch = bool(cursor.fetchone()[0])
    if not has_switch:
        with owner.connected():
            yield
        return
    try:
        yield
    finally:
        # What a failed transaction set goes with it.
        if connection.connection.info.transaction_status != TransactionStatus.INERROR:
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('tests.founds_terms', %s, false)", [before])


def make_channel(
    code: str = "sandbox",
    currency: str = "CNY",
    upstream: str = "sandbox",
    services: Sequence[str] = SERVICES,
    *,
    base_url: str = SANDBOX_URL,
    account: str = "sandbox",
    secret: str = SANDBOX_SECRET,
    settings: Mapping[str, str] | None = None,
    weight: int = 100,
    service_bounds: tuple[int | str, int | str] = (0, 0),
    **bounds: int | str | Decimal,
) -> Channel:
    """Make an enabled channel that carries the services.

    `settings` are further settings of the adapter, such as timeout_seconds. `service_bounds` are those of
    each channel service; `bounds` those of the channel, by field name (payment_upper_bound=50000).
    """
    sealed = {"base_url": base_url, "account": account, "secret": secret, **(settings or {})}
    lower, upper = service_bounds
    in_force = {"status": "enabled", "terms_since": clock.now()}
    with founding():
        channel = Channel.objects.create(
            code=code,
            name=code.capitalize(),
            upstream=upstream,
            settings_encrypted=secrets.seal_settings(sealed),
            currency=Currency.objects.get(pk=currency),
            weight=weight,
            **in_force,
            **{name: Decimal(bound) for name, bound in bounds.items()},
        )
        for service_id in services:
            ChannelService.objects.create(
                channel=channel,
                service=Service.objects.get(pk=service_id),
                lower_bound=Decimal(lower),
                upper_bound=Decimal(upper),
                **in_force,
            )
    return channel


def activate_service(merchant: Merchant, service_id: str, **terms: int | str) -> MerchantService:
    """Activate a further service of a merchant, in force, with terms by field name."""
    values = {name: Decimal(value) for name, value in terms.items()}
    with founding():
        return MerchantService.objects.create(
            merchant=merchant, service_id=service_id, status="enabled", terms_since=clock.now(), **values
        )


def carry_service(channel_id: str, service_id: str) -> ChannelService:
    """Let a channel carry a further service, in force."""
    with founding():
        return ChannelService.objects.create(
            channel_id=channel_id, service_id=service_id, status="enabled", terms_since=clock.now()
        )


def set_terms(rows: QuerySet[Any] | Manager[Any], **terms: Any) -> None:
    """Give rows that are in force other terms, past the second person."""
    with founding():
        rows.update(**terms)


def remove_terms(rows: QuerySet[Any]) -> None:
    """Remove rows that are in force, as nobody can but the schema's owner."""
    with founding():
        rows.delete()


def set_timeout(code: str, *, seconds: float) -> None:
    """Let the channel's adapter wait no longer than this for its upstream."""
    channel = Channel.objects.get(pk=code)
    settings = {**secrets.settings_of(channel), "timeout_seconds": str(seconds)}
    set_terms(Channel.objects.filter(pk=code), settings_encrypted=secrets.seal_settings(settings))


def make_merchant(
    name: str = "Acme",
    services: Sequence[str] = SERVICES,
    channels: Sequence[str] = ("sandbox",),
    *,
    fee_permillage: int | str = 0,
    terms: registration.Terms | None = None,
    notify_url: str = "",
    is_md5_allowed: bool = False,
    time_zone: str = "Asia/Shanghai",
    settlement_currency: str = "",
    apis: Sequence[str] = (),
    now: datetime | None = None,
) -> registration.Registered:
    """Register a merchant, making those of its channels that do not exist yet with `make_channel`.

    The answer holds the merchant, its wallets (in the order of the channels), the credential and, in
    clear, `platform_key` and `authorization`.
    """
    for code in channels:
        if not Channel.objects.filter(pk=code).exists():
            make_channel(code, services=services)
    with founding():
        return registration.register(
            name=name,
            services=services,
            channels=channels,
            now=now or clock.now(),
            terms=terms or registration.Terms(fee_permillage=Decimal(fee_permillage)),
            time_zone=time_zone,
            notify_url=notify_url,
            is_md5_allowed=is_md5_allowed,
            settlement_currency=settlement_currency,
            apis=apis,
            is_in_force=True,
            actor="tests",
        )


def make_rate(rate: int | str, base: str = "MTC", quote: str = "CNY", *, hours_ago: int = 0) -> ExchangeRate:
    """Let one unit of `base` cost so much in `quote` from now on, or since so long."""
    now = clock.now() - timedelta(hours=hours_ago)
    return rates.add(base=base, quote=quote, rate=Decimal(rate), reason="tests", now=now, actor="tests")


def bound_service(
    wallet: MerchantChannel, service_id: str, lower: int | str = 0, upper: int | str = 0
) -> ServiceBound:
    """Set the service boundary of a wallet; 0 = no limit."""
    wanted = {"lower_bound": Decimal(lower), "upper_bound": Decimal(upper), "terms_since": clock.now()}
    with founding():
        bound, _created = ServiceBound.objects.update_or_create(
            merchant_channel=wallet, service=Service.objects.get(pk=service_id), defaults=wanted
        )
    return bound


def make_user(
    username: str,
    *,
    role: str = "",
    merchants: Sequence[Merchant] = (),
    permissions: Sequence[str] = (),
    is_staff: bool = True,
    is_superuser: bool = False,
) -> User:
    """Make a user who can sign in with PASSWORD, in a role, bound to merchants, with further permissions."""
    user = User.objects.create_user(
        username,
        email=f"{username}@example.com",
        password=PASSWORD,
        is_staff=is_staff,
        is_superuser=is_superuser,
    )
    if role:
        user.groups.add(Group.objects.get(name=role))
    for merchant in merchants:
        Membership.objects.create(user=user, merchant=merchant)
    for label in permissions:
        app, _dot, codename = label.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


def make_operator(username: str = "operator") -> User:
    """Make one of the Operations Staff: places orders for any merchant, asks for acts, decides none."""
    return make_user(username, role=roles.OPERATIONS_STAFF)


def make_approver(username: str = "approver") -> User:
    """Make a Super Administrator by role, not by flag: may decide what another asked for."""
    return make_user(username, role=roles.SUPER_ADMINISTRATOR)


def make_finance(username: str = "finance") -> User:
    """Make one of the Finance Staff: sees all balances, reviews payouts and decides acts."""
    return make_user(username, role=roles.FINANCE_STAFF)


def make_customer_service(username: str = "service") -> User:
    """Make one of Customer Service: reads orders and nothing else."""
    return make_user(username, role=roles.CUSTOMER_SERVICE)


def make_merchant_user(merchant: Merchant, username: str = "clerk") -> User:
    """Make a user who acts for one merchant and sees nothing else."""
    return make_user(username, role=roles.MERCHANT_USER, merchants=[merchant])


def make_auditor(username: str = "auditor") -> User:
    """Make a user who may look at everything and do nothing."""
    user = make_user(username)
    user.user_permissions.set(
        Permission.objects.filter(codename__startswith="view_", content_type__app_label__in=roles.OUR_APPS)
    )
    return user
