"""The transaction-request API in Python 3: orders.py deposit ORDER_NO AMOUNT WEBHOOK_URL, status ORDER_NO."""

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.parse
import urllib.request


def call(method: str, path: str, body: dict[str, object] | None = None) -> str:
    """Sign the moment, send the call and return the answer's JSON as text."""
    access_key, moment = os.environ["ACCESS_KEY"], str(time.time_ns() // 1_000_000)
    message = f"{access_key}_{moment}".encode()
    signature = hmac.new(os.environ["SECRET_KEY"].encode(), message, hashlib.sha256).hexdigest().upper()
    request = urllib.request.Request(
        f"{os.environ['DIAMONDPAY_URL']}/api/v2/merchant/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "access-key": access_key,
            "timestamp": moment,
            "signature": signature,
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def deposit(order_no: str, amount: str, webhook_url: str) -> str:
    """Create a deposit; the amount may be sent as its digits, which keeps every decimal."""
    body: dict[str, object] = {
        "client": {"realName": "TEST_USER"},
        "depositCurrency": "CNY",
        "fiatCurrency": "CNY",
        "depositAmount": amount,
        "merchantOrderNo": order_no,
        "webhookUrl": webhook_url,
        "paymentMethod": {"method": 1},
    }
    return call("POST", "deposit", body)


if __name__ == "__main__":
    if sys.argv[1] == "deposit":
        found = deposit(sys.argv[2], sys.argv[3], sys.argv[4])
    else:
        found = call("GET", "transaction-request?merchantOrderNo=" + urllib.parse.quote(sys.argv[2], safe=""))
    sys.stdout.write(found + "\n")
