"""The platform's own balances: what lies at each channel, what is in suspense, fees, adjustments.

They are totals of their entries and have no row that holds them; every one leads to its account's records.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.utils.translation import gettext

from diamondpay.lib import deadlines, money, pages
from diamondpay.lib.admin_list import PAGE_MS_MAX
from records import columns, filters, ledger, totals
from records.models import Account

_OF_CHANNELS = (Account.Kind.CLEARING, Account.Kind.SUSPENSE)
_OF_THE_PLATFORM = (Account.Kind.FEES, Account.Kind.ADJUSTMENT, Account.Kind.EXCHANGE)


@dataclass(frozen=True, kw_only=True)
class Balance:
    """One balance in words and where its records are. Units: major units of the currency, in text."""

    word: str
    amount: str
    is_zero: bool
    url: str


@dataclass(frozen=True, kw_only=True)
class Line:
    """The balances of one channel, or of the platform, in one currency."""

    name: str
    currency: str
    balances: list[Balance]


def page(request: HttpRequest) -> HttpResponse:
    """Show the balances of channels and of the platform, of one moment."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    with totals.snapshot(), deadlines.within(milliseconds=PAGE_MS_MAX):
        accounts = list(_accounts(request))
        figures = ledger.system_balances(account.pk for account in accounts)
    found = [(account, figures.get(account.pk, Decimal(0))) for account in accounts]
    context = {
        **admin.site.each_context(request),
        "title": gettext("Channel Balances"),
        "channels": _lines(found, _OF_CHANNELS),
        "platform": _lines(found, _OF_THE_PLATFORM),
        "channel_words": [kind.label for kind in _OF_CHANNELS],
        "platform_words": [kind.label for kind in _OF_THE_PLATFORM],
    }
    return TemplateResponse(request, "admin/channel_balances.html", context)


def _accounts(request: HttpRequest) -> QuerySet[Account]:
    """Return the system accounts that the person may see."""
    found = filters.visible_to(request.user, Account.objects.filter(is_chained=False))
    return found.select_related("currency", "channel").order_by("channel_id", "currency_id", "kind")


def _lines(found: list[tuple[Account, Decimal]], kinds: tuple[Account.Kind, ...]) -> list[Line]:
    by_place: dict[tuple[str, str], dict[str, tuple[Account, Decimal]]] = {}
    for account, figure in found:
        if account.kind in kinds:
            name = f"{account.channel_id} {account.channel.name}" if account.channel else ""
            by_place.setdefault((name, account.currency_id), {})[account.kind] = (account, figure)
    lines = [
        Line(name=name, currency=currency, balances=[_balance(own.get(kind), kind) for kind in kinds])
        for (name, currency), own in by_place.items()
    ]
    # Every currency has accounts of the platform; of most there is nothing to say.
    return [line for line in lines if line.name or not all(each.is_zero for each in line.balances)]


def _balance(found: tuple[Account, Decimal] | None, kind: Account.Kind) -> Balance:
    if found is None:
        return Balance(word=str(kind.label), amount="", is_zero=True, url="")
    account, figure = found
    return Balance(
        word=str(kind.label),
        amount=money.render(figure, account.currency.exponent),
        is_zero=not figure,
        url=columns.page_of("account", account.pk),
    )


pages.add_page(
    pages.Page(
        path="channel-balances/", name="channel_balances", view=page, permissions=("records.view_account",)
    )
)
