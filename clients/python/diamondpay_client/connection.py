"""What every client of this package is: a connection that is closed once, by whoever opened it."""

from __future__ import annotations

import hashlib
import hmac
import json
from types import TracebackType
from typing import Any, Self

import httpx


class Connection:
    """One merchant's connection. Thread-safe as httpx is; close it, or use it as a context.

    `http` replaces the connection, for proxies, certificates or tests; the caller closes it.
    """

    def __init__(self, *, timeout_seconds: float, http: httpx.Client | None) -> None:
        self._owns_http = http is None
        self._http = http or httpx.Client(timeout=timeout_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection, unless it was given."""
        if self._owns_http:
            self._http.close()


def json_object(body: bytes, **options: Any) -> dict[str, Any]:
    """Return a JSON object; an empty one where there is none. `options` are those of `json.loads`."""
    try:
        found = json.loads(body, **options)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def is_signed_answer(answer: httpx.Response, *, secret: str, signature: str) -> bool:
    """Say whether an answer was signed with the secret as the answer to the call with this signature."""
    signed = f"{signature}_{answer.status_code}_".encode() + answer.content
    wanted = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest().upper()
    return hmac.compare_digest(wanted.encode(), answer.headers.get("X-Answer-Signature", "").encode())
