"""Makes what the demo's orders need: channels, merchants with wallets and keys, people, and `demo.json`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import ScryptPasswordHasher, get_hasher
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext as _

from channels import secrets
from channels.models import Channel, ChannelService, Service
from channels.upstreams.sandbox.configuration import DEFAULT_ACCOUNTS
from diamondpay import audit
from diamondpay.lib import owner
from diamondpay.models import AuditRow, User
from diamondpay.run import demo_cast, demo_chain
from diamondpay.run.demo_cast import Line, Person, Shop
from diamondpay.run.demo_plan import Script
from merchants import credentials, registration
from merchants.models import Credential, Membership, Merchant, MerchantService
from records.models import Payment, Payout

ACTOR = "demo"
OBJECT_KIND = "demo"
BEGUN = "demo.begin"
_QUICK_WORK = 2**8


class DemoRefused(Exception):
    """The demo cannot be made here; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What was set up: the plan's fixed points, and each shop's merchant by key."""

    script: Script
    merchants: Mapping[str, Merchant]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """A merchant's gateway key in clear, as it stands in `demo.json`."""

    platform_key: str
    authorization: str


def prepared(*, order_count: int, now: datetime) -> Stage:
    """Return the demo's stage, made now or by an earlier start. Either all of it exists or none.

    Its channels and services are in force from the start, which only the schema's owner may do.
    Raises: DemoRefused on a database that holds orders of others, and without the owner's address.
    """
    begun = AuditRow.objects.filter(object_kind=OBJECT_KIND, action=BEGUN).first()
    if begun is not None:
        stage = _stage_of(begun)
        _renew_addresses()
        _renew_keys(stage, now)
        return stage
    if Payment.objects.exists() or Payout.objects.exists():
        raise DemoRefused(_("This database has orders already; the demo needs one without."))
    try:
        with owner.connected():
            return _stage_of(_made(order_count=order_count, now=now))
    except owner.NoOwner as refusal:
        raise DemoRefused(str(refusal)) from refusal


def _made(*, order_count: int, now: datetime) -> AuditRow:
    with transaction.atomic():
        for line in demo_cast.LINES:
            _open_channel(line, now)
        registered = {shop.key: _register(shop, now) for shop in demo_cast.SHOPS}
        merchants = {key: found.merchant for key, found in registered.items()}
        demo_chain.open_all(merchant=merchants[demo_cast.SHOPS[0].key], actor=ACTOR, now=now)
        logins = [person for person in demo_cast.PEOPLE if _sign_up(person, merchants)]
        row = audit.write(
            action=BEGUN,
            object_kind=OBJECT_KIND,
            object_id="orders",
            actor=ACTOR,
            now=now,
            after={
                "orders": order_count,
                "ends_at": now.isoformat(),
                "merchants": {key: merchant.pk for key, merchant in merchants.items()},
            },
        )
        keys = {
            found.merchant.pk: Keys(platform_key=found.platform_key, authorization=found.authorization)
            for found in registered.values()
        }
        # Written before the commit: keys that nobody was told would be lost with a process killed in between.
        _write_down(merchants, keys, logins)
    return row


def _stage_of(begun: AuditRow) -> Stage:
    told: Mapping[str, object] = begun.after
    ids: Mapping[str, str] = begun.after["merchants"]
    found = Merchant.objects.in_bulk(list(ids.values()))
    return Stage(
        script=Script(
            order_count=int(str(told["orders"])), ends_at=datetime.fromisoformat(str(told["ends_at"]))
        ),
        merchants={key: found[merchant_id] for key, merchant_id in ids.items()},
    )


def _base_url() -> str:
    return f"http://127.0.0.1:{settings.SANDBOX_PORT}"


def _open_channel(line: Line, now: datetime) -> None:
    sealed = {
        "base_url": _base_url(),
        "account": line.account,
        "secret": DEFAULT_ACCOUNTS[line.account],
        "timeout_seconds": "15",
    }
    channel = Channel.objects.create(
        code=line.code,
        name=line.name,
        upstream="sandbox",
        settings_encrypted=secrets.seal_settings(sealed),
        currency_id=line.currency,
        weight=line.weight,
        payment_lower_bound=Decimal(line.lower),
        payment_upper_bound=Decimal(line.upper),
        payout_lower_bound=Decimal(line.lower),
        payout_upper_bound=Decimal(line.upper),
        status=Channel.Status.ENABLED,
        terms_since=now,
    )
    ChannelService.objects.bulk_create(
        ChannelService(
            channel=channel,
            service=service,
            fee_permillage=demo_cast.fee_of_line(line, service.pk),
            tolerance_below=Decimal(line.tolerance_below),
            status=ChannelService.Status.ENABLED,
            terms_since=now,
        )
        for service in Service.objects.filter(pk__in=line.services)
    )


