"""Which tone each state of a record has: the tint of its badge, the colour of its bar in a chart."""

from __future__ import annotations

PAYMENT = {0: "progress", 1: "success", 2: "failed", 3: "closed"}
PAYOUT = {0: "progress", 1: "success", 2: "failed", 3: "review", 4: "closed"}
ATTEMPT = {
    "prepared": "progress", "sent": "progress", "succeeded": "success", "failed": "failed",
    "unknown": "review",
}  # fmt: skip
NOTIFICATION = {"retrying": "retrying", "success": "success", "failed": "failed", "replaced": "closed"}
CALLBACK = {
    "waiting": "progress", "credited": "success", "settled": "success", "duplicate": "closed",
    "suspense": "review", "noted": "closed", "refused": "failed",
}  # fmt: skip
CHAIN_TRANSFER = {"seen": "progress", "confirmed": "success", "orphaned": "closed"}
CASE = {"open": "review", "closed": "closed"}
