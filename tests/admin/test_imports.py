"""Files that staff hand in: tried as a whole, told row by row, applied whole or not at all."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import openpyxl
import psycopg
import pytest
from django.core import signing
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from channels.models import Bank
from diamondpay.lib.imports import lines as reading
from diamondpay.models import AuditRow, User
from merchants.models import MerchantService, ServiceBound
from merchants.registration import Registered
from tests import factories
from tests.lib import spreadsheets

pytestmark = pytest.mark.django_db
BANKS = "/admin/import/bank/"
SERVICES = "/admin/import/merchantservice/"
BOUNDS = "/admin/import/servicebound/"


def book(*rows: Sequence[Any]) -> bytes:
    """Return an Excel book of one sheet."""
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def tried(client: Client, url: str, content: bytes | str, name: str = "") -> Any:
    """Hand a file in and return the page that says what it would do."""
    data = content.encode() if isinstance(content, str) else content
    named = name or ("list.xlsx" if data.startswith(b"PK") else "list.csv")
    return client.post(url, {"file": SimpleUploadedFile(named, data)})


def applied(client: Client, url: str, page: Any) -> Any:
    """Press the button of such a page."""
    return client.post(url, {"tried": page.context["tried"], "seen": page.context["trial"].digest})


def faults(page: Any) -> list[tuple[str, int, str, str, str]]:
    """Return what is wrong by sheet, row, column, value and reason."""
    return [(each.sheet, each.row, each.column, each.value, each.reason) for each in page.context["faults"]]


def state() -> list[Any]:
    """Return everything that an import may write."""
    models: Sequence[Any] = (Bank, MerchantService, ServiceBound, AuditRow)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_banks_are_tried_shown_row_by_row_and_applied_with_their_audit_rows(
    client: Client, approver: User
) -> None:
    """A1."""
    client.force_login(approver)
    before = state()
    page = tried(client, BANKS, book(
        ["Bank id", "code", "Name", "currency", "open"],
        ["BK0401", "KBZ", "Kanbawza Bank", "CNY", "yes"],
        ["BK0001", "", "CCB of China", "CNY", False],
        ["BK0002", "ABC", "", "CNY", ""],
    ))  # fmt: skip
    assert state() == before
    assert [(each.row, each.kind, each.name, each.changes) for each in page.context["outcomes"]] == [
        (2, "new", "BK0401",
         (("Bank code", "", "KBZ"), ("Name", "", "Kanbawza Bank"),
          ("Currency", "", "CNY"), ("Open", "", "yes"))),
        (3, "change", "BK0001", (("Name", "China Construction Bank", "CCB of China"), ("Open", "yes", "no"))),
    ]  # fmt: skip
    assert "Apply: 1 new, 1 changed</button>" in page.content.decode()
    answer = applied(client, BANKS, page)
    assert answer["Location"] == "/admin/channels/bank/"
    assert Bank.objects.filter(pk="BK0401", code="KBZ", is_open=True).exists()
    bank = Bank.objects.get(pk="BK0001")
    assert (bank.code, bank.name, bank.link, bank.is_open) == (
        "CCB", "CCB of China", "https://www.ccb.com/", False,
    )  # fmt: skip
    rows = AuditRow.objects.filter(user=approver).order_by("id")
    assert [(row.action, row.object_kind, row.object_id[:6]) for row in rows] == [
        ("bank.create", "bank", "BK0401"), ("bank.change", "bank", "BK0001"), ("bank.import", "bank", "file "
         + rows[2].after["sha256"][:1]),
    ]  # fmt: skip
    assert rows[1].before == {"name": "China Construction Bank", "is_open": True}
    assert rows[1].after == {"name": "CCB of China", "is_open": False}
    assert {key: rows[2].after[key] for key in ("file", "new", "change", "same")} == {
        "file": "list.xlsx", "new": 1, "change": 1, "same": 1,
    }  # fmt: skip


def test_every_mistake_is_named_by_sheet_row_column_value_and_reason_and_nothing_is_applied(
    client: Client, approver: User
) -> None:
    client.force_login(approver)
    before = state()
    page = tried(client, BANKS, book(
        ["id", "code", "name", "currency", "is_open"],
        ["BK0401", "KBZ", "Kanbawza Bank", "QQQ", "perhaps"],
        ["BK0001", "", "", "THB", ""],
        ["", "A", "B", "CNY", ""],
        ["BK0402", "ABC", "Another", "CNY", ""],
        ["BK0403", "", "x" * 129, "CNY", ""],
        ["BK0404", "OK1", "Fine", "CNY", ""],
        ["BK0404", "OK2", "Fine", "CNY", ""],
        ["BK0405", "=1+1", "Formula", "CNY", ""],
    ))  # fmt: skip
    assert page.status_code == 422
    assert faults(page) == [
        ("Sheet", 2, "Currency", "QQQ", "There is no currency “QQQ”."),
        ("Sheet", 2, "Open", "perhaps", "Write yes or no."),
        ("Sheet", 3, "Currency", "THB", "A bank keeps its currency. Make another bank for another currency."),
        ("Sheet", 4, "Bank id", "", "This is required."),
        ("Sheet", 5, "Bank code", "ABC", "Another bank has the same Currency, Bank code."),
        ("Sheet", 6, "Bank code", "", "This field cannot be blank."),
        ("Sheet", 6, "Name", "x" * 129, "Ensure this value has at most 128 characters (it has 129)."),
        ("Sheet", 8, "Bank id", "BK0404", "An earlier row of this file is about the same bank."),
        ("Sheet", 9, "code", "=1+1", "This is a formula. Put its value there."),
    ]
    assert "Nothing is applied until every row is valid." in page.content.decode()
    assert 'name="tried"' not in page.content.decode()
    # Whoever sends the button's request by hand gets nothing either.
    assert applied(client, BANKS, page).status_code == 422
    assert state() == before


def test_new_merchant_services_bring_their_terms_and_old_ones_only_change_their_state(
    client: Client, approver: User, acme: Registered
) -> None:
    client.force_login(approver)
    merchant = acme.merchant.pk
    head = ("merchant", "service", "status", "fee ‰", "fixed fee", "lower limit", "upper limit")
    page = tried(client, SERVICES, book(
        head, (merchant, "SVC0005", "", 3.5, "0.30", 100, 20000), (merchant, "SVC0001", "Disabled"),
    ))  # fmt: skip
    assert faults(page) == []
    done = applied(client, SERVICES, page)
    made = MerchantService.objects.get(merchant=merchant, service="SVC0005")
    assert [str(each.normalize()) for each in (made.fee_permillage, made.fee_fixed)] == ["3.5", "0.3"]
    assert (made.single_limit_lower_bound, made.single_limit_upper_bound) == (100, 20000)
    assert (made.status, made.terms_since) == ("disabled", None)
    told = client.get(done["Location"]).content.decode()
    assert "The new rows are not in force: their first activation is decided by a second person." in told
    listed = client.get("/admin/merchants/merchantservice/?in_force=0").content.decode()
    assert f'href="/admin/acts/activate_terms_merchantservice/{made.pk}/"' in listed
    assert MerchantService.objects.get(merchant=merchant, service="SVC0001").status == "disabled"
    actions = AuditRow.objects.filter(user=approver).order_by("id").values_list("action", flat=True)
    assert list(actions) == ["merchantservice.create", "merchantservice.change", "merchantservice.import"]


@pytest.mark.parametrize(
    ("cells", "column", "words"),
    [
        (("SVC0001", "", 5), "Fee ‰", "changed by an act that a second person approves"),
        (("SVC0001", "", "", "", 1), "Lower limit", "changed by an act that a second person approves"),
        (("SVC0005", "", 1000), "Fee ‰", "A fee must be below 1000 ‰"),
        (("SVC0005", "", "1e3"), "Fee ‰", "Write a plain decimal number such as 1250.50."),
        (("SVC0005", "", "１２"), "Fee ‰", "Write a plain decimal number such as 1250.50."),
        (("SVC0005", "", 0.12345), "Fee ‰", "no more than 4 decimal places"),
        (("SVC0005", "", "", -1), "Fixed fee", "Give 0 or more."),
        (("SVC0005", "", "", "", 200, 100), "Upper limit", "below the lower bound"),
        (("SVC9999",), "Service", "There is no service “SVC9999”."),
        (("SVC0005", "enabled"), "Status", "its first activation is decided by a second person."),
        (("SVC0005", "asleep"), "Status", "Write one of: enabled, disabled."),
    ],
)
def test_terms_that_cannot_be_or_that_need_an_act_are_refused(
    cells: Sequence[Any], column: str, words: str, client: Client, approver: User, acme: Registered
) -> None:
    client.force_login(approver)
    before = state()
    head = ("merchant", "service", "status", "fee_permillage", "fee_fixed", "single_limit_lower_bound",
            "single_limit_upper_bound")  # fmt: skip
    page = tried(client, SERVICES, book(head, (acme.merchant.pk, *cells)))
    ((_sheet, row, where, _value, reason),) = faults(page)
    assert (row, where) == (2, column)
    assert words in reason
    assert state() == before


def test_limits_of_wallets_are_new_or_left_alone(client: Client, approver: User, acme: Registered) -> None:
    client.force_login(approver)
    wallet = acme.wallets[0]
    head = ("merchant channel", "service", "lower bound", "upper bound")
    new = book(head, (wallet.pk, "SVC0001", 100, 5000))
    applied(client, BOUNDS, tried(client, BOUNDS, new))
    bound = ServiceBound.objects.get(merchant_channel=wallet, service="SVC0001")
    assert (bound.lower_bound, bound.upper_bound) == (100, 5000)
    again = tried(client, BOUNDS, new)
    assert "Everything in the file stands there already: 1 unchanged." in again.content.decode()
    assert bound.terms_since is None
    ServiceBound.objects.filter(pk=bound.pk).delete()
    bound = factories.bound_service(wallet, "SVC0001", 100, 5000)
    other = tried(client, BOUNDS, book(head, (wallet.pk, "SVC0001", 100, 6000)))
    assert [(each[1], each[2], each[3]) for each in faults(other)] == [(2, "Upper bound", "6000")]
    bound.refresh_from_db()
    assert bound.upper_bound == 5000


def test_the_file_to_start_from_comes_back_unchanged(
    client: Client, approver: User, acme: Registered
) -> None:
    client.force_login(approver)
    for url in (BANKS, SERVICES):
        content = client.get(f"{url}start/").content
        assert len(next(reversed(spreadsheets.sheets(content).values()))) > 2
        page = tried(client, url, content)
        assert faults(page) == []
        assert page.context["trial"].count("same") == len(page.context["trial"].outcomes)
        assert "Not read, because the first row has none of the headings: How to." in page.content.decode()
    first = AuditRow.objects.filter(user=approver).earliest("id")
    assert first.action == "bank.take"


def test_pressing_twice_applies_once_and_says_how_it_stands(client: Client, approver: User) -> None:
    client.force_login(approver)
    page = tried(client, BANKS, "id,code,name,currency\nBK0401,KBZ,Kanbawza,CNY\n", "b.csv")
    assert applied(client, BANKS, page).status_code == 302
    count = AuditRow.objects.count()
    again = applied(client, BANKS, page)
    assert "has changed since you looked. Nothing was done" in again.content.decode()
    assert (Bank.objects.filter(pk="BK0401").count(), AuditRow.objects.count()) == (1, count)


def test_what_changed_meanwhile_is_shown_again_and_not_overwritten(client: Client, approver: User) -> None:
    client.force_login(approver)
    page = tried(client, BANKS, "id,name\nBK0001,CCB of China\n", "b.csv")
    Bank.objects.filter(pk="BK0001").update(name="Changed by a colleague")
    again = applied(client, BANKS, page)
    assert again.context["outcomes"][0].changes == (("Name", "Changed by a colleague", "CCB of China"),)
    assert Bank.objects.get(pk="BK0001").name == "Changed by a colleague"
    applied(client, BANKS, again)
    assert Bank.objects.get(pk="BK0001").name == "CCB of China"


def test_what_was_tried_is_of_one_person_and_table_and_cannot_be_altered(
    client: Client, approver: User, acme: Registered
) -> None:
    client.force_login(approver)
    page = tried(client, BANKS, "id,code,name,currency\nBK0401,KBZ,Kanbawza,CNY\n", "b.csv")
    seal, seen = page.context["tried"], page.context["trial"].digest
    before = state()
    forged = signing.dumps({"lines": [["CSV", 2, {"id": "BK1"}]], "sheets": []}, salt="other", compress=True)
    for url, sent in ((SERVICES, seal), (BANKS, seal[:-1]), (BANKS, forged), (BANKS, ""), (BANKS, "\x00")):
        answer = client.post(url, {"tried": sent, "seen": seen}, follow=True)
        assert "This page is too old. Nothing was changed" in answer.content.decode()
    client.force_login(factories.make_approver("colleague"))
    answer = client.post(BANKS, {"tried": seal, "seen": seen}, follow=True)
    assert "This page is too old. Nothing was changed" in answer.content.decode()
    assert state() == before


def test_only_who_may_import_imports_and_only_what_they_may_write(client: Client, operator: User) -> None:
    client.force_login(operator)
    assert client.get(BANKS).status_code == 403
    assert client.get(f"{BANKS}start/").status_code == 403
    assert "/admin/import/bank/" not in client.get("/admin/channels/bank/").content.decode()
    rights = ["channels.view_bank", "channels.import_bank", "channels.change_bank"]
    client.force_login(factories.make_user("editor", permissions=rights))
    assert "/admin/import/bank/" in client.get("/admin/channels/bank/").content.decode()
    page = tried(client, BANKS, "id,code,name,currency\nBK0401,K,K,CNY\nBK0001,,CCB of China,\n", "b.csv")
    assert faults(page) == [("CSV", 2, "", "", "You may not add new rows.")]
    assert applied(client, BANKS, page).status_code == 422
    assert Bank.objects.get(pk="BK0001").name == "China Construction Bank"


def test_a_merchants_user_who_may_import_reaches_no_other_merchant(
    client: Client, acme: Registered, rival: Registered
) -> None:
    clerk = factories.make_merchant_user(acme.merchant)
    rights = ["import_merchantservice", "add_merchantservice", "change_merchantservice"]
    client.force_login(
        factories.make_user(
            "keen", merchants=[acme.merchant], permissions=[f"merchants.{each}" for each in rights]
        )
    )
    # An import is the platform's own: no right of it reaches a merchant's member.
    for line in (f"{rival.merchant.pk},SVC0005,", f"{rival.merchant.pk},SVC0001,disabled"):
        page = tried(client, SERVICES, f"merchant,service,status\n{line}\n", "s.csv")
        assert page.status_code == 403
    assert client.get(f"{SERVICES}start/").status_code == 403
    assert not clerk.has_perm("merchants.import_merchantservice")
    assert not MerchantService.objects.filter(status="disabled").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "The file is empty."),
        (b"MZ\x90\x00\x03", "The file is not UTF-8."),
        (b"<script>alert(1)</script>", "No sheet has these headings"),
        (b"x" * (reading.BYTES_MAX + 1), "at most 2 MB are taken"),
    ],
)
def test_files_that_are_none_get_words_beside_the_field(
    content: bytes, words: str, client: Client, approver: User
) -> None:
    client.force_login(approver)
    page = tried(client, BANKS, content, "../../<b>.csv")
    assert page.status_code == 422
    assert words in str(page.context["form"].errors["file"])
    other = tried(client, BANKS, content or b"x", "../../x.php")
    assert "Choose a file" in str(other.context["form"].errors["file"]) or len(content) > reading.BYTES_MAX
    for data in ({}, {"file": "no file"}):
        assert client.post(BANKS, data).status_code == 422
    assert client.put(BANKS).status_code == 405


def test_a_file_of_2000_rows_costs_a_bounded_number_of_statements_for_each_row(
    client: Client, approver: User, django_assert_max_num_queries: Any
) -> None:
    client.force_login(approver)
    lines = "".join(f"BK{n},C{n},Bank {n},CNY\n" for n in range(1000, 1050))
    with django_assert_max_num_queries(50 * 5 + 60):
        page = tried(client, BANKS, f"id,code,name,currency\n{lines}", "b.csv")
    assert page.context["trial"].count("new") == 50


@pytest.mark.django_db(transaction=True)
def test_rows_that_somebody_else_holds_end_in_words_and_nothing_is_done(
    client: Client, owner_connection: psycopg.Connection
) -> None:
    """F13."""
    client.force_login(factories.make_approver())
    text = "id,name\nBK0001,CCB of China\n"
    page = tried(client, BANKS, text, "b.csv")
    before = state()
    with owner_connection.transaction(), connection.cursor() as cursor:
        owner_connection.execute("SELECT 1 FROM channels_bank WHERE id = 'BK0001' FOR UPDATE")
        cursor.execute("SET lock_timeout = '50ms'")
        refused = tried(client, BANKS, text, "b.csv")
        answer = client.post(
            BANKS, {"tried": page.context["tried"], "seen": page.context["trial"].digest}, follow=True
        )
        cursor.execute("RESET lock_timeout")
    assert "The system is busy. Nothing was changed" in str(refused.context["form"].errors["file"])
    assert "The system is busy. Nothing was changed" in answer.content.decode()
    assert state() == before
    assert applied(client, BANKS, page).status_code == 302
    assert Bank.objects.get(pk="BK0001").name == "CCB of China"


def test_after_an_import_the_way_leads_to_asking_for_exactly_the_new_rows(
    client: Client, approver: User, acme: Registered
) -> None:
    old = MerchantService.objects.create(merchant=acme.merchant, service_id="SVC0005")
    client.force_login(approver)
    own = acme.merchant.pk
    page = tried(client, SERVICES, book(
        ["merchant", "service", "fee ‰"], [own, "SVC0006", "6"], [own, "SVC0005", "5"], [own, "SVC0010", "7"],
    ))  # fmt: skip
    answer = client.get(applied(client, SERVICES, page)["Location"])
    text = answer.content.decode()
    url = re.search(r'href="(/admin/activations/merchantservice/[^"]+)">([^<]+)</a>', text)
    assert url is not None
    assert url[2] == "Ask for the activation of these 2"
    rows = client.get(url[1].replace("&amp;", "&")).context["rows"]
    assert [row["name"] for row in rows] == [f"{own} SVC0006", f"{own} SVC0010"]
    old.refresh_from_db()
    assert old.fee_permillage == 5
