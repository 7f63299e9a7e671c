"""What a stranger must know of the payment-detail API beside its operations.

The page, the OpenAPI document and the tests read these tables. Source: payment-detail-api.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors
from merchants.api.wording import Status

STATUSES: Final = (
    Status(0, _("paid"), _("Credit it, once, by settlementAmount. 5 may follow."), False),
    Status(1, _("pending payment"), _("Nothing has arrived yet. Wait, or ask again."), False),
    Status(2, _("block confirmation"), _("Seen on the chain, not deep enough yet. Wait."), False),
    Status(3, _("partially paid"), _("Less than half has arrived; the payer may send the rest."), False),
    Status(
        4,
        _("payment failed"),
        _("Failed or expired without money. It becomes 0 when its money comes late."),
        False,
    ),
    Status(5, _("refunded"), _("It was paid, and the money was given back to the payer."), True),
)

REMEDIES: Final[Mapping[int, errors.Words]] = {
    400: _("description names every field that is wrong, and how."),
    401: _("Compare with the calculator; set your clock; send all three headers."),
    403: _(
        "Call from an address that you told us, or ask us what was switched off. Where description names a "
        "scope, the key is right and may not do this: use one that may."
    ),
    404: _("You have no deposit of this number, or the numbers name two different ones."),
    405: _("Use the method of the table."),
    409: _("The number is taken by an order with other content; take a new one."),
    413: _("Send at most 256 kB."),
    415: _("Send Content-Type: application/json, in UTF-8."),
    429: _("Wait as long as Retry-After says."),
    503: _("Ask for the order by your number; if it is 404, send it again."),
}

MEANINGS: Final[Mapping[str, errors.Words]] = {
    "address": _("the token's contract; null for the chain's own coin"),
    "blockTime": _("when the transfer's block was made, Unix seconds; null until something arrived"),
    "chainId": _("our id of the chain, from the list of chains; null for an order over no chain"),
    "code": _("200, or a code of the table of errors; the same as the HTTP status"),
    "confirmations": _("how many blocks must hold a transfer before it counts, its own included"),
    "createTime": _("when the order was made, YYYY-MM-DD HH:MM:SS in your time zone"),
    "currencyId": _("our id of what is paid, from the list of currencies; null until it is known"),
    "data": _("the answer"),
    "decimals": _("how many decimals it has: amounts in smallest units are × 10 to this power"),
    "description": _("of an order: the product, at most 200 characters; of a refusal: what exactly is wrong"),
    "exchangeRate": _("what one of it is worth in USD, in plain decimals; null while there is no rate"),
    "expectedAmount": _(
        "what must be paid, in the smallest units of the paid currency; null until the token is known"
    ),
    "fromAddress": _("who paid; null until something arrived"),
    "isLegalTender": _("1 when the quote is in fiat, 0 when it is in a token"),
    "msg": _("success, or what kind of refusal it is"),
    "name": _("its name"),
    "notifyUrl": _("where callbacks go: a public https address"),
    "orgId": _("your organisation's number"),
    "outPaymentNo": _("our order number"),
    "outTradeNo": _("your order number, unique"),
    "paymentStatus": _("see the table of statuses"),
    "paymentUrl": _("the path of the payer's page on our host; null when the order failed at once"),
    "paymentType": _("1 wallet transfer; 0 contract payment; null for an order over no chain"),
    "quoteAmount": _("the amount that is asked for, above 0, in plain decimals as a text"),
    "quoteCurrencySymbol": _("the currency of the quote, in capitals"),
    "redirectionUrl": _("where the payer's page leads back to: an https address; may be left out"),
    "settlementAmount": _(
        "what arrived and is confirmed, in the smallest units of the paid currency; null until then"
    ),
    "settlementCurrencySymbol": _("what was paid; null until then"),
    "symbol": _("of a token its symbol, of a chain that of its own coin"),
    "transferHash": _("the transaction; null until something arrived"),
    "userWalletAddress": _("the address to pay to; null for an order over no chain"),
}

# Made up for the page and for tests: no source publishes one.
VECTOR: Final[Mapping[str, str]] = {
    "key": "B6QKwx0NnKaQ14zf24Ux5Oc9",
    "secret": "WUYx7DTQZakugtP9gOAimYUp",
    "timestamp": "1712122830",
    "method": "GET",
    "path": "/payment/detail?outTradeNo=202404031340069012495",
    "body": "",
}
SIGNATURE: Final = "7t9jo4lamDJZHzvpQrBXlTkes4MfNFyFyhi/vui3GaI="
