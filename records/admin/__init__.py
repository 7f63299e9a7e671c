"""Pages of the book, read-only, one module per subject."""

from records.admin import ledger, messages, orders, totals

__all__ = ["ledger", "messages", "orders", "totals"]
