"""The gateway API in Python 3, with the standard library alone."""

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.parse
import urllib.request

USAGE = """usage:
  gateway.py deposit ORDER_NO AMOUNT_X100 NOTIFY_URL
  gateway.py deposit-status ORDER_NO
  gateway.py payout ORDER_NO AMOUNT_X100 NAME ACCOUNT_NO
  gateway.py payout-status ORDER_NO
  gateway.py balance"""


def canonical(params: dict[str, object]) -> str:
    """Return the string that is signed."""
    kept = {k: v for k, v in params.items() if k not in ("sign", "sign_type") and v not in ("", None)}
    return "&".join(f"{name}={as_sent(kept[name])}" for name in sorted(kept))


def as_sent(value: object) -> str:
    """Return texts as they are, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def call(method: str, path: str, body: dict[str, object] | None = None) -> str:
    """Send a request and return the answer's JSON as text."""
    headers = {"Content-Type": "application/json"}
    if body is None:
        headers["Authorization"] = os.environ["AUTHORIZATION"]
    request = urllib.request.Request(
        os.environ["DIAMONDPAY_URL"] + "/gateway/api" + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers=headers,
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def create(path: str, params: dict[str, object]) -> str:
    """Sign and send an order."""
    params = {**params, "platform_id": os.environ["PLATFORM_ID"], "request_time": int(time.time())}
    key = os.environ["PLATFORM_KEY"].encode()
    sign = hmac.new(key, canonical(params).encode(), hashlib.sha256).hexdigest()
    return call("POST", path, {**params, "sign_type": "HMAC-SHA256", "sign": sign})


def main(command: str = "", *given: str) -> str:
    """Do what the command line asks for."""
    order = {"amount": int(given[1])} if len(given) > 1 else {}
    if command == "deposit":
        fields = {"service_id": "SVC0001", "payment_cl_id": given[0], "notify_url": given[2]}
        return create("/v2/payments", {**fields, **order})
    if command == "payout":
        fields = {"service_id": "SVC0004", "payout_cl_id": given[0], "name": given[2], "number": given[3]}
        return create("/v2/payouts", {**fields, **order})
    if command == "deposit-status":
        return call("GET", "/v2/payments/" + urllib.parse.quote(given[0], safe=""))
    if command == "payout-status":
        return call("GET", "/v2/payouts/" + urllib.parse.quote(given[0], safe=""))
    if command == "balance":
        return call("GET", "/v2/platforms/balance")
    sys.exit(USAGE)


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]) + "\n")
