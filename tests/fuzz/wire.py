"""JSON as it goes over the wire: every number keeps the text that it was written with, for it is signed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
import requests


class Number:
    """A JSON number in the digits that are sent, without an exponent, which no API of ours takes."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = f"{Decimal(text):f}" if "e" in text.lower() else text

    def __repr__(self) -> str:
        return self.text


def loaded(body: bytes | str | None) -> Any:
    """Return what a body says, None for what is no JSON at all."""
    try:
        return json.loads(body or b"", parse_int=Number, parse_float=Number)
    except ValueError:
        return None


def sent(request: requests.PreparedRequest) -> bytes:
    """Return the bytes that a request carries."""
    body = request.body or b""
    assert isinstance(body, str | bytes), body
    return body.encode() if isinstance(body, str) else body


def dumped(content: Any) -> bytes:
    """Return content as JSON. Raises: TypeError for what has no form in UTF-8."""
    return orjson.dumps(content, default=_plain)


def plain(content: Any) -> Any:
    """Return content with ordinary numbers, as a schema's validator knows them."""
    if isinstance(content, Number):
        return json.loads(content.text)
    if isinstance(content, dict):
        return {name: plain(member) for name, member in content.items()}
    return [plain(member) for member in content] if isinstance(content, list) else content


def signed_text(value: Any) -> str:
    """Return a value as it enters the gateway's signature: as it was sent, arrays as compact JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else dumped(value).decode()


def canonical(fields: Mapping[str, Any]) -> str:
    """Return what is signed of a gateway call: every field but the signature's own that is not empty."""
    kept = {name: signed_text(fields[name]) for name in fields if name not in ("sign", "sign_type")}
    return "&".join(f"{name}={kept[name]}" for name in sorted(kept) if kept[name])


def _plain(value: object) -> Any:
    if isinstance(value, Number):
        return orjson.Fragment(value.text)
    raise TypeError(value)
