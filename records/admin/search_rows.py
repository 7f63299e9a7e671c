"""The rows of the orders that a search found. The headings above them stand in `admin/search.html`.

A tail or an amount finds up to a hundred orders, so the shape of a row is made once for a page.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t

from channels.models import Currency
from diamondpay.lib import admin_columns, markup
from records.admin import base, life, parts
from records.models import Payment, PaymentStatus, Payout, PayoutStatus
from records.search import Hit

_UNIT_COUNT_MAX = 256
_STATUSES = (
    (Payment, PaymentStatus, base.PAYMENT_TONES),
    (Payout, PayoutStatus, base.PAYOUT_TONES),
)
_TEST = ' <span class="badge outline">{}</span>'
# Once filled with the headings, which a phone shows beside the cells, it is the shape of a row.
_SHAPE = (
    '<tr><td data-label="{matched}">{{keys}}</td>'
    '<td data-label="{number}"><a data-open href="{{url}}">{{number}}</a></td>'
    '<td data-label="{merchant_number}" class="cut" title="{{merchant_number}}">{{merchant_number}}</td>'
    '<td data-label="{merchant}" class="cut">'
    '<span>{{merchant}} <span class="quiet">{{name}}</span></span></td>'
    '<td data-label="{service}" class="cut card-hide">{{service}}</td>'
    '<td data-label="{account}" class="card-hide">{{account}}</td>'
    '<td class="number" data-label="{requested}">{{requested}}</td>'
    '<td class="number" data-label="{actual}">{{actual}}</td>'
    '<td data-label="{status}">{{status}}{{test}}</td>'
    '<td data-label="{created}">{{created}}</td></tr>'
)


def found(hit: Hit) -> dict[str, Any]:
    """Return what a row says of how an order was found and where its page is."""
    order: Payment | Payout = hit.row
    return {
        "keys": hit.keys,
        "url": parts.page_url(type(order), order.pk),
        "number": life.number_of(order),
        "order": order,
    }


def body(orders: Iterable[Mapping[str, Any]]) -> SafeString:
    """Return the rows of orders."""
    shape = _shape()
    # A deposit and a payout mean different states by the same number.
    badges: dict[tuple[type[Payment | Payout], int], SafeString] = {
        (model, status.value): parts.badge(str(status.label), found[status.value])
        for model, statuses, found in _STATUSES for status in statuses
    }  # fmt: skip
    return SafeString("".join(_row(shape, each, badges) for each in orders))


@functools.lru_cache(maxsize=_UNIT_COUNT_MAX)
def _unit(code: str, exponent: int) -> Currency:
    return Currency(pk=code, exponent=exponent)


def _shape() -> str:
    headings = {
        "matched": _t("Matched by"), "number": _t("Platform order no."),
        "merchant_number": _t("Merchant order no."), "merchant": _t("Merchant"), "service": _t("Service"),
        "account": _t("Account"), "requested": _t("Requested"), "actual": _t("Actual"),
        "status": _t("Status"), "created": _t("Created"),
    }  # fmt: skip
    return _SHAPE.format(**{name: markup.safe(text) for name, text in headings.items()})


def _row(
    shape: str, found: Mapping[str, Any], badges: Mapping[tuple[type[Payment | Payout], int], SafeString]
) -> str:
    order: Any = found["order"]
    unit = _unit(order.currency_id, order.currency_exponent)
    return markup.filled(
        shape,
        keys=", ".join(found["keys"]), url=found["url"], number=found["number"],
        merchant_number=order.merchant_order_no, merchant=order.merchant_id, name=order.merchant_name,
        service=order.service_name,
        account=f"…{order.account_tail}" if order.account_tail else admin_columns.dash(),
        requested=parts.amount(order.requested_amount, unit),
        actual=parts.amount(order.actual_amount, unit),
        status=badges[type(order), order.status],
        test=markup.filled(_TEST, _t("test")) if order.is_test else "",
        created=admin_columns.moment(order.created_at),
    )  # fmt: skip
