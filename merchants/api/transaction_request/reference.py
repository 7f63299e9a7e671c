"""What a stranger must know of the transaction-request API beside its operations.

The page, the OpenAPI document and the tests read these tables. Source: transaction-request-api.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors
from merchants.api.wording import Status

STATUSES: Final = (
    Status("Reviewing", _("under review"), _("A person looks at it before it is sent. Wait."), False),
    Status("Matching", _("taken"), _("We have the order, the upstream has not taken it yet. Wait."), False),
    Status("InProgress", _("processing"), _("With the upstream. Wait, or ask again."), False),
    Status(
        "Finished",
        _("done"),
        _("Deposit: credit it, once, by paymentAmount. Withdrawal: the recipient has the money."),
        True,
    ),
    Status(
        "Failed",
        _("failed"),
        _("endedReason says why. A deposit becomes Finished when its money comes late."),
        False,
    ),
    Status(
        "Cancelled",
        _("expired, closed or rejected"),
        _("Nothing was paid. A deposit becomes Finished when its money comes late."),
        False,
    ),
)

REMEDIES: Final[Mapping[str, errors.Words]] = {
    "INVALID_PARAMETER": _("message names every field that is wrong, by its path, and how."),
    "UNAUTHORIZED": _(
        "Compare with the calculator; send all three headers. With HTTP 403 the key is right and lacks the "
        "scope that message names."
    ),
    "TIMESTAMP_EXPIRED": _("Set your clock; send UTC milliseconds."),
    "IP_NOT_ALLOWED": _("Call from an address that you told us, or tell us the new one."),
    "NOT_FOUND": _("There is no order of yours with this number in CNY or HKD."),
    "DUPLICATE_ORDER_NO": _("The number is taken by an order with other content; take a new one."),
    "REPLAYED": _("Take a new timestamp, and sign it, for each call."),
    "CONFLICTING_IDENTIFIERS": _("Send one of requestCode and merchantOrderNo."),
    "INSUFFICIENT_BALANCE": _("Amount and fee together must be available."),
    "AMOUNT_OUT_OF_RANGE": _("message names the range."),
    "SERVICE_UNAVAILABLE": _("Ask for the order by your number; if it is NOT_FOUND, send it again."),
    "TOO_MANY_REQUESTS": _("Wait as long as Retry-After says, then ask for the order."),
}

MEANINGS: Final[Mapping[str, errors.Words]] = {
    "bankBranchName": _("branch of the bank"),
    "bankCard": _("the recipient's account"),
    "bankName": _("name or code of the bank, such as CCB"),
    "cardNumber": _("account number"),
    "client": _("your customer"),
    "clientName": _("your customer's name"),
    "createdAt": _("when the order was made, UTC milliseconds"),
    "data": _("the order; null in a refusal"),
    "endedAt": _("when it ended, UTC milliseconds; null until then"),
    "endedReason": _("why it ended without money, in words"),
    "expiredAt": _("until when the payer may pay, UTC milliseconds"),
    "fiatCurrency": _("the currency that is paid"),
    "internalOrderNo": _("our order number"),
    "isSuccess": _("whether the call was carried out"),
    "language": _("of the payer's page"),
    "merchantOrderNo": _("your order number"),
    "message": _("what is wrong, in words; empty when nothing is"),
    "modifiedAt": _("when it last changed, UTC milliseconds"),
    "paymentMethod": _("how it is paid"),
    "realName": _("real name of your customer"),
    "registeredAt": _("since when he is your customer, UTC milliseconds"),
    "requestAmount": _("as you asked"),
    "requestCode": _("our code of the order"),
    "requestCurrency": _("as you asked"),
    "source": _("where the order was made"),
    "status": _("see the table of statuses"),
    "statusCode": _("SUCCESS, or a code of the table of errors"),
    "tradeType": _("which way the money goes"),
    "unitPrice": _("what one settlement unit costs in fiatCurrency, fixed on the order"),
    "version": _("of the API"),
    "webhookUrl": _("where we send webhooks; http or https, a public address"),
}

# The published vector.
VECTOR: Final[Mapping[str, str]] = {
    "access_key": "B6QKwx0NnKaQ14zf24Ux5Oc9Gy1xlf2R",
    "secret_key": "WUYx7DTQZakugtP9gOAimYUphcnc3jWuPRi1UVnWmwXSnMnsCVBzz1ILdaxisvz9",
    "timestamp": "1625546438154",
}
