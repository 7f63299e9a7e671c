"""Say whether a notification is ours: verify.py WEBHOOK_ID TIMESTAMP SIGNATURES < body"""

import base64
import hashlib
import hmac
import os
import sys
import time


def is_ours(webhook_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Compare with every signature that was sent; the body is the bytes that came, not JSON written anew."""
    if not timestamp.isdigit() or abs(time.time() - int(timestamp)) > 300:
        return False
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    mac = hmac.new(os.environ["PLATFORM_KEY"].encode(), signed, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(mac).decode()
    return any(hmac.compare_digest(wanted.encode(), given.encode()) for given in signatures.split(" "))


if __name__ == "__main__":
    found = is_ours(sys.argv[1], sys.argv[2], sys.argv[3], sys.stdin.buffer.read())
    sys.stdout.write("valid\n" if found else "invalid\n")
