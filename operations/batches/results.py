"""The result of a batch as a book: every row with its order, or with why there is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO
from zoneinfo import ZoneInfo

from django.db.models import Count, Sum
from django.utils.translation import gettext as _t

from diamondpay.lib.spreadsheet import summary as sheets
from diamondpay.lib.spreadsheet.columns import Column, Kind, Look, Row
from diamondpay.lib.spreadsheet.summary import Line, Summary
from diamondpay.lib.spreadsheet.xlsx import Book
from operations.batches import checking
from operations.batches.models import BatchPayout, BatchPayoutRow
from records.models import PayoutStatus

CONTENT_TYPE = Book.content_type


def write(*, batch: BatchPayout, file: BinaryIO, zone: ZoneInfo, now: datetime) -> None:
    """Write the book into a file: a summary in front, then the rows in the order of the uploaded file."""
    titles = (
        (_t("Row in the file"), Kind.NUMBER), (_t("Merchant order no."), Kind.TEXT),
        (_t("Platform order no."), Kind.TEXT), (_t("Result"), Kind.TEXT), (_t("Reason"), Kind.TEXT),
        (_t("Amount"), Kind.AMOUNT), (_t("Fee"), Kind.AMOUNT), (_t("Currency"), Kind.TEXT),
        (_t("Merchant channel"), Kind.TEXT), (_t("Recipient name"), Kind.TEXT),
        (_t("Account"), Kind.TEXT), (_t("Order status"), Kind.TEXT),
        (_t("Created (%s)") % zone.key, Kind.MOMENT), (_t("Completed (%s)") % zone.key, Kind.MOMENT),
    )  # fmt: skip
    columns = [
        Column(title=title, position=place, kind=kind, unit_position=7 if kind is Kind.AMOUNT else None)
        for place, (title, kind) in enumerate(titles)
    ]
    look = Look(zone=zone, decimals={batch.currency_id: batch.currency.exponent})
    book = Book(file, columns=columns, look=look, title=_t("Payouts"))
    book.write(_rows(batch))
    book.end_rows()
    book.close(_summary(batch, zone, now))


def file_name(batch: BatchPayout) -> str:
    """Return the name under which the book is saved."""
    return f"batch-payout-{batch.merchant_id}-{batch.pk}.xlsx"


def _rows(batch: BatchPayout) -> Iterator[Row]:
    rows = batch.rows.select_related("payout").order_by("number").iterator(chunk_size=1000)
    for row in rows:
        payout = row.payout
        yield (
            row.sheet_row, row.merchant_order_no, payout.payout_id if payout else "",
            str(row.get_state_display()), row.reason, row.amount, row.fee, batch.currency_id,
            row.merchant_channel_id, row.party_name, row.account_masked,
            str(PayoutStatus(payout.status).label) if payout else "",
            payout.created_at if payout else None, payout.completed_at if payout else None,
        )  # fmt: skip


def _summary(batch: BatchPayout, zone: ZoneInfo, now: datetime) -> Summary:
    decimals = batch.currency.exponent
    lines: list[Line] = [
        sheets.line(_t("Batch"), str(batch.pk)),
        sheets.line(_t("Merchant"), f"{batch.merchant_id} {batch.merchant.name}"),
        sheets.line(_t("Service"), f"{batch.service_id} {batch.service.name}"),
        sheets.line(_t("File"), batch.file_name),
        sheets.line(_t("SHA-256 of the file"), batch.file_sha256),
        sheets.line(_t("As of"), f"{now.astimezone(zone):%Y-%m-%d %H:%M:%S %z}"),
        sheets.gap(),
        sheets.heading(
            _t("Result"), _t("Payouts"), _t("Sum (%s)") % batch.currency_id, _t("Fees"), _t("Frozen")
        ),
    ]
    found = (
        batch.rows.order_by().values("state").annotate(count=Count("pk"), sum=Sum("amount"), fees=Sum("fee"))
    )
    labels = dict(BatchPayoutRow.State.choices)
    for each in sorted(found, key=lambda each: list(labels).index(each["state"])):
        amounts = (each["sum"], each["fees"], checking.total((each["sum"], each["fees"])))
        lines.append(
            Line(
                cells=(
                    sheets.Cell(value=str(labels[each["state"]])),
                    sheets.Cell(value=each["count"]),
                    *(sheets.amount(amount, decimals) for amount in amounts),
                )
            )
        )
    return Summary(title=_t("Summary"), heading=_t("Batch payout %d") % batch.pk, lines=tuple(lines))
