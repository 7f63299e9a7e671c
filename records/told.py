"""What is never told of an order over an API, so that a call that asks for one does not even read it.

Whatever is sealed or found by a hash, the terms, and what is ours alone. Should somebody want one of these
fields after all, Django asks for it with a statement of its own.
"""

from __future__ import annotations

from typing import Final

_OF_BOTH: Final = (
    "is_test", "service", "channel", "merchant_channel", "routing", "bank", "placed_by", "request_hash",
    "party_encrypted", "account_masked", "account_tail", "account_hash", "phone_masked", "phone_hash",
    "id_number_masked", "id_number_hash", "fee_type", "fee_permillage", "fee_fixed", "limit_lower_bound",
    "limit_upper_bound", "memo", "recorded_at", "next_query_at", "query_count", "changed_by_user",
    "change_reason",
)  # fmt: skip
NOT_OF_PAYMENTS: Final = (
    *_OF_BOTH, "is_late", "tolerance_below", "tolerance_above", "remark_code", "link", "qr_text",
    "receiver_encrypted", "credit_posting",
)  # fmt: skip
# What only the other APIs and notifications tell of a deposit.
NOT_OF_DETAILS: Final = (
    *NOT_OF_PAYMENTS, "unit_price", "fee", "party_name", "source", "dialect", "sign_type", "notify_url",
    "error_message", "updated_at", "submitted_at", "completed_at", "version", "changed_by", "settled_amount",
    "credited_amount", "expires_at",
)  # fmt: skip
NOT_OF_CHAIN_PAYMENTS: Final = (
    "channel", "mode", "derivation_index", "seen_units", "told", "block_number", "redirect_url", "is_open",
    "watched_until", "balance_block",
)  # fmt: skip
NOT_OF_TOKENS: Final = ("chain", "name", "address", "currency", "status")
NOT_OF_PAYOUTS: Final = (
    *_OF_BOTH, "after_failure", "is_held", "bank_name", "bank_branch", "freeze_posting", "resolve_posting",
)  # fmt: skip
