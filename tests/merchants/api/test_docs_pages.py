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
from merchants.api.payment_detail import docs as detail_docs
from merchants.api.payment_detail import errors as detail_errors
from merchants.api.payment_detail import reference as detail
from merchants.api.transaction_request import docs as orders_docs
from merchants.api.transaction_request import reference as orders
from merchants.api.transaction_request.errors import STATUSES as ORDER_STATUSES
from merchants.api.transaction_request.errors import WORDS as ORDER_WORDS
from records.dialects.gateway import _PAYMENT_CODES, _PAYOUT_CODES, V2
from records.models import Payment, PaymentStatus, Payout, PayoutStatus

PAGES = ("/docs/", "/docs/gateway/", "/docs/transaction-request/", "/docs/payment-detail/")
DOCUMENTS = {
    "/docs/gateway/": docs.document,
    "/docs/transaction-request/": orders_docs.document,
    "/docs/payment-detail/": detail_docs.document,
}
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


@pytest.mark.parametrize("path", DOCUMENTS)
@pytest.mark.django_db
def test_the_page_names_every_operation_field_and_parameter_of_the_document(path: str) -> None:
    text = page(path)
    for operation in reference.operations(DOCUMENTS[path]()):
        assert f'id="{operation.id}"' in text
        for field in [*operation.fields, *operation.parameters, *operation.answer]:
            assert f"<code>{field.name}</code>" in text, (operation.id, field.name)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_every_field_of_the_document_says_what_it_means(path: str) -> None:
    paths = DOCUMENTS[path]()["paths"]
    silent = {name for name, field in properties(paths) if not field.get("description")}
    assert silent == set()


@pytest.mark.django_db
def test_every_error_has_its_row_and_a_remedy() -> None:
    text = page("/docs/gateway/")
    assert list(gateway.REMEDIES) == list(WORDS)
    assert re.findall(r'id="error-(\d{4})"', text) == list(WORDS)


@pytest.mark.django_db
def test_every_status_and_code_of_the_transaction_request_api_has_its_row_and_a_remedy() -> None:
    text = page("/docs/transaction-request/")
    assert re.findall(r'id="error-([A-Z_]+)"', text) == list(ORDER_STATUSES)
    assert set(orders.REMEDIES) == set(ORDER_STATUSES) == set(ORDER_WORDS)
    listed = {
        tuple(field["enum"])
        for name, field in properties(orders_docs.document()["paths"])
        if name == "status"
    }
    assert listed == {tuple(str(status.code) for status in orders.STATUSES)}


@pytest.mark.django_db
def test_every_status_and_code_of_the_payment_detail_api_has_its_row_and_a_remedy() -> None:
    text = page("/docs/payment-detail/")
    assert re.findall(r'id="error-(\d{3})"', text) == [str(code) for code in detail_errors.WORDS]
    assert list(detail.REMEDIES) == list(detail_errors.WORDS)
    listed = {
        tuple(field["enum"])
        for name, field in properties(detail_docs.document()["paths"])
        if name == "paymentStatus"
    }
    assert listed == {tuple(status.code for status in detail.STATUSES)}


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
    programs = (*samples.calling(), *samples.ordering(), *samples.detailing(), *samples.verifying())
    shown = {f"{program.language}/{program.name}" for program in programs}
    assert shown == there
