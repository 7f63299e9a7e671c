"""The menu's way to acts on balances: find a wallet, see what lies there, choose what to ask for."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _t

from diamondpay.lib import acts, pages
from diamondpay.lib.admin_columns import list_url
from merchants.models import MerchantChannel
from records import filters, ledger
from records.admin import parts

PERMISSIONS = tuple(
    f"operations.ask_{kind}"
    for kind in ("adjust_balance", "supplement_balance", "freeze_balance", "transfer_balance")
)
_SHOWN_MAX = 50
_TEXT_LENGTH_MAX = 64


def page(request: HttpRequest) -> HttpResponseBase:
    """Show the wallets that a text names: by wallet, merchant or channel."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    text = request.GET.get("q", "").strip()[:_TEXT_LENGTH_MAX]
    found = _wallets(request.user, text) if text.isprintable() else []
    balances = ledger.balances([wallet.pk for wallet in found])
    context = {
        **admin.site.each_context(request),
        "title": _t("Balance Operations"),
        "text": text,
        "is_cut": len(found) > _SHOWN_MAX,
        "rows": [_row(request.user, wallet, balances[wallet.pk]) for wallet in found[:_SHOWN_MAX]],
    }
    return TemplateResponse(request, "admin/operations/balances.html", context)


def _wallets(user: Any, text: str) -> list[MerchantChannel]:
    rows = filters.visible_to(user, MerchantChannel.objects.select_related("merchant", "channel", "currency"))
    if text:
        # A few hundred merchants: their names may be searched, which an order's fields may not.
        rows = rows.filter(
            Q(pk=text.upper())
            | Q(merchant=text.upper())
            | Q(channel=text)
            | Q(merchant__name__icontains=text)
        )
    return list(rows.order_by("merchant", "pk")[: _SHOWN_MAX + 1])


def _row(user: Any, wallet: MerchantChannel, balances: tuple[Any, Any]) -> dict[str, Any]:
    available, frozen = balances
    return {
        "wallet": wallet.pk,
        "url": parts.page_url(MerchantChannel, wallet.pk),
        "merchant": str(wallet.merchant),
        "channel": wallet.channel_id,
        "available": parts.amount(available, wallet.currency),
        "frozen": parts.amount(frozen, wallet.currency),
        "freezes_url": f"{list_url('records.manualfreeze')}?q={wallet.pk}" if frozen else "",
        "acts": [
            {"label": act.label, "url": reverse(act.url_name, args=[act.key_of(wallet)])}
            for act in acts.allowed(user, wallet)
        ],
    }


pages.add_page(
    pages.Page(path="balance-operations/", name="balance_acts", view=page, permissions=PERMISSIONS)
)
