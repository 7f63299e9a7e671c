"""The pages of batch payout and order query: the right people, words for what is wrong, nothing in clear."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from diamondpay.lib import clock
from diamondpay.models import AuditRow, User
from merchants import queries
from merchants.registration import Registered
from operations.batches import acts, placing
from operations.batches.models import BatchPayout
from records.models import Payout
from tests import factories
from tests.admin import book
from tests.lib import spreadsheets
from tests.operations import batching
from tests.operations.batching import HEAD, balances, good, maker, owner, xlsx

__all__ = ["maker", "owner"]
pytestmark = pytest.mark.django_db

PAGE = "/admin/operations/batch-payout/"
QUERY = "/admin/operations/order-query/"
MISSING = "No sheet has the column “Amount” in its first row. Use the template."


@pytest.fixture
def signed_in(client: Client, maker: User) -> User:
    """The maker, signed in."""
    client.force_login(maker)
    return maker


def posted(client: Client, owner: Registered, content: bytes, name: str = "payouts.xlsx", **more: str) -> Any:
    """Send the form as a browser does."""
    fields = {"merchant": owner.merchant.pk, "service": "SVC0004", "wallet": "", **more}
    return client.post(PAGE, {**fields, "file": SimpleUploadedFile(name, content)})


def text_of(answer: Any) -> str:
    """Return a page without the entities of quotation marks."""
    return str(answer.content.decode()).replace("&#x27;", "'")


def test_a_file_goes_from_the_form_to_its_result(client: Client, signed_in: User, owner: Registered) -> None:
    answer = posted(client, owner, xlsx(HEAD, good(3)))
    batch = BatchPayout.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}{batch.pk}/")
    preview = text_of(client.get(f"{PAGE}{batch.pk}/"))
    assert "Freeze 300.90 CNY and create 3 payouts" in preview
    assert "99,699.10" in preview
    assert Payout.objects.count() == 0
    assert client.post(f"{PAGE}{batch.pk}/confirm/")["Location"] == f"{PAGE}{batch.pk}/"
    assert "0 of 3 payouts, 0 %" in text_of(client.get(f"{PAGE}{batch.pk}/progress/"))
    placing.place_waiting(threads=1)
    over = client.get(f"{PAGE}{batch.pk}/progress/", headers={"HX-Request": "true"})
    assert over.headers["HX-Refresh"] == "true"
    assert "created 3" in text_of(client.get(f"{PAGE}{batch.pk}/"))
    file: Any = client.get(f"{PAGE}{batch.pk}/result/")
    assert file["Content-Disposition"] == (
        f'attachment; filename="batch-payout-{owner.merchant.pk}-{batch.pk}.xlsx"'
    )
    assert len(spreadsheets.sheets(b"".join(file.streaming_content))["Payouts"]) == 4
    actions = ["batch.upload", "batch.confirm", "batch.result"]
    trail = AuditRow.objects.filter(object_kind="batchpayout").order_by("id")
    assert list(trail.values_list("action", flat=True)) == actions


def test_faults_are_shown_row_by_row_and_nothing_is_kept(
    client: Client, signed_in: User, owner: Registered
) -> None:
    rows = [*good(2), ("N9", "0", "Zhang", "6222021234567890999"), ("", "5", "", "<b>x</b>")]
    answer = posted(client, owner, xlsx(HEAD, rows))
    found = [(fault.row, fault.column, fault.value, fault.reason) for fault in answer.context["faults"]]
    assert (answer.status_code, found) == (422, [
        (4, "B Amount", "0", "The amount must be positive."),
        (5, "C Recipient name", "", "This is required."),
        (5, "D Account number", "****</b>", "An account has 4 to 64 letters and digits."),
    ])  # fmt: skip
    page = text_of(answer)
    assert "2 of 4 rows of payouts.xlsx are wrong. Nothing was created" in page
    assert "6222021234567890999" not in page
    assert f'<option value="{owner.merchant.pk}" selected>' in page
    assert (BatchPayout.objects.count(), Payout.objects.count()) == (0, 0)


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "x.xlsx", "The file is empty."),
        (b"<?php system('x');", "x.php", "Choose a file that ends in .xlsx or .csv"),
        (b"<svg onload=alert(1)>", "x.xlsx", "is no Excel book"),
        (b"PK\x03\x04", "../../x.xlsx", "The book is damaged."),
        (xlsx(("a", "b"), [("1", "2")]), "x.xlsx", MISSING),
        (b"y" * 5_100_000, "x.csv", "The file has 5.1 MB; at most 5 MB are taken."),
    ],
)
def test_a_file_that_is_none_gets_words_beside_the_field(
    client: Client, signed_in: User, owner: Registered, content: bytes, name: str, words: str
) -> None:
    answer = posted(client, owner, content, name)
    assert answer.status_code == 422
    assert words in answer.context["chosen"].complaints["file"]
    assert (BatchPayout.objects.count(), AuditRow.objects.filter(user=signed_in).count()) == (0, 0)


def test_the_form_says_what_is_missing(client: Client, signed_in: User, owner: Registered) -> None:
    other = book.merchant("Other")
    for sent, complaints in (
        ({}, {"merchant": "Choose a merchant.", "file": "Choose a file."}),
        ({"merchant": "PF9999"}, {"merchant": "Choose a merchant of the list.", "file": "Choose a file."}),
        (
            {"merchant": other.merchant.pk, "service": "SVC0001"},
            {"service": "Choose a service of the list.", "file": "Choose a file."},
        ),
        ({"merchant": owner.merchant.pk}, {"file": "Choose a file."}),
    ):
        answer = client.post(PAGE, sent)
        assert (answer.status_code, answer.context["chosen"].complaints) == (422, complaints)


def test_the_same_file_shows_the_earlier_batch(client: Client, signed_in: User, owner: Registered) -> None:
    posted(client, owner, xlsx(HEAD, good(2)))
    answer = posted(client, owner, xlsx(HEAD, good(2)), "copy.xlsx")
    batch = BatchPayout.objects.get()
    assert answer.status_code == 422
    assert f'<a href="{PAGE}{batch.pk}/">Open that batch</a>' in text_of(answer)


def test_acts_that_come_too_late_say_so_and_change_nothing(
    client: Client, signed_in: User, owner: Registered
) -> None:
    batch = batching.upload(owner, signed_in, xlsx(HEAD, good(2)))
    batching.done(batch, signed_in)
    before = (balances(owner), AuditRow.objects.count())
    for act in ("confirm", "discard", "stop"):
        page = text_of(client.post(f"{PAGE}{batch.pk}/{act}/", follow=True))
        assert "has the status “Done” and cannot become" in page
    assert (balances(owner), AuditRow.objects.count()) == before


def test_a_merchants_user_sees_their_own_batches_alone(
    client: Client, owner: Registered, maker: User
) -> None:
    rival = book.merchant("Rival")
    book.fund(rival)
    theirs = batching.upload(rival, maker, xlsx(HEAD, good(2)))
    own = batching.upload(owner, maker, xlsx(HEAD, good(1)))
    client.force_login(factories.make_merchant_user(owner.merchant))
    page = client.get(PAGE)
    assert [item["batch"].pk for item in page.context["batches"]] == [own.pk]
    assert "Rival" not in text_of(page)
    for path in ("", "progress/", "result/"):
        assert client.get(f"{PAGE}{theirs.pk}/{path}").status_code == 404
    for path in ("confirm/", "discard/", "stop/"):
        assert client.post(f"{PAGE}{theirs.pk}/{path}").status_code == 404
    for query in ({"merchant": rival.merchant.pk}, {"merchant": rival.merchant.pk, "service": "SVC0004"}):
        assert client.get(PAGE, query).status_code == 422
        assert client.get(f"{PAGE}template/", query).status_code == 404
    answer = posted(client, rival, xlsx(HEAD, good(3)), wallet=rival.wallets[0].pk)
    assert answer.context["chosen"].complaints["merchant"] == "Choose a merchant of the list."
    theirs.refresh_from_db()
    assert (theirs.state, BatchPayout.objects.count()) == ("prepared", 2)


def test_a_merchants_user_is_told_neither_channels_nor_who_of_the_staff_it_was(
    client: Client, owner: Registered, maker: User
) -> None:
    batch = batching.done(batching.upload(owner, maker, xlsx(HEAD, good(1))), maker)
    prepared = batching.upload(owner, maker, xlsx(HEAD, good(2, start=5)))
    numbers = str(Payout.objects.get().payout_id)
    told = []
    for user in (factories.make_merchant_user(owner.merchant), maker):
        client.force_login(user)
        pages = [PAGE, f"{PAGE}{batch.pk}/", f"{PAGE}{prepared.pk}/"]
        text = "".join(text_of(client.get(page)).partition("<main")[2] for page in pages)
        file: Any = client.post(QUERY, {"numbers": numbers, "file": "csv"})
        titles = spreadsheets.lines(b"".join(file.streaming_content))[0]
        told.append(("sandbox" in text, "maker" in text, "Channel order no." in titles))
    assert told == [(False, False, False), (True, True, True)]


def test_no_page_or_file_of_a_batch_shows_an_account(
    client: Client, signed_in: User, owner: Registered
) -> None:
    batch = batching.done(batching.upload(owner, signed_in, xlsx(HEAD, good(2))), signed_in)
    pages = [client.get(f"{PAGE}{batch.pk}/"), client.get(f"{PAGE}{batch.pk}/progress/"), client.get(PAGE)]
    file: Any = client.get(f"{PAGE}{batch.pk}/result/")
    told = "".join(text_of(page) for page in pages)
    told += str(spreadsheets.sheets(b"".join(file.streaming_content)))
    assert "6222021234567890" not in told
    assert "***************0001" in told


def test_rows_are_shown_page_by_page_and_by_their_result(
    client: Client, signed_in: User, owner: Registered
) -> None:
    batch = batching.upload(owner, signed_in, xlsx(HEAD, good(130, amount="10")))
    for query, shown in (("", (1, 100)), ("?p=2", (101, 130)), ("?p=x", (1, 100)), ("?p=9", (801, 800))):
        context = client.get(f"{PAGE}{batch.pk}/{query}").context
        assert (context["first_row"], context["last_row"]) == shown
    assert client.get(f"{PAGE}{batch.pk}/?show=failed").context["rows"] == []
    assert len(client.get(f"{PAGE}{batch.pk}/?show=nonsense").context["rows"]) == 100


def test_a_batchs_page_costs_the_same_statements_for_two_rows_and_for_two_hundred(
    client: Client, signed_in: User, owner: Registered, django_assert_max_num_queries: Any
) -> None:
    counts = []
    for count in (2, 200):
        rows = good(count, amount="10", start=count)
        batch = batching.upload(owner, signed_in, xlsx(HEAD, rows))
        with django_assert_max_num_queries(20) as captured:
            assert client.get(f"{PAGE}{batch.pk}/").status_code == 200
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_the_short_paths_lead_to_the_pages(client: Client, signed_in: User) -> None:
    assert client.get("/OperationBatchPayout?merchant=PF1")["Location"] == f"{PAGE}?merchant=PF1"
    assert client.get("/OperationOrderQuery")["Location"] == QUERY
    menu = {entry["name"] for group in client.get("/admin/").context["app_list"] for entry in group["models"]}
    assert {"Batch Payout", "Order Query"} <= {str(name) for name in menu}


def test_the_order_query_shows_a_table_and_gives_the_same_as_files(
    client: Client, signed_in: User, owner: Registered
) -> None:
    paid, sent = book.deposit(owner, "D-1", amount="300"), book.payout(owner, "P-1", is_paid=False)
    numbers = f"p-1\n{paid.payment_id}\n=1+1"
    page = client.post(QUERY, {"numbers": numbers})
    assert page.status_code == 200
    assert "2 of 3 numbers found" in text_of(page)
    expected = [
        ["p-1", sent.payout_id, "P-1", "In Progress"],
        [paid.payment_id, paid.payment_id, "D-1", "Success"],
        ["=1+1", "", "", ""],
    ]
    for form, rows in (("xlsx", lambda content: spreadsheets.sheets(content)["Orders"]),
                       ("csv", spreadsheets.lines)):  # fmt: skip
        file: Any = client.post(QUERY, {"numbers": numbers, "file": form})
        assert file["Content-Disposition"].endswith(f'.{form}"')
        found = rows(b"".join(file.streaming_content))[1:]
        assert [[row[0], row[3] or "", row[4] or "", row[11] or ""] for row in found] == expected
    rows_of = AuditRow.objects.filter(action="order_query.file").order_by("id")
    assert [row.after for row in rows_of] == [
        {"asked": 3, "found": 2, "format": "xlsx"}, {"asked": 3, "found": 2, "format": "csv"},
    ]  # fmt: skip


def test_an_order_query_that_cannot_be_keeps_what_was_pasted(client: Client, signed_in: User) -> None:
    many = "\n".join(f"N{n}" for n in range(501))
    page = client.post(QUERY, {"numbers": many})
    assert page.status_code == 422
    assert "At most 500 numbers are looked up at once; these are 501." in text_of(page)
    assert "N500</textarea>" in text_of(page)
    assert client.post(QUERY, {"numbers": ""}).context["complaint"] == "Paste at least one number."


def test_a_batch_of_which_the_balance_was_spent_is_not_confirmed(
    client: Client, signed_in: User, owner: Registered
) -> None:
    batch = batching.upload(owner, signed_in, xlsx(HEAD, good(1, amount="90000")))
    book.payout(owner, "first", amount="50000", is_paid=False)
    page = text_of(client.post(f"{PAGE}{batch.pk}/confirm/", follow=True))
    assert "Row 2: The available balance is not sufficient." in page
    batch.refresh_from_db()
    assert (batch.state, balances(owner)[1]) == ("prepared", Decimal("50150"))
    acts.discard(batch_pk=batch.pk, user=signed_in, address=None, now=clock.now())


def test_more_merchants_than_fit_are_found_by_typing(
    client: Client, signed_in: User, owner: Registered, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.merchant("Rival")
    book.merchant("Acme Two")
    monkeypatch.setattr(queries, "CHOICE_MAX", 1)
    page: Any = client.get(PAGE, {"merchant": "acme"}, headers={"HX-Request": "true"})
    assert (page.status_code, b"<datalist" in page.content) == (200, True)
    assert [row.name for row in page.context["chosen"].choice.found] == ["Acme", "Acme Two"]
    assert client.get(PAGE, {"merchant": "acme"}).status_code == 422
    chosen: Any = client.get(PAGE, {"merchant": f" {owner.merchant.pk.lower()} "})
    assert (chosen.status_code, chosen.context["chosen"].merchant) == (200, owner.merchant)
    assert posted(client, owner, xlsx(HEAD, good(1))).status_code == 302
    assert BatchPayout.objects.get().merchant == owner.merchant
