"""The page behind the one search box: opens what a number names, or lists what it may mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from diamondpay.lib import admin_columns, clock, crypto, deadlines, pages
from merchants.models import Merchant
from records import search
from records.admin import parts, search_rows
from records.search import Findings, Hit

# Each key is one probe of an index; whatever takes longer is not the text's fault but ours.
SEARCH_MS_MAX = 3000
ALL_PARAMETER = "all"
_LONG = 11


def page(request: HttpRequest) -> HttpResponse:
    """Show what `?q=` names; with `all=1` also where it names one thing, which is else opened at once."""
    text = request.GET.get("q", "")
    words = ""
    findings = Findings(text="")
    if len(text) > 8 * search.TEXT_LENGTH_MAX:
        text = text[: search.TEXT_LENGTH_MAX]
        words = _too_long()
    else:
        try:
            with deadlines.within(milliseconds=SEARCH_MS_MAX):
                findings = search.find(text=text, user=request.user, now=clock.moment_of(request))
        except deadlines.TookTooLong:
            words = _t("The search took too long and was given up. Search by a whole order number instead.")
    if len(findings.text) > search.TEXT_LENGTH_MAX:
        words = _too_long()
    exact = findings.exact
    if exact is not None and ALL_PARAMETER not in request.GET:
        return _opened(request, findings, exact)
    context = {
        **admin.site.each_context(request),
        "title": _t("Search"),
        "search_text": text[: search.TEXT_LENGTH_MAX].replace("\x00", ""),
        "shown_text": _shown(findings.text),
        "findings": findings,
        "groups": _groups(findings),
        "words": words,
        "is_blank": not findings.text and not words,
        "lists": _lists(request),
        "many": search.SHOWN_MAX,
        "amount_days": search.AMOUNT_DAYS,
    }
    return TemplateResponse(request, "admin/search.html", context)


def _opened(request: HttpRequest, findings: Findings, exact: Hit) -> HttpResponse:
    """Lead to what the text names, and say so where it could mean something else as well."""
    others = findings.count - 1
    if others:
        query = urlencode({"q": findings.text, ALL_PARAMETER: "1"})
        text = ngettext(
            "Found by %(key)s: “%(text)s”, which may mean %(count)d other thing as well:",
            "Found by %(key)s: “%(text)s”, which may mean %(count)d other things as well:", others,
        ) % {"key": exact.keys[0], "text": _shown(findings.text), "count": others}  # fmt: skip
        url = f"{reverse('admin:search')}?{query}"
        messages.info(request, format_html('{} <a href="{}">{}</a>', text, url, _t("see all")))
    else:
        messages.info(request, _t("Found by its %s") % exact.keys[0])
    return HttpResponseRedirect(parts.page_url(type(exact.row), exact.row.pk))


def _groups(findings: Findings) -> list[dict[str, Any]]:
    """Return the tables of the page: deposits, payouts, then what is no order."""
    orders = (
        (_t("Deposit orders"), "payment", findings.payments),
        (_t("Payout orders"), "payout", findings.payouts),
    )
    found: list[dict[str, Any]] = [
        {**_orders(hits), "title": title, "is_cut": kind in findings.cut}
        for title, kind, hits in orders
        if hits
    ]
    others = [_merchant(hit) for hit in findings.merchants]
    others += [_other(hit, hit.row.pk, f"{hit.row.merchant.name}") for hit in findings.wallets]
    others += [_other(hit, hit.row.webhook_id, hit.row.order_no) for hit in findings.notifications]
    others += [_other(hit, hit.row.tx_hash, hit.row.to_address) for hit in findings.transfers]
    if others:
        found.append({"title": _t("Merchants, wallets, notifications, transfers"), "others": others})
    return found


def _orders(hits: Iterable[Hit]) -> dict[str, Any]:
    found = [search_rows.found(hit) for hit in hits]
    return {"orders": found, "body": search_rows.body(found)}


def _merchant(hit: Hit) -> dict[str, Any]:
    row: Merchant = hit.row
    lists = [
        (_t("deposits"), f"{admin_columns.list_url('records.payment')}?{urlencode({'merchant': row.pk})}"),
        (_t("payouts"), f"{admin_columns.list_url('records.payout')}?{urlencode({'merchant': row.pk})}"),
    ]
    return {**_other(hit, row.pk, row.name), "lists": lists}


def _other(hit: Hit, name: str, words: str) -> dict[str, Any]:
    return {
        "keys": hit.keys,
        "kind": hit.row._meta.verbose_name,
        "url": parts.page_url(type(hit.row), hit.row.pk),
        "name": name,
        "words": words,
    }


def _lists(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the lists in which the person can narrow by time and merchant."""
    user: Any = request.user
    offered: Iterable[tuple[str, str]] = (
        (_t("Deposit Order Records"), "records.payment"), (_t("Payout Order Records"), "records.payout"),
    )  # fmt: skip
    return [
        (title, admin_columns.list_url(label))
        for title, label in offered
        if user.has_perm(label.replace(".", ".view_"))
    ]


def _shown(text: str) -> str:
    """Return the text for a sentence: a number as long as a card's is not repeated whole."""
    digits = sum(sign.isdigit() for sign in text)
    is_number = digits >= _LONG and all(sign.isdigit() or sign in " -+" for sign in text)
    return crypto.mask(text) if is_number else text


def _too_long() -> str:
    return _t("That is too long to be a number of ours: at most %d characters.") % search.TEXT_LENGTH_MAX


pages.add_page(
    pages.Page(
        path="search/",
        name="search",
        view=page,
        permissions=(
            "records.view_payment",
            "records.view_payout",
            "records.view_notification",
            "merchants.view_merchant",
            "merchants.view_merchantchannel",
        ),
    )
)
