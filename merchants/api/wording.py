"""Words about an API that its OpenAPI document, its page and its tests share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from diamondpay.lib import errors


@dataclass(frozen=True, slots=True)
class Status:
    """A state on the wire: its code and word, what to do, whether anything may follow it."""

    code: int | str
    word: errors.Words
    advice: errors.Words
    is_final: bool


def describe(document: Mapping[str, Any], meanings: Mapping[str, errors.Words]) -> None:
    """Give every field of an OpenAPI document that says nothing of itself its words; changes it in place."""
    for name, field in _fields(document["paths"]):
        if name in meanings and "description" not in field:
            field["description"] = str(meanings[name])


def _fields(node: object) -> Iterator[tuple[str, dict[str, Any]]]:
    """Go through every property of every schema below a node; examples hold none."""
    if isinstance(node, list):
        for member in node:
            yield from _fields(member)
    elif isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict):
            yield from properties.items()
        for name, member in node.items():
            if name not in ("example", "examples"):
                yield from _fields(member)
