"""What people do with batches: upload, confirm, discard, stop. Each checks the right and is audited."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _t

from diamondpay import audit
from diamondpay.lib import errors, money, transactions, wake
from diamondpay.lib.spreadsheet import upload_kinds
from diamondpay.models import User
from merchants.models import Merchant
from operations import routing
from operations.batches import checking, columns, reading, returned, rights, sealing
from operations.batches.models import BatchPayout, BatchPayoutRow, ReturnedFile
from records import filters

State, RowState = BatchPayout.State, BatchPayoutRow.State
TOPIC = "batches"
# Fees, limits and balances of the day before yesterday are no ground to confirm anything on.
CONFIRMED_WITHIN = timedelta(hours=24)
_INSERTED_AT_ONCE = 500


class FileHasFaults(errors.DomainError):
    """Rows of the file are wrong; `faults` are all of them, and no batch was made.

    `returned` is the file as it is given back; None where it has wrong titles and no rows.
    """

    code = "file_has_faults"

    def __init__(
        self, faults: Sequence[reading.Fault], *, row_count: int, returned: ReturnedFile | None
    ) -> None:
        self.faults, self.row_count, self.returned = faults, row_count, returned
        super().__init__(_t("The file has faults. Nothing was created."))


class SameFile(errors.DomainError):
    """These payouts were uploaded before; `earlier` is that batch."""

    code = "same_file"

    def __init__(self, earlier: BatchPayout) -> None:
        self.earlier = earlier
        super().__init__(_t("These payouts were uploaded before, as batch %d.") % earlier.pk)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """A file as it came, and for whom. `merchant_channel_id` "" lets routing choose each row's wallet."""

    merchant_id: str
    service_id: str
    merchant_channel_id: str
    name: str
    content: bytes


def upload(*, wanted: Upload, user: User, address: str | None, now: datetime) -> BatchPayout:
    """Read and check a file and keep it for confirmation, unless anything at all is wrong with it.

    Raises: NotAllowed; FileRefused; FileHasFaults; SameFile; MerchantDisabled, ServiceUnknown, ServiceClosed,
    ServiceNotActivated, ChannelUnknown, ChannelRequired, NoChannelAvailable. Nothing is kept then but, where
    rows or titles are wrong, the file to give back.
    """
    rights.check(user, wanted.merchant_id)
    merchant = Merchant.objects.get(pk=wanted.merchant_id)
    at = checking.ground(
        merchant=merchant, service_id=wanted.service_id, merchant_channel_id=wanted.merchant_channel_id
    )
    if at.service.requires_merchant_channel and not wanted.merchant_channel_id:
        raise errors.ChannelRequired
    _refuse_without_wallet(at)
    sheets = upload_kinds.read(wanted.content, name=wanted.name, limits=reading.TAKEN)
    table = reading.read(sheets, columns.columns_of(at.service))
    content_hash = sealing.content_hash(table.lines)
    if not table.faults:
        _refuse_same(merchant, content_hash)
    planned, faults = checking.check(table, at) if table.lines else ([], [])
    if table.faults or faults:
        everything = sorted([*table.faults, *faults], key=lambda fault: fault.row)
        back = returned.keep(
            table=table,
            faults=everything,
            source=returned.Source(
                merchant=merchant, name=file_name(wanted.name), content=wanted.content, sheets=sheets
            ),
            user=user,
            address=address,
            now=now,
        )
        raise FileHasFaults(everything, row_count=table.row_count, returned=back)
    try:
        return _keep(
            wanted=wanted,
            at=at,
            planned=planned,
            content_hash=content_hash,
            user=user,
            address=address,
            now=now,
        )
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) != "batch_file_once":
            raise
        _refuse_same(merchant, content_hash)
        raise


def _refuse_without_wallet(at: checking.Ground) -> None:
    """Refuse what no row could pass, once and not in every row. Raises: NoChannelAvailable."""
    obstacles = [option.obstacle for option in at.options if option.obstacle is not None]
    lasting = [each for each in obstacles if each.reason != routing.Reason.BALANCE_TOO_LOW]
    if len(lasting) == len(at.options):
        details = "; ".join(f"{each.merchant_channel_id}: {each.words}" for each in lasting)
        raise errors.NoChannelAvailable(
            _t("No wallet of the merchant carries the service. %s") % details
            if details
            else _t("The merchant has no wallet that carries the service.")
        )


def _refuse_same(merchant: Merchant, content_hash: bytes) -> None:
    earlier = (
        BatchPayout.objects.filter(merchant=merchant, content_hash=content_hash)
        .exclude(state=State.DISCARDED)
        .first()
    )
    if earlier is not None:
        raise SameFile(earlier)


