"""A Postman collection (format 2.1) of an OpenAPI document, whose requests sign themselves.

Every request stands ready with the document's first example, and gives a new order a new number. Where the
document asks for the three headers of the transaction-request API, a script signs the moment; where it asks
for those of the payment-detail API, the whole call. Else a script signs the body of a POST, and a GET carries
the token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

Json = Mapping[str, Any]
_FORMAT: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_SIGN: Final = """
const body = JSON.parse(pm.request.body.raw);
body.platform_id = pm.variables.get("platform_id");
body.request_time = Math.floor(Date.now() / 1000);
body.sign_type = "HMAC-SHA256";
for (const name of ["payment_cl_id", "payout_cl_id"]) {
  if (name in body) body[name] = `postman-${Date.now()}`;
}
delete body.sign;
const text = Object.keys(body)
  .filter((name) => name !== "sign_type" && body[name] !== "" && body[name] !== null)
  .sort()
  .map((name) => `${name}=${typeof body[name] === "string" ? body[name] : JSON.stringify(body[name])}`)
  .join("&");
body.sign = CryptoJS.HmacSHA256(text, pm.variables.get("platform_key")).toString(CryptoJS.enc.Hex);
pm.request.body.raw = JSON.stringify(body);
""".strip()
_SIGN_MOMENT: Final = """
const moment = String(Date.now());
const accessKey = pm.variables.get("access_key");
const signed = CryptoJS.HmacSHA256(`${accessKey}_${moment}`, pm.variables.get("secret_key"));
pm.request.headers.upsert({ key: "access-key", value: accessKey });
pm.request.headers.upsert({ key: "timestamp", value: moment });
pm.request.headers.upsert({ key: "signature", value: signed.toString(CryptoJS.enc.Hex).toUpperCase() });
if (pm.request.body && pm.request.body.raw) {
  const body = JSON.parse(pm.request.body.raw);
  body.merchantOrderNo = `postman-${moment}`;
  pm.request.body.raw = JSON.stringify(body);
}
""".strip()
_SIGN_CALL: Final = """
const moment = String(Math.floor(Date.now() / 1000));
let body = "";
if (pm.request.body && pm.request.body.raw) {
  const content = JSON.parse(pm.request.body.raw);
  content.outTradeNo = `postman-${Date.now()}`;
  body = JSON.stringify(content);
  pm.request.body.raw = body;
}
const path = pm.variables.replaceIn(pm.request.url.getPathWithQuery());
const made = CryptoJS.HmacSHA256(moment + pm.request.method + path + body, pm.variables.get("secret"));
pm.request.headers.upsert({ key: "X-PAY-KEY", value: pm.variables.get("key") });
pm.request.headers.upsert({ key: "X-PAY-TIMESTAMP", value: moment });
pm.request.headers.upsert({ key: "X-PAY-SIGN", value: made.toString(CryptoJS.enc.Base64) });
""".strip()
_BY_BODY: Final = ("platform_id", "platform_key", "authorization")
_BY_MOMENT: Final = ("access_key", "secret_key")
_BY_CALL: Final = ("key", "secret")


def collection(document: Json) -> dict[str, Any]:
    """Return the collection: a folder for each tag, a request for each operation, the keys as variables."""
    folders: dict[str, list[dict[str, Any]]] = {}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    secrets = _BY_CALL if _asks_for("X-PAY-KEY", operations[0]) else _BY_BODY
    secrets = _BY_MOMENT if any(_asks_for("access_key", one) for one in operations) else secrets
    variables = {"base_url": "http://127.0.0.1:8000", **dict.fromkeys(secrets, "")}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            folders.setdefault(operation["tags"][0], []).append(_item(path, method, operation))
    return {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"].strip(),
            "schema": _FORMAT,
        },
        "variable": [{"key": key, "value": value, "type": "string"} for key, value in variables.items()],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _item(path: str, method: str, operation: Json) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": method.upper(),
        "header": [],
        "url": _url(path, operation),
        "description": operation["summary"],
    }
    item: dict[str, Any] = {"name": operation["operationId"], "request": request, "response": []}
    script = ""
    for header, found in (("access_key", _SIGN_MOMENT), ("X-PAY-KEY", _SIGN_CALL)):
        script = found if _asks_for(header, operation) else script
    if script:
        item["event"] = [_before(script)]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        if not script:
            request["header"] = [{"key": "Authorization", "value": "{{authorization}}"}]
        return item
    example: Json = next(iter(content["examples"].values()))["value"]
    body = {name: value for name, value in example.items() if name not in ("sign", "sign_type")}
    request["header"] = [{"key": "Content-Type", "value": "application/json"}]
    request["body"] = {
        "mode": "raw",
        "raw": json.dumps(body, ensure_ascii=False, indent=2),
        "options": {"raw": {"language": "json"}},
    }
    item.setdefault("event", [_before(_SIGN)])
    return item


def _asks_for(header: str, operation: Json) -> bool:
    return any(given["name"] == header for given in operation.get("parameters", []))


def _before(script: str) -> dict[str, Any]:
    """Return a script that runs before its request is sent."""
    return {"listen": "prerequest", "script": {"type": "text/javascript", "exec": script.split("\n")}}


def _url(path: str, operation: Json) -> dict[str, Any]:
    """Return an address whose parts in braces are variables; queries are there, switched off."""
    parts = [f":{part[1:-1]}" if part.startswith("{") else part for part in path.strip("/").split("/")]
    given = operation.get("parameters", [])
    query = [
        {
            "key": parameter["name"],
            "value": str(parameter["schema"].get("default", "")),
            "description": parameter.get("description", ""),
            "disabled": True,
        }
        for parameter in given
        if parameter["in"] == "query"
    ]
    variables = [{"key": parameter["name"], "value": ""} for parameter in given if parameter["in"] == "path"]
    return {
        "raw": "{{base_url}}/" + "/".join(parts),
        "host": ["{{base_url}}"],
        "path": parts,
        "query": query,
        "variable": variables,
    }
