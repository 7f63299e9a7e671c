"""What is looked at in every answer: Schemathesis' own checks, read in each API's own way, and ours.

The gateway answers HTTP 200 to everything that has a code of its own. Whether a call was taken, refused or
not proved stands in `error_code`; for the checks that ask this, the answer is given the status that the code
means. What the document says of answers is compared with the answer as it came.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import requests
import schemathesis
from schemathesis import auths
from schemathesis.checks import CheckContext
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case as AnyCase
from schemathesis.hooks import HookContext
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.specs.openapi import checks as usual

from tests.fuzz import proofs, wire
from tests.fuzz.stage import Caller

if TYPE_CHECKING:
    from tests.fuzz.run import Run

# The status that each code of the gateway means. Source: gateway-api.md, section 6.
MEANINGS: Mapping[str, int] = {
    "0000": 200, "0001": 503, "0002": 400, "0003": 403, "0004": 401, "0005": 401, "0006": 401, "0007": 404,
    "0008": 422, "0009": 422, "0010": 403, "0011": 422, "0012": 422, "0013": 422, "0014": 409, "0015": 404,
    "0016": 422, "0017": 422, "0018": 422, "0019": 400, "0020": 404, "0021": 400, "0022": 415, "0023": 405,
    "0024": 409, "0025": 409, "0026": 400, "0027": 403, "0028": 422, "0029": 422, "0050": 404,
}  # fmt: skip
# What an API says when something went wrong that nobody foresaw.
_UNFORESEEN = {
    "gateway": ("error_msg", "Network delay. Please try again."),
    "transaction_request": ("message", "The service cannot take this now."),
    "payment_detail": ("description", "The service cannot take this now."),
}
# What only the book knows is wrong with parameters that are well formed.
_KNOWN_TO_THE_BOOK = (
    "more decimals than the currency",
    "the merchant has balances in",
    "the merchant has no balance in it",
    "is later than create_time__lte",
    "There is no such chain, or it is closed.",
    "The service is in another currency.",
    # A text of blanks alone, where a service wants more of a party than the API does.
    "This service requires it.",
    "the order was made without an address to notify",
)
# A case of an operation of whatever schema.
Case = AnyCase[Any]
_WIRE = "x-status-on-the-wire"
_REFUSED = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429"]
_runs: dict[int, Run] = {}


def settings(api: str) -> dict[str, Any]:
    """Return which of Schemathesis' checks look at an API, and what they expect.

    503 is a refusal of both newer APIs (no rate, no channel), so it is no server error by itself; one that
    nobody foresaw is found by `nothing_unforeseen`. Valid data may be refused for what only the book knows: a
    number that is taken, an amount outside the bounds, a key of another scope. It may not be malformed (400).
    """
    is_gateway = api == "gateway"
    return {
        "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
        "negative_data_rejection": {"expected-statuses": [*_REFUSED, "503"]},
        "positive_data_acceptance": {
            "expected-statuses": ["2xx", "401", "403", "404", "409", "422", "429", "503"]
        },
        "missing_required_header": {"expected-statuses": ["401"]},
        # Compared as they came, below; and a refusal to tell who calls is HTTP 200 with 0005 or 0006.
        "status_code_conformance": {"enabled": not is_gateway},
        "content_type_conformance": {"enabled": not is_gateway},
        "response_headers_conformance": {"enabled": not is_gateway},
        "response_schema_conformance": {"enabled": not is_gateway},
        "ignored_auth": {"enabled": not is_gateway},
    }


@contextmanager
def looking(schema: Any, run: Run) -> Iterator[None]:
    """Let answers to calls of a schema be looked at for a run, and its calls be proved."""
    _runs[id(schema)] = run

    class Provider:
        def get(self, case: Case, context: Any) -> Any:
            return run.dialect.get(case, context)

        def set(self, case: Case, data: Any, context: Any) -> None:
            run.dialect.set(case, data, context)

    schemathesis.auth(refresh_interval=None)(Provider)
    try:
        yield
    finally:
        auths.unregister()
        del _runs[id(schema)]


def told(api: str, response: Response) -> str:
    """Return what an answer says in one word: the gateway's code, or the HTTP status."""
    if api == "gateway" and wire_status(response) == 200:
        return str(_json(response).get("error_code", "?"))
    return str(wire_status(response))


def accepted_order(api: str, response: Response) -> tuple[str, str, str] | None:
    """Return kind, merchant and number of an order that an answer says was taken, None of any other."""
    caller: Caller | None = getattr(response.request, "_caller", None)
    if response.status_code != 200 or response.request.method != "POST" or caller is None:
        return None
    body = wire.plain(wire.loaded(wire.sent(response.request)))
    path = str(response.request.path_url)
    kind = "payout" if "payout" in path or "withdraw" in path else "payment"
    names = {
        "gateway": "payment_cl_id" if kind == "payment" else "payout_cl_id",
        "transaction_request": "merchantOrderNo",
        "payment_detail": "outTradeNo",
    }
    return kind, caller.merchant, str(body[names[api]])


