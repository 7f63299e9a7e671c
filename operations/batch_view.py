"""What the pages of a batch show: sums, wallets before and after, how far it is, its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, Sum
from django.urls import reverse
from django.utils.translation import gettext as _t

from diamondpay.lib import money
from diamondpay.models import User
from operations.batches import checking
from operations.batches.models import BatchPayout, BatchPayoutRow
from records import filter_sets, filters, ledger, tones
from records.admin import parts
from records.models import Payout, PayoutStatus

State, RowState = BatchPayout.State, BatchPayoutRow.State
ROWS_ON_A_PAGE = 100
TONES = {
    State.PREPARED: "review",
    State.PLACING: "progress",
    State.DONE: "success",
    State.DISCARDED: "closed",
}
_ROW_TONES = {
    RowState.PREPARED: "closed", RowState.WAITING: "progress", RowState.PLACED: "success",
    RowState.FAILED: "failed", RowState.STOPPED: "closed",
}  # fmt: skip


@dataclass(frozen=True)
class Viewer:
    """What a page may tell: to a merchant's user neither channels nor who of the staff did something."""

    user: User

    @property
    def sees_channels(self) -> bool:
        """Whether channels are named, as the lists of orders do it."""
        return bool(self.user.has_perm(filter_sets.UPSTREAM))

    def name(self, person: User | None) -> str:
        """Return who did something."""
        if person is None:
            return ""
        is_told = person.pk == self.user.pk or filters.confined_to(self.user) is None
        return person.get_username() if is_told else _t("another person")


def wallets(at: checking.Ground, viewer: Viewer) -> list[dict[str, Any]]:
    """Return the wallets that the form offers, each with what it may carry or why it does not."""
    currency = at.service.currency
    return [
        {
            "id": option.merchant_channel.pk,
            "name": option.channel.pk if viewer.sees_channels else option.merchant_channel.name,
            "available": parts.amount(option.available or Decimal(0), currency),
            "available_text": at.shown(option.available or Decimal(0)),
            "limits": str(option.range.explain()) if option.range is not None else "",
            "obstacle": str(option.obstacle.words) if option.obstacle is not None else "",
        }
        for option in at.options
    ]


def fee_words(at: checking.Ground) -> str:
    """Return the merchant's fee for a payout of the service, such as `8 ‰ + 2.00 CNY`."""
    rule, found = at.terms, []
    if rule.fee_type != "fixed":
        found.append(f"{money.plain(rule.fee_permillage)} ‰")
    if rule.fee_type != "permillage":
        found.append(at.shown(rule.fee_fixed))
    return " + ".join(found)


def listed(batch: BatchPayout, viewer: Viewer) -> dict[str, Any]:
    """Return a batch for a line of a list."""
    return {
        "batch": batch,
        "url": reverse("admin:batch_payout_batch", args=[batch.pk]),
        "amount": parts.amount(batch.amount, batch.currency),
        "badge": parts.badge(batch.get_state_display(), TONES[State(batch.state)]),
        "uploaded_by": viewer.name(batch.uploaded_by),
    }


def of(batch: BatchPayout, viewer: Viewer) -> dict[str, Any]:
    """Return what a batch's page shows beside its rows. Four statements at most, however many rows."""
    counted = _counted(batch)
    done = batch.row_count - counted[RowState.PREPARED] - counted[RowState.WAITING]
    currency = batch.currency
    frozen = f"{money.render(batch.frozen_amount, currency.exponent)} {currency.pk}"
    return {
        "batch": batch,
        "badge": parts.badge(batch.get_state_display(), TONES[State(batch.state)]),
        "amount": parts.amount(batch.amount, currency),
        "fee": parts.amount(batch.fee, currency),
        "frozen": parts.amount(batch.frozen_amount, currency),
        "frozen_text": frozen,
        "per_wallet": _per_wallet(batch, viewer) if batch.state == State.PREPARED else [],
        "uploaded_by": viewer.name(batch.uploaded_by),
        "confirmed_by": viewer.name(batch.confirmed_by),
        "stopped_by": viewer.name(batch.stopped_by),
        "needs_review": batch.merchant.payout_audit != "disabled",
        "done": done,
        "percent": round(100 * done / batch.row_count),
        "placed": counted[RowState.PLACED],
        "failed": counted[RowState.FAILED],
        "stopped": counted[RowState.STOPPED],
        "states": _order_states(batch) if counted[RowState.PLACED] else [],
        "is_placing": batch.state == State.PLACING,
        "is_prepared": batch.state == State.PREPARED,
        "is_over": batch.state in (State.DONE, State.DISCARDED),
    }


