"""A file with wrong rows is given back with the words beside each row, and runs nothing (A1, P8)."""

from __future__ import annotations

import io
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, connection, transaction
from django.test import Client

from channels.models import Bank
from diamondpay.lib import clock
from diamondpay.lib.spreadsheet import upload_kinds
from diamondpay.lib.spreadsheet.uploads import CellKind
from diamondpay.models import AuditRow, User
from merchants.models import Membership
from merchants.registration import Registered
from operations import tasks
from operations.batches import acts, returned
from operations.batches.models import BatchPayout, ReturnedFile
from records.models import Payout
from tests import factories
from tests.admin import book
from tests.operations import batching
from tests.operations.batching import HEAD, balances, good, maker, owner, xlsx
from tests.operations.test_batch_faults import KINDS, TITLES, file_of, right_row, spoilt

__all__ = ["maker", "owner"]
pytestmark = pytest.mark.django_db
PAGE = "/admin/operations/batch-payout/"
WRONG = [*good(2), ("N9", "0", "Zhang", "6222021234567890999"), ("", "5", "", "x")]


def kept(owner: Registered, user: User, content: bytes, **changes: str) -> ReturnedFile:
    """Upload a file that has faults and return what is kept of it."""
    with pytest.raises(acts.FileHasFaults) as refusal:
        batching.upload(owner, user, content, **changes)
    found = refusal.value.returned
    assert found is not None
    return found


def content_of(row: ReturnedFile, user: User) -> bytes:
    return returned.take(pk=row.pk, user=user, address="127.0.0.1", now=clock.now())[1]


def sheet_of(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content)).active


def test_the_file_comes_back_with_its_rows_in_their_places_and_words_beside_the_wrong_ones(
    owner: Registered, maker: User
) -> None:
    row = kept(owner, maker, xlsx(HEAD, WRONG))
    rows = list(sheet_of(content_of(row, maker)).values)
    assert rows[0] == (*HEAD, "What is wrong")
    assert [each[:4] for each in rows[1:3]] == good(2)
    assert [each[4] for each in rows[1:]] == [
        None, None, "B Amount: The amount must be positive.", (
            "C Recipient name: This is required.\n"
            "D Account number: An account has 4 to 64 letters and digits."
        ),
    ]  # fmt: skip
    assert rows[3][:4] == WRONG[2]
    assert (row.row_count, row.faulty_count, row.file_name) == (4, 2, "payouts.xlsx")
    assert (BatchPayout.objects.count(), Payout.objects.count()) == (0, 0)
    assert balances(owner) == (Decimal(100_000), Decimal(0))


def test_two_thousand_rows_come_back_with_every_kind_of_wrong_row_in_words(
    owner: Registered, maker: User
) -> None:
    service = batching.everything_asked(owner)
    used = book.payout(owner, "USED", is_paid=False)
    book.fund(owner, "200000", request_id="more")
    bank = Bank.objects.filter(currency="CNY").earliest("pk").code
    rows = spoilt([right_row(number, bank) for number in range(1, 2001)])
    found = list(sheet_of(content_of(kept(owner, maker, file_of(rows), service_id=service), maker)).values)
    letters = dict(zip(TITLES, "ABCDEFGHIJ", strict=True)) | {"": "K"}
    words = [
        reason if key == "hidden" else f"{letters[key]} {TITLES.get(key, '')}".strip() + f": {reason}"
        for key, _value, _shown, reason in KINDS
    ]
    assert len(found) == 2001
    assert {row[11] for row in found[1 : 2001 - len(KINDS)]} == {None}
    assert [row[11] for row in found[2001 - len(KINDS) :]] == [
        each.format(used=used.payout_id) for each in words
    ]


def test_sent_again_unmended_the_file_is_refused_for_the_same_and_mended_it_is_taken(
    owner: Registered, maker: User
) -> None:
    service = batching.everything_asked(owner)
    bank = Bank.objects.filter(currency="CNY").earliest("pk").code
    # A hidden row is shown when it comes back, which mends it; its words say why it was refused.
    plain = [right_row(number, bank) for number in range(1, len(KINDS) + 10)]
    book.payout(owner, "USED", is_paid=False)
    rows = [row for row in spoilt(plain) if "hidden" not in row]
    first = batching.faults(owner, maker, file_of(rows), service_id=service)
    back = content_of(ReturnedFile.objects.get(), maker)
    again = batching.faults(owner, maker, back, service_id=service)
    assert [(each.row, each.column) for each in again] == [(each.row, each.column) for each in first]
    told = {each.row: each.reason for each in first}
    lost = {row for row, words in told.items() if "U+202E" in words}
    assert {each.row for each in again if told[each.row] != each.reason} == lost
    mended: Any = openpyxl.load_workbook(io.BytesIO(content_of(ReturnedFile.objects.latest("id"), maker)))
    for row in sorted({each.row for each in first}, reverse=True):
        mended.active.delete_rows(row)
    mended.active["L2"] = "left there"
    file = io.BytesIO()
    mended.save(file)
    assert batching.upload(owner, maker, file.getvalue(), service_id=service).row_count == 9


