"""The audit of the book: every promise as a view that must be empty (`records/sql/checks.sql`)."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from psycopg import sql


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: its id in words of the promises, the view that lists violations, and what it says."""

    promise: str
    view: str
    sentence: str | Promise


CHECKS = (
    Check(
        "L1",
        "check_l1_postings_balance",
        _("Every posting has at least two entries in one currency that sum to zero."),
    ),
    Check("L2", "check_l2_currencies_sum_to_zero", _("All entries of a currency sum to zero.")),
    Check(
        "L3",
        "check_l3_balance_is_sum_of_entries",
        _("A merchant account's balance is the sum of its entries."),
    ),
    Check(
        "L3",
        "check_l3_balance_is_last_after",
        _("A merchant account's balance is its last entry's balance after."),
    ),
    Check("L4", "check_l4_chain_is_unbroken", _("Entries of an account form an unbroken chain.")),
    Check("L5", "check_l5_no_overdraft", _("No merchant account was ever negative.")),
    Check(
        "L6",
        "check_l6_history_matches_orders",
        _("The history of an order ends in its status, step by step."),
    ),
    Check("L7", "check_l7_effects_have_their_order", _("Every effect on an order names that order.")),
    Check(
        "L7",
        "check_l7_refunds_mirror_their_deposit",
        _("A refund is of a deposit that is Success, and of exactly what was settled."),
    ),
    Check("L8", "check_l8_reversals_mirror", _("A reversal mirrors what it reverses.")),
    Check(
        "L9",
        "check_l9_payment_amounts",
        _("Credited + fee = settled, and settled is the actual amount converted."),
    ),
    Check(
        "L9",
        "check_l9_payout_amounts",
        _("What a payout debits before its fee is the requested amount converted."),
    ),
    Check("L9", "check_l9_conversions_are_exchanged", _("Every conversion is booked in both currencies.")),
    Check(
        "D2",
        "check_d2_success_is_one_credit",
        _("A deposit is Success exactly when it has one credit of its credited amount."),
    ),
    Check(
        "D6", "check_d6_callbacks_have_their_end", _("Every callback's outcome leads to an order or a case.")
    ),
    Check(
        "D9",
        "check_d9_chain_sums",
        _("What a chain payment has seen and confirmed is the sum of its transfers."),
    ),
    Check(
        "D9",
        "check_d9_chain_credits",
        _("What a chain payment was credited is what its transfers were worth."),
    ),
    Check(
        "P1",
        "check_p1_frozen_is_open_payouts_and_freezes",
        _("Frozen money is open payouts plus manual freezes."),
    ),
    Check(
        "P2",
        "check_p2_freeze_is_resolved_once",
        _("A payout's freeze is settled or released exactly when it ends."),
    ),
    Check("P4", "check_p4_one_live_attempt", _("A payout has at most one attempt that may pay.")),
    Check("P4", "check_p4_success_has_its_attempt", _("A payout's end agrees with its attempts.")),
    Check("P6", "check_p6_four_eyes", _("No act was decided by who requested it.")),
    Check("P7", "check_p7_transfers_have_both_legs", _("A transfer has both legs.")),
    Check("N1", "check_n1_final_changes_are_told", _("Every final status change has its notification.")),
    Check("N2", "check_n2_attempts_are_counted", _("Every attempt to notify is counted.")),
    Check("A2", "check_totals_of_orders", _("Totals by hour equal the orders.")),
    Check("A2", "check_totals_agree_with_each_other", _("Totals by day and of all time agree.")),
    Check("A2", "check_totals_of_platform", _("The platform's totals are the sums of the merchants'.")),
    Check("A2", "check_totals_of_summaries", _("The summaries are the sums of the merchants' totals.")),
    Check("A2", "check_totals_of_amounts", _("Totals by amount equal the orders.")),
    Check("A2", "check_totals_of_accounts", _("System accounts' totals equal their entries.")),
)


def count(check: Check) -> int:
    """Return how many rows break a promise; 0 is what must be."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(check.view)))
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def violations() -> list[tuple[str, int]]:
    """Return the views that are not empty, with their counts; an empty list is a sound book."""
    counted = ((check.view, count(check)) for check in CHECKS)
    return [(view, rows) for view, rows in counted if rows]
