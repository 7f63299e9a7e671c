"""What is never told of an order over an API, so that a call that asks for one does not even read it.

Whatever is sealed or found by a hash, the terms, and what is ours alone. Should somebody want one of these
fields after all, Django asks for it with a statement of its own.
"""

from __future__ import annotations

from typing import Final

_OF_BOTH: Final = (
    "service", "channel", "merchant_channel", "routing", "bank", "placed_by", "request_hash",
    "party_encrypted", "account_masked", "account_tail", "account_hash", "phone_masked", "phone_hash",
    "id_number_masked", "id_number_hash", "fee_type", "fee_permillage", "fee_fixed", "limit_lower_bound",
    "limit_upper_bound", "memo", "recorded_at", "next_query_at", "query_count", "changed_by_user",
    "change_reason",
)  # fmt: skip
NOT_OF_PAYMENTS: Final = (
    *_OF_BOTH, "tolerance_below", "tolerance_above", "remark_code", "link", "qr_text", "receiver_encrypted",
    "credit_posting",
)  # fmt: skip
NOT_OF_PAYOUTS: Final = (
    *_OF_BOTH, "after_failure", "is_held", "bank_name", "bank_branch", "freeze_posting", "resolve_posting",
)  # fmt: skip
