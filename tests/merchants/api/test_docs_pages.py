"""The pages for merchants' engineers say what the API does: nothing missing, nothing that is not there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from diamondpay import environment
from merchants.api.docs import reference, samples
from merchants.api.gateway import docs
from merchants.api.gateway import reference as gateway
from merchants.api.gateway.errors import WORDS
from records.dialects.gateway import _PAYMENT_CODES, _PAYOUT_CODES, V2
from records.models import Payment, PaymentStatus, Payout, PayoutStatus

PAGES = ("/docs/", "/docs/gateway/")
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def page(path: str) -> str:
    response = Client().get(path)
    assert response.status_code == 200
    return response.content.decode()


def properties(node: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, list):
        for member in node:
            yield from properties(member)
    if isinstance(node, dict):
        yield from (node.get("properties") or {}).items()
        for name, member in node.items():
            if not name.startswith("example"):
                yield from properties(member)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.django_db
def test_a_page_runs_nothing_inline_and_is_open_to_everybody(path: str) -> None:
    response = Client().get(path)
    assert response.status_code == 200
    assert "script-src 'self'" in response["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]* src=)|\sstyle=|\son[a-z]+=|<style", response.content.decode())


@pytest.mark.django_db
def test_the_page_names_every_operation_field_and_parameter_of_the_document() -> None:
    text = page("/docs/gateway/")
    for operation in reference.operations(docs.document()):
        assert f'id="{operation.id}"' in text
        for field in [*operation.fields, *operation.parameters, *operation.answer]:
            assert f"<code>{field.name}</code>" in text, (operation.id, field.name)


def test_every_field_of_the_document_says_what_it_means() -> None:
    silent = {name for name, field in properties(docs.document()["paths"]) if not field.get("description")}
    assert silent == set()


@pytest.mark.django_db
def test_every_error_has_its_row_and_a_remedy() -> None:
    text = page("/docs/gateway/")
    assert list(gateway.REMEDIES) == list(WORDS)
    assert re.findall(r'id="error-(\d{4})"', text) == list(WORDS)


def test_the_tables_of_statuses_are_those_of_the_wire_and_of_the_document() -> None:
    deposits = [status.code for status in gateway.DEPOSIT_STATUSES]
    payouts = [status.code for status in gateway.PAYOUT_STATUSES]
    listed = {
        tuple(field["enum"])
        for name, field in properties(docs.document()["paths"])
        if name == "status" and "enum" in field
    }
    assert listed == {tuple(deposits), tuple(payouts)}
    assert set(deposits) == set(_PAYMENT_CODES.values())
    # 0 is in the specification and is never sent.
    assert set(payouts) == {0, *_PAYOUT_CODES.values()}


@pytest.mark.parametrize("status", [PayoutStatus.SUCCESS, PayoutStatus.FAILED])
def test_the_fields_of_notifications_are_those_that_are_sent(status: PayoutStatus) -> None:
    times = {"created_at": NOW, "updated_at": NOW}
    payment = Payment(payment_id="PM1", merchant_id="PF0001", status=PaymentStatus.CLOSED, **times)
    payout = Payout(payout_id="POT1", merchant_id="PF0001", status=status, **times)
    assert tuple(V2.payment_facts(payment)) == gateway.DEPOSIT_NOTIFICATION
    more = ("error_msg",) if status == PayoutStatus.FAILED else ()
    assert tuple(V2.payout_facts(payout)) == gateway.PAYOUT_NOTIFICATION + more


def test_every_sample_of_the_folder_is_on_the_page() -> None:
    root = environment.ROOT / "docs" / "samples"
    there = {str(path.relative_to(root)) for path in root.rglob("*.*")}
    shown = {f"{p.language}/{p.name}" for p in (*samples.calling(), *samples.verifying())}
    assert shown == there