def _renew_addresses() -> None:
    """Point the demo's channels at the sandbox where it listens now; it may have moved to another port.

    Raises: DemoRefused where one moved and there is no address of the schema's owner: settings in force are
    two people's otherwise.
    """
    moved = demo_chain.moved_channels()
    for channel in Channel.objects.filter(pk__in=[line.code for line in demo_cast.LINES]):
        values = secrets.settings_of(channel)
        if values.get("base_url", "").startswith("http://127.0.0.1:") and values["base_url"] != _base_url():
            channel.settings_encrypted = secrets.seal_settings({**values, "base_url": _base_url()})
            moved.append(channel)
    if not moved:
        return
    try:
        with owner.connected():
            for channel in moved:
                channel.save(update_fields=["settings_encrypted"])
    except owner.NoOwner as refusal:
        raise DemoRefused(str(refusal)) from refusal


def _register(shop: Shop, now: datetime) -> registration.Registered:
    fees = dict((*shop.deposits, shop.payouts))
    registered = registration.register(
        name=shop.name,
        services=list(fees),
        channels=shop.channels,
        now=now,
        time_zone=shop.time_zone,
        is_md5_allowed=shop.sign_type == "MD5",
        is_in_force=True,
        actor=ACTOR,
    )
    merchant = registered.merchant
    merchant.payout_audit = shop.payout_audit
    merchant.payout_audit_amount = Decimal(shop.payout_audit_amount)
    merchant.save(update_fields=["payout_audit", "payout_audit_amount"])
    for service_id, fee in fees.items():
        MerchantService.objects.filter(merchant=merchant, service_id=service_id).update(
            fee_type=fee.fee_type,
            fee_permillage=Decimal(fee.permillage),
            fee_fixed=Decimal(fee.fixed),
            after_failure=shop.after_failure,
        )
    return registered


def _sign_up(person: Person, merchants: Mapping[str, Merchant]) -> bool:
    """Make a user; one who exists already is left alone. Returns whether the user was made."""
    if User.objects.filter(username=person.username).exists():
        return False
    user = User.objects.create(
        username=person.username,
        email=f"{person.username}@demo.example",
        password=_hashed(person.password),
        first_name=person.title,
        is_staff=True,
        is_superuser=person.is_superuser,
    )
    if person.role:
        user.groups.add(Group.objects.get(name=person.role))
    if person.shop:
        Membership.objects.create(user=user, merchant=merchants[person.shop])
    return True


def _hashed(password: str) -> str:
    """Return a quick hash where there is one: the password is public, and somebody waits for the first page.

    Whoever signs in gets the usual one.
    """
    hasher = get_hasher()
    if isinstance(hasher, ScryptPasswordHasher):
        return hasher.encode(password, hasher.salt(), n=_QUICK_WORK)
    return hasher.encode(password, hasher.salt())


def written_down() -> Path:
    """Return where the demo's logins and keys stand."""
    return Path(settings.HOME) / "demo.json"


def _renew_keys(stage: Stage, now: datetime) -> None:
    """Make new keys where `demo.json` was lost; keys are told once, and the old ones go on living."""
    path = written_down()
    if path.exists():
        return
    with transaction.atomic():
        keys = {}
        for merchant in stage.merchants.values():
            made = credentials.create(
                merchant=merchant,
                api=Credential.Api.GATEWAY,
                now=now,
                actor=ACTOR,
                reason=_("The demo's list of keys was lost."),
            )
            keys[merchant.pk] = Keys(platform_key=made.platform_key, authorization=made.authorization)
        known = set(User.objects.values_list("username", flat=True))
        logins = [person for person in demo_cast.PEOPLE if person.username in known]
        _write_down(stage.merchants, keys, logins)


def _write_down(merchants: Mapping[str, Merchant], keys: Mapping[str, Keys], logins: list[Person]) -> None:
    content = {
        "logins": [
            {"role": person.title, "username": person.username, "password": person.password}
            for person in logins
        ],
        "merchants": [
            {
                "name": merchant.name,
                "platform_id": merchant.pk,
                "platform_key": keys[merchant.pk].platform_key,
                "authorization": keys[merchant.pk].authorization,
                "platform_channel_ids": list(
                    merchant.merchant_channels.order_by("pk").values_list("pk", flat=True)
                ),
            }
            for merchant in merchants.values()
        ],
    }
    path = written_down()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, ensure_ascii=False, indent=2)
    draft.replace(path)
