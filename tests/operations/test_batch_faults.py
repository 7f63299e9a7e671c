"""Wrong files of payouts: every kind of wrong row by its place and its exact words, and nothing is created.

Then the corrected file of 2,000 payouts, to the last cent.
"""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from channels.models import Bank
from diamondpay.lib import clock
from diamondpay.lib.spreadsheet.uploads import FileRefused
from diamondpay.models import AuditRow, User
from merchants.registration import Registered
from operations.batches import placing
from operations.batches.models import BatchPayout, BatchPayoutRow
from records import ledger
from records.models import BalanceRecord, Payout
from tests.admin import book
from tests.operations import batching
from tests.operations.batching import HEAD, balances, good, maker, owner, xlsx
from tests.support.desk import Desk, desk
from tests.support.scripted_upstream import upstream

__all__ = ["desk", "maker", "owner", "upstream"]
pytestmark = pytest.mark.django_db

TITLES = {
    "order": "Merchant order no.", "amount": "Amount", "currency": "Currency", "name": "Recipient name",
    "account": "Account number", "bank": "Bank code", "phone": "Phone", "id": "ID number",
    "ifsc": "IFSC code", "branch": "Bank branch",
}  # fmt: skip
LOST = (
    "The spreadsheet took it for a number and lost its last digits."
    " Format the cell as text and type it again."
)
SHORT = (
    "From this row on the balance does not suffice: the file needs 101,303.00 CNY with fees,"
    " and 100,000.00 CNY are available."
)
PLAIN = "Write a plain decimal number such as 1250.50."
REQUIRED = "This is required."
PERSON = "It holds the character U+202E, which cannot be seen. Remove it."
# What is typed into which column of a row that is else right, how the complaint shows it, and what it says.
KINDS: list[tuple[str, Any, str, str]] = [
    ("order", "A" * 65, "A" * 59 + "…", "It is longer than 64 characters."),
    ("order", "A&B", "A&B", "It holds the character “&” (U+0026); use ASCII letters, digits and - _ . : /"),
    ("order", "Ä1", "Ä1", "It holds the character U+00C4; use ASCII letters, digits and - _ . : /"),
    ("order", "K7", "K7", "Row 8 has the same order number."),
    ("order", "USED", "USED", "This order number is already used by {used}."),
    ("amount", None, "", REQUIRED),
    ("amount", "１２", "１２", PLAIN),
    ("amount", "1,000.00", "1,000.00", PLAIN),
    ("amount", "1e2", "1e2", PLAIN),
    ("amount", 0, "0", "The amount must be positive."),
    ("amount", "-5", "-5", "The amount must be positive."),
    ("amount", "10.001", "10.001", "CNY has 2 decimals."),
    ("amount", "9" * 21, "9" * 21, "The amount is too large."),
    ("amount", "9.99", "9.99",
     "The amount 9.99 is outside what is allowed: 10 – 50,000 CNY (both bounds: service)."),
    ("amount", "50000.01", "50000.01",
     "The amount 50,000.01 is outside what is allowed: 10 – 50,000 CNY (both bounds: service)."),
    ("amount", "=B2*2", "=B2*2", "It is a formula. Put its value there: copy, then paste as values."),
    ("amount", True, "TRUE",
     "It is a truth value (TRUE or FALSE). Format the cell as text and type it again."),
    ("amount", "#REF!", "#REF!", "It is an error of the spreadsheet. Put the value there."),
    ("currency", "usd", "USD", "The service is in CNY."),
    ("name", None, "", REQUIRED),
    ("name", "N" * 65, "N" * 59 + "…", "It is longer than 64 characters."),
    ("name", "12345", "12345", "A name has letters."),
    ("name", "Zhang\u202eWei", "Zhang�Wei", PERSON),
    ("account", None, "", REQUIRED),
    ("account", 6222021234567890123, "***************0000", LOST),
    ("account", "6.2220212E+18", "*********E+18", LOST),
    ("account", "12", "*2", "An account has 4 to 64 letters and digits."),
    ("account", "6222#0212", "*****0212", "An account has 4 to 64 letters and digits."),
    ("bank", None, "", REQUIRED),
    ("bank", "No Bank", "No Bank", "This bank does not exist, is closed, or is not for this currency."),
    ("phone", "abc", "**c", "A phone number has 5 to 20 digits."),
    ("phone", None, "", REQUIRED),
    ("id", "1", "*", "An ID number has 5 to 32 letters and digits."),
    ("ifsc", "HDFC1001234", "HDFC1001234",
     "An IFSC code is four letters, a zero and six letters or digits, such as HDFC0001234."),
    ("branch", "B" * 129, "B" * 59 + "…", "It is longer than 128 characters."),
    ("", "stray", "stray", "There is a value outside the columns. Remove it."),
    ("hidden", "", "", "The row is hidden, so nobody sees what it pays. Show or delete it."),
]  # fmt: skip


