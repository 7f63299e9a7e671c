"""The payment-detail API in Python 3.9 or newer.

detail.py create ORDER_NO CHAIN_ID TOKEN AMOUNT NOTIFY_URL | detail ORDER_NO | notify ORDER_NO
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

URL, KEY, SECRET = (os.environ[name] for name in ("DIAMONDPAY_URL", "PAY_KEY", "PAY_SECRET"))


def call(method: str, path: str, body: bytes = b"") -> str:
    """Sign and send; a refusal is an answer too."""
    moment = str(int(time.time()))
    signed = (moment + method + path).encode() + body
    signature = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    headers = {"X-PAY-KEY": KEY, "X-PAY-TIMESTAMP": moment, "X-PAY-SIGN": signature}
    if body:
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(URL + path, body or None, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            text: str = answer.read().decode()
            return text
    except urllib.error.HTTPError as refusal:
        return refusal.read().decode()


command, order = sys.argv[1:3]
if command == "create":
    chain, token, amount, notify_url = sys.argv[3:7]
    wanted = {
        "chainId": int(chain), "description": "A sample order", "outTradeNo": order, "isLegalTender": 0,
        "quoteCurrencySymbol": token, "quoteAmount": amount, "notifyUrl": notify_url,
    }  # fmt: skip
    answer = call("POST", "/payment/createPaymentOrder", json.dumps(wanted).encode())
else:
    answer = call("GET", f"/payment/{command}?outTradeNo={urllib.parse.quote(order, safe='')}")
sys.stdout.write(answer + "\n")
