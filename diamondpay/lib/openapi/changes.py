"""Which changes of an API break the programs of those who call it.

Additions are free: a new operation, an optional parameter, a further field of an answer. Whatever takes
something away or asks for more is named. An example, a word of description and the order of things never
break anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = Mapping[str, Any]
# A number in a schema below or above which a value is refused: how it may not move in what we accept.
_UPPER: Final = ("maxLength", "maximum", "exclusiveMaximum", "maxItems")
_LOWER: Final = ("minLength", "minimum", "exclusiveMinimum", "minItems")
_JSON: Final = "application/json"


def breaks(frozen: Json, current: Json) -> list[str]:
    """Return what breaks callers of the frozen document, one sentence each; empty when nothing does."""
    return list(_operations(frozen, current))


def _operations(frozen: Json, current: Json) -> Iterator[str]:
    for path, methods in frozen["paths"].items():
        for method, old in methods.items():
            place = f"{method.upper()} {path}"
            new = current["paths"].get(path, {}).get(method)
            if new is None:
                yield f"{place}: removed"
                continue
            yield from _security(place, old, new)
            yield from _parameters(place, old, new)
            yield from _bodies(place, old, new)
            yield from _answers(place, old, new)


def _security(place: str, old: Json, new: Json) -> Iterator[str]:
    if (new.get("security") or []) != (old.get("security") or []):
        yield f"{place}: asks for other credentials"


def _parameters(place: str, old: Json, new: Json) -> Iterator[str]:
    before = {(p["in"], p["name"]): p for p in old.get("parameters", [])}
    after = {(p["in"], p["name"]): p for p in new.get("parameters", [])}
    for key, parameter in before.items():
        name = f"{place}: parameter {key[1]}"
        if key not in after:
            yield f"{name} removed"
            continue
        yield from _schemas(name, parameter["schema"], after[key]["schema"], is_sent=True)
        if after[key].get("required") and not parameter.get("required"):
            yield f"{name} became required"
    for key, parameter in after.items():
        if key not in before and parameter.get("required"):
            yield f"{place}: parameter {key[1]} is new and required"


def _bodies(place: str, old: Json, new: Json) -> Iterator[str]:
    before = old.get("requestBody", {}).get("content", {})
    after = new.get("requestBody", {}).get("content", {})
    if not before and after:
        yield f"{place}: asks for a body"
    for media_type, content in before.items():
        if media_type not in after:
            yield f"{place}: takes no {media_type} any more"
        else:
            schema = after[media_type]["schema"]
            yield from _schemas(f"{place}: body", content["schema"], schema, is_sent=True)


def _answers(place: str, old: Json, new: Json) -> Iterator[str]:
    for status, answer in old["responses"].items():
        found = new["responses"].get(status)
        if found is None:
            yield f"{place}: answer {status} removed"
            continue
        before = answer.get("content", {}).get(_JSON, {}).get("schema", {})
        after = found.get("content", {}).get(_JSON, {}).get("schema", {})
        yield from _schemas(f"{place}: answer {status}", before, after, is_sent=False)


def _schemas(place: str, old: Json, new: Json, *, is_sent: bool) -> Iterator[str]:
    """Compare two schemas of what callers send us, or of what they get."""
    if "oneOf" in old or "oneOf" in new:
        yield from _choices(place, old, new, is_sent=is_sent)
        return
    if old.get("type") != new.get("type") or old.get("format") != new.get("format"):
        yield f"{place} changed its type from {_type(old)} to {_type(new)}"
        return
    yield from _values(place, old, new, is_sent=is_sent)
    if is_sent:
        yield from _bounds(place, old, new)
    elif new.get("nullable") and not old.get("nullable"):
        yield f"{place} may be null now"
    yield from _members(place, old, new, is_sent=is_sent)
    if "items" in old:
        yield from _schemas(f"{place}[]", old["items"], new.get("items", {}), is_sent=is_sent)


def _choices(place: str, old: Json, new: Json, *, is_sent: bool) -> Iterator[str]:
    """Compare alternatives in their order; one taken away breaks senders, one more breaks readers."""
    before, after = old.get("oneOf", [old]), new.get("oneOf", [new])
    for position, (one, other) in enumerate(zip(before, after, strict=False)):
        inner = place if position == 0 else f"{place} (alternative {position + 1})"
        yield from _schemas(inner, one, other, is_sent=is_sent)
    if len(after) < len(before) and is_sent:
        yield f"{place} takes fewer alternatives"
    if len(after) > len(before) and not is_sent:
        yield f"{place} has further alternatives"


def _values(place: str, old: Json, new: Json, *, is_sent: bool) -> Iterator[str]:
    """A value that is taken no more breaks senders; one that nobody knows yet breaks readers."""
    before, after = old.get("enum"), new.get("enum")
    if before == after:
        return
    if is_sent and after is not None:
        lost = [value for value in before or () if value not in after]
        if before is None or lost:
            yield (
                f"{place} takes only {after}" if before is None else f"{place} does not take {lost} any more"
            )
    if not is_sent and before is not None:
        more = None if after is None else [value for value in after if value not in before]
        if more is None or more:
            yield f"{place} may have {'any value' if more is None else more} now"


def _bounds(place: str, old: Json, new: Json) -> Iterator[str]:
    for name in (*_UPPER, *_LOWER):
        if name not in new:
            continue
        is_tighter = name not in old or (new[name] < old[name] if name in _UPPER else new[name] > old[name])
        if is_tighter:
            yield f"{place}: {name} is {new[name]}, was {old.get(name, 'free')}"
    if new.get("pattern") not in (None, old.get("pattern")):
        yield f"{place}: must fit another pattern"
    if old.get("nullable") and not new.get("nullable"):
        yield f"{place} may not be null any more"


def _members(place: str, old: Json, new: Json, *, is_sent: bool) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    for name, schema in before.items():
        if name not in after:
            yield f"{place}: field {name} removed"
        else:
            yield from _schemas(f"{place}: {name}", schema, after[name], is_sent=is_sent)
    was, is_now = set(old.get("required", ())), set(new.get("required", ()))
    if is_sent:
        yield from (f"{place}: field {name} became required" for name in sorted(is_now - was))
    else:
        lost = sorted(name for name in was - is_now if name in after)
        yield from (f"{place}: field {name} may be missing now" for name in lost)


def _type(schema: Json) -> str:
    return "/".join(str(schema[name]) for name in ("type", "format") if name in schema) or "anything"
