"""Who gets what answer from which address: every address of the URLconf, every role, GET and POST.

`python -m tests.admin.access` asks them all and prints the table as it is found, to be read, judged and put
into `access.csv` by hand; nothing rewrites that file.

A row of the table is an address (its URL name, or its route where it has none) with a method; a cell is the
status of the answer, `login` where that is the way to the login page, and `200 0001` where an API refuses by
its own code.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode, urljoin, urlsplit

from django.apps import apps
from django.db import models, transaction
from django.test import Client, RequestFactory
from django.test.client import ClientHandler
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from channels.models import Channel, ChannelService, ExchangeRate
from diamondpay.models import Heartbeat, Preference, SavedView, User
from merchants import access
from merchants.models import (
    AllowedAddress,
    Credential,
    Merchant,
    MerchantChannel,
    MerchantService,
    ServiceBound,
)
from merchants.registration import Registered
from operations import roles
from operations.models import Act, BatchPayout
from records import filters, payer_links
from records.models import Case, ManualFreeze, Notification, Payment, Payout, Proof
from records.models.exports import ExportJob, ExportSchedule, ExportTemplate
from tests import factories
from tests.admin import access_table, book
from tests.admin.access_table import Cells, Found
from tests.operations import batching

FOUND = access_table.FOUND
METHODS = ("GET", "POST")
# The column of the table and the role behind it; "" is staff that nobody gave a role.
ROLES = {
    "anonymous": None,
    "administrator": roles.SUPER_ADMINISTRATOR,
    "operations": roles.OPERATIONS_STAFF,
    "finance": roles.FINANCE_STAFF,
    "service": roles.CUSTOMER_SERVICE,
    "merchant": roles.MERCHANT_USER,
    "rival": roles.MERCHANT_USER,
    "no_role": "",
}
# Answered before the URLconf is looked at.
_BESIDE_THE_URLCONF = {"healthz": "/healthz", "readyz": "/readyz"}
_KIND = "<slug:kind>"
_CATCH_ALL = "(?P<url>.*)$"
# What stands behind the address of the payer's page.
_BEHIND_PAGE = {"portal-payment-state": "/status", "portal-payment-token": "/token"}
_JSON, _OWN_CODE = "application/json", re.compile(rb'"error_code": ?"(\d{4})"')
_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
# Pages whose rows the address does not name by their model.
_BY_PREFIX = {
    "admin/exports/": ExportJob,
    "admin/lists/": SavedView,
    "admin/operations/batch-payout/": BatchPayout,
    "admin/people/": User,
    "admin/own-keys/": Credential,
    "admin/own-addresses/": AllowedAddress,
}
# What each act is done to.
_ACTS: dict[str, type[models.Model]] = {
    "adjust_balance": MerchantChannel,
    "approve_payout": Payout,
    "close_case": Case,
    "close_payment": Payment,
    "open_payment_page": Payment,
    "reject_payout": Payout,
    "requery_payment": Payment,
    "resend_failed_notifications": Merchant,
    "resend_latest": Payment,
    "resend_notification": Notification,
    "show_payment_qr": Payment,
    "upload_payment_proof": Payment,
    "upload_proof": Payout,
    "supplement_balance": MerchantChannel,
    "freeze_balance": MerchantChannel,
    "transfer_balance": MerchantChannel,
    "unfreeze_balance": ManualFreeze,
    "supplement_payment": Payment,
    "refund_payment": Payment,
    "fail_payout": Payout,
    "reinitiate_payout": Payout,
    "review_payout": Payout,
    "activate_terms_merchantservice": MerchantService,
    "activate_terms_servicebound": ServiceBound,
    "activate_terms_channel": Channel,
    "activate_terms_channelservice": ChannelService,
    "change_terms_merchantservice": MerchantService,
    "change_terms_servicebound": ServiceBound,
    "change_terms_channel": Channel,
    "change_terms_channelservice": ChannelService,
    "change_settings_channel": Channel,
    "rotate_credential": Merchant,
    "add_rate": ExchangeRate,
    "approve": Act,
    "reject": Act,
}
# What stands in an address for a row, where it is not its key.
_NUMBERS = {
    "payment": "payment_id",
    "payout": "payout_id",
    "manualfreeze": "request_id",
    "exchangerate": "pair",
}
_QUERIES = {
    "admin:autocomplete": {
        "app_label": "merchants", "model_name": "merchantservice", "field_name": "service",
    },
}  # fmt: skip
# One handler for all: the test client would build the middleware anew for each, and keep every context.
_factory = RequestFactory()
_handler = ClientHandler(enforce_csrf_checks=False)


@dataclass(frozen=True)
class Address:
    """An entry of the URLconf: its qualified name, or its route where it has none."""

    name: str
    route: str


def addresses() -> list[Address]:
    """Return every address of the URLconf, and those that are answered before it."""
    found = list(_walk(get_resolver().url_patterns, "", ""))
    return [*found, *(Address(name, path[1:]) for name, path in _BESIDE_THE_URLCONF.items())]


def _walk(patterns: Sequence[Any], prefix: str, namespace: str) -> Iterator[Address]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _walk(pattern.url_patterns, route, inner)
        elif isinstance(pattern, URLPattern):
            name = f"{namespace}{pattern.name}" if pattern.name else f"/{route}"
            # What a page shows, and so who may open it, is another thing for each kind of record.
            kinds = filters.KINDS if _KIND in route else ("",)
            for kind in kinds:
                yield Address(f"{name} {kind}".strip(), route.replace(_KIND, kind))


@dataclass(frozen=True)
class World:
    """A merchant with a row of everything, the people of each column, and their session cookies."""

    acme: Registered
    rival: Registered
    people: Mapping[str, User | None]
    cookies: Mapping[str, str]


def make_world() -> World:
    """Make two merchants with a row of everything and somebody of each role, signed in."""
    boss = factories.make_user("boss", is_superuser=True)
    acme, rival, third = (book.merchant(name) for name in ("Acme", "Rival", "Third"))
    for owner in (acme, rival):
        book.fund(owner)
        book.fill(owner, third, boss, start=1, count=1)
        factories.bound_service(owner.wallets[0], "SVC0001", 1, 9)
        AllowedAddress.objects.create(merchant=owner.merchant, network="203.0.113.7/32")
    Heartbeat.objects.create(name="worker", beat_at=boss.date_joined)
    people: dict[str, User | None] = {}
    for column, role in ROLES.items():
        bound = {"merchant": [acme.merchant], "rival": [rival.merchant]}.get(column, [])
        people[column] = None if role is None else factories.make_user(column, role=role, merchants=bound)
    member = people["merchant"]
    if member is not None:
        _own_rows(member)
    for owner in (acme, rival):
        _batch(owner, boss)
    return World(acme, rival, people, {column: _cookie(user) for column, user in people.items()})


def _own_rows(owner: User) -> None:
    """Make what belongs to a person and not to a merchant."""
    SavedView.objects.create(owner=owner, page="payment", name="theirs", query="")
    Preference.objects.create(user=owner, key="theirs", value=1)
    template = ExportTemplate.objects.create(owner=owner, name="theirs", kind="payment")
    ExportSchedule.objects.create(
        owner=owner, name="theirs", kind="payment", template=template, time_of_day=time(6), zone="UTC"
    )
    ExportJob.objects.create(
        requested_by=owner, kind="payment", format="csv", zone="UTC", requested_at=owner.date_joined
    )


def _batch(owner: Registered, boss: User) -> None:
    """Make a batch of payouts that waits for its confirmation."""
    content = batching.xlsx(batching.HEAD, batching.good(1))
    batching.upload(owner, boss, content)


def _cookie(user: User | None) -> str:
    if user is None:
        return ""
    client = Client()
    client.force_login(user)
    return client.cookies.output(header="", sep=";").partition(";")[0].strip()


def asked(address: Address, world: World) -> str:
    """Return the address with what it is asked about: a row of Acme's wherever rows have a merchant.

    Raises: LookupError for a parameter that nobody has told this module about.
    """
    if address.route.endswith(_CATCH_ALL):
        return "/" + address.route.removesuffix(_CATCH_ALL) + "no-such-page"
    if address.name == "admin:app_list":
        return "/admin/records/"
    if address.name.startswith("portal-"):
        path = urlsplit(
            payer_links.payment_page(Payment.objects.filter(merchant=world.acme.merchant).latest("id"))
        ).path
        return path + _BEHIND_PAGE.get(address.name, "")
    if address.route.startswith("admin/acts/"):
        return "/" + _PARAMETER.sub(_act_object(address.route.split("/")[2], world), address.route)
    model = model_of(address.route)
    path = _PARAMETER.sub(lambda found: _argument(found[1], model, world), "/" + address.route)
    query = _QUERIES.get(address.name)
    return f"{path}?{urlencode(query)}" if query else path


def _act_object(name: str, world: World) -> str:
    """Return what the address of an act on a row of Acme's names: an order's number, or a row's key."""
    if name not in _ACTS:
        raise LookupError(f"tests.admin.access does not know what the act “{name}” is done to")
    row = row_of(_ACTS[name], world)
    return str(getattr(row, _NUMBERS.get(str(row._meta.model_name), "pk")))


