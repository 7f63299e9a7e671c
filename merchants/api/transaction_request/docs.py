"""The transaction-request API's pages for developers: its OpenAPI schema, and a page to read and try it."""

from __future__ import annotations

from django.urls import include, path

from merchants.api.openapi import Document
from merchants.api.transaction_request import reference
from merchants.api.transaction_request.errors import STATUSES, WORDS
from merchants.api.transaction_request.schema import PROOF

_DESCRIPTION = """
Deposits and bank-card withdrawals of a merchant, and the state of one order. JSON in and out.

**Signature.** Three headers with every call: `access_key`, `timestamp` (UTC milliseconds, ± 300 s of our
clock) and `signature`: HMAC-SHA256 of `{access_key}_{timestamp}`, keyed with your secret key, in
upper-case hex. Some servers in front drop header names with an underscore, so `access-key` is taken too.

The signature does not cover the body, so each one carries one body: the same call sent again gets the
first answer, another body under the same signature is REPLAYED. Take a new timestamp for each call.

Test vector: access key `B6QKwx0NnKaQ14zf24Ux5Oc9Gy1xlf2R`, secret key
`WUYx7DTQZakugtP9gOAimYUphcnc3jWuPRi1UVnWmwXSnMnsCVBzz1ILdaxisvz9`, timestamp `1625546438154` → signature
`EDB15CF33C232128BDF118CEB147C453181939F8B37EC43886F68B3BCC2C19CD`.

**Answers** carry `isSuccess`, `statusCode` and `message` around `data`, and an HTTP status that fits.
Amounts are JSON numbers with exact decimals: read them with a decimal type. The header
`X-Answer-Signature` is upper-case hex of HMAC-SHA256 of `{signature you sent}_{HTTP status}_` followed by
the body, keyed with your secret key; you may ignore it, or check that an answer is ours and answers your
call.

**Limits.** `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset` (seconds) on every answer say what
is left of the nearest limit; 429 comes with `Retry-After`. A key that may not do what was asked is refused
with HTTP 403, UNAUTHORIZED, and a message that names the missing scope.

**Order numbers.** Sending the same order again (same number, same content, new timestamp) returns the
first order. Another content under the number is DUPLICATE_ORDER_NO.

**Amounts.** `unitPrice` is what one settlement unit costs in `fiatCurrency`, fixed when the order is
made. With depositCurrency MTC the amount is in settlement units and the payer pays amount × unitPrice;
otherwise the amount is what the payer pays. Deposit: transactionAmount = paymentAmount ÷ unitPrice,
receivedAmount = transactionAmount − transactionFee; these three are 0 until the money has arrived.
Withdrawal: transactionAmount + transactionFee are debited, receivedAmount is the fiat that the client
got.

**Status.** Reviewing, Matching (not yet accepted for payment), InProgress, Finished, Failed, Cancelled. A
Cancelled or Failed deposit can still become Finished when its money comes late: `modifiedAt` says which
word is newer. A deposit expires after 2 hours.

**Webhooks** come as POST to `webhookUrl` when an order becomes InProgress, Finished, Failed or Cancelled,
and are repeated up to 5 times until you answer HTTP 2xx. The body is the object of the query, with
`timestamp` (UTC milliseconds) and `signature` (as in calls, of that timestamp). That signature does not
cover the content; the Standard Webhooks headers (`webhook-id`, `webhook-timestamp`, `webhook-signature`),
keyed with your secret key, do.

| statusCode | HTTP | meaning |
|---|---|---|
| SUCCESS | 200 | The call was carried out. |
"""


def _description() -> str:
    return _DESCRIPTION + "\n".join(
        f"| {code} | {STATUSES[code]} | {words} |" for code, words in WORDS.items()
    )


DOCUMENT = Document(
    title="DiamondPay transaction-request API",
    description=_description(),
    version="2.0",
    path_prefix="/api/v2/merchant",
    patterns=[path("api/v2/merchant/", include("merchants.api.transaction_request.urls"))],
    meanings=reference.MEANINGS,
    page_name="docs-transaction-request",
    schema_name="docs-transaction-request-schema",
    further={
        "APPEND_COMPONENTS": {
            "securitySchemes": {name: {"type": "apiKey", "in": "header", "name": name} for name in PROOF}
        }
    },
)
document = DOCUMENT.content
urlpatterns = DOCUMENT.urlpatterns()
