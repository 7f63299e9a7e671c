"""Pages of the book, read-only, one module per subject."""

from records.admin import (
    balances,
    callback_test,
    chain_pages,
    export_pages,
    export_panel,
    exports,
    home,
    ledger,
    list_pages,
    messages,
    orders,
    proofs,
    reconciliation,
    search,
    statistics,
    totals,
)

__all__ = [
    "balances", "callback_test", "chain_pages", "export_pages", "export_panel", "exports", "home", "ledger",
    "list_pages", "messages", "orders", "proofs", "reconciliation", "search", "statistics", "totals",
]  # fmt: skip