def wire_status(response: Response) -> int:
    """Return the HTTP status that came."""
    return int(response.headers.get(_WIRE, [str(response.status_code)])[0])


@schemathesis.hook
def after_call(context: HookContext, case: Case, response: Response) -> None:
    """Count the answer, and give one of the gateway's the status that its code means."""
    run = _runs.get(id(case.operation.schema))
    if run is None:
        return
    if run.api == "gateway":
        response.headers[_WIRE] = [str(response.status_code)]
        if response.status_code == 200:
            response.status_code = MEANINGS.get(str(_json(response).get("error_code")), 500)
    run.note(case, response)


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Let valid data be refused as malformed where only the book can know that it is wrong.

    Let a parameter pass that was made wrong and is sent as nothing, which says the same as leaving it out,
    and a body that is right: a member which violates one of its two shapes may fit the other.
    """
    if isinstance(failure, AcceptedNegativeData):
        if "in body" in failure.message:
            return not _is_valid_body(case, response)
        return re.search(r"[?&][a-z_]+=(&|$)", str(response.request.url)) is None
    if not isinstance(failure, RejectedPositiveData):
        return True
    return not any(words in response.content.decode() for words in _KNOWN_TO_THE_BOOK)


def _is_valid_body(case: Case, response: Response) -> bool:
    """Say whether what was sent is a body as the document wants it."""
    schema = proofs.body_schema(case)
    body = wire.plain(wire.loaded(wire.sent(response.request)))
    return schema is not None and bool(jsonschema_rs.validator_for(schema).is_valid(body))


def _as_it_came(check: Callable[..., bool | None]) -> Callable[..., bool | None]:
    """Return a check of Schemathesis' that looks at the gateway's answer with the status that came."""

    def look(ctx: CheckContext, response: Response, case: Case) -> bool | None:
        if _WIRE not in response.headers:
            return None
        came = copy.copy(response)
        came.status_code = wire_status(response)
        came.headers = {name: value for name, value in response.headers.items() if name != _WIRE}
        return check(ctx, came, case)

    look.__name__ = f"gateway_{check.__name__}"
    return look


for _check in (
    usual.status_code_conformance,
    usual.content_type_conformance,
    usual.response_headers_conformance,
    usual.response_schema_conformance,
):
    schemathesis.check(_as_it_came(_check))


@schemathesis.check
def nothing_unforeseen(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """No answer is the one that is given when something failed in a way that nobody foresaw."""
    run = _runs[id(case.operation.schema)]
    name, words = _UNFORESEEN[run.api]
    assert wire_status(response) != 503 or _json(response).get(name) != words, response.content.decode()
    assert response.elapsed < 20, f"{response.elapsed} s"
    return None


@schemathesis.check
def proof_is_needed(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """A call that was taken is refused without its proof, and with another one; once for each operation."""
    run = _runs[id(case.operation.schema)]
    label = case.operation.label
    if response.status_code != 200 or label in run.proved or not hasattr(response.request, "_caller"):
        return None
    with requests.Session() as session:
        session.trust_env = False
        for words, request in run.dialect.unproven(response.request):
            answer = session.send(request, timeout=60)
            status = answer.status_code
            if run.api == "gateway" and status == 200:
                code = answer.json()["error_code"]
                status = 401 if code in ("0002", "0004", "0005", "0006") else MEANINGS[code]
            assert status == 401, f"{words}: {answer.status_code} {answer.text}"
    run.proved.add(label)
    return None


@schemathesis.check
def nobody_elses(ctx: CheckContext, response: Response, case: Case) -> bool | None:
    """No answer tells an order that is another merchant's."""
    caller: Caller | None = getattr(response.request, "_caller", None)
    run = _runs[id(case.operation.schema)]
    if response.status_code != 200 or caller is None or response.request.method != "GET":
        return None
    owners = {order.number: order.merchant for order in run.stage.known}
    told_numbers = set(_texts(_json(response).get("data"))) & set(owners)
    foreign = {number for number in told_numbers if owners[number] != caller.merchant}
    assert not foreign, f"{caller} was told of {foreign}"
    return None


def _texts(found: object) -> Iterator[str]:
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for member in found.values():
            yield from _texts(member)
    elif isinstance(found, list):
        for member in found:
            yield from _texts(member)


def _json(response: Response) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
