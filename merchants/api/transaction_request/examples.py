"""Examples in the documentation: the seed's order, and a withdrawal at the same price."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = Mapping[str, Any]

_PAID: Final[Json] = {
    "requestCode": "fd9ef3a5cc7b49a088d0cecca789f27f",
    "tradeType": "Deposit",
    "clientName": "TEST_USER",
    "requestAmount": 1234.56,
    "requestCurrency": "CNY",
    "fiatCurrency": "CNY",
    "paymentMethod": "BankCard",
    "status": "Finished",
    "endedAt": 1741725033033,
    "endedReason": "",
    "source": "API_V2",
    "merchantOrderNo": "TEST_ORDER",
    "internalOrderNo": "AT-D-3TEHN1X9U",
    "unitPrice": 7.47,
    "transactionAmount": 165.27,
    "receivedAmount": 160.31,
    "transactionFee": 4.96,
    "paymentAmount": 1234.56,
    "expiredAt": 1741732188336,
    "createdAt": 1741724988336,
    "modifiedAt": 1741725033228,
}
_OPEN: Final[Json] = {
    **_PAID,
    "status": "InProgress",
    "endedAt": None,
    "transactionAmount": 0,
    "receivedAmount": 0,
    "transactionFee": 0,
    "modifiedAt": 1741724988901,
}


def _envelope(data: Json) -> Json:
    return {"data": dict(data), "isSuccess": True, "statusCode": "SUCCESS", "message": "", "version": "2.0"}


FOUND: Final = _envelope(_PAID)
DEPOSITED: Final = _envelope(
    {**_OPEN, "paymentUrl": "https://pay.example.com/gateway/portal/v1/payments/FzJ2…"}
)
DEPOSIT: Final[Json] = {
    "client": {"realName": "TEST_USER", "registeredAt": 1731725033033},
    "depositCurrency": "CNY",
    "fiatCurrency": "CNY",
    "depositAmount": 1234.56,
    "merchantOrderNo": "TEST_ORDER",
    "webhookUrl": "https://your-domain.com/webhook",
    "language": "en",
    "paymentMethod": {"method": 1},
}
WITHDRAW: Final[Json] = {
    "client": {"realName": "TEST_USER"},
    "withdrawCurrency": "CNY",
    "fiatCurrency": "CNY",
    "withdrawAmount": 747,
    "bankCard": {"cardNumber": "6217000000000000001", "bankName": "CCB", "bankBranchName": "Shanghai"},
    "requiresReview": False,
    "merchantOrderNo": "TEST_WITHDRAWAL",
    "webhookUrl": "https://your-domain.com/webhook",
}
WITHDRAWN: Final = _envelope(
    {
        **_OPEN,
        "requestCode": "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "tradeType": "Withdraw",
        "requestAmount": 747,
        "merchantOrderNo": "TEST_WITHDRAWAL",
        "internalOrderNo": "AT-W-3TEHN1X9U",
        "transactionAmount": 100,
        "transactionFee": 3,
        "paymentAmount": 747,
        "expiredAt": None,
    }
)
