"""The API's pages for developers: the OpenAPI schema, and a page to read and try it."""

from __future__ import annotations

from django.urls import include, path

from merchants.api.gateway import reference
from merchants.api.gateway.errors import WORDS
from merchants.api.openapi import Document

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


DOCUMENT = Document(
    title="DiamondPay gateway API",
    description=_description(),
    path_prefix="/gateway/api",
    patterns=[path("gateway/", include("merchants.api.gateway.urls"))],
    meanings=reference.MEANINGS,
    page_name="docs-page",
    schema_name="docs-schema",
    further={
        "APPEND_COMPONENTS": {
            "securitySchemes": {"authorization": {"type": "apiKey", "in": "header", "name": "Authorization"}}
        }
    },
)
document = DOCUMENT.content
urlpatterns = DOCUMENT.urlpatterns()
