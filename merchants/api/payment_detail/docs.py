"""The payment-detail API's pages for developers: its OpenAPI schema, and a page to read and try it."""

from __future__ import annotations

from django.urls import include, path

from merchants.api.openapi import Document
from merchants.api.payment_detail import reference
from merchants.api.payment_detail.errors import WORDS
from merchants.api.payment_detail.schema import PROOF

_DESCRIPTION = """
Payment orders quoted in fiat or in a token, and what became of them. JSON in and out.

**Signature.** Three headers with every call: `X-PAY-KEY`, `X-PAY-TIMESTAMP` (Unix seconds, ± 60 s of our
clock) and `X-PAY-SIGN`: Base64 of HMAC-SHA256 of timestamp + METHOD + path + body, joined without
separators, keyed with your secret. The path is that of the address without the host, with the query string;
of a GET the path without it is taken too. The body is the text that you send, empty for a GET.

**Answers** carry `code` and `msg` around `data`; a refusal carries `description` and its code is the HTTP
status. The header `X-Answer-Signature` is upper-case hex of HMAC-SHA256 of
`{X-PAY-SIGN you sent}_{HTTP status}_` followed by the body, keyed with your secret; you may ignore it, or
check that an answer is ours and answers your call.

**Limits.** `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds) on every answer say what
is left of the nearest limit; 429 comes with `Retry-After`. A key that may not do what was asked is refused
with 403 and a description that names the missing scope.

**Orders.** An order quoted in a token is paid in that token; one quoted in fiat in the token that the payer
picks on the payment page, at the rates of the moment it was placed: `currencyId` and `expectedAmount` are
null until then. The same content again under one `outTradeNo` is the same order; other content is 409. What
arrives between half and a fifth more than was asked for is credited as it is; less waits for more.

**Amounts.** `quoteAmount` is a plain decimal in a text. `expectedAmount` and `settlementAmount` are whole
numbers in a text: amount × 10^decimals of what is paid.

**Orders of our other APIs** are seen here when they are yours, and the other way round. One that travels
over no chain has null for `chainId`, `currencyId`, `paymentType`, `userWalletAddress`, `transferHash`,
`fromAddress` and `blockTime`; its `expectedAmount` and `settlementAmount` are in units of its own
currency. Payouts are not seen here.

**Callbacks** come as POST to `notifyUrl` with the object of `/payment/detail` as body and the same three
headers, signed by the same rule over the path of your address. Answer HTTP 200 and the text `success`; until
then they are repeated up to 5 times. They tell how an order ends and, while one over a chain is open, each
change of its `paymentStatus` (1, 2, 3); of these only the newest is sent.

| code | meaning |
|---|---|
"""


def _description() -> str:
    return _DESCRIPTION + "\n".join(f"| {code} | {words} |" for code, words in WORDS.items())


DOCUMENT = Document(
    title="DiamondPay payment-detail API",
    description=_description(),
    version="1.0",
    path_prefix="",
    patterns=[path("", include("merchants.api.payment_detail.urls"))],
    meanings=reference.MEANINGS,
    page_name="docs-payment-detail",
    schema_name="docs-payment-detail-schema",
    further={
        "APPEND_COMPONENTS": {
            "securitySchemes": {name: {"type": "apiKey", "in": "header", "name": name} for name in PROOF}
        }
    },
)
document = DOCUMENT.content
urlpatterns = DOCUMENT.urlpatterns()
