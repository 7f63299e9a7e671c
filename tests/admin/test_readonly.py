"""The book is read: no add, change, delete or bulk action, also not by a POST to the addresses."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.test import Client

from diamondpay.models import AuditRow, Heartbeat, Preference, SignIn, User
from merchants.models import ApiCall, Credential
from operations.models import Act
from records.models import (
    ChainCursor,
    ChainKey,
    ChainPayment,
    ChainQuote,
    ExportJob,
    ExportSchedule,
    ExportTemplate,
    Notification,
    Payment,
    UpstreamCall,
)
from tests import factories
from tests.admin import book
from tests.admin.test_lists import url_of

pytestmark = pytest.mark.django_db

# Of the files, a person edits their own templates and schedules, and may cancel or retry a job.
_OWN_FILES = (ExportTemplate, ExportSchedule)
# What a chain knows of an order is shown on the order's page, and has none of its own.
_OF_CHAINS = (ChainCursor, ChainKey, ChainPayment, ChainQuote)
RECORDS: list[Any] = [
    *(
        model
        for model in apps.get_app_config("records").get_models()
        if model not in (*_OWN_FILES, *_OF_CHAINS)
    ),
    Act, ApiCall, AuditRow, Credential, Heartbeat, Preference, SignIn,
]  # fmt: skip


@pytest.fixture
def filled(client: Client) -> User:
    """A superuser who is signed in, and a book with a row of everything."""
    user = factories.make_user("boss", is_superuser=True)
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    book.fill(acme, other, user, start=1, count=1)
    book.files(user)
    Preference.objects.create(user=user, key="time_zone", value="UTC")
    Heartbeat.objects.create(name="worker", beat_at=user.date_joined)
    client.force_login(user)
    return user


def state_of(model: type[Model]) -> list[Any]:
    """Return the whole table; of the audit trail what was done, since it also says what was refused."""
    rows = model._default_manager.order_by("pk")
    return list((rows.filter(is_refused=False) if model is AuditRow else rows).values())


def refusals(client: Client, model: Any) -> list[int]:
    """Try every road to a write and return what the pages answered."""
    row = model._default_manager.order_by("pk").first()
    fields = {field.name: "1" for field in model._meta.fields}
    bulk = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    attempts = [
        client.get(url_of(model, "add")),
        client.post(url_of(model, "add"), fields),
        client.post(url_of(model, "change", row.pk), fields),
        client.post(url_of(model, "change", row.pk), {**fields, "_saveasnew": "1"}),
        client.get(url_of(model, "delete", row.pk)),
        client.post(url_of(model, "delete", row.pk), {"post": "yes"}),
        client.post(url_of(model), bulk),
        client.post(url_of(model), {"_save": "Save", "form-TOTAL_FORMS": "1", "form-INITIAL_FORMS": "1"}),
    ]
    return [response.status_code for response in attempts]


def test_records_refuse_every_write_and_nothing_changes(client: Client, filled: User) -> None:
    tables = [*RECORDS, User, AuditRow]
    before = [state_of(model) for model in tables]
    answers = {model._meta.label: refusals(client, model) for model in RECORDS}
    assert {label: found for label, found in answers.items() if found != [403] * 8} == {}
    assert [state_of(model) for model in tables] == before


def test_every_record_has_a_page_that_offers_no_button(client: Client, filled: User) -> None:
    for model in (found for found in RECORDS if found is not ExportJob):
        row = model._default_manager.order_by("pk").first()
        response = client.get(url_of(model, "change", row.pk))
        assert response.status_code == 200
        main = response.content.decode().partition("<main")[2]
        assert "<input" not in main
        assert "<form" not in main


def test_no_form_is_saved_as_a_new_row(client: Client, filled: User) -> None:
    before = state_of(ExportSchedule)
    row = ExportSchedule.objects.get()
    answer = client.post(url_of(ExportSchedule, "change", row.pk), {"_saveasnew": "1"})
    assert (answer.status_code, state_of(ExportSchedule)) == (403, before)


def test_no_list_offers_a_bulk_action(client: Client, filled: User) -> None:
    offering = [
        model._meta.label
        for model in admin.site._registry
        if 'name="action"' in client.get(url_of(model)).content.decode()
    ]
    assert offering == []


def test_no_page_shows_a_card_number_a_phone_an_id_number_or_a_secret(client: Client, filled: User) -> None:
    secrets = [book.CARD, book.PARTY.phone, book.PARTY.id_number, factories.SANDBOX_SECRET]
    leaks = []
    for model in admin.site._registry:
        pages = [url_of(model)]
        pages += [url_of(model, "change", row.pk) for row in model._default_manager.order_by("pk")[:3]]
        for page in pages:
            text = client.get(page).content.decode()
            leaks += [(page, secret) for secret in secrets if secret in text]
            assert "_encrypted" not in text
            # Transactions and blocks are named by theirs, which are everybody's to see.
            assert "_hash" not in re.sub("csrf_hash|tx_hash|block_hash", "", text)
    assert leaks == []
    assert "***0123" in client.get(url_of(Payment, "change", Payment.objects.first().pk)).content.decode()  # type: ignore[union-attr]


def test_panels_are_shown_only_with_the_right_to_their_rows(client: Client, filled: User) -> None:
    notification = Notification.objects.latest("id")
    url = url_of(Notification, "change", notification.pk)
    assert [str(panel["title"]) for panel in client.get(url).context["panels"]] == ["Attempts"]
    client.force_login(factories.make_user("reader", permissions=["records.view_notification"]))
    response = client.get(url)
    assert (response.status_code, response.context["panels"]) == (200, [])
    assert client.get(url_of(UpstreamCall)).status_code == 403
