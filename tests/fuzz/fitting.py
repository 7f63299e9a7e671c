"""What makes a generated call one that can hit something.

A generated text is a valid order number, and almost never that of an order; a valid address, and never one
that answers. Values that fit the schema are exchanged for others that fit it and mean something: a service of
the caller's, an address that listens, a number of an order that is there, its own or somebody else's. Values
that do not fit stay as they are, so a call that was made to be refused is refused for what was made wrong.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import jsonschema_rs

from tests.fuzz import wire
from tests.fuzz.stage import Caller, Known, Stage
from tests.fuzz.wire import Number

_NUMBERS = (
    "payment_id", "payout_id", "payment_cl_id", "payout_cl_id", "outPaymentNo", "outTradeNo",
    "merchantOrderNo", "requestCode",
)  # fmt: skip
# Of these an API wants one or the other.
_EITHER = ("outTradeNo", "outPaymentNo", "merchantOrderNo", "requestCode")
# More digits than a number may have, or minus zero.
_LONG = re.compile(r"[0-9.]{38}|-0(\.0*)?\b")
# What a service asks for, by the fields' names in the gateway API.
_PARTY: Mapping[str, tuple[str, Any]] = {
    "name": ("name", "Wang Xiaoming"),
    "number": ("number", "6222020200112233445"),
    "last_number": ("last_number", "33445"),
    "bank": ("bank_id", "BK0003"),
    "phone": ("phone", "13800138000"),
    "id_number": ("id_number", "12345678909"),
    "remark_code": ("remark_code", "R4711"),
    "ifsc_code": ("ifsc_code", "HDFC0000123"),
}
_AMOUNTS = (10000, 50000, 123456, 300000, 30000000, 1, 99, 10**15, 10**21)
_BANKS = ("BK0003", "BK0001", "BK9999")


@dataclass(frozen=True, slots=True)
class Dice:
    """Choices that depend on the call alone, so that a run with the same seed is the same run."""

    seed: bytes

    def pick(self, name: str, choices: Sequence[Any]) -> Any:
        """Return one of the choices."""
        digest = hashlib.sha256(self.seed + name.encode()).digest()
        return choices[int.from_bytes(digest[:8], "big") % len(choices)]

    def number(self) -> str:
        """Return an order number that only the same call has."""
        return f"F{hashlib.sha256(self.seed).hexdigest()[:20].upper()}"


def dice(*parts: bytes | str | None) -> Dice:
    """Return the dice of a call."""
    return Dice(b"\0".join(part.encode() if isinstance(part, str) else part or b"" for part in parts))


class Fitting:
    """Exchanges values of the calls of one API."""

    def __init__(self, stage: Stage, api: str) -> None:
        self.api = api
        self.stage = stage
        self.callers = [caller for caller in stage.callers if caller.api == api]
        self._full = [caller for caller in self.callers if caller.kind == "full"]
        self._valid: dict[tuple[str, str], Callable[[Any], bool]] = {}

    def caller(self, chance: Dice, *, is_creating: bool) -> Caller:
        """Return whose call it is: mostly a key that may do everything, of one who can have it."""
        kind = chance.pick("kind", ("full",) * 9 + ("any",))
        callers = self._full if kind == "full" else self.callers
        wanted = {
            ("transaction_request", True): self.stage.settled,
            ("transaction_request", False): self.stage.settled[:1],
            ("payment_detail", True): self.stage.chained,
            ("payment_detail", False): self.stage.settled[:1],
        }.get((self.api, is_creating))
        if wanted is not None and chance.pick("fit", (1, 1, 1, 1, 0)):
            callers = [caller for caller in callers if caller.merchant in wanted]
        found: Caller = chance.pick("caller", callers or self._full)
        return found

    def known(self, chance: Dice, caller: Caller, kind: str, *, is_told: bool = False) -> Known:
        """Return an order that is there: mostly the caller's own; one whose merchant is told of it."""
        orders = [
            order for order in self.stage.known if order.kind == kind and (order.is_told or not is_told)
        ]
        own = [order for order in orders if order.merchant == caller.merchant]
        found: Known = chance.pick("known", own if own and chance.pick("own", (1, 1, 1, 0)) else orders)
        return found

    def fit(self, body: dict[str, Any], schema: Mapping[str, Any], caller: Caller, chance: Dice) -> None:
        """Exchange the values of a call's body, in place."""
        ways = {
            "gateway": self._gateway,
            "transaction_request": self._transaction_request,
            "payment_detail": self._payment_detail,
        }
        ways[self.api](body, schema, caller, chance)

    def _gateway(self, body: dict[str, Any], schema: Mapping[str, Any], caller: Caller, chance: Dice) -> None:
        direction = "deposit" if "payment_cl_id" in schema["properties"] else "payout"
        services = self.stage.services[caller.merchant]
        fitting = [one for one in services if one["direction"] == direction]
        service = chance.pick(
            "service", fitting if fitting and chance.pick("sense", (1,) * 9 + (0,)) else services
        )
        values: dict[str, Any] = {
            "platform_id": caller.key,
            "service_id": service["id"],
            "amount": Number(str(chance.pick("amount", _AMOUNTS))),
            "notify_url": self.stage.notify_url,
            "bank_id": chance.pick("bank", _BANKS),
            "bank_code": "ICBC",
            "bank_name": "ICBC",
            "last_number": "33445",
            "last_numbers": ["33445", Number("67890")],
        }
        if chance.pick("fresh", (1, 1, 1, 0)):
            values |= {"payment_cl_id": chance.number(), "payout_cl_id": chance.number()}
        self._exchange(body, schema, values, is_text=isinstance(body.get("amount"), str))
        for name in ("currency", "platform_channel_id"):
            if name in body and self.fits(schema, name, body[name]) and chance.pick(name, (1, 1, 1, 0)):
                del body[name]
        for wanted in service["fields"]:
            name, value = _PARTY[wanted]
            if name in schema["properties"] and all(
                self._is_lacking(body, schema, other) for other in _others(name)
            ):
                body[name] = value

    def _transaction_request(
        self, body: dict[str, Any], schema: Mapping[str, Any], _caller: Caller, chance: Dice
    ) -> None:
        amount = Number(chance.pick("amount", ("100", "1234.56", "20.5", "0.01", "99999", "1000000000000")))
        values: dict[str, Any] = {
            "webhookUrl": self.stage.notify_url,
            "fiatCurrency": chance.pick("fiat", ("CNY", "CNY", "CNY", "HKD")),
            "depositAmount": amount,
            "withdrawAmount": amount,
            "paymentMethod": {"method": chance.pick("method", (1, 1, 3, 31, 16, 8))},
        }
        if chance.pick("fresh", (1, 1, 1, 0)):
            values["merchantOrderNo"] = chance.number()
        self._exchange(body, schema, values)
        for name in ("depositCurrency", "withdrawCurrency"):
            if name in body and self.fits(schema, name, body[name]) and body[name] != "MTC":
                body[name] = body.get("fiatCurrency", "CNY")

    def _payment_detail(
        self, body: dict[str, Any], schema: Mapping[str, Any], _caller: Caller, chance: Dice
    ) -> None:
        is_fiat = body.get("isLegalTender")
        symbol = (
            ("CNY", "USD") if isinstance(is_fiat, Number) and is_fiat.text == "1" else ("USDT", "USDT", "ETH")
        )
        values = {
            "chainId": chance.pick("chain", (self.stage.chain,) * 7 + (1,)),
            "quoteCurrencySymbol": chance.pick("symbol", symbol),
            "quoteAmount": chance.pick("amount", ("100", "12.5", "0.000001", "7000", "1000000000000000000")),
            "notifyUrl": self.stage.notify_url,
            "redirectionUrl": "https://example.com/thanks",
        }
        if chance.pick("fresh", (1, 1, 1, 0)):
            values["outTradeNo"] = chance.number()
        self._exchange(body, schema, values)

    def url(
        self, url: str, template: str, schemas: Mapping[str, Any], caller: Caller, chance: Dice,
        *, is_valid: bool,
    ) -> str:  # fmt: skip
        """Return an address whose order numbers are, every other time, those of orders that are there.

        Of two numbers of which one must be given, a valid call gets one.
        """
        kinds = (
            ("payment", "payout")
            if "request" in template
            else ("payout" if "payout" in template else "payment",)
        )
        is_told = template.endswith("notify")
        numbers = _numbers(self.known(chance, caller, chance.pick("kind", kinds), is_told=is_told))
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
        names = [name for name, _value in query]
        is_hit = bool(chance.pick("hit", (1, 0)))
        fresh = [
            (name, numbers[name] if is_hit and self._is_number(name, value, names, schemas) else value)
            for name, value in query
        ]
        either = [name for name in _EITHER if name in schemas]
        if is_valid and either and not any(value for name, value in query if name in either):
            fresh = [(name, value) for name, value in fresh if name not in either]
            fresh.append((either[0], numbers[either[0]]))
        currencies = self.stage.currencies[caller.merchant]
        if is_valid and "currency" in schemas and chance.pick("name", (1, 1, 1, 0)):
            fresh = [(name, value) for name, value in fresh if name != "currency"]
            fresh.append(("currency", chance.pick("currency", currencies)))
        path = parts.path
        for name in ("payment_cl_id", "payout_cl_id"):
            head, mark, _rest = template.partition(f"{{{name}}}")
            is_one = mark and path.startswith(head) and "/" not in path[len(head) :]
            if is_hit and is_one and self._is_number(name, unquote(path[len(head) :]), [name], schemas):
                path = head + quote(numbers[name], safe="")
        text = urlencode(fresh) if fresh != query else parts.query
        return urlunsplit((parts.scheme, parts.netloc, path, text, ""))

    def fits(self, schema: Mapping[str, Any], name: str, value: Any) -> bool:
        """Say whether a value is one that the schema lets a member have."""
        key = (str(id(schema)), name)
        if key not in self._valid:
            self._valid[key] = jsonschema_rs.validator_for(schema["properties"][name]).is_valid
        return self._valid[key](wire.plain(value))

    def _is_number(self, name: str, value: str, names: Sequence[str], schemas: Mapping[str, Any]) -> bool:
        """Say whether a parameter is a valid number of an order, given once."""
        if name not in _NUMBERS or name not in schemas or names.count(name) != 1:
            return False
        key = (f"{sorted(schemas)}", name)
        if key not in self._valid:
            self._valid[key] = jsonschema_rs.validator_for(schemas[name]).is_valid
        return self._valid[key](value)

    def _is_lacking(self, body: Mapping[str, Any], schema: Mapping[str, Any], name: str) -> bool:
        """Say whether a member was left out, and not made wrong."""
        if name not in body:
            return name not in schema["required"]
        return body[name] in (None, "", []) and self.fits(schema, name, body[name])

    def _exchange(
        self,
        body: dict[str, Any],
        schema: Mapping[str, Any],
        values: Mapping[str, Any],
        *,
        is_text: bool = False,
    ) -> None:
        for name, value in values.items():
            if body.get(name) and name in schema["properties"] and self.fits(schema, name, body[name]):
                body[name] = value.text if name == "amount" and is_text else value


