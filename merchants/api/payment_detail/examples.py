"""Examples in the documentation: the seed's order, paid; and one that was just made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = Mapping[str, Any]

PAID: Final[Json] = {
    "orgId": 2313,
    "outTradeNo": "202404031340069012495",
    "outPaymentNo": "PM00014581",
    "chainId": 1,
    "description": "A sample order",
    "isLegalTender": 1,
    "quoteCurrencySymbol": "USD",
    "quoteAmount": "1",
    "paymentStatus": 0,
    "paymentType": 1,
    "expectedAmount": "999746",
    "settlementAmount": "1000000",
    "settlementCurrencySymbol": "USDT",
    "transferHash": "0x0d4795744a496c612589a2376cf2fa42262ac6c66d49d2af5b821a0b2fa90878",
    "userWalletAddress": "0x52908400098527886E0F7030069857D2E4169EE7",
    "fromAddress": "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "blockTime": 1712122830,
    "createTime": "2024-04-03 13:40:06",
}


def envelope(data: object) -> Json:
    """Return an answer around its data."""
    return {"code": 200, "msg": "success", "data": data}


FOUND: Final = envelope(dict(PAID))
TOLD: Final = envelope({})
REFUSED: Final[Json] = {
    "code": 404,
    "msg": "There is no such order.",
    "description": "The order does not exist.",
}
