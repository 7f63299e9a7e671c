"""The frozen documents of the APIs: a change that would break merchants stops here.

A red test means: make the change an addition, or, where the break is meant and merchants were told, run
`.venv/bin/python manage.py api_files --accept-breaking-change` and commit what it writes.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from diamondpay.lib import signing
from diamondpay.lib.openapi import changes, postman
from diamondpay.management.commands import api_files

APIS = list(api_files.APIS)
ACCEPT = "Meant? Then: .venv/bin/python manage.py api_files --accept-breaking-change"
RENEW = "Out of date. Run: .venv/bin/python manage.py api_files"
# What Postman gives a script, around the script itself.
_STAGE = """
const { createHmac } = require("node:crypto");
const CryptoJS = {
  enc: { Hex: "hex", Base64: "base64" },
  HmacSHA256: (text, key) => ({ toString: (kind) => createHmac("sha256", key).update(text).digest(kind) }),
};
const values = {
  platform_id: "PF0002", platform_key: "ThisIsYourSecretKey123", access_key: "AK", secret_key: "SK",
  key: "PK", secret: "PS",
};
const sent = {};
const pm = {
  request: {
    body: { raw: process.argv[1] },
    method: process.argv[2],
    url: { getPathWithQuery: () => process.argv[3] },
    headers: { upsert: ({ key, value }) => { sent[key] = value; } },
  },
  variables: { get: (name) => values[name], replaceIn: (text) => text },
};
"""


def kept(kind: str, api: str) -> str:
    return (api_files.FOLDER / kind / f"{api}.json").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what is frozen now, written by the command."""
    call_command("api_files", folder=tmp_path, stdout=(tmp_path / "out").open("w"))
    return tmp_path


@pytest.mark.parametrize("api", APIS)
def test_nothing_breaks_those_who_call_the_frozen_api(api: str) -> None:
    broken = changes.breaks(json.loads(kept("openapi", api)), api_files.current(api))
    assert broken == [], "\n".join([*broken, ACCEPT])


@pytest.mark.parametrize("api", APIS)
def test_the_frozen_document_is_the_one_that_is_served(api: str) -> None:
    assert kept("openapi", api) == api_files.text(api_files.current(api)), RENEW


@pytest.mark.parametrize("api", APIS)
def test_the_collection_is_the_one_of_the_document(api: str) -> None:
    assert kept("postman", api) == api_files.text(postman.collection(api_files.current(api))), RENEW


def test_the_command_refuses_a_break_and_takes_it_when_told(folder: Path) -> None:
    file = folder / "openapi" / "gateway.json"
    wanted = file.read_text()
    frozen = json.loads(wanted)
    del frozen["paths"]["/gateway/api/v2/platforms/balance"]["get"]["responses"]["200"]
    frozen["paths"]["/gateway/api/v9/gone"] = frozen["paths"]["/gateway/api/v1/payments"]
    file.write_text(json.dumps(frozen))
    before = file.read_bytes()
    with pytest.raises(CommandError, match=r"GET /gateway/api/v9/gone: removed") as refused:
        call_command("api_files", folder=folder)
    assert "--accept-breaking-change" in str(refused.value)
    assert file.read_bytes() == before
    with (folder / "out").open("w") as out:
        call_command("api_files", folder=folder, accept_breaking_change=True, stdout=out)
    assert file.read_text() == wanted


def requests(api: str = "gateway") -> Iterator[dict[str, Any]]:
    for group in json.loads(kept("postman", api))["item"]:
        yield from group["item"]


@pytest.mark.parametrize("api", APIS)
def test_the_collection_has_all_operations_and_no_secret(api: str) -> None:
    paths = json.loads(kept("openapi", api))["paths"].values()
    wanted = {operation["operationId"] for methods in paths for operation in methods.values()}
    assert {request["name"] for request in requests(api)} == wanted
    variables = json.loads(kept("postman", api))["variable"]
    assert [v["key"] for v in variables if v["value"]] == ["base_url"]


def ran(request: dict[str, Any]) -> dict[str, Any]:
    """Run a request's script; return the body and the headers it would send."""
    script = "\n".join(request["event"][0]["script"]["exec"])
    told = "console.log(JSON.stringify({ body: pm.request.body.raw, sent }));"
    raw = request["request"].get("body", {}).get("raw", "")
    path = "/".join(request["request"]["url"]["path"])
    finished = subprocess.run(
        ["node", "-e", f"{_STAGE}\n{script}\n{told}", raw, request["request"]["method"], "/" + path],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(finished.stdout)
    return found


@pytest.mark.parametrize("name", ["createPaymentV1", "createPaymentV2", "createPayoutV1", "createPayoutV2"])
def test_a_request_of_the_collection_signs_its_body(name: str) -> None:
    (request,) = (found for found in requests() if found["name"] == name)
    body = json.loads(ran(request)["body"])
    assert (body["platform_id"], body["sign_type"]) == ("PF0002", "HMAC-SHA256")
    assert body.get("payment_cl_id", body.get("payout_cl_id")).startswith("postman-")
    assert signing.verify(body, "ThisIsYourSecretKey123", "HMAC-SHA256", body["sign"])


def test_a_request_of_the_other_collection_signs_its_moment() -> None:
    for request in requests("transaction_request"):
        found = ran(request)
        sent = found["sent"]
        assert sent["access-key"] == "AK"
        assert signing.verify_access(
            access_key="AK", secret_key="SK", timestamp=sent["timestamp"], signature=sent["signature"]
        )
        if request["request"]["method"] == "POST":
            assert json.loads(found["body"])["merchantOrderNo"] == f"postman-{sent['timestamp']}"


def test_a_request_of_the_payment_detail_collection_signs_the_whole_call() -> None:
    for request in requests("payment_detail"):
        found = ran(request)
        sent = found["sent"]
        assert sent["X-PAY-KEY"] == "PK"
        assert signing.verify_detail(
            secret="PS", timestamp=sent["X-PAY-TIMESTAMP"], method=request["request"]["method"],
            paths=["/" + "/".join(request["request"]["url"]["path"])], body=found["body"].encode(),
            signature=sent["X-PAY-SIGN"],
        )  # fmt: skip
