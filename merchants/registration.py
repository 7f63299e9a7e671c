"""Taking a merchant on: ids, activated services, wallets and the first key, in one transaction."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from channels.models import Channel, Currency, FeeType, Service
from diamondpay import audit
from diamondpay.lib import errors, ids, transactions
from diamondpay.models import User
from merchants import credentials
from merchants.models import Credential, Merchant, MerchantChannel, MerchantService, validate_time_zone

NAME_LENGTH_MAX = 128
URL_LENGTH_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What each activated service costs and the amounts it takes; 0 = no limit."""

    fee_type: str = FeeType.PERMILLAGE
    fee_permillage: Decimal = Decimal(0)
    fee_fixed: Decimal = Decimal(0)
    lower_bound: Decimal = Decimal(0)
    upper_bound: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A new merchant with its wallets and the secrets of its gateway key, told once.

    `further` are the keys of other APIs that were asked for, by `Credential.Api`.
    """

    merchant: Merchant
    wallets: tuple[MerchantChannel, ...]
    credential: Credential
    platform_key: str
    authorization: str
    further: Mapping[str, credentials.Created] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Registered({self.merchant.pk!r})"


@transactions.atomic_with_retries
def register(
    *,
    name: str,
    services: Sequence[str],
    channels: Sequence[str],
    now: datetime,
    terms: Terms = Terms(),
    time_zone: str = "Asia/Shanghai",
    notify_url: str = "",
    is_md5_allowed: bool = False,
    settlement_currency: str = "",
    apis: Sequence[str] = (),
    scopes: Collection[str] = credentials.ALL_SCOPES,
    is_in_force: bool = False,
    user: User | None = None,
    actor: str = "",
    address: str | None = None,
) -> Registered:
    """Create a merchant. Two people put each of its services in force; with `is_in_force` they are at once,
    which the database lets its owner alone do (`diamondpay.lib.owner`).

    Shapes: services by id, channels by code, each once; a wallet is in its channel's currency, or in
    `settlement_currency`. `apis` are those that get a key beside the gateway API's; `scopes` are what every
    one of these keys may do.
    Raises: InvalidInput naming everything that is wrong, each unknown service and channel too, before
    anything is written.
    """
    faults = _faults(
        name=name, time_zone=time_zone, notify_url=notify_url, settlement_currency=settlement_currency
    )
    found_services, found_channels = _found(services=services, channels=channels, faults=faults)
    merchant = Merchant.objects.create(
        id=ids.merchant_id(ids.next_number("merchant_number")),
        organisation_id=ids.next_number("organisation_number"),
        name=name.strip(),
        time_zone=time_zone,
        notify_url=notify_url,
        is_md5_allowed=is_md5_allowed,
    )
    _activate(merchant=merchant, services=found_services, terms=terms, since=now if is_in_force else None)
    open_one = functools.partial(open_wallet, merchant=merchant, currency=settlement_currency)
    wallets = tuple(open_one(channel=channel) for channel in found_channels)
    audit.write(
        action="merchant.create", object_kind="merchant", object_id=merchant.pk, now=now,
        user=user, actor=actor, address=address,
        after={**_told(merchant, found_services, wallets), "in_force": is_in_force},
    )  # fmt: skip
    made_for = functools.partial(
        credentials.create, merchant=merchant, now=now, user=user, actor=actor, address=address, scopes=scopes
    )
    created = made_for(api=Credential.Api.GATEWAY)
    return Registered(
        merchant=merchant, wallets=wallets, credential=created.credential,
        platform_key=created.platform_key, authorization=created.authorization,
        further={api: made_for(api=api) for api in apis},
    )  # fmt: skip


def _told(
    merchant: Merchant, services: Sequence[Service], wallets: Sequence[MerchantChannel]
) -> dict[str, object]:
    return {
        "name": merchant.name,
        "services": [service.pk for service in services],
        "wallets": {wallet.pk: wallet.channel_id for wallet in wallets},
    }


def open_wallet(
    *, merchant: Merchant, channel: Channel, name: str = "", currency: str = ""
) -> MerchantChannel:
    """Open the merchant's wallet on a channel; the database opens its two accounts with it.

    Without `currency` orders are settled in the channel's own; with another one, at the exchange rate.
    """
    return MerchantChannel.objects.create(
        id=ids.merchant_channel_id(ids.next_number("merchant_channel_number")),
        merchant=merchant,
        channel=channel,
        currency_id=currency or channel.currency_id,
        name=name,
    )


def _activate(
    *, merchant: Merchant, services: Sequence[Service], terms: Terms, since: datetime | None
) -> None:
    off, on = MerchantService.Status.DISABLED, MerchantService.Status.ENABLED
    MerchantService.objects.bulk_create(
        MerchantService(
            merchant=merchant,
            service=service,
            fee_type=terms.fee_type,
            fee_permillage=terms.fee_permillage,
            fee_fixed=terms.fee_fixed,
            single_limit_lower_bound=terms.lower_bound,
            single_limit_upper_bound=terms.upper_bound,
            status=off if since is None else on,
            terms_since=since,
        )
        for service in services
    )


def _faults(
    *, name: str, time_zone: str, notify_url: str, settlement_currency: str
) -> dict[str, errors.Words]:
    faults: dict[str, errors.Words] = {}
    if settlement_currency and not Currency.objects.filter(pk=settlement_currency).exists():
        faults["settlement_currency"] = _("There is no such currency.")
    if not 1 <= len(name.strip()) <= NAME_LENGTH_MAX:
        faults["name"] = _("Give the merchant a name of 1 to 128 characters.")
    if len(notify_url) > URL_LENGTH_MAX:
        faults["notify_url"] = _("Give at most 256 characters.")
    try:
        validate_time_zone(time_zone)
    except ValidationError as fault:
        faults["time_zone"] = fault.messages[0]
    return faults


def _found(
    *, services: Sequence[str], channels: Sequence[str], faults: dict[str, errors.Words]
) -> tuple[list[Service], list[Channel]]:
    service_by_id = Service.objects.in_bulk(services)
    channel_by_code = Channel.objects.in_bulk(channels)
    for name, wanted, known in (
        ("service", services, set(service_by_id)),
        ("channel", channels, set(channel_by_code)),
    ):
        unknown = sorted(set(wanted) - known)
        if unknown:
            faults[name] = _("Unknown: %(names)s.") % {"names": ", ".join(unknown)}
        elif len(set(wanted)) < len(wanted):
            faults[name] = _("Name each one once.")
        elif not wanted:
            faults[name] = _("Name at least one.")
    if faults:
        raise errors.InvalidInput(faults)
    return [service_by_id[key] for key in services], [channel_by_code[code] for code in channels]
