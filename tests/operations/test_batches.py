"""A batch from its file to its orders: checked whole, confirmed by its sum, created once (P1, P8, A1)."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from channels.models import Channel
from diamondpay.lib import clock, errors
from diamondpay.lib.spreadsheet.uploads import FileRefused
from diamondpay.models import AuditRow, User
from merchants.models import MerchantService
from merchants.registration import Registered
from operations import placement
from operations.batches import acts, checking, placing, results, sealing, template
from operations.batches.models import BatchPayout, BatchPayoutRow
from records import ledger, parties
from records.models import Payout, PayoutStatus
from tests import factories
from tests.admin import book
from tests.lib import spreadsheets
from tests.operations import batching
from tests.operations.batching import HEAD, balances, good, maker, owner, xlsx

__all__ = ["maker", "owner"]
pytestmark = pytest.mark.django_db


def nothing_was_kept() -> bool:
    """Say whether there is no batch, row, order or audit row of one."""
    kept = [BatchPayout.objects.count(), BatchPayoutRow.objects.count(), Payout.objects.count()]
    return [*kept, AuditRow.objects.filter(action__startswith="batch.").count()] == [0, 0, 0, 0]


def test_an_upload_creates_no_order_and_freezes_nothing(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(3, amount="100.50")))
    assert (batch.state, batch.row_count) == ("prepared", 3)
    assert (batch.amount, batch.fee, batch.frozen_amount) == (
        Decimal("301.50"), Decimal("0.90"), Decimal("302.40"),
    )  # fmt: skip
    assert balances(owner) == (Decimal(100_000), Decimal(0))
    assert (Payout.objects.count(), placing.place_waiting(threads=1)) == (0, 0)


def test_a_confirmed_batch_becomes_orders_with_exact_sums_p1(owner: Registered, maker: User) -> None:
    batch = batching.done(batching.upload(owner, maker, xlsx(HEAD, good(3, amount="100.50"))), maker)
    assert (batch.state, batch.confirmed_by, batch.finished_at is not None) == ("done", maker, True)
    orders = list(Payout.objects.order_by("merchant_order_no"))
    assert [order.merchant_order_no for order in orders] == ["N1", "N2", "N3"]
    assert {(order.source, order.placed_by, order.is_test) for order in orders} == {
        ("MerchantBackend", maker, False)
    }
    assert parties.party_of(orders[0]).account == "6222021234567890001"
    assert balances(owner) == (Decimal("99697.60"), Decimal("302.40"))
    assert {row.payout_id for row in batch.rows.all()} == {order.pk for order in orders}


def test_rows_without_an_order_number_get_one_before_anything_is_created(
    owner: Registered, maker: User
) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD[1:], [row[1:] for row in good(2)]))
    numbers = [f"BATCH{batch.pk:06d}-0001", f"BATCH{batch.pk:06d}-0002"]
    assert list(batch.rows.values_list("merchant_order_no", flat=True).order_by("number")) == numbers
    batching.done(batch, maker)
    assert sorted(Payout.objects.values_list("merchant_order_no", flat=True)) == numbers


def test_the_same_payouts_are_recognised_however_they_are_packed(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(3)))
    rows = [",".join(row) for row in (HEAD, *reversed(good(3)))]
    for content, name in ((xlsx(HEAD, good(3)), "again.xlsx"), ("\n".join(rows).encode(), "again.csv")):
        for _turn in range(2):
            with pytest.raises(acts.SameFile) as refusal:
                batching.upload(owner, maker, content, name=name)
            assert refusal.value.earlier == batch
            batch.refresh_from_db()
            if batch.state == "prepared":
                batching.done(batch, maker)
    assert (BatchPayout.objects.count(), Payout.objects.count()) == (1, 3)


def test_the_database_itself_refuses_the_same_payouts(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(1)))
    copy = BatchPayout.objects.get(pk=batch.pk)
    copy.pk = None
    with pytest.raises(IntegrityError, match="batch_file_once"), transaction.atomic():
        copy.save(force_insert=True)


def test_another_merchant_may_pay_the_same_people(owner: Registered, maker: User) -> None:
    other = book.merchant("Other")
    book.fund(other)
    batching.upload(owner, maker, xlsx(HEAD, good(2)))
    assert batching.upload(other, maker, xlsx(HEAD, good(2))).merchant == other.merchant


def test_a_discarded_batch_creates_nothing_and_its_file_may_come_again(
    owner: Registered, maker: User
) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(2)))
    acts.discard(batch_pk=batch.pk, user=maker, address=None, now=clock.now())
    with pytest.raises(errors.StatusConflict):
        batching.confirm(batch, maker)
    assert (placing.place_waiting(threads=1), Payout.objects.count()) == (0, 0)
    assert batching.upload(owner, maker, xlsx(HEAD, good(2))).state == "prepared"


def test_confirming_twice_creates_once_p8(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(2)))
    batching.done(batch, maker)
    with pytest.raises(errors.StatusConflict, match="has the status “Done”"):
        batching.confirm(batch, maker)
    placing.place_waiting(threads=1)
    assert (Payout.objects.count(), balances(owner)) == (2, (Decimal("99799.40"), Decimal("200.60")))


def test_what_changed_since_the_file_was_checked_is_told_and_nothing_is_confirmed(
    owner: Registered, maker: User
) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(3, amount="30000")))
    terms = MerchantService.objects.filter(merchant=owner.merchant, service="SVC0004")

    def told(now: timedelta = timedelta()) -> str:
        with pytest.raises(errors.InvalidInput) as refusal:
            acts.confirm(batch_pk=batch.pk, user=maker, address=None, now=clock.now() + now)
        batch.refresh_from_db()
        assert batch.state == "prepared"
        return str(refusal.value.fields["batch"])

    factories.set_terms(terms, fee_permillage=4)
    assert told() == "The fee was changed since the file was checked. Discard it and upload it again."
    factories.set_terms(terms, fee_permillage=3, single_limit_upper_bound=20_000)
    assert told() == (
        "Row 2: The amount 30,000 is outside what is allowed: up to 20,000 CNY (upper bound: service)."
    )
    factories.set_terms(terms, single_limit_upper_bound=0)
    book.payout(owner, "N2", amount="20000", is_paid=False)
    assert told() == (
        f"{owner.wallets[0].pk} has 79,940.00 CNY available, and the batch needs 90,270.00 CNY."
        f" 1 order numbers were used meanwhile, such as N2 by {Payout.objects.get().payout_id}."
    )
    assert told(timedelta(hours=25)).startswith("It was uploaded more than a day ago.")
    terms.update(status="disabled")
    assert told() == "The merchant has not activated this service."
    assert Payout.objects.count() == 1


def test_a_row_that_fails_when_it_is_placed_says_why_and_stops_nobody(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(4, amount="24000")))
    batching.confirm(batch, maker)
    assert placing.place_next()
    book.payout(owner, "N3", amount="1", is_paid=False)
    book.payout(owner, "meanwhile", amount="40000", is_paid=False)
    placing.place_waiting(threads=1)
    batch.refresh_from_db()
    found = list(batch.rows.order_by("number").values_list("state", "reason"))
    short = "The available balance is not sufficient."
    taken = "This order number is already used by an order with other content."
    assert [state for state, _reason in found] == ["placed", "placed", "failed", "failed"]
    assert [reason for _state, reason in found] == ["", "", taken, short]
    assert (batch.state, Payout.objects.count()) == ("done", 4)


def test_a_fee_that_changed_after_the_confirmation_is_not_charged(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(1)))
    batching.confirm(batch, maker)
    factories.set_terms(
        MerchantService.objects.filter(merchant=owner.merchant, service="SVC0004"), fee_permillage=30
    )
    placing.place_waiting(threads=1)
    words = "The fee is 3.00 CNY now and was 0.30 CNY when the batch was confirmed."
    assert list(batch.rows.values_list("state", "reason")) == [("failed", words)]
    assert (balances(owner), Payout.objects.count()) == ((Decimal(100_000), Decimal(0)), 0)


def test_an_order_that_an_earlier_try_made_is_noted_whatever_would_be_refused_now(
    owner: Registered, maker: User
) -> None:
    batch = batching.confirm(batching.upload(owner, maker, xlsx(HEAD, good(1))), maker)
    row = placing._claim(clock.now())
    assert row is not None
    made = placement.place_payout(order=placing._order(row))
    owner.merchant.status = "disabled"
    owner.merchant.save()
    later = clock.now() + 2 * placing.LEASE
    assert placing.place_next(read_clock=lambda: later)
    batch.refresh_from_db()
    assert (batch.state, batch.rows.get().payout, Payout.objects.count()) == ("done", made, 1)


def test_a_workers_turn_is_bounded_and_the_next_one_goes_on(
    owner: Registered, maker: User, django_capture_on_commit_callbacks: Any
) -> None:
    batch = batching.confirm(batching.upload(owner, maker, xlsx(HEAD, good(2))), maker)
    with django_capture_on_commit_callbacks() as woken:
        assert placing.place_waiting(threads=1, seconds_max=0) == 0
    assert (len(woken), Payout.objects.count()) == (1, 0)
    assert placing.place_waiting(threads=1, seconds_max=600) == 2
    batch.refresh_from_db()
    assert batch.state == "done"


def test_a_stopped_batch_creates_no_more_and_its_numbers_are_free_again(
    owner: Registered, maker: User
) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(3)))
    batching.confirm(batch, maker)
    placing.place_next()
    acts.stop(batch_pk=batch.pk, user=maker, address=None, now=clock.now())
    placing.place_waiting(threads=1)
    batch.refresh_from_db()
    assert sorted(batch.rows.values_list("state", flat=True)) == ["placed", "stopped", "stopped"]
    assert (batch.state, batch.stopped_by, Payout.objects.count()) == ("done", maker, 1)
    again = batching.done(batching.upload(owner, maker, xlsx(HEAD, good(2, start=2))), maker)
    assert (again.state, Payout.objects.count()) == ("done", 3)


def test_payouts_that_need_a_review_wait_for_another_person(owner: Registered, maker: User) -> None:
    owner.merchant.payout_audit = "manual"
    owner.merchant.save()
    batching.done(batching.upload(owner, maker, xlsx(HEAD, good(2))), maker)
    assert set(Payout.objects.values_list("status", flat=True)) == {PayoutStatus.UNDER_REVIEW}
    assert balances(owner) == (Decimal("99799.40"), Decimal("200.60"))


def test_each_row_takes_the_wallet_that_has_room_for_it(maker: User) -> None:
    factories.make_channel("first", base_url=book.NOWHERE, weight=200)
    factories.make_channel("second", base_url=book.NOWHERE)
    owner = factories.make_merchant("Two", channels=["first", "second"], fee_permillage=3)
    for wallet in owner.wallets:
        checking_amount = Decimal(250) if wallet.channel_id == "first" else Decimal(1000)
        ledger.adjust(
            merchant_channel=wallet, amount=checking_amount, reason="float", request_id=f"f-{wallet.pk}",
            now=clock.now(),
        )  # fmt: skip
    batch = batching.done(batching.upload(owner, maker, xlsx(HEAD, good(5))), maker)
    taken = [row.merchant_channel.channel_id for row in batch.rows.order_by("number")]
    assert taken == ["first", "first", "second", "second", "second"]
    assert [balances(owner, place) for place in (0, 1)] == [
        (Decimal("49.40"), Decimal("200.60")), (Decimal("699.10"), Decimal("300.90")),
    ]  # fmt: skip
    first = owner.wallets[0].pk
    (fault,) = batching.faults(owner, maker, xlsx(HEAD, good(2, start=7)), merchant_channel_id=first)
    assert fault.reason == (
        "From this row on the balance does not suffice: the file needs 200.60 CNY with fees, and 49.40 CNY"
        " are available."
    )


def test_a_files_personal_fields_are_sealed_and_nothing_is_written_in_clear(
    owner: Registered, maker: User
) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(1)))
    row = batch.rows.get()
    assert row.account_masked == "***************0001"
    assert sealing.party_of(row).account == "6222021234567890001"
    with connection.cursor() as cursor:
        for table in ("operations_batchpayout", "operations_batchpayoutrow", "diamondpay_auditrow"):
            cursor.execute(f"SELECT string_agg(t::text, ' ') FROM {table} t")
            assert "6222021234567890001" not in cursor.fetchone()[0]


def test_every_act_on_a_batch_is_audited_a1(owner: Registered, maker: User) -> None:
    batch = batching.done(batching.upload(owner, maker, xlsx(HEAD, good(2))), maker)
    rows = list(AuditRow.objects.filter(action__startswith="batch.").order_by("id"))
    assert [(row.action, row.user, row.object_id) for row in rows] == [
        ("batch.upload", maker, str(batch.pk)), ("batch.confirm", maker, str(batch.pk)),
    ]  # fmt: skip
    assert (rows[1].after["frozen"], rows[1].after["payouts"]) == ("200.6", 2)
    assert rows[1].address == "127.0.0.1"


def test_rights_decide_for_whom_a_batch_is_made(owner: Registered, maker: User) -> None:
    other = book.merchant("Other")
    book.fund(other)
    clerk = factories.make_merchant_user(owner.merchant)
    unbound = factories.make_user("unbound", permissions=["operations.operation_payout_write"])
    reader = factories.make_customer_service()
    for user, of in ((clerk, other), (unbound, owner), (reader, owner)):
        with pytest.raises(errors.NotAllowed):
            batching.upload(of, user, xlsx(HEAD, good(1)))
    assert nothing_was_kept()
    theirs = batching.upload(other, maker, xlsx(HEAD, good(1)))
    for deed in (acts.confirm, acts.discard, acts.stop):
        with pytest.raises(errors.NotAllowed):
            deed(batch_pk=theirs.pk, user=clerk, address=None, now=clock.now())
    theirs.refresh_from_db()
    assert theirs.state == "prepared"
    assert batching.done(batching.upload(owner, clerk, xlsx(HEAD, good(1))), clerk).state == "done"


def test_a_batch_is_not_made_for_a_closed_service_a_deposit_or_a_disabled_merchant(
    owner: Registered, maker: User
) -> None:
    content = xlsx(HEAD, good(1))
    for service, refused in (("SVC0001", errors.ServiceUnknown), ("SVC0081", errors.ServiceNotActivated)):
        with pytest.raises(refused):
            batching.upload(owner, maker, content, service_id=service)
    with pytest.raises(errors.ChannelUnknown):
        batching.upload(owner, maker, content, merchant_channel_id=book.merchant("Other").wallets[0].pk)
    Channel.objects.update(status="disabled")
    with pytest.raises(errors.NoChannelAvailable) as refusal:
        batching.upload(owner, maker, content)
    assert str(refusal.value) == (
        f"No wallet of the merchant carries the service. {owner.wallets[0].pk}: The channel is disabled."
    )
    owner.merchant.status = "disabled"
    owner.merchant.save()
    with pytest.raises(errors.MerchantDisabled):
        batching.upload(owner, maker, content)
    assert nothing_was_kept()


def test_the_template_has_the_services_columns_as_texts_and_is_taken_back(
    owner: Registered, maker: User
) -> None:
    owner.merchant.name = '=HYPERLINK("http://evil")'
    owner.merchant.save()
    at = checking.ground(merchant=owner.merchant, service_id=batching.everything_asked(owner))
    file = io.BytesIO()
    template.write(at=at, file=file)
    found = spreadsheets.sheets(file.getvalue())
    assert list(found) == ["Payouts", "Hints", "Banks"]
    assert found["Payouts"] == [[
        "Merchant order no.", "Amount *", "Currency", "Recipient name *", "Account number *", "Bank code *",
        "Phone *", "ID number *", "IFSC code *", "Bank branch",
    ]]  # fmt: skip
    assert "10 – 50,000 CNY (both bounds: service)" in str(found["Hints"])
    columns = openpyxl.load_workbook(file).worksheets[0].column_dimensions
    assert {columns[letter].number_format for letter in "ABCDEFGHIJ"} == {"@"}
    with pytest.raises(FileRefused, match="The file has titles and no payouts"):
        batching.upload(owner, maker, file.getvalue(), service_id="SVC9000")


def test_the_result_file_says_of_each_row_what_became_of_it(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(2, amount="60000")[:1] + good(1, start=5)))
    batching.confirm(batch, maker)
    book.payout(owner, "meanwhile", amount="90000", is_paid=False)
    placing.place_waiting(threads=1)
    file, batch = io.BytesIO(), BatchPayout.objects.select_related("currency", "service").get()
    results.write(batch=batch, file=file, zone=ZoneInfo("UTC"), now=clock.now())
    found = spreadsheets.sheets(file.getvalue())
    order = Payout.objects.get(merchant_order_no="N5")
    assert [row[:8] for row in found["Payouts"][1:]] == [
        [2, "N1", None, "Not created", "The available balance is not sufficient.", 60000, 180, "CNY"],
        [3, "N5", order.payout_id, "Created", None, 100, 0.3, "CNY"],
    ]
    assert found["Payouts"][2][10] == "***************0005"
    assert [row[:5] for row in found["Summary"][-2:]] == [
        ["Created", 1, 100, 0.3, 100.3], ["Not created", 1, 60000, 180, 60180],
    ]  # fmt: skip


def test_the_applications_role_cannot_change_what_a_batch_is_made_of(owner: Registered, maker: User) -> None:
    batch = batching.upload(owner, maker, xlsx(HEAD, good(1)))
    changes: list[Callable[[], Any]] = [
        lambda: BatchPayout.objects.filter(pk=batch.pk).update(frozen_amount=1),
        lambda: batch.rows.update(amount=1),
        lambda: batch.rows.update(merchant_order_no="other"),
        lambda: batch.rows.all()._raw_delete("default"),
    ]
    for change in changes:
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
            change()
    assert batch.rows.get().amount == 100
