"""Files of payouts as people make them, and a merchant whose payouts they are."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import openpyxl
import pytest

from channels.models import Currency, RequiredField, Service, ServiceType
from diamondpay.lib import clock, errors
from diamondpay.models import User
from merchants.registration import Registered
from operations.batches import acts, placing, sealing
from operations.batches.models import BatchPayout
from operations.batches.reading import Fault
from records import ledger
from tests import factories
from tests.admin import book

__all__ = ["errors", "sealing"]
HEAD = ("Merchant order no.", "Amount", "Recipient name", "Account number")
CARD = "6222021234567890"


def xlsx(head: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str = "Payouts") -> bytes:
    """Return a book of payouts."""
    made: Any = openpyxl.Workbook()
    made.active.title = title
    for row in (head, *rows):
        made.active.append(list(row))
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def good(count: int, *, amount: str = "100", start: int = 1) -> list[tuple[str, str, str, str]]:
    """Return so many rows that are right."""
    return [
        (f"N{n}", amount, f"Zhang {chr(65 + n % 26)}", f"{CARD}{n:03d}") for n in range(start, start + count)
    ]


def wanted(owner: Registered, content: bytes, **changes: str) -> acts.Upload:
    """Return an upload of the merchant's bank-card payouts."""
    fields = {
        "merchant_id": owner.merchant.pk, "service_id": "SVC0004", "merchant_channel_id": "",
        "name": "payouts.xlsx", **changes,
    }  # fmt: skip
    return acts.Upload(content=content, **fields)


def upload(owner: Registered, user: User, content: bytes, **changes: str) -> BatchPayout:
    """Upload a file."""
    return acts.upload(
        wanted=wanted(owner, content, **changes), user=user, address="127.0.0.1", now=clock.now()
    )


def faults(owner: Registered, user: User, content: bytes, **changes: str) -> list[Fault]:
    """Upload a file that has faults and return them."""
    with pytest.raises(acts.FileHasFaults) as refusal:
        upload(owner, user, content, **changes)
    return list(refusal.value.faults)


def confirm(batch: BatchPayout, user: User) -> BatchPayout:
    """Confirm a batch."""
    return acts.confirm(batch_pk=batch.pk, user=user, address="127.0.0.1", now=clock.now())


def done(batch: BatchPayout, user: User) -> BatchPayout:
    """Confirm a batch and let a worker do all of it in this thread."""
    confirm(batch, user)
    placing.place_waiting(threads=1)
    batch.refresh_from_db()
    return batch


def balances(owner: Registered, wallet: int = 0) -> tuple[Decimal, Decimal]:
    """Return available and frozen of a wallet."""
    return ledger.balances([owner.wallets[wallet].pk])[owner.wallets[wallet].pk]


def everything_asked(owner: Registered) -> str:
    """Let the merchant have a payout service that asks for every field there is; return its id."""
    kind = ServiceType.objects.create(code="everything", name="Everything")
    names = ("name", "number", "bank", "phone", "id_number", "ifsc_code")
    for position, name in enumerate(names):
        RequiredField.objects.create(service_type=kind, direction="payout", field=name, position=position)
    service = Service.objects.create(
        id="SVC9000", name="Everything", direction="payout", service_type=kind,
        currency=Currency.objects.get(pk="CNY"),
    )  # fmt: skip
    factories.activate_service(
        owner.merchant, service.pk, fee_permillage=3, single_limit_lower_bound=10,
        single_limit_upper_bound=50_000,
    )  # fmt: skip
    factories.carry_service(owner.wallets[0].channel_id, service.pk)
    return service.pk


@pytest.fixture
def owner(db: None) -> Registered:
    """Acme with 100,000 CNY, 3 ‰, on a channel whose upstream cannot be reached."""
    owner = book.merchant("Acme")
    book.fund(owner)
    return owner


@pytest.fixture
def maker(db: None) -> User:
    """One of the Operations Staff, who makes batches for any merchant."""
    return factories.make_operator("maker")
