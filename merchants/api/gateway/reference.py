"""What a stranger must know of the gateway API beside its operations: statuses, remedies, words for fields.

The pages, the OpenAPI document and the tests all read these tables, so that none can say something else.
Source: gateway-api.md, sections 2, 4, 5 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors
from merchants.api.wording import Status

DEPOSIT_STATUSES: Final = (
    Status(0, _("pending"), _("We have the order, the upstream has not taken it yet. Wait."), False),
    Status(1, _("processing"), _("The payer can pay. Wait for the notification or ask again."), False),
    Status(2, _("success"), _("Paid. Credit your customer with real_amount, once."), True),
    Status(
        3, _("closed"), _("Not paid in time, or cancelled. Money that comes late turns it into 2."), False
    ),
    Status(4, _("failed"), _("Not taken by the upstream. Money that comes late turns it into 2."), False),
)
PAYOUT_STATUSES: Final = (
    Status(0, _("reserved"), _("Not sent at present; treat it as 1."), False),
    Status(1, _("pending"), _("Accepted and frozen, not with the upstream yet. Wait."), False),
    Status(2, _("processing"), _("With the upstream. Wait; do not pay it again elsewhere."), False),
    Status(3, _("success"), _("Paid to the recipient; the frozen amount and fee are debited."), True),
    Status(4, _("cancelled"), _("Rejected in review; the frozen money is available again."), True),
    Status(5, _("failed"), _("Not paid; the frozen money is available again. error_msg says why."), True),
    Status(6, _("under review"), _("A person looks at it before it is sent. Wait."), False),
)

REMEDIES: Final[Mapping[str, errors.Words]] = {
    "0000": _("Nothing."),
    "0001": _("Ask for the order by your number; if it is unknown (0050), send the same content again."),
    "0002": _("error_msg names every field that is wrong, and how."),
    "0003": _("Try again later, or use another service."),
    "0004": _("Compare your string with the calculator's; check the key, sign_type and your clock."),
    "0005": _("Send your authorization id in the Authorization header."),
    "0006": _(
        "Send the id bare, without “Bearer”; ask us if it was replaced. Where error_msg names a scope, "
        "the key is right and may not do this: use one that may."
    ),
    "0007": _("Check payment_id or payment_cl_id."),
    "0008": _("Check the account number with your customer."),
    "0009": _("Check service_id against the list that you were given."),
    "0010": _("Ask us to activate the service."),
    "0011": _("No channel takes this amount or service now; try another amount, or later."),
    "0012": _("Check bank_id, bank_code or bank_name."),
    "0013": _("error_msg says why. A new attempt needs a new payment_cl_id."),
    "0014": _("The number is taken by an order with other content; take a new one."),
    "0015": _("Check platform_channel_id."),
    "0016": _("Tell us: the terms of this service are incomplete."),
    "0017": _("error_msg says why. A new attempt needs a new payout_cl_id."),
    "0018": _("Ask for the balance; amount and fee together must be available."),
    "0019": _("Name the wallet to debit; this service needs it."),
    "0020": _("Use the version in the table of operations."),
    "0021": _("Send one JSON object in UTF-8, each name once."),
    "0022": _("Send Content-Type: application/json."),
    "0023": _("Use the method in the table of operations."),
    "0024": _("Ask for the order; its state changed meanwhile."),
    "0025": _("Ask for the order; then tell us its number."),
    "0026": _("Send the last digits of the payer's account."),
    "0027": _("Call from an address that you told us, or tell us the new one."),
    "0028": _("error_msg names the range."),
    "0029": _("error_msg names the range."),
    "0050": _("There is no order of yours with this number."),
}

MEANINGS: Final[Mapping[str, errors.Words]] = {
    "amount": _("what was asked for, currency unit × 100"),
    "balance": _("available, currency unit × 100"),
    "bank_branch": _("branch of the bank"),
    "bank_code": _("code of the bank, such as CCB"),
    "bank_id": _("our id of the bank, such as BK0001"),
    "bank_link": _("the bank's own page, empty when unknown"),
    "bank_logo": _("always empty at present"),
    "bank_name": _("name of the bank"),
    "card_name": _("holder of the account"),
    "card_number": _("account number; the payer's own is masked"),
    "channel_name": _("name of the wallet"),
    "create_time": _("when the order was made, Unix seconds"),
    "data": _("what was asked for"),
    "display_amount": _("what the payer must really send, × 100; may differ by cents"),
    "error_code": _("0000 is success"),
    "error_msg": _("what is wrong, in words; empty when nothing is"),
    "fee": _("our fee, currency unit × 100"),
    "last_numbers": _("several tails, when the payer has several accounts"),
    "link": _("the payer's page: send the payer there, within 10 minutes"),
    "memo": _("a remark, mostly empty"),
    "payment_cl_id": _("your order number"),
    "payment_cl_name": _("the payer's name as you gave it"),
    "payment_id": _("our order number"),
    "payment_info": _("the same facts for your own page"),
    "payout_cl_id": _("your order number"),
    "payout_id": _("our order number"),
    "phone": _("telephone number"),
    "id_number": _("number of the identity document"),
    "platform_channel_id": _("the wallet"),
    "platform_channels": _("one entry for each wallet"),
    "platform_id": _("your merchant id"),
    "real_amount": _("what really arrived, × 100; 0 until then"),
    "receiver": _("where the payer must send the money"),
    "remark_code": _("what the payer writes as remark"),
    "request_time": _("when we answered, Unix seconds"),
    "sender": _("the payer as we know him"),
    "service_id": _("the service, such as SVC0001"),
    "notify_url": _("where we send notifications; http or https, a public address"),
    "sign": _("signature, 32 or 64 lower-case hex characters"),
    "status": _("see the table of statuses"),
    "success_time": _("when it was paid, Unix seconds; 0 until then"),
    "token": _("the remark that the payer must write"),
    "total": _("how many there are in all"),
    "total_balance": _("sum of what is available, × 100"),
    "total_frozen_balance": _("sum of what is frozen for open payouts, × 100"),
    "update_time": _("when it last changed, Unix seconds"),
}

DEPOSIT_NOTIFICATION: Final = (
    "payment_id", "payment_cl_id", "platform_id", "amount", "real_amount", "fee", "status", "create_time",
    "update_time",
)  # fmt: skip
PAYOUT_NOTIFICATION: Final = (
    "payout_id", "payout_cl_id", "platform_id", "amount", "fee", "status", "create_time", "update_time",
)  # fmt: skip

# The published keys of the examples' two merchants; nobody else has them.
EXAMPLE_KEYS: Final[Mapping[str, str]] = {"PF0001": "2I9Q4nExEddsH6zo", "PF0002": "ThisIsYourSecretKey123"}
