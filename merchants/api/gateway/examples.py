"""Examples in the documentation: the published test vectors and the answers of the specification."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = Mapping[str, Any]

MD5_PAYMENT: Final[Json] = {
    "amount": "4754378",
    "name": "王小头",
    "notify_url": "http://localhost:52595/gateway/test-notification",
    "payment_cl_id": "test_1707220575_1",
    "platform_id": "PF0001",
    "request_time": "1707220575",
    "service_id": "SVC0001",
    "sign": "559444c72051d4feab4d840cc39c5b84",
}
HMAC_PAYMENT: Final[Json] = {
    "amount": 50000,
    "notify_url": "https://your-domain.com/callback",
    "payment_cl_id": "DEVPM00014581",
    "platform_id": "PF0002",
    "request_time": 1595504136,
    "service_id": "SVC0001",
    "sign_type": "HMAC-SHA256",
    "sign": "d8857715eece9c4b52b5e128ba541ee918effdc052c1152f6d1db0be7f1db509",
}
MD5_PAYOUT: Final[Json] = {
    "amount": "100000",
    "name": "王小头",
    "notify_url": "http://localhost:52630/gateway/test-notification",
    "number": "6216667451674374",
    "payout_cl_id": "test_gateway_1707220674",
    "platform_id": "PF0001",
    "request_time": "1707220674",
    "service_id": "SVC0004",
    "sign": "bc29e8a132edf819431227154c2586c6",
}
LISTED_PAYMENT: Final[Json] = {
    "amount": 30000,
    "real_amount": 0,
    "fee": 0,
    "payment_id": "PM00000145",
    "payment_cl_id": "xinxin_1596380261_10",
    "payment_cl_name": "testname",
    "platform_id": "PF0060",
    "platform_channel_id": "PFC00000142",
    "status": 3,
    "memo": "",
    "create_time": 1596425140,
    "update_time": 1596425770,
    "sign": "459408960e8e7173f6eae20c2bb8339f",
}
LINK: Final = "https://pay.example.com/gateway/portal/v1/payments/FzJ2…"


PAYMENT_INFO: Final[Json] = {
    "amount": 50000,
    "display_amount": 50000,
    "payment_id": "PM00014581",
    "payment_cl_id": "DEVPM00014581",
    "receiver": {
        "card_name": "张三",
        "card_number": "6217000000000000001",
        "bank_name": "CCB",
        "bank_branch": "",
        "bank_logo": "",
    },
    "sender": {
        "card_name": "",
        "card_number": "",
        "bank_id": "",
        "bank_code": "",
        "bank_name": "",
        "bank_logo": "",
        "bank_link": "",
    },
    "token": "K7MQ2X",
}
BALANCE: Final[Json] = {
    "platform_id": "PF0060",
    "platform_channels": [
        {
            "platform_channel_id": "PFC00000142",
            "channel_name": "CNY",
            "balance": 1250050,
            "sign": "0123456789abcdef0123456789abcdef",
        }
    ],
    "total": 1,
    "total_balance": 1250050,
    "request_time": 1596425770,
    "sign": "0123456789abcdef0123456789abcdef",
}
