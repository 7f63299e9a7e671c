"""Transfers over chains as a record kind: their filters, and their columns. `records.filters` reads them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from channels.models import Token
from diamondpay.lib import admin_columns, money
from diamondpay.lib.admin_list import Key
from diamondpay.lib.columns import Column, Table
from diamondpay.lib.filter_kinds import Numbers, Related, Several
from diamondpay.lib.filter_moments import Moments
from diamondpay.lib.filters import ListFilters
from merchants.models import Merchant
from records import chain_payments, search_keys, tones
from records.models import ChainTransfer


class ChainNumbers(Numbers):
    """Transactions and addresses, in whatever capitals they are typed."""

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows that a key names."""
        return super().filter(qs, value if value is None else search_keys.chain_spelling(value) or value)


class MerchantOfOrder(Related):
    """The merchants of the orders that transfers were counted for; one of no order is nobody's."""

    @property
    def related(self) -> type[Model]:
        """The table of merchants."""
        return Merchant

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Return the rows whose order is one of these merchants'."""
        return qs if value is None else qs.filter(payment__merchant__in=value)


class ChainTransferFilters(ListFilters):
    """What was seen to arrive at our addresses."""

    seen = Moments("seen_at", preset="30d")
    merchant = MerchantOfOrder("payment", is_many=True, title=_("merchant"))
    state = Several("state")
    channel = Related("channel")
    chain = Related("chain")
    token = Related("token")
    q = ChainNumbers(
        keys=(
            Key(field="tx_hash", label=_("transaction"), length_max=80, newest_first="-id"),
            Key(field="to_address", label=_("receiving address"), length_max=64, newest_first="-id"),
            Key(field="from_address", label=_("sender"), length_max=64, newest_first="-id"),
            Key(field="payment__payment_id", label=_("deposit order"), length_max=32, newest_first="-id",
                is_upper=True),
        )
    )  # fmt: skip

    class Meta:
        model = ChainTransfer
        fields: tuple[str, ...] = ()


def amount_text(units: Decimal | None, token: Token | None) -> str:
    """Return units of a token as an amount with its symbol; a dash where there is none.

    More than the book can hold is told in units.
    """
    if units is None or token is None:
        return "–"
    try:
        amount = chain_payments.amount_of(units, token)
    except money.AmountTooLarge:
        return _t("%s units") % units
    return f"{money.plain(amount)} {token.symbol}"


def columns() -> tuple[Column, ...]:
    """Return the columns of the list of transfers."""
    table = Table(ChainTransfer)
    more: dict[str, Any] = {"is_default": False}
    read_order = admin_columns.reader("payment.payment_id")

    def order(row: Any) -> Any:
        number = read_order(row)
        url = admin_columns.page_of("records_payment", row.payment_id)
        return admin_columns.identified(number, url=url) if number else admin_columns.dash()

    def amount(row: Any) -> str:
        return amount_text(row.units, row.token)

    return (
        table.identifier("tx_hash", short=_("transaction"), opens=_page, is_card=True),
        table.computed(
            "amount", amount, label=_("amount"), reader=amount, css="number", is_card=True,
            fields=("units", "token__symbol", "token__decimals"),
        ),
        table.badge("state", tones.CHAIN_TRANSFER, is_card=True),
        table.computed(
            "order", order, label=_("order"), reader=read_order, is_card=True,
            fields=("payment_id", "payment__payment_id"),
        ),
        table.text("payment.merchant_id", label=_("merchant")),
        table.text("chain.name", label=_("chain")),
        table.text("channel_id", label=_("channel")),
        table.identifier("to_address"),
        table.moment("seen_at", is_card=True),
        table.moment("confirmed_at"),
        table.number("block_number"),
        table.moment("block_time", **more),
        table.identifier("from_address", **more),
        table.number("log_index", **more),
        table.identifier("effect", **more),
    )  # fmt: skip


def _page(row: Any) -> str:
    return admin_columns.page_of("records_chaintransfer", row.pk)