@pytest.mark.parametrize(
    "name", ['=HYPERLINK("http://x")', "+1+1", "-2", "@SUM(A1)", "=1", "_x003D_1", "\t=1"]
)
def test_nothing_in_the_file_that_comes_back_is_a_formula(owner: Registered, maker: User, name: str) -> None:
    content = ",".join(HEAD) + f'\nN1,0,"{name.replace(chr(34), chr(34) * 2)}",62220212\n'
    row = kept(owner, maker, content.encode(), name=f"{name}.csv".replace("/", ""))
    sheet = sheet_of(content_of(row, maker))
    assert {cell.data_type for line in sheet.iter_rows() for cell in line} <= {"s", "n"}
    read_back = upload_kinds.read(content_of(row, maker), name="x.xlsx")[0].rows[1].cells[2]
    assert (read_back.text, read_back.kind) == (name.strip(), CellKind.TEXT)
    assert (sheet["C2"].data_type, sheet["C2"].quotePrefix) == ("s", True)


def test_a_date_stays_one_and_is_refused_both_times(owner: Registered, maker: User) -> None:
    content = xlsx(HEAD, [(date(2026, 11, 28), "5", "Zhang", "62220212")])
    (found,) = batching.faults(owner, maker, content)
    assert (found.column, found.value) == ("A Merchant order no.", "2026-11-28 00:00:00")
    assert found.reason == "It is a date or a time. Format the cell as text and type it again."
    assert batching.faults(owner, maker, content_of(ReturnedFile.objects.get(), maker)) == [found]


def test_wrong_titles_come_back_marked_and_told_on_a_sheet_in_front(owner: Registered, maker: User) -> None:
    row = kept(owner, maker, xlsx((*HEAD[:3], "Nickname"), good(2)))
    assert (row.row_count, row.faulty_count) == (2, 2)
    content = content_of(row, maker)
    found: Any = openpyxl.load_workbook(io.BytesIO(content))
    assert list(found["What is wrong"].values) == [
        ("Column", "Title", "What is wrong"),
        ("D", "Nickname", "This column is not in the template of the service. Remove it."),
        (
            "Account number",
            "Account number",
            "The column is missing; the service requires it. Use the template.",
        ),
    ]
    sheet = found.worksheets[1]
    assert list(sheet.values) == [(*HEAD[:3], "Nickname"), *good(2)]
    assert sheet["D1"].fill.fgColor.rgb != sheet["C1"].fill.fgColor.rgb == sheet["A1"].fill.fgColor.rgb
    again = batching.faults(owner, maker, content)
    assert [each.reason for each in again] == [row[2] for row in list(found["What is wrong"].values)[1:]]
    sheet["D1"] = "Account number"
    file = io.BytesIO()
    found.save(file)
    assert batching.upload(owner, maker, file.getvalue()).row_count == 2


def test_every_sheet_of_the_book_comes_back_in_its_place_as_texts(owner: Registered, maker: User) -> None:
    sent: Any = openpyxl.load_workbook(io.BytesIO(xlsx(HEAD, WRONG)))
    sent.active.title = "June"
    notes = sent.create_sheet("Notes", 0)
    notes["B2"], notes["C3"], notes["A4"] = "=1+1", 12.5, "+cmd"
    sent.create_sheet("Hidden ledger").sheet_state = "hidden"
    sent["Hidden ledger"]["A1"] = "kept"
    file = io.BytesIO()
    sent.save(file)
    content = content_of(kept(owner, maker, file.getvalue()), maker)
    found: Any = openpyxl.load_workbook(io.BytesIO(content))
    assert found.sheetnames == ["Notes", "June", "Hidden ledger"]
    assert found.active.title == "June"
    assert found["Hidden ledger"].sheet_state == "hidden"
    cells = [found["Notes"][place] for place in ("B2", "C3", "A4")]
    assert [(cell.value, cell.data_type) for cell in cells] == [("=1+1", "s"), ("12.5", "s"), ("+cmd", "s")]
    assert [row[4] for row in found["June"].values][3] == "B Amount: The amount must be positive."


def test_wrong_titles_without_rows_and_whole_refusals_keep_nothing(owner: Registered, maker: User) -> None:
    with pytest.raises(acts.FileHasFaults) as refusal:
        batching.upload(owner, maker, xlsx((*HEAD, "Nickname"), []))
    assert refusal.value.returned is None
    assert (ReturnedFile.objects.count(), AuditRow.objects.filter(action__startswith="batch.").count()) == (
        0,
        0,
    )


