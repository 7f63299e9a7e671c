"""Rows chosen in a list, in an address: exactly those, in short, and never without end."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from diamondpay.lib import selections


def read(query: str, *, is_numbered: bool = True, most: int = 5) -> list[str]:
    return selections.read(QueryDict(query), is_numbered=is_numbered, row_count_max=most)


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        (["3"], "3"),
        (["4", "5", "6", "9"], "4-6,9"),
        (["10", "9", "2", "1", "10"], "1-2,9-10"),
        ([], ""),
    ],
)
def test_numbers_are_told_in_ranges_and_read_as_they_were(ids: list[str], text: str) -> None:
    assert selections.text(ids, is_numbered=True) == text
    assert sorted(read(f"rows={text}")) == sorted(set(ids))


def test_codes_with_dashes_are_no_ranges() -> None:
    text = selections.text(["one-1", "1-3"], is_numbered=False)
    assert text == "1-3,one-1"
    assert read(f"rows={text}&row=two", is_numbered=False) == ["two", "1-3", "one-1"]


def test_an_endless_range_is_read_no_further_than_one_more_than_may_be() -> None:
    assert read("rows=1-999999999999999999") == ["1", "2", "3", "4", "5", "6"]


def test_each_row_is_chosen_once_and_nonsense_stays_for_the_database_not_to_find() -> None:
    assert read("row=1&row=1&rows=1-2,x,,-3,5-4") == ["1", "2", "x", "-3"]