def rows_of(batch: BatchPayout, asked: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of the batch's rows; `show` narrows them to a state, `p` is the page's number."""
    show = asked.get("show", "")
    found = batch.rows.select_related("payout", "bank").order_by("number")
    if show in RowState.values:
        found = found.filter(state=show)
    else:
        show = ""
    number = _page_number(asked.get("p", "1"))
    first = (number - 1) * ROWS_ON_A_PAGE
    taken = list(found[first : first + ROWS_ON_A_PAGE + 1])
    return {
        "rows": [_row(row, batch) for row in taken[:ROWS_ON_A_PAGE]],
        "show": show,
        "page_number": number,
        "newer_page": number - 1,
        "older_page": number + 1 if len(taken) > ROWS_ON_A_PAGE else 0,
        "first_row": first + 1,
        "last_row": first + len(taken[:ROWS_ON_A_PAGE]),
    }


def _counted(batch: BatchPayout) -> dict[str, int]:
    found = dict.fromkeys(RowState.values, 0)
    counts = batch.rows.order_by().values_list("state").annotate(count=Count("pk"))
    return found | dict(counts)


def _per_wallet(batch: BatchPayout, viewer: Viewer) -> list[dict[str, Any]]:
    """Return for each wallet what the batch takes from it, and its available balance before and after."""
    found = list(
        batch.rows.order_by("merchant_channel")
        .values("merchant_channel", "merchant_channel__channel", "merchant_channel__name")
        .annotate(count=Count("pk"), amount=Sum("amount"), fee=Sum("fee"))
    )
    balances = ledger.balances([each["merchant_channel"] for each in found])
    shown = []
    for each in found:
        available, frozen_before = balances[each["merchant_channel"]]
        frozen = checking.total((each["amount"], each["fee"]))
        after = checking.total((available, -frozen))
        shown.append(
            {
                "id": each["merchant_channel"],
                "name": each["merchant_channel__channel"]
                if viewer.sees_channels
                else each["merchant_channel__name"],
                "count": each["count"],
                "amount": parts.amount(each["amount"], batch.currency),
                "fee": parts.amount(each["fee"], batch.currency),
                "frozen": parts.amount(frozen, batch.currency),
                "before": parts.amount(available, batch.currency),
                "after": parts.amount(after, batch.currency),
                "frozen_before": parts.amount(frozen_before, batch.currency),
                "frozen_after": parts.amount(checking.total((frozen_before, frozen)), batch.currency),
                "is_short": after < 0,
            }
        )
    return shown


def _order_states(batch: BatchPayout) -> list[Any]:
    """Return how the orders that were created stand now, each state with its count."""
    orders = Payout.objects.filter(pk__in=batch.rows.filter(state=RowState.PLACED).values("payout"))
    counts = dict(orders.order_by().values_list("status").annotate(count=Count("pk")))
    return [
        parts.badge(f"{PayoutStatus(status).label} {count:,}", tones.PAYOUT[status])
        for status, count in sorted(counts.items())
    ]


def _row(row: BatchPayoutRow, batch: BatchPayout) -> dict[str, Any]:
    payout = row.payout
    return {
        "row": row,
        "amount": parts.amount(row.amount, batch.currency, names_unit=False),
        "fee": parts.amount(row.fee, batch.currency, names_unit=False),
        "badge": parts.badge(row.get_state_display(), _ROW_TONES[RowState(row.state)]),
        "url": parts.page_url(Payout, payout.pk) if payout else "",
        "order": payout.payout_id if payout else "",
        "status": parts.badge(PayoutStatus(payout.status).label, tones.PAYOUT[payout.status])
        if payout
        else "",
    }


def _page_number(text: str) -> int:
    return max(int(text), 1) if text.isascii() and text.isdigit() and len(text) < 6 else 1