def test_it_is_sealed_audited_when_kept_and_taken_and_says_no_account_anywhere_a1(
    owner: Registered, maker: User
) -> None:
    row = kept(owner, maker, xlsx(HEAD, WRONG))
    content_of(row, maker)
    trail = list(AuditRow.objects.filter(object_kind="returnedfile").order_by("id"))
    assert [(each.action, each.user, each.address) for each in trail] == [
        ("batch.faulty_file", maker, "127.0.0.1"), ("batch.faulty_file_taken", maker, "127.0.0.1"),
    ]  # fmt: skip
    assert (trail[0].after["rows"], trail[0].after["wrong"], trail[0].object_id) == (4, 2, str(row.pk))
    with connection.cursor() as cursor:
        for table in ("operations_returnedfile", "diamondpay_auditrow"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            assert "6222021234567890999" not in cursor.fetchone()[0]
    assert b"PK\x03\x04" not in bytes(row.content_encrypted or b"")


def test_only_who_sent_it_takes_it_and_only_while_they_may_pay_for_the_merchant(
    owner: Registered, client: Client
) -> None:
    clerk = factories.make_merchant_user(owner.merchant)
    row = kept(owner, clerk, xlsx(HEAD, WRONG))
    others = [
        factories.make_user("boss", is_superuser=True), factories.make_operator("other"),
        factories.make_merchant_user(book.merchant("Rival").merchant, "spy"),
    ]  # fmt: skip
    for user in others:
        client.force_login(user)
        assert client.get(f"{PAGE}returned/{row.pk}/").status_code == 404
    client.force_login(clerk)
    assert client.post(f"{PAGE}returned/{row.pk}/").status_code == 405
    answer = client.get(f"{PAGE}returned/{row.pk}/")
    assert (answer.status_code, answer["Content-Disposition"]) == (
        200, 'attachment; filename="payouts-what-is-wrong.xlsx"',
    )  # fmt: skip
    Membership.objects.filter(user=clerk).delete()
    assert client.get(f"{PAGE}returned/{row.pk}/").status_code == 404
    assert client.get(f"{PAGE}returned/{2**64}/").status_code == 404


def test_after_a_day_it_is_gone_with_words_and_only_the_last_few_are_kept(
    owner: Registered, maker: User, client: Client
) -> None:
    rows = [kept(owner, maker, xlsx(HEAD, [*WRONG, *good(n, start=20)])) for n in range(1, 8)]
    assert [returned_row.pk for returned_row in returned.of(maker, clock.now())] == [
        row.pk for row in reversed(rows[2:])
    ]  # fmt: skip
    client.force_login(maker)
    assert client.get(f"{PAGE}returned/{rows[0].pk}/")["Location"] == PAGE
    page = client.get(PAGE).content.decode()
    assert "This file was kept for a day and is gone." in page
    assert page.count("/returned/") == 5
    later = clock.now() + timedelta(hours=24)
    with pytest.raises(returned.FileGone):
        returned.take(pk=rows[-1].pk, user=maker, address=None, now=later)
    assert returned.empty_expired(now=later) == 5
    assert not ReturnedFile.objects.filter(content_encrypted__isnull=False).exists()
    tasks.expire_acts()


def test_the_database_lets_nobody_change_or_remove_what_was_sent(owner: Registered, maker: User) -> None:
    row = kept(owner, maker, xlsx(HEAD, WRONG))
    for change in ({"merchant": "PF1"}, {"expires_at": clock.now()}, {"uploaded_by": 1}):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            ReturnedFile.objects.filter(pk=row.pk).update(**change)
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        ReturnedFile.objects.all().delete()


def test_the_page_offers_the_file_and_a_csv_comes_back_as_a_book(
    owner: Registered, maker: User, client: Client
) -> None:
    client.force_login(maker)
    content = "\n".join(",".join(row) for row in (HEAD, *WRONG)).encode()
    fields = {"merchant": owner.merchant.pk, "service": "SVC0004", "wallet": ""}
    answer = client.post(PAGE, {**fields, "file": SimpleUploadedFile("old name.csv", content)})
    row = ReturnedFile.objects.get()
    assert answer.status_code == 422
    assert f'href="{PAGE}returned/{row.pk}/"' in answer.content.decode()
    taken = client.get(f"{PAGE}returned/{row.pk}/")
    assert taken["Content-Disposition"] == 'attachment; filename="old name-what-is-wrong.xlsx"'
    assert (taken["X-Content-Type-Options"], taken["Cache-Control"][:17]) == ("nosniff", "private, no-store")
    assert sheet_of(b"".join(taken))["E4"].value == "B Amount: The amount must be positive."