def without_oddities(body: dict[str, Any], schema: Mapping[str, Any]) -> None:
    """Take away further members that no document can refuse and every API of ours does, in place.

    OpenAPI 3.0 has no words for what the name of a further member may be, how deep it nests, or how many
    digits a number has. Of the gateway's, the signed text would be ambiguous.
    """
    known = schema.get("properties", {})
    for name in list(body):
        if name in known:
            if isinstance(body[name], dict):
                without_oddities(body[name], known[name])
            continue
        texts = name + wire.signed_text(body[name])
        is_ambiguous = any(mark in name for mark in "&=") or "&" in texts or not texts.isprintable()
        if (
            not name
            or is_ambiguous
            or "\\" in texts
            or _LONG.search(texts)
            or re.search(r"[\[{].*[\[{]", texts)
        ):
            del body[name]


def _numbers(order: Known) -> dict[str, str]:
    """Return an order's numbers by the parameters that ask for them."""
    return {
        "payment_id": order.number, "payout_id": order.number, "outPaymentNo": order.number,
        "payment_cl_id": order.merchant_order_no, "payout_cl_id": order.merchant_order_no,
        "outTradeNo": order.merchant_order_no, "merchantOrderNo": order.merchant_order_no,
        "requestCode": order.request_code,
    }  # fmt: skip


def _others(name: str) -> tuple[str, ...]:
    if name == "bank_id":
        return ("bank_id", "bank_code", "bank_name")
    return ("last_number", "last_numbers") if name == "last_number" else (name,)
