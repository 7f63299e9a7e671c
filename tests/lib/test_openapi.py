"""What breaks an API's callers is named; what does not is free."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from diamondpay.lib.openapi import changes, postman

Document = dict[str, Any]
Change = Callable[[Document], object]


def document() -> Document:
    sent = {
        "type": "object",
        "required": ["no"],
        "properties": {
            "no": {"type": "string", "maxLength": 64},
            "amount": {"oneOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]},
            "kind": {"type": "string", "enum": ["A", "B"]},
            "tails": {"type": "array", "items": {"type": "string"}},
        },
    }
    item = {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "string"}, "status": {"type": "integer", "enum": [0, 1]}},
    }
    answer = {"oneOf": [item, {"type": "object", "properties": {"error_code": {"type": "string"}}}]}
    answers = {"200": {"content": {"application/json": {"schema": answer}}}}
    body = {"content": {"application/json": {"schema": sent, "examples": {"One": {"value": {"no": "1"}}}}}}
    asked = [
        {"in": "path", "name": "no", "required": True, "schema": {"type": "string"}},
        {"in": "query", "name": "limit", "schema": {"type": "integer", "default": 25}},
    ]
    more = {"tags": ["Orders"], "summary": "S", "responses": answers}
    # Written and read again, so that no two operations share a part.
    text = json.dumps(
        {
            "info": {"title": "T", "description": "\nD\n"},
            "paths": {
                "/orders": {"post": {"operationId": "create", "requestBody": body, "security": [], **more}},
                "/orders/{no}": {"get": {"operationId": "read", "parameters": asked, **more}},
            },
        }
    )
    found: Document = json.loads(text)
    return found


def post(found: Document) -> Document:
    operation: Document = found["paths"]["/orders"]["post"]
    return operation


def get(found: Document) -> Document:
    operation: Document = found["paths"]["/orders/{no}"]["get"]
    return operation


def sent(found: Document) -> Document:
    schema: Document = post(found)["requestBody"]["content"]["application/json"]["schema"]
    return schema


def got(found: Document) -> Document:
    schema: Document = get(found)["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][0]
    return schema


BREAKING: dict[str, Change] = {
    "GET /orders/{no}: removed": lambda d: d["paths"].pop("/orders/{no}"),
    "POST /orders: removed": lambda d: d["paths"]["/orders"].pop("post"),
    "POST /orders: asks for other credentials": lambda d: post(d).update(security=[{"token": []}]),
    "POST /orders: body: field kind removed": lambda d: sent(d)["properties"].pop("kind"),
    "POST /orders: body: field kind became required": lambda d: sent(d)["required"].append("kind"),
    "POST /orders: body: field new became required": lambda d: sent(d)["required"].append("new"),
    "POST /orders: body: no: maxLength is 32, was 64": lambda d: sent(d)["properties"]["no"].update(
        maxLength=32
    ),
    "POST /orders: body: no: must fit another pattern": lambda d: sent(d)["properties"]["no"].update(
        pattern="^a"
    ),
    "POST /orders: body: kind does not take ['B'] any more": lambda d: sent(d)["properties"]["kind"][
        "enum"
    ].pop(),
    "POST /orders: body: no takes only ['A']": lambda d: sent(d)["properties"]["no"].update(enum=["A"]),
    "POST /orders: body: amount: minimum is 2, was 1": lambda d: sent(d)["properties"]["amount"]["oneOf"][
        0
    ].update(minimum=2),
    "POST /orders: body: amount takes fewer alternatives": lambda d: sent(d)["properties"]["amount"][
        "oneOf"
    ].pop(),
    "POST /orders: body: tails[] changed its type from string to integer": lambda d: sent(d)["properties"][
        "tails"
    ]["items"].update(type="integer"),
    "GET /orders/{no}: parameter limit removed": lambda d: get(d)["parameters"].pop(),
    "GET /orders/{no}: parameter limit became required": lambda d: get(d)["parameters"][1].update(
        required=True
    ),
    "GET /orders/{no}: parameter day is new and required": lambda d: get(d)["parameters"].append(
        {"in": "query", "name": "day", "required": True, "schema": {"type": "string"}}
    ),
    "GET /orders/{no}: parameter limit changed its type from integer to string": lambda d: get(d)[
        "parameters"
    ][1]["schema"].update(type="string"),
    "GET /orders/{no}: answer 200: field status removed": lambda d: got(d)["properties"].pop("status"),
    "GET /orders/{no}: answer 200: status may have [2] now": lambda d: got(d)["properties"]["status"][
        "enum"
    ].append(2),
    "GET /orders/{no}: answer 200: id changed its type from string to integer": lambda d: got(d)[
        "properties"
    ]["id"].update(type="integer"),
    "GET /orders/{no}: answer 200: id may be null now": lambda d: got(d)["properties"]["id"].update(
        nullable=True
    ),
    "GET /orders/{no}: answer 200: field id may be missing now": lambda d: got(d).update(required=[]),
    "GET /orders/{no}: answer 200 removed": lambda d: get(d)["responses"].clear(),
}
FREE: dict[str, Change] = {
    "a new operation": lambda d: d["paths"].update({"/more": d["paths"]["/orders"]}),
    "an optional field": lambda d: sent(d)["properties"].update(more={"type": "string"}),
    "an optional parameter": lambda d: get(d)["parameters"].append(
        {"in": "query", "name": "day", "schema": {"type": "string"}}
    ),
    "a field that is required no more": lambda d: sent(d)["required"].clear(),
    "a longer text": lambda d: sent(d)["properties"]["no"].update(maxLength=128),
    "a further value that we take": lambda d: sent(d)["properties"]["kind"]["enum"].append("C"),
    "a further field of an answer": lambda d: got(d)["properties"].update(more={"type": "string"}),
    "a value that is never answered again": lambda d: got(d)["properties"]["status"]["enum"].pop(),
    "other words": lambda d: sent(d)["properties"]["no"].update(description="other", example="other"),
    "another default": lambda d: get(d)["parameters"][1]["schema"].update(default=50),
}


def changed(change: Change) -> Document:
    found = document()
    change(found)
    return found


@pytest.mark.parametrize("sentence", BREAKING)
def test_a_change_that_breaks_callers_is_named(sentence: str) -> None:
    assert changes.breaks(document(), changed(BREAKING[sentence])) == [sentence]


@pytest.mark.parametrize("what", FREE)
def test_an_addition_is_free(what: str) -> None:
    assert changes.breaks(document(), changed(FREE[what])) == []


def test_a_document_never_breaks_itself() -> None:
    assert changes.breaks(document(), document()) == []


def test_a_collection_has_every_operation_with_its_address_and_credentials() -> None:
    (folder,) = postman.collection(document())["item"]
    create, read = folder["item"]
    assert folder["name"] == "Orders"
    assert create["request"]["url"]["raw"] == "{{base_url}}/orders"
    assert create["request"]["body"]["raw"] == '{\n  "no": "1"\n}'
    assert create["event"][0]["listen"] == "prerequest"
    assert read["request"]["url"]["path"] == ["orders", ":no"]
    assert read["request"]["header"] == [{"key": "Authorization", "value": "{{authorization}}"}]
    assert [(q["key"], q["value"], q["disabled"]) for q in read["request"]["url"]["query"]] == [
        ("limit", "25", True)
    ]
