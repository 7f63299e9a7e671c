"""Examples in the documentation: the seed's order, paid; and one that was just made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = Mapping[str, Any]

PAID: Final[Json] = {
    "orgId": 2313,
    "outTradeNo": "202404031340069012495",
    "outPaymentNo": "PM00014581",
    "chainId": 2,
    "currencyId": 4,
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
NEW_ORDER: Final[Json] = {
    "chainId": 2,
    "description": "A sample order",
    "outTradeNo": "202404031340069012495",
    "isLegalTender": 1,
    "quoteCurrencySymbol": "USD",
    "quoteAmount": "1",
    "notifyUrl": "https://shop.example/notify",
    "redirectionUrl": "https://shop.example/thanks",
}
PLACED: Final = envelope(
    {
        "outPaymentNo": "PM00014581",
        "paymentUrl": "/gateway/portal/v1/payments/UE0wMDAxNDU4MQ",
        "userWalletAddress": "0x52908400098527886E0F7030069857D2E4169EE7",
    }
)
CHAINS: Final = envelope([{"chainId": 2, "name": "Ethereum", "symbol": "ETH", "confirmations": 12}])
CURRENCIES: Final = envelope(
    [
        {
            "currencyId": 4,
            "chainId": 2,
            "name": "Tether USD",
            "symbol": "USDT",
            "address": "0xdAC17F958D2ee523a2206206994597C13D831ec7",
            "decimals": 6,
            "exchangeRate": "1.0002",
        }
    ]
)
REFUSED: Final[Json] = {
    "code": 404,
    "msg": "There is no such order.",
    "description": "The order does not exist.",
}