def filled(route: str, value: str) -> str:
    """Return a route with a value for each of its parameters."""
    return _PARAMETER.sub(lambda _found: quote(value), route)


def unquoted(address: str) -> str:
    """Return an address as a person reads it, filters inside of filters too."""
    return unquote_plus(unquote_plus(address))


def model_of(route: str) -> Any:
    """Return the model whose page an address is, None where it is no model's."""
    for prefix, model in _BY_PREFIX.items():
        if route.startswith(prefix):
            return model
    parts = route.split("/")
    if len(parts) < 4 or parts[0] != "admin":
        return None
    try:
        return apps.get_model(parts[1], parts[2])
    except LookupError:
        return None


def _argument(name: str, model: Any, world: World) -> str:
    fixed = {
        "channel_code": "sandbox",
        "payment_cl_id": "D-1",
        "payout_cl_id": "P-1",
        "rest": "nowhere",
        "content_type_id": "1",
        "name": "merchant",
        "merchant_id": str(world.acme.merchant.pk),
    }
    if name in fixed:
        return fixed[name]
    if name in ("payment_id", "payout_id"):
        orders: Any = Payment if name == "payment_id" else Payout
        return str(getattr(orders.objects.filter(merchant=world.acme.merchant).latest("id"), name))
    if name == "proof_id":
        return Proof.objects.filter(payout__merchant=world.acme.merchant).latest("id").proof_id
    if model is None and name == "object_id":
        return "1"
    if model is None:
        raise LookupError(f"tests.admin.access does not know what “{name}” stands for")
    return str(row_of(model, world).pk)


