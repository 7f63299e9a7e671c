"""What surrounds every operation, said in an OpenAPI document: a body that must be there, and headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from merchants.api import guard

Json = Mapping[str, Any]


def _number(words: str, *, is_required: bool = True) -> Json:
    return {
        "description": words,
        "required": is_required,
        "schema": {"type": "integer", "minimum": 0},
    }


_HEADERS: Final[Mapping[str, Json]] = {
    "RateLimit-Limit": _number("Calls within a minute that the nearest limit allows."),
    "RateLimit-Remaining": _number("How many of them are left."),
    "RateLimit-Reset": _number("Seconds until all of them may be used again."),
    "Retry-After": _number("Seconds to wait before the next call."),
    "Allow": {
        "description": "The methods that the address takes.",
        "required": True,
        "schema": {"type": "string", "pattern": "^(GET|POST)(, (GET|POST))*$"},
    },
    guard.ANSWER_SIGNATURE: {
        "description": "A proof that the answer is ours and answers this call; there once we know who calls.",
        "schema": {"type": "string", "pattern": "^[0-9A-F]{64}$"},
    },
}
_ALWAYS: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", guard.ANSWER_SIGNATURE)
_BY_STATUS: Final[Mapping[str, tuple[str, ...]]] = {"405": ("Allow",), "429": ("Retry-After",)}


def describe(document: dict[str, Any]) -> None:
    """Say of every operation that its body must be there, and of every answer its headers; in place."""
    document.setdefault("components", {})["headers"] = {name: dict(found) for name, found in _HEADERS.items()}
    for methods in document["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            for status, answer in operation["responses"].items():
                names = (*_ALWAYS, *_BY_STATUS.get(status, ()))
                answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
