"""What the pages say of an operation, taken from its OpenAPI document and from nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from diamondpay.lib import errors

Json = Mapping[str, Any]
_PLAIN = {
    "string": _("text"),
    "integer": _("integer"),
    "number": _("number"),
    "boolean": _("true or false"),
    "object": _("object"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a call or an answer; inside another one it is `outer.inner`, in a list `outer[].inner`."""

    name: str
    kind: errors.Words
    is_required: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """An example of a body."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of an API."""

    id: str
    method: str
    path: str
    summary: str
    tag: str
    fields: Sequence[Field]
    parameters: Sequence[Field]
    answer: Sequence[Field]
    requests: Sequence[Sample]
    answers: Sequence[Sample]


def operations(document: Json) -> list[Operation]:
    """Return every operation of a document, those of one tag together, else in its order."""
    found = [
        _operation(path, method, described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]
    tags = list(dict.fromkeys(operation.tag for operation in found))
    return sorted(found, key=lambda operation: tags.index(operation.tag))


def _operation(path: str, method: str, found: Json) -> Operation:
    asked = found.get("requestBody", {}).get("content", {}).get("application/json", {})
    answered = found["responses"]["200"]["content"]["application/json"]
    return Operation(
        id=found["operationId"],
        method=method.upper(),
        path=path,
        summary=str(found["summary"]),
        tag=found["tags"][0],
        fields=list(_fields(asked.get("schema", {}))),
        parameters=[_parameter(given) for given in found.get("parameters", [])],
        answer=list(_fields(answered["schema"])),
        requests=_samples(asked),
        answers=_samples(answered),
    )


def _parameter(given: Json) -> Field:
    schema = given["schema"]
    words = _plain(given)
    if "default" in schema:
        words = f"{words}; {schema['default']}" if words else str(schema["default"])
    if given["in"] == "path":
        words = words or str(_("in the address, URL-encoded"))
    return Field(name=given["name"], kind=kind(schema), is_required=bool(given.get("required")), words=words)


def _plain(described: Json) -> str:
    """Return what a schema says of itself, without the marks that OpenAPI's readers turn into code."""
    return str(described.get("description", "")).replace("`", "")


def _samples(content: Json) -> list[Sample]:
    return [
        Sample(name=name, text=json.dumps(example["value"], ensure_ascii=False, indent=2))
        for name, example in content.get("examples", {}).items()
    ]


def _fields(schema: Json, prefix: str = "") -> Iterator[Field]:
    """Go through the fields of an object, depth first; of a choice of objects, the first is the success."""
    schema = schema["oneOf"][0] if "oneOf" in schema and "properties" not in schema else schema
    required = schema.get("required", ())
    for name, found in schema.get("properties", {}).items():
        full = prefix + name
        yield Field(name=full, kind=kind(found), is_required=name in required, words=_plain(found))
        if "properties" in found:
            yield from _fields(found, f"{full}.")
        elif "properties" in found.get("items", {}):
            yield from _fields(found["items"], f"{full}[].")


def kind(schema: Json) -> errors.Words:
    """Return the type of a field in words."""
    if "enum" in schema:
        return format_lazy(_("one of {values}"), values=", ".join(str(value) for value in schema["enum"]))
    if "oneOf" in schema:
        first = schema["oneOf"][0]
        is_text = first.get("type") == "string"
        words = _("{kind}; digits also as a number") if is_text else _("{kind}, or its digits as text")
        return format_lazy(words, kind=kind(first))
    if schema.get("type") == "array":
        return format_lazy(_("array of {kind}"), kind=kind(schema.get("items", {})))
    if "maxLength" in schema:
        return format_lazy(_("text, at most {count}"), count=schema["maxLength"])
    return _PLAIN.get(str(schema.get("type")), _("any"))