@transactions.atomic_with_retries
def _keep(
    *, wanted: Upload, at: checking.Ground, planned: Sequence[checking.Planned], content_hash: bytes,
    user: User, address: str | None, now: datetime,
) -> BatchPayout:  # fmt: skip
    """Write the batch and its rows, each with the order number that it will have."""
    amount = checking.total(each.line.amount for each in planned)
    fee = checking.total(each.fee for each in planned)
    batch = BatchPayout.objects.create(
        merchant=at.merchant,
        service=at.service,
        currency_id=at.service.currency_id,
        merchant_channel_id=wanted.merchant_channel_id or None,
        file_name=file_name(wanted.name),
        file_sha256=hashlib.sha256(wanted.content).hexdigest(),
        content_hash=content_hash,
        row_count=len(planned),
        amount=amount,
        fee=fee,
        frozen_amount=checking.total((amount, fee)),
        uploaded_by=user,
        uploaded_at=now,
    )
    BatchPayoutRow.objects.bulk_create(
        (_row(batch, number, each) for number, each in enumerate(planned, start=1)),
        batch_size=_INSERTED_AT_ONCE,
    )
    _audit("batch.upload", batch, user, address, now)
    return batch


def _row(batch: BatchPayout, number: int, planned: checking.Planned) -> BatchPayoutRow:
    line = planned.line
    return BatchPayoutRow(
        batch=batch,
        merchant_id=batch.merchant_id,
        number=number,
        sheet_row=line.row,
        merchant_order_no=line.field(columns.ORDER_NO) or f"BATCH{batch.pk:06d}-{number:04d}",
        amount=line.amount,
        fee=planned.fee,
        merchant_channel_id=planned.merchant_channel_id,
        bank=planned.bank,
        bank_branch=line.field(columns.BRANCH),
        **sealing.sealed(line),
    )


@transactions.atomic_with_retries
def confirm(*, batch_pk: int, user: User, address: str | None, now: datetime) -> BatchPayout:
    """Let the workers create the payouts. Balances, limits, fees and order numbers are looked at once more.

    Raises: NotAllowed; StatusConflict when somebody was first; InvalidInput with what has changed since the
    file was checked. Locks: the batch.
    """
    batch = _locked(batch_pk, user)
    _require(batch, State.PREPARED, wanted=State.PLACING)
    changed = changed_since(batch=batch, now=now)
    if changed:
        raise errors.InvalidInput({"batch": " ".join(changed)})
    batch.state, batch.confirmed_by, batch.confirmed_at = State.PLACING, user, now
    batch.save(update_fields=["state", "confirmed_by", "confirmed_at"])
    _queue(batch)
    _audit("batch.confirm", batch, user, address, now)
    wake.after_commit(TOPIC)
    return batch


def _queue(batch: BatchPayout) -> None:
    """Let the rows wait for workers. Raises: InvalidInput when another batch took a number just now."""
    prepared = BatchPayoutRow.objects.filter(batch=batch, state=RowState.PREPARED)
    try:
        with transaction.atomic():
            prepared.update(state=RowState.WAITING)
    except IntegrityError as refusal:
        if transactions.constraint_name(refusal) != "batch_row_order_no_once":
            raise
        words = _t("Another batch with some of these order numbers was confirmed a moment ago.")
        raise errors.InvalidInput({"batch": words}) from refusal


def changed_since(*, batch: BatchPayout, now: datetime) -> list[str]:
    """Return in words what no longer holds of what was checked when the file was uploaded."""
    if now - batch.uploaded_at > CONFIRMED_WITHIN:
        return [_t("It was uploaded more than a day ago. Discard it and upload the file again.")]
    try:
        at = checking.ground(
            merchant=batch.merchant,
            service_id=batch.service_id,
            merchant_channel_id=batch.merchant_channel_id or "",
        )
    except errors.DomainError as refusal:
        return [str(refusal)]
    rows = list(
        batch.rows.order_by("number").only(
            "sheet_row", "amount", "fee", "merchant_channel_id", "merchant_order_no"
        )
    )
    changed = _refused_rows(rows, at)
    taken = checking.used_numbers(
        merchant_id=batch.merchant_id, numbers=[row.merchant_order_no for row in rows]
    )
    if taken:
        shown = {"count": len(taken), "first": next(iter(taken)), "holder": next(iter(taken.values()))}
        words = _t("%(count)d order numbers were used meanwhile, such as %(first)s by %(holder)s.")
        changed.append(words % shown)
    return changed