def right_row(number: int, bank: str) -> dict[str, Any]:
    """Return a row that is right, by column."""
    return {
        "order": f"K{number}", "amount": f"{100 + number % 7}.50", "currency": "CNY",
        "name": f"Wang {chr(65 + number % 26)}", "account": f"62220212345{number:05d}", "bank": bank,
        "phone": "+8613800000000", "id": "11010119900307451X", "ifsc": "HDFC0001234", "branch": "",
    }  # fmt: skip


def file_of(rows: list[dict[str, Any]]) -> bytes:
    """Return a book of the rows; `stray` stands beside the columns, `hidden` hides the row."""
    made: Any = openpyxl.Workbook()
    sheet = made.active
    sheet.title = "Payouts"
    sheet.append(list(TITLES.values()))
    for place, row in enumerate(rows, start=2):
        sheet.append([*(row[key] for key in TITLES), row.get("stray")])
        sheet.row_dimensions[place].hidden = "hidden" in row
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def spoilt(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with one kind of fault in each of the last."""
    first = len(rows) - len(KINDS)
    wrong = [
        {**row, {"": "stray"}.get(key, key): value}
        for row, (key, value, _shown, _words) in zip(rows[first:], KINDS, strict=True)
    ]
    return rows[:first] + wrong


def test_two_thousand_payouts_with_every_kind_of_wrong_row_create_nothing(
    owner: Registered, maker: User
) -> None:
    service = batching.everything_asked(owner)
    used = book.payout(owner, "USED", is_paid=False)
    book.fund(owner, "200000", request_id="more")
    before = (balances(owner), Payout.objects.count())
    trail = AuditRow.objects.count()
    bank = Bank.objects.filter(currency="CNY").earliest("pk").code
    rows = [right_row(number, bank) for number in range(1, 2001)]
    found = batching.faults(owner, maker, file_of(spoilt(rows)), service_id=service)
    letters = dict(zip(TITLES, "ABCDEFGHIJ", strict=True)) | {"": "K"}
    expected = []
    for place, (key, _value, shown, words) in enumerate(KINDS):
        row = len(rows) + 2 - len(KINDS) + place
        column = "" if key == "hidden" else f"{letters[key]} {TITLES.get(key, '')}".strip()
        expected.append((row, column, shown, words.format(used=used.payout_id)))
    assert [(f.row, f.column, f.value, f.reason) for f in found] == expected
    assert {fault.sheet for fault in found} == {"Payouts"}
    assert (len(rows), len({words for *_rest, words in KINDS})) == (2000, 27)
    assert (balances(owner), Payout.objects.count()) == before
    assert [row.action for row in AuditRow.objects.order_by("id")[trail:]] == ["batch.faulty_file"]
    assert (BatchPayout.objects.count(), BatchPayoutRow.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_the_corrected_batch_of_two_thousand_is_created_whole_to_the_last_cent_p1(
    desk: Desk, maker: User
) -> None:
    desk.fund("300000")
    rows = [(f"K{n}", f"{100 + n % 7}.50", "Wang A", f"62220212345{n:05d}") for n in range(2000)]
    batch = batching.upload(desk.registered, maker, xlsx(HEAD, rows))
    assert (batch.row_count, batch.amount) == (2000, Decimal("206995.00"))
    batching.confirm(batch, maker)
    placing.place_waiting()
    batch.refresh_from_db()
    assert (batch.state, batch.fee, batch.frozen_amount) == (
        "done", Decimal("1654.25"), Decimal("208649.25"),
    )  # fmt: skip
    assert set(batch.rows.values_list("state", flat=True)) == {"placed"}
    totals = Payout.objects.aggregate(
        amount=Sum("requested_amount"), fee=Sum("fee"), held=Sum("debited_amount")
    )
    assert totals == {"amount": batch.amount, "fee": batch.fee, "held": batch.frozen_amount}
    assert desk.balances() == (Decimal(300_000) - batch.frozen_amount, batch.frozen_amount)
    frozen = BalanceRecord.objects.filter(change_type="balance_freeze", account_kind="frozen")
    assert (frozen.count(), frozen.aggregate(sum=Sum("amount"))["sum"]) == (2000, batch.frozen_amount)
    assert len(set(desk.upstream.references())) == len(desk.upstream.references()) == 2000
    assert placing.place_waiting(threads=1) == 0


@pytest.mark.parametrize(
    ("rows", "place", "reason"),
    [
        (
            [("A", "1000", "Wang A", "62220212"), ("B", "100000", "Wang A", "62220213")],
            (3, "B Amount", "100000"),
            SHORT,
        ),
        (
            [("", "10", "Wang A", "6222 0212"), ("", "10.00", "Wang B", "62220212")],
            (3, "D Account number", "****0212"),
            "Row 2 pays the same amount to the same account. If both are meant, give each an order number.",
        ),
    ],
)
def test_what_only_the_whole_file_shows_is_told_once(
    owner: Registered, maker: User, rows: list[Any], place: tuple[int, str, str], reason: str
) -> None:
    (found,) = batching.faults(owner, maker, xlsx(HEAD, rows))
    assert ((found.row, found.column, found.value), found.reason) == (place, reason)


def test_the_balance_suffices_to_the_last_cent(owner: Registered, maker: User) -> None:
    ledger.adjust(
        merchant_channel=owner.wallets[0], amount=Decimal("0.30"), reason="float", request_id="cents",
        now=clock.now(),
    )  # fmt: skip
    (found,) = batching.faults(owner, maker, xlsx(HEAD, good(1000)))
    assert "needs 100,300.00 CNY with fees, and 100,000.30 CNY are available" in found.reason
    batch = batching.upload(owner, maker, xlsx(HEAD, good(997)))
    assert batch.frozen_amount == Decimal("99999.10")


@pytest.mark.parametrize(
    ("head", "column", "value", "reason"),
    [
        ((*HEAD, "Nickname"), "E", "Nickname",
         "This column is not in the template of the service. Remove it."),
        ((*HEAD, "amount *"), "E", "amount *", "This column is there twice. Remove one."),
        (HEAD[:3], "Account number", "Account number",
         "The column is missing; the service requires it. Use the template."),
    ],
)  # fmt: skip
def test_wrong_titles_are_told_before_any_row(
    owner: Registered, maker: User, head: tuple[str, ...], column: str, value: str, reason: str
) -> None:
    (found,) = batching.faults(owner, maker, xlsx(head, [("A", "x", "", "")]))
    assert (found.row, found.column, found.value, found.reason) == (1, column, value, reason)


def test_titles_may_be_written_in_other_cases_widths_and_orders(owner: Registered, maker: User) -> None:
    head = ("ACCOUNT NUMBER", "recipient_name", "Ａｍｏｕｎｔ *")
    content = xlsx(("name", "number", "amount"), [("Zhang", "62220212", 12)])
    assert batching.upload(owner, maker, content).amount == 12
    assert (
        batching.upload(owner, maker, xlsx((head[0], "name", head[2]), [("62220299", "Li", "7")])).amount == 7
    )


def test_a_file_of_which_no_sheet_or_two_hold_payouts_is_refused(owner: Registered, maker: User) -> None:
    for content, words in (
        (xlsx(("Account", "Name"), [("1", "2")]), "No sheet has the column “Amount” in its first row."),
        (xlsx(HEAD, []), "The file has titles and no payouts."),
    ):
        with pytest.raises(FileRefused, match=words):
            batching.upload(owner, maker, content)
    two: Any = openpyxl.Workbook()
    two.active.append(list(HEAD))
    two.create_sheet("Second").append(list(HEAD))
    file = io.BytesIO()
    two.save(file)
    with pytest.raises(FileRefused, match="More than one sheet holds payouts: Sheet “Sheet”, Sheet “Second”"):
        batching.upload(owner, maker, file.getvalue())


def test_an_address_of_a_coin_keeps_its_case_and_a_key_its_dashes(owner: Registered, maker: User) -> None:
    accounts = ["TXYZopYRdj2D9XRtbG411XZZ3kM5VkAeBf", "123e4567-e89b-12d3-a456-426614174000", "a-b@x.com"]
    rows = [(f"N{n}", "10", "Wang", account) for n, account in enumerate(accounts)]
    batch = batching.upload(owner, maker, xlsx(HEAD, rows))
    kept = [batching.sealing.party_of(row).account for row in batch.rows.order_by("number")]
    assert kept == accounts


def test_checking_costs_the_same_statements_for_ten_rows_and_for_five_hundred(
    owner: Registered, maker: User
) -> None:
    # The first asks for the person's rights and what the framework remembers from then on.
    batching.upload(owner, maker, xlsx(HEAD, good(1)))
    counts = []
    for count in (10, 490):
        with CaptureQueriesContext(connection) as queries:
            batching.upload(owner, maker, xlsx(HEAD, good(count, amount="50", start=count)))
        counts.append(len(queries))
    assert counts[0] == counts[1] < 25
