"""The calls of the gateway API."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx

from diamondpay_client import reading, signing
from diamondpay_client.connection import Connection, json_object
from diamondpay_client.errors import OutcomeUnknown, Refused, SignatureInvalid
from diamondpay_client.models import Balance, CreatedDeposit, CreatedPayout, Deposit, Page, Payout

Item = TypeVar("Item")
_SUCCESS: Final = "0000"
# "Network delay": the API does not say whether anything was done.
_UNSURE: Final = "0001"
_WAIT_SECONDS_MAX: Final = 30.0


class _Unsure(OutcomeUnknown):
    """An unknown outcome that may be asked for again after a while."""

    def __init__(self, reason: str, *, wait_seconds: float) -> None:
        self.wait_seconds = wait_seconds
        super().__init__(reason)


class Client(Connection):
    """One merchant's connection. Thread-safe as httpx is; close it, or use it as a context.

    `repeats`: how often a create call is sent again, with the same content, while its outcome is unknown.
    `http` replaces the connection, for proxies, certificates or tests; the caller closes it.
    """

    def __init__(
        self,
        *,
        url: str,
        platform_id: str,
        platform_key: str,
        authorization: str,
        sign_type: str = signing.HMAC_SHA256,
        repeats: int = 2,
        wait_seconds: float = 1.0,
        timeout_seconds: float = 30.0,
        http: httpx.Client | None = None,
    ) -> None:
        super().__init__(timeout_seconds=timeout_seconds, http=http)
        self._base = f"{url.rstrip('/')}/gateway/api"
        self._platform_id = platform_id
        self._key = platform_key
        self._authorization = authorization
        self._sign_type = sign_type
        self._repeats = repeats
        self._wait_seconds = wait_seconds

    def create_deposit(
        self,
        *,
        service_id: str,
        order_no: str,
        amount: Decimal | int,
        notify_url: str,
        **fields: str | list[str],
    ) -> CreatedDeposit:
        """Create a deposit; `fields` are the optional ones of the service, such as `name` or `bank_code`.

        Raises: Refused; OutcomeUnknown: the deposit may exist.
        """
        data = self._create(
            "/v2/payments",
            {
                **fields,
                "service_id": service_id,
                "payment_cl_id": order_no,
                "amount": reading.whole(amount),
                "notify_url": notify_url,
            },
        )
        return CreatedDeposit(
            id=reading.text(data, "payment_id"),
            order_no=reading.text(data, "payment_cl_id"),
            amount=reading.amount(data, "amount"),
            link=reading.text(data, "link"),
        )

    def create_payout(
        self,
        *,
        service_id: str,
        order_no: str,
        amount: Decimal | int,
        name: str,
        number: str,
        **fields: str,
    ) -> CreatedPayout:
        """Create a payout; it is accepted when this returns, not paid.

        Raises: Refused; OutcomeUnknown: the payout may exist and be paid.
        """
        data = self._create(
            "/v2/payouts",
            {
                **fields,
                "service_id": service_id,
                "payout_cl_id": order_no,
                "amount": reading.whole(amount),
                "name": name,
                "number": number,
            },
        )
        return CreatedPayout(id=reading.text(data, "payout_id"), order_no=order_no)

    def deposit(self, order_no: str) -> Deposit:
        """Return one deposit by the merchant's number.

        Raises: Refused with 0050 when there is none; OutcomeUnknown.
        """
        return reading.deposit(_object(self._get(f"/v2/payments/{quote(order_no, safe='')}")))

    def payout(self, order_no: str) -> Payout:
        """Return one payout by the merchant's number.

        Raises: Refused with 0050 when there is none; OutcomeUnknown.
        """
        return reading.payout(_object(self._get(f"/v2/payouts/{quote(order_no, safe='')}")))

    def deposits(self, **query: str | int) -> Page[Deposit]:
        """Return deposits, newest first.

        `query`: `offset`, `limit`, `payment_id`, `payment_cl_id`, `create_time__gte`, `create_time__lte`.

        Raises: Refused; OutcomeUnknown; SignatureInvalid.
        """
        return self._page("/v1/payments", query, reading.deposit)

    def payouts(self, **query: str | int) -> Page[Payout]:
        """Return payouts, newest first; the query is that of deposits with `payout_…`.

        Raises: Refused; OutcomeUnknown; SignatureInvalid.
        """
        return self._page("/v1/payouts", query, reading.payout)

    def balance(self, currency: str = "") -> Balance:
        """Return the sums of the wallets; a merchant with several currencies names one.

        Raises: Refused; OutcomeUnknown.
        """
        query = {"currency": currency} if currency else {}
        data = _object(self._get("/v2/platforms/balance", query))
        return Balance(
            available=reading.amount(data, "total_balance"),
            frozen=reading.amount(data, "total_frozen_balance"),
        )

    def _page(
        self, path: str, query: Mapping[str, str | int], read: Callable[[Mapping[str, object]], Item]
    ) -> Page[Item]:
        answer = self._get(path, query)
        items = answer["data"]
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise OutcomeUnknown("the answer holds no list")
        if not all(signing.is_signed(item, self._key) for item in items):
            raise SignatureInvalid("an item of the list is not signed with this key")
        return Page(items=[read(item) for item in items], total=reading.number(answer, "total"))

    def _create(self, path: str, fields: Mapping[str, object]) -> dict[str, Any]:
        """Send an order until its outcome is known or the repeats are used up."""
        for repeat in range(self._repeats + 1):
            try:
                return _object(self._send("POST", path, json=self._signed(fields)))
            except _Unsure as fault:
                if repeat == self._repeats:
                    raise
                time.sleep(min(fault.wait_seconds, _WAIT_SECONDS_MAX))
        raise OutcomeUnknown("nothing was sent")

    def _signed(self, fields: Mapping[str, object]) -> dict[str, object]:
        params = {**fields, "platform_id": self._platform_id, "request_time": int(time.time())}
        sign = signing.sign(params, self._key, self._sign_type)
        return {**params, "sign_type": self._sign_type, "sign": sign}

    def _get(self, path: str, query: Mapping[str, str | int] | None = None) -> dict[str, Any]:
        return self._send("GET", path, params=query, headers={"Authorization": self._authorization})

    def _send(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Return the answer of a call that was carried out."""
        try:
            answer = self._http.request(method, self._base + path, **options)
        except httpx.TransportError as fault:
            raise _Unsure(f"no answer: {type(fault).__name__}", wait_seconds=self._wait_seconds) from fault
        content = json_object(answer.content)
        code = content.get("error_code")
        if answer.status_code == httpx.codes.OK and code == _SUCCESS and "data" in content:
            return content
        is_known = isinstance(code, str) and code not in (_SUCCESS, _UNSURE)
        if is_known and answer.status_code in (httpx.codes.OK, httpx.codes.REQUEST_ENTITY_TOO_LARGE):
            raise Refused(str(code), str(content.get("error_msg", "")))
        raise _Unsure(f"HTTP {answer.status_code}, error_code {code!r}", wait_seconds=self._wait_of(answer))

    def _wait_of(self, answer: httpx.Response) -> float:
        given = answer.headers.get("Retry-After", "")
        return float(given) if given.isascii() and given.isdigit() else self._wait_seconds


def _object(answer: Mapping[str, Any]) -> dict[str, Any]:
    data = answer["data"]
    if not isinstance(data, dict):
        raise OutcomeUnknown("the answer's data is no object")
    return data
