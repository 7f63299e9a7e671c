"""Ids and their numbers."""

from typing import Any

import pytest
from django.db import connection

from diamondpay.lib import ids


def test_ids_are_rendered_as_merchants_know_them(settings: Any) -> None:
    settings.ORDER_PREFIX = ""
    assert ids.payment_id(145) == "PM00000145"
    assert ids.payout_id(1) == "POT00000001"
    assert ids.merchant_id(60) == "PF0060"
    assert ids.merchant_channel_id(142) == "PFC00000142"


def test_a_deployments_brand_stands_before_order_ids_only(settings: Any) -> None:
    settings.ORDER_PREFIX = "STARDREAM"
    assert ids.payment_id(33876) == "STARDREAMPM00033876"
    assert ids.payout_id(7) == "STARDREAMPOT00000007"
    assert ids.merchant_id(60) == "PF0060"


def test_ids_widen_past_their_zero_padding() -> None:
    assert ids.render("PF", 10_000, 4) == "PF10000"
    with pytest.raises(ValueError, match="at least 1"):
        ids.render("PF", 0, 4)


@pytest.mark.parametrize("name", ["payment_number; DROP TABLE x", "", "other", "Payment_Number"])
def test_only_known_sequences_are_asked(name: str) -> None:
    with pytest.raises(ValueError, match="unknown sequence"):
        ids.next_number(name)


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(ids.SEQUENCES))
def test_numbers_count_up_by_one_and_are_not_given_twice_after_a_rollback(name: str) -> None:
    first = ids.next_number(name)
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT here")
        assert ids.next_number(name) == first + 1
        cursor.execute("ROLLBACK TO SAVEPOINT here")
    assert ids.next_number(name) == first + 2
