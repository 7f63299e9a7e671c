"""The API's pages for developers: the OpenAPI schema, and a page to read and try it."""

from __future__ import annotations

import functools
import json
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path, reverse
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import normalize_result_object
from drf_spectacular.settings import patched_settings

from merchants.api import wording
from merchants.api.gateway import reference
from merchants.api.gateway.errors import WORDS

_DESCRIPTION = """
Deposits, payouts and balances of a merchant, JSON in and out.

**Every listed error code comes with HTTP 200**: read `error_code`, "0000" is success. 413, 429 and 503 carry
the same envelope. Amounts are integers, currency unit × 100, for every currency; times are Unix seconds.

**Signature** (POST). Take all parameters except `sign` and `sign_type` whose value is not empty, sort them by
name, join `k=v` with `&`. MD5: append `&` and your key, MD5 in lower-case hex. HMAC-SHA256 (send
`sign_type=HMAC-SHA256`): HMAC of the same text without the key, keyed with your key, in lower-case hex.

**Limits.** `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds) on every answer say what
is left of the nearest limit; 429 comes with `Retry-After`. A key that may not do what was asked is refused
with 0006 and a message that names the missing scope.

**Token** (GET). Send your authorization id bare in the `Authorization` header.

**Notifications** come as POST to your `notify_url` and are repeated up to 5 times until you answer HTTP 200
with JSON whose `error_code` is "0000". Each also carries Standard Webhooks headers (`webhook-id`,
`webhook-timestamp`, `webhook-signature`), keyed with your key. An order that was closed and is paid late is
told twice: `update_time` says which is newer.

**Status** of a deposit: 0 pending, 1 processing, 2 success, 3 closed, 4 failed. Of a payout: 1 pending,
2 processing, 3 success, 4 cancelled, 5 failed, 6 under review.

| error_code | meaning |
|---|---|
"""


def _description() -> str:
    return _DESCRIPTION + "\n".join(f"| {code} | {words} |" for code, words in WORDS.items())


_SETTINGS = {
    "TITLE": "DiamondPay gateway API",
    "DESCRIPTION": _description(),
    "APPEND_COMPONENTS": {
        "securitySchemes": {"authorization": {"type": "apiKey", "in": "header", "name": "Authorization"}}
    },
    "SCHEMA_PATH_PREFIX": "/gateway/api",
}
_PATTERNS = [path("gateway/", include("merchants.api.gateway.urls"))]


@functools.cache
def _schema() -> bytes:
    """Return the document. Made once per process: nothing in it changes while the process lives."""
    with patched_settings(_SETTINGS):
        found = SchemaGenerator(patterns=_PATTERNS).get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    plain = normalize_result_object(found)  # type: ignore[no-untyped-call]
    wording.describe(plain, reference.MEANINGS)
    return json.dumps(plain, ensure_ascii=False, default=str).encode()


def document() -> dict[str, Any]:
    """Return the OpenAPI document as the caller's own."""
    found: dict[str, Any] = json.loads(_schema())
    return found


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """Return the OpenAPI document."""
    return HttpResponse(_schema(), content_type="application/vnd.oai.openapi+json; charset=utf-8")


@require_safe
@csp_update({"img-src": [SELF, "data:"]})
def page(request: HttpRequest) -> HttpResponse:
    """Show the document with Swagger UI, whose style sheet draws its arrows with data: images."""
    context = {"title": _SETTINGS["TITLE"], "schema_url": reverse("docs-schema")}
    return render(request, "docs/swagger.html", context)


urlpatterns = [
    path("", page, name="docs-page"),
    path("schema/", schema, name="docs-schema"),
]
