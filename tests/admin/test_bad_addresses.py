"""What people mistype, bookmark for years or make up: every list and every page answers in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.utils import quote
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from diamondpay.models import User
from records.models import AccountDelta, OrderDelta
from tests import factories
from tests.admin import book
from tests.admin.test_lists import MODELS, url_of

pytestmark = pytest.mark.django_db

# The lists of orders are asked much more in test_lists.py; these are for all the others as well.
QUERIES = (
    "q=%25", "q=%00", "q=%ED%A0%80", "q=" + "9" * 400, "created_from=2016-01-01&created_to=2026-01-01",
    "created=someday", "merchant__name__icontains=a", "p=-1", "p=1e9", "o=-1.2.3", "o=99", "o=x",
    "after=x", "before=%00", "status=99", "_changelist_filters=q%3D1",
)  # fmt: skip
KEYS = ("0", "9" * 30, "abc", "%00", "_00", "a" * 400)


@pytest.fixture
def boss(client: Client) -> User:
    """A superuser who is signed in, and a book with a row of everything."""
    user = factories.make_user("boss", is_superuser=True)
    acme, other = book.merchant("Acme"), book.merchant("Other")
    book.fund(acme)
    book.fill(acme, other, user, start=1, count=1)
    factories.bound_service(acme.wallets[0], "SVC0001", 1, 9)
    book.files(user)
    client.force_login(user)
    return user


def test_every_list_answers_every_mistyped_address_in_words(client: Client, boss: User) -> None:
    wrong = []
    for model in MODELS:
        for query in QUERIES:
            response = client.get(f"{url_of(model)}?{query}", follow=True)
            if response.status_code != 200 or "<h1>" not in response.content.decode():
                wrong.append((model._meta.label, query, response.status_code))
    assert wrong == []


def test_every_record_answers_a_key_that_is_none_by_leading_on_in_words(client: Client, boss: User) -> None:
    wrong = []
    for model in MODELS:
        for key in KEYS:
            response = client.get(url_of(model, "change", "KEY").replace("KEY", key), follow=True)
            told = [str(message) for message in response.context["messages"]] if response.context else []
            if response.status_code not in (200, 404) or (response.status_code == 200 and not told):
                wrong.append((model._meta.label, key, response.status_code, told))
    assert wrong == []


def test_every_page_of_a_row_takes_the_same_queries_for_few_and_many_rows_beside_it(
    client: Client, boss: User
) -> None:
    # Deltas are gone once they are folded.
    lasting = [model for model in MODELS if model not in (OrderDelta, AccountDelta)]
    firsts: list[tuple[Any, Any]] = [
        (model, row.pk) for model in lasting if (row := model._default_manager.order_by("pk").first())
    ]
    acme, other = book.merchant("More"), book.merchant("And more")
    book.fund(acme)
    counts: list[dict[str, int]] = []
    for start, count in ((1, 1), (10, 1), (20, 4)):
        book.fill(acme, other, boss, start=start, count=count)
        counts.append({})
        for model, key in firsts:
            with CaptureQueriesContext(connection) as captured:
                assert client.get(url_of(model, "change", quote(key))).status_code == 200
            counts[-1][model._meta.label] = len(captured)
    assert counts[1] == counts[2]
    assert {label: count for label, count in counts[2].items() if count > 71} == {}
