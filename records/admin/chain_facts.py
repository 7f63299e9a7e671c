"""What a deposit's page says of its chain: where it is paid, how far it has come, every transfer seen."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import PaymentMethod
from diamondpay.lib import admin_columns
from records import chain_list
from records.admin import parts
from records.admin.facts import Fact, Reader, Section
from records.admin.life import Order
from records.models import ChainCursor, ChainPayment, ChainTransfer

TRANSFERS_MAX = 50


def sections(order: Order, reader: Reader) -> list[Section]:
    """Return the facts of the chain; none for an order that is paid in another way."""
    if order.payment_method != PaymentMethod.BLOCKCHAIN:
        return []
    found = ChainPayment.objects.select_related("chain", "token").filter(pk=order.pk).first()
    if found is None:
        return []
    transfers = ChainTransfer.objects.filter(payment=order.pk).select_related("token").order_by("id")
    seen = list(transfers[: TRANSFERS_MAX + 1])
    listed = [_transfer(row, found, reader) for row in seen[:TRANSFERS_MAX]]
    if len(seen) > TRANSFERS_MAX:
        listed.append(Fact(_("more"), _("Only the first transfers are shown."), ""))
    return [
        Section(_("Chain"), tuple(_facts(found, reader))),
        *([Section(_("Transfers"), tuple(listed))] if listed else []),
    ]


def _facts(found: ChainPayment, reader: Reader) -> Iterator[Fact]:
    yield Fact(_("chain"), found.chain.name)
    yield Fact(_("token"), found.token.symbol if found.token else _("not picked yet"))
    yield Fact(_("collection mode"), found.get_mode_display())
    # The index is how the platform's own wallet finds the key, and no merchant's business.
    index = found.derivation_index if reader.names_channels else None
    yield Fact(
        _("receiving address"), parts.number(found.address), "" if index is None else _t("index %s") % index
    )
    yield Fact(_("expected"), chain_list.amount_text(found.expected_units, found.token))
    yield Fact(_("seen"), chain_list.amount_text(found.seen_units, found.token))
    # Of an order that has ended its own status tells; what it waited for until then does not matter.
    waits_for = found.get_detail_display() if found.is_open else ""
    yield Fact(_("confirmed"), chain_list.amount_text(found.confirmed_units, found.token), waits_for)
    if found.description:
        yield Fact(_("description"), found.description)
    if reader.names_channels:
        yield from _reading(found)


def _reading(found: ChainPayment) -> Iterator[Fact]:
    """Say how far the chain was read, and what keeps it from being read on."""
    cursor = ChainCursor.objects.filter(pk=found.channel_id).first()
    if cursor is None or cursor.block_number is None:
        yield Fact(_("chain read"), _("not yet"))
    else:
        yield Fact(_("chain read to block"), str(cursor.block_number), parts.moment(cursor.block_time))
    if cursor is not None and cursor.fault:
        yield Fact(_("cannot be read"), cursor.fault, parts.moment(cursor.fault_since))


def _transfer(row: ChainTransfer, found: ChainPayment, reader: Reader) -> Fact:
    needed = found.chain.confirmations
    words = _t("%(state)s · block %(block)s · from %(sender)s") % {
        "state": row.get_state_display(),
        "block": row.block_number,
        "sender": row.from_address,
    }
    if row.state == ChainTransfer.State.SEEN:
        words += " · " + _t("%s confirmations needed") % needed
    return Fact(chain_list.amount_text(row.units, row.token), _hash(row, reader), words)


def _hash(row: ChainTransfer, reader: Reader) -> SafeString:
    """Return the transaction with a button that copies it, leading to the transfer for who may open it."""
    if ChainTransfer not in reader.may_open:
        return parts.number(row.tx_hash)
    return admin_columns.identified(row.tx_hash, url=parts.page_url(ChainTransfer, row.pk))
