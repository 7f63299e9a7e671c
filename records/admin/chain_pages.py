"""Transfers over chains: what was seen to arrive at addresses of ours, each once."""

from __future__ import annotations

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from diamondpay.lib.admin_columns import Columns
from records import chain_list
from records.admin import base
from records.admin.lists import RecordAdmin
from records.models import ChainTransfer

_transfer = Columns(ChainTransfer)


def _amount(row: ChainTransfer) -> str:
    return chain_list.amount_text(row.units, row.token)


@admin.register(ChainTransfer)
class ChainTransferAdmin(RecordAdmin):
    """Transfers as the chain told them, with the order that each was counted for."""

    facts = (
        (None, (
            _transfer.text("chain"), _transfer.text("channel_id", label=_("channel")),
            _transfer.computed(_amount, name="amount", label=_("amount")), _transfer.text("units"),
            _transfer.badge("state", base.CHAIN_TRANSFER_TONES),
            _transfer.link("payment", shown="payment_id"),
            _transfer.text("tx_hash"), _transfer.text("log_index"),
            _transfer.text("from_address"), _transfer.text("to_address"),
            _transfer.text("block_number"), _transfer.text("block_hash"),
            _transfer.full_moment("block_time"),
            _transfer.full_moment("seen_at"), _transfer.full_moment("confirmed_at"),
            _transfer.text("effect"),
        )),
    )  # fmt: skip
