"""The merchants' languages: status codes, fields, signatures, and what counts as the merchant's yes.

The API views answer in a dialect and the notification sender speaks it, so a merchant is told of an order in
the language in which the order was made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from records.dialects import gateway, payment_detail, transaction_request
from records.models import Payment, Payout

__all__ = ["Dialect", "get", "of_api"]


class Dialect(Protocol):
    """What the notification sender asks of a language. Nothing here reads the clock, and the facts alone read
    the database: what belongs to the order.
    """

    @property
    def name(self) -> str:
        """Return the name that orders carry."""
        ...

    @property
    def credential_api(self) -> str:
        """Return whose secrets sign: a value of `merchants.Credential.Api`."""
        ...

    @property
    def tells_in_progress(self) -> bool:
        """Say whether the merchant is told when the upstream has accepted an order, not of its end alone."""
        ...

    @property
    def tells_progress(self) -> bool:
        """Say whether the merchant is told how an order over a chain goes on, before it ends."""
        ...

    @property
    def reads_answers(self) -> bool:
        """Say whether the yes stands in the answer's text, so that one which is cut off is none."""
        ...

    def payment_facts(self, payment: Payment) -> dict[str, object]:
        """Return the unsigned content of a deposit's notification, JSON-ready, as of this moment."""
        ...

    def payout_facts(self, payout: Payout) -> dict[str, object]:
        """Return the unsigned content of a payout's notification, JSON-ready, as of this moment."""
        ...

    def body(
        self,
        *,
        facts: Mapping[str, object],
        sign_type: str,
        secret: str,
        access_key: str,
        timestamp_ms: int,
    ) -> bytes:
        """Return the signed body of one attempt, made at a moment. Units: Unix milliseconds."""
        ...

    def headers(
        self,
        *,
        webhook_id: str,
        timestamp: int,
        body: bytes,
        secrets: Sequence[str],
        access_key: str = "",
        url: str = "",
    ) -> dict[str, str]:
        """Return the headers of one attempt to an address, signed with each live secret, the newest first.

        Units: Unix seconds. `access_key` names the newest secret.
        """
        ...

    def is_acknowledged(self, *, http_status: int, answer: str) -> tuple[bool, str]:
        """Say whether the answer is the merchant's yes, and in words why or why not."""
        ...


_DIALECTS: dict[str, Dialect] = {
    gateway.V1.name: gateway.V1,
    gateway.V2.name: gateway.V2,
    transaction_request.V2.name: transaction_request.V2,
    payment_detail.V1.name: payment_detail.V1,
}


def get(name: str) -> Dialect:
    """Return the dialect of that name.

    Raises: KeyError for a name that no order can carry.
    """
    return _DIALECTS[name]


def of_api(api: str) -> Dialect | None:
    """Return the newest dialect of an API (`merchants.Credential.Api`), None where nobody is told in one."""
    found = [dialect for dialect in _DIALECTS.values() if dialect.credential_api == api]
    return found[-1] if found else None
