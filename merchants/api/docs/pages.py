"""The pages for merchants' engineers: what there is, and each API from the first call to the last error."""

from __future__ import annotations

import json

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from merchants.api.docs import reference, samples
from merchants.api.gateway import docs as gateway_docs
from merchants.api.gateway import examples
from merchants.api.gateway import reference as gateway
from merchants.api.gateway.errors import WORDS
from merchants.api.payment_detail import authentication as detail_authentication
from merchants.api.payment_detail import docs as detail_docs
from merchants.api.payment_detail import errors as detail_errors
from merchants.api.payment_detail import examples as detail_examples
from merchants.api.payment_detail import reference as detail
from merchants.api.transaction_request import docs as orders_docs
from merchants.api.transaction_request import reference as orders
from merchants.api.transaction_request.errors import STATUSES as ORDER_STATUSES
from merchants.api.transaction_request.errors import WORDS as ORDER_WORDS
from records import telling
from records.dialects.gateway import V1

_UNSIGNED = ("sign", "sign_type")


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show which APIs there are and where to begin."""
    context = {"operations": _operations(), "orders": _orders(), "details": _details()}
    return render(request, "docs/index.html", context)


@require_safe
def gateway_page(request: HttpRequest) -> HttpResponse:
    """Show everything about the gateway API on one page, so that a browser's search finds it."""
    context = {
        "operations": _operations(),
        "public_url": settings.PUBLIC_URL,
        "vectors": _vectors(),
        "calling": samples.calling(),
        "verifying": samples.verifying(),
        "deposit_statuses": gateway.DEPOSIT_STATUSES,
        "payout_statuses": gateway.PAYOUT_STATUSES,
        "deposit_notification": _told(gateway.DEPOSIT_NOTIFICATION),
        "payout_notification": _told(gateway.PAYOUT_NOTIFICATION),
        "notification": _notification(),
        "errors": [(code, words, gateway.REMEDIES[code]) for code, words in WORDS.items()],
        "waits": [_wait(seconds) for seconds in settings.NOTIFICATION_RETRY_SECONDS],
        "clock_seconds": settings.REQUEST_TIME_SECONDS,
    }
    return render(request, "docs/gateway.html", context)


@require_safe
def orders_page(request: HttpRequest) -> HttpResponse:
    """Show everything about the transaction-request API on one page."""
    context = {
        "operations": _orders(),
        "public_url": settings.PUBLIC_URL,
        "vector": orders.VECTOR,
        "calling": samples.ordering(),
        "verifying": samples.verifying(),
        "statuses": orders.STATUSES,
        "errors": [
            (code, status, ORDER_WORDS[code], orders.REMEDIES[code])
            for code, status in ORDER_STATUSES.items()
        ],
        "waits": [_wait(seconds) for seconds in settings.NOTIFICATION_RETRY_SECONDS],
        "clock_seconds": settings.REQUEST_TIME_SECONDS,
    }
    return render(request, "docs/orders.html", context)


@require_safe
def detail_page(request: HttpRequest) -> HttpResponse:
    """Show everything about the payment-detail API on one page."""
    context = {
        "operations": _details(),
        "public_url": settings.PUBLIC_URL,
        "vector": detail.VECTOR,
        "calling": samples.detailing(),
        "verifying": samples.verifying(),
        "callback": json.dumps(dict(detail_examples.PAID), indent=2),
        "statuses": detail.STATUSES,
        "errors": [(code, words, detail.REMEDIES[code]) for code, words in detail_errors.WORDS.items()],
        "waits": [_wait(seconds) for seconds in settings.NOTIFICATION_RETRY_SECONDS],
        "clock_seconds": detail_authentication.TIME_SECONDS,
        "told_seconds": telling.WINDOW_SECONDS,
    }
    return render(request, "docs/detail.html", context)


def _details() -> list[reference.Operation]:
    return reference.operations(detail_docs.document())


def _orders() -> list[reference.Operation]:
    return reference.operations(orders_docs.document())


def _operations() -> list[reference.Operation]:
    return reference.operations(gateway_docs.document())


def _vectors() -> list[dict[str, str]]:
    """Return what the calculator offers to begin with: the published examples, each with its key."""
    given = {
        "HMAC-SHA256: deposit": examples.HMAC_PAYMENT,
        "MD5: deposit": examples.MD5_PAYMENT,
        "MD5: payout": examples.MD5_PAYOUT,
    }
    return [
        {
            "name": name,
            "key": gateway.EXAMPLE_KEYS[example["platform_id"]],
            "sign_type": example.get("sign_type", "MD5"),
            "sign": example["sign"],
            "params": json.dumps(
                {field: value for field, value in example.items() if field not in _UNSIGNED},
                ensure_ascii=False,
                indent=2,
            ),
        }
        for name, example in given.items()
    ]


def _told(names: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(name, str(gateway.MEANINGS[name])) for name in names]


def _notification() -> str:
    """Return a notification as it is sent, signed with the published key."""
    facts: dict[str, object] = {
        "payment_id": "PM00014581",
        "payment_cl_id": "DEVPM00014581",
        "platform_id": "PF0002",
        "amount": 50000,
        "real_amount": 50000,
        "fee": 400,
        "status": 2,
        "create_time": 1595504136,
        "update_time": 1595504190,
    }
    body = V1.body(facts=facts, sign_type="HMAC-SHA256", secret=gateway.EXAMPLE_KEYS["PF0002"])
    return json.dumps(json.loads(body), indent=2)


def _wait(seconds: int) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
