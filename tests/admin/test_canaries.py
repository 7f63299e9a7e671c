"""A merchant's user finds nothing of another merchant by any road: every page, filter, search and choice.

Whatever names a rival's rows, their numbers, names, keys and addresses, is a canary. It may stand in an
answer only where the question itself brought it along.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from channels.models import Channel
from diamondpay.models import SavedView, User
from merchants import access as rights
from merchants.models import Merchant
from records import filters
from records.models import Account, Payment, Payout
from tests import factories
from tests.admin import access, book

pytestmark = pytest.mark.django_db

MODELS = [model for model in admin.site._registry if model._meta.app_label != "auth"]
# Shorter words are words and not names.
_LENGTH_MIN = 6
_NAMING = (models.CharField, models.TextField)
# The rival was paid so much once that every sum with it in begins like this.
_FORTUNE, _MONEY = "777000000", "777,00"
# What cannot be filtered by a merchant.
_WITHOUT_MERCHANTS = ("admin/diamondpay/", "admin/auth/", "admin/channels/", "admin/password")
# Everybody's, whoever wrote the row.
_COMMON = re.compile(r"https://acme\.example/told|deposit_|payout_|balance_|manual_")


@dataclass(frozen=True)
class Hidden:
    """What belongs to others: their rows by model, and what names those rows."""

    rows: dict[type[models.Model], list[models.Model]]
    canaries: frozenset[str]


def hidden_from(user: User) -> Hidden:
    """Return what the person must not see."""
    rows: dict[type[models.Model], list[models.Model]] = {}
    known: set[str] = set()
    secret: set[str] = set()
    for model in MODELS:
        everything = model._default_manager.all()
        visible = set(rights.visible_to(user, everything).values_list("pk", flat=True))
        rows[model] = [row for row in everything if row.pk not in visible]
        for row in everything:
            # A channel is the platform's own, but it stands on a merchant's own orders.
            is_known = row.pk in visible or model is Channel
            (known if is_known else secret).update(_names(row))
            if is_known:
                known.update(_led_to(row))
    return Hidden(rows, frozenset(secret - known))


def _names(row: models.Model) -> Iterator[str]:
    """Yield what names a row: its page, and every text of it that only it has."""
    for page in ("change", "delete", "history"):
        yield reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])
    if isinstance(row, Account):
        return
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if not isinstance(field, _NAMING) or field.choices or len(str(value or "")) < _LENGTH_MIN:
            continue
        if re.search(r"\d|Rival|rival", value) and not _COMMON.search(value):
            yield value


def _led_to(row: models.Model) -> Iterator[str]:
    """Yield whom a row names that a person may see, such as the other side of their own transfer."""
    for field in row._meta.concrete_fields:
        other = field.related_model
        if isinstance(other, type) and other in admin.site._registry:
            yield str(getattr(row, field.attname))
            name = f"admin:{other._meta.app_label}_{other._meta.model_name}_change"
            yield reverse(name, args=[getattr(row, field.attname)])


@pytest.fixture
def world() -> access.World:
    """Acme and Rival with a row of everything, and a saved view of Rival's user."""
    made = access.make_world()
    factories.bound_service(made.rival.wallets[0], "SVC0001")
    book.deposit(made.rival, "R-fortune", amount=_FORTUNE)
    SavedView.objects.create(
        owner=User.objects.get(username="rival"),
        page="payment",
        name="Rival view 1",
        query=f"merchant={made.rival.merchant.pk}",
    )
    return made


@pytest.fixture(params=["merchant user", "superuser bound to the merchant"])
def person(request: pytest.FixtureRequest, world: access.World, client: Client) -> User:
    """Acme's user, signed in: as a merchant's user is, and with every permission there is."""
    if request.param == "merchant user":
        user = User.objects.get(username="merchant")
    else:
        user = factories.make_user("clerk", is_superuser=True, merchants=[world.acme.merchant])
    client.force_login(user)
    return user


def told(client: Client, address: str, hidden: Hidden) -> list[str]:
    """Return the canaries that an answer names and the question did not."""
    text = access.text_of(client, address)
    asked = access.unquoted(address)
    named = {canary for canary in hidden.canaries if canary in text and canary not in asked}
    # Of a row's address, which the question brought along, its other pages say nothing more.
    found = {canary for canary in named if not asked.startswith(re.sub(r"[^/]+/$", "", canary))}
    return sorted(found) + [_MONEY] * (_MONEY in text)