def row_of(model: type[models.Model], world: World) -> models.Model:
    """Return Acme's newest row, or anybody's where rows have no merchant or hide from every merchant."""
    everything = model._default_manager.order_by("-pk")
    if model is User:
        return User.objects.get(username="boss")
    member = world.people["merchant"]
    own = everything.none() if member is None else access.visible_to(member, everything)
    row = own.first() or everything.first()
    if row is None:
        raise LookupError(f"there is no row of {model._meta.label}")
    return row


def answers(address: Address, world: World) -> Iterator[tuple[str, Cells]]:
    """Yield, for each method, what each role is answered; whatever was written is rolled back."""
    path = asked(address, world)
    for method in METHODS:
        yield method, tuple(_answer(column, method, path, world) for column in ROLES)


def _answer(column: str, method: str, path: str, world: World) -> str:
    with transaction.atomic():
        # An address of its own for each person: the APIs count refusals by address.
        status, headers, body = _asked(method, path, world.cookies[column], list(ROLES).index(column) + 1)
        transaction.set_rollback(True)
    if headers.get("Location", "").startswith(reverse("admin:login")):
        return "login"
    code = _OWN_CODE.search(body) if headers.get("Content-Type", "").startswith(_JSON) else None
    return f"{status} {code[1].decode()}" if code else str(status)


def text_of(client: Client, path: str) -> str:
    """Return what a signed-in client reads at an address, and where that leads to within the product.

    Raises: AssertionError for an error of ours.
    """
    cookie = client.cookies.output(header="", sep=";").partition(";")[0].strip()
    text = ""
    for _redirect in range(3):
        status, headers, body = _asked("GET", path, cookie, 1)
        assert status < 500, f"{path} answered {status}"
        text += body.decode(errors="replace")
        if "Location" not in headers:
            break
        path = urljoin(path, headers["Location"])
        text += f"\n{path}\n"
    return text


def _asked(method: str, path: str, cookie: str, caller: int) -> tuple[int, Mapping[str, str], bytes]:
    request = _factory.generic(method, path, HTTP_COOKIE=cookie, REMOTE_ADDR=f"198.51.100.{caller}")
    response = _handler(request.environ)
    return response.status_code, response.headers, b"".join(response)


def found(world: World) -> Found:
    """Return the table as it is."""
    # Every refusal would be logged, thousands of them.
    logging.disable(logging.ERROR)
    try:
        return {
            (address.name, method): cells
            for address in addresses()
            for method, cells in answers(address, world)
        }
    finally:
        logging.disable(logging.NOTSET)


def expected() -> Found:
    """Return the table as it must be."""
    return access_table.read(columns=tuple(ROLES))


def written(table: Found) -> str:
    """Return a table as the file has it."""
    return access_table.written(table, columns=tuple(ROLES))


if __name__ == "__main__":
    sys.exit(access_table.main())