def _refused_rows(rows: Sequence[BatchPayoutRow], at: checking.Ground) -> list[str]:
    """Return what fees, limits and balances say now, each in one sentence."""
    options = {option.merchant_channel.pk: option for option in at.options}
    needed: dict[str, Decimal] = dict.fromkeys(options, Decimal(0))
    for row in rows:
        option = options.get(row.merchant_channel_id)
        if at.fee_of(row.amount) != row.fee:
            return [_t("The fee was changed since the file was checked. Discard it and upload it again.")]
        try:
            total = checking.total((row.amount, row.fee))
            routing.choose(
                offered=[option] if option else [], service=at.service, amount=row.amount, needed=total
            )
        except errors.DomainError as refusal:
            return [
                _t("Row %(row)d: %(reason)s") % {"row": row.sheet_row, "reason": checking.in_words(refusal)}
            ]
        needed[row.merchant_channel_id] = checking.total((needed[row.merchant_channel_id], total))
    words = _t("%(wallet)s has %(available)s available, and the batch needs %(needed)s.")
    available = {key: option.available or Decimal(0) for key, option in options.items()}
    return [
        words % {"wallet": key, "available": at.shown(available[key]), "needed": at.shown(needed[key])}
        for key in options
        if needed[key] > available[key]
    ]


@transactions.atomic_with_retries
def discard(*, batch_pk: int, user: User, address: str | None, now: datetime) -> BatchPayout:
    """Give up a batch that nobody has confirmed; its file may be uploaded again.

    Raises: NotAllowed; StatusConflict. Locks: the batch.
    """
    batch = _locked(batch_pk, user)
    _require(batch, State.PREPARED, wanted=State.DISCARDED)
    batch.state, batch.finished_at = State.DISCARDED, now
    batch.save(update_fields=["state", "finished_at"])
    _audit("batch.discard", batch, user, address, now)
    return batch


@transactions.atomic_with_retries
def stop(*, batch_pk: int, user: User, address: str | None, now: datetime) -> BatchPayout:
    """Create no more payouts of a batch. What was begun is finished: it may be an order already.

    Raises: NotAllowed; StatusConflict. Locks: the batch, then the rows that nobody has begun.
    """
    batch = _locked(batch_pk, user)
    _require(batch, State.PLACING, wanted=_t("Stopped"))
    if batch.stopped_at is None:
        not_begun = batch.rows.select_for_update(skip_locked=True).filter(state=RowState.WAITING, try_count=0)
        BatchPayoutRow.objects.filter(pk__in=list(not_begun.values_list("pk", flat=True))).update(
            state=RowState.STOPPED, finished_at=now
        )
        batch.stopped_by, batch.stopped_at = user, now
        batch.save(update_fields=["stopped_by", "stopped_at"])
        _audit("batch.stop", batch, user, address, now)
        close_if_over(batch_pk=batch.pk, now=now)
        batch.refresh_from_db()
    return batch


def close_if_over(*, batch_pk: int, now: datetime) -> bool:
    """End a batch of which no row waits any more; say whether this call has ended it."""
    open_rows = BatchPayoutRow.objects.filter(batch=batch_pk, state=RowState.WAITING)
    if open_rows.exists():
        return False
    return bool(
        BatchPayout.objects.filter(pk=batch_pk, state=State.PLACING).update(state=State.DONE, finished_at=now)
    )


def _locked(batch_pk: int, user: User) -> BatchPayout:
    """Return a batch that the user may act on. Raises: NotAllowed, also for one they may not see."""
    seen = filters.visible_to(user, BatchPayout.objects.select_related("merchant", "service", "currency"))
    batch: BatchPayout | None = seen.select_for_update(of=("self",)).filter(pk=batch_pk).first()
    if batch is None:
        raise errors.NotAllowed
    rights.check(user, batch.merchant_id)
    return batch


def _require(batch: BatchPayout, state: str, *, wanted: object) -> None:
    if batch.state != state:
        label = getattr(wanted, "label", wanted)
        raise errors.StatusConflict(order=str(batch), current=batch.get_state_display(), wanted=label)


def _audit(action: str, batch: BatchPayout, user: User, address: str | None, now: datetime) -> None:
    audit.write(
        action=action, object_kind="batchpayout", object_id=str(batch.pk), user=user, address=address,
        now=now, after={
            "merchant": batch.merchant_id, "service": batch.service_id, "file": batch.file_name,
            "sha256": batch.file_sha256, "payouts": batch.row_count,
            "frozen": money.plain(batch.frozen_amount), "currency": batch.currency_id,
            "state": str(batch.state),
        },
    )  # fmt: skip


def file_name(name: str) -> str:
    """Return the name of a file without folders and what cannot be seen."""
    plain = "".join(sign for sign in name.replace("\\", "/").rpartition("/")[2] if sign.isprintable())
    return plain[-160:] or "file"