def test_there_are_canaries_of_every_kind_and_their_owner_sees_them(
    client: Client, world: access.World
) -> None:
    """Without this, a walk that looks for nothing would pass."""
    hidden = hidden_from(User.objects.get(username="merchant"))
    rival = world.rival.merchant
    payment = Payment.objects.filter(merchant=rival).earliest("id")
    payout = Payout.objects.filter(merchant=rival).earliest("id")
    assert {
        rival.pk, world.rival.wallets[0].pk, payment.payment_id, payment.merchant_order_no,
        payment.channel_order_no, payout.payout_id, payout.merchant_order_no,
        reverse("admin:records_payment_change", args=[payment.pk]),
    } <= hidden.canaries  # fmt: skip
    client.force_login(User.objects.get(username="rival"))
    for page in ("records_payment_changelist", "service_statistics", "success_rate_statistics"):
        assert _MONEY in told(client, reverse(f"admin:{page}"), hidden), page


def test_no_page_of_anothers_row_names_it(client: Client, person: User, world: access.World) -> None:
    hidden = hidden_from(person)
    leaks = {address: found for address in pages_of_rows(hidden) if (found := told(client, address, hidden))}
    assert leaks == {}


def pages_of_rows(hidden: Hidden) -> Iterator[str]:
    """Yield every address of the URLconf that names a row, with each of the rows that are not theirs."""
    for address in access.addresses():
        model = access.model_of(address.route)
        if model in hidden.rows and "<" in address.route and not address.name.endswith("app_list"):
            for row in hidden.rows[model][:2]:
                yield "/" + access.filled(address.route, str(row.pk))


def test_no_list_statistic_or_search_asked_for_a_rivals_rows_names_them(
    client: Client, person: User, world: access.World
) -> None:
    hidden = hidden_from(person)
    leaks = {
        address: found
        for address in questions(world.rival.merchant, hidden)
        if (found := told(client, address, hidden))
    }
    assert leaks == {}


def questions(rival: Merchant, hidden: Hidden) -> Iterator[str]:
    """Yield every address without a parameter, bare, filtered by the rival, searched for their numbers."""
    payment = Payment.objects.filter(merchant=rival).earliest("id")
    payout = Payout.objects.filter(merchant=rival).earliest("id")
    searched = (
        payment.payment_id, payment.merchant_order_no, payment.channel_order_no, payout.payout_id,
        payout.merchant_order_no, rival.pk, rival.name, payment.account_tail, "300", "100.00",
    )  # fmt: skip
    for address in access.addresses():
        if not address.name.startswith("admin:") or "<" in address.route or address.name == "admin:logout":
            continue
        yield f"/{address.route}?created=any"
        if not address.route.startswith(_WITHOUT_MERCHANTS) and not address.name.endswith("_add"):
            yield f"/{address.route}?{urlencode({'merchant': rival.pk, 'created': 'any'})}"
        if address.name.endswith("transfer_changelist"):
            yield from (f"/{address.route}?{side}={rival.pk}" for side in ("source", "destination"))
        if address.name.endswith(("payment_changelist", "payout_changelist", "search")):
            yield from (f"/{address.route}?{urlencode({'q': text})}" for text in searched)


def test_no_order_page_leads_into_a_rivals_list(client: Client, person: User, world: access.World) -> None:
    hidden = hidden_from(person)
    mine = Payment.objects.filter(merchant=world.acme.merchant).earliest("id")
    page = reverse("admin:records_payment_change", args=[mine.pk])
    for query in ("", f"merchant={world.rival.merchant.pk}", "created=any"):
        assert told(client, f"{page}?list={quote(query)}", hidden) == []


def test_no_choice_while_typing_offers_a_rivals_row(
    client: Client, person: User, world: access.World
) -> None:
    hidden = hidden_from(person)
    relations = {
        (field.model._meta.app_label, field.model._meta.model_name, field.name)
        for model in MODELS
        for field in model._meta.concrete_fields
        if field.is_relation
    }
    for app, model, field in sorted(relations):
        for term in ("", "PF", "Rival", world.rival.merchant.pk):
            asked = {"app_label": app, "model_name": model, "field_name": field, "term": term}
            assert told(client, f"{reverse('admin:autocomplete')}?{urlencode(asked)}", hidden) == []
    for term in ("P", "PF", "R", "Rival", world.rival.merchant.pk):
        asked = dict.fromkeys(("merchant", "source", "destination"), term)
        for name in asked:
            address = reverse("admin:list_choices", args=[name])
            assert told(client, f"{address}?{urlencode(asked)}", hidden) == []


def test_no_count_or_sum_moves_when_a_rival_earns(client: Client, person: User, world: access.World) -> None:
    def counted() -> dict[str, str]:
        pages = {kind: reverse("admin:list_count", args=[kind]) for kind in filters.KINDS}
        return {kind: access.text_of(client, f"{page}?created=any") for kind, page in pages.items()}

    before = counted()
    book.deposit(world.rival, "R-more", amount=_FORTUNE)
    assert counted() == before
    client.force_login(User.objects.get(username="rival"))
    assert counted() != before
