"""Tables of moves."""

import pytest

from diamondpay.lib.states import Moves

DEPOSIT = Moves({0: {1, 2, 3}, 3: {1}, 2: {1}})


def test_only_moves_of_the_table_are_allowed() -> None:
    """D3, the whole matrix."""
    allowed = {(a, b) for a in DEPOSIT.states for b in DEPOSIT.states if DEPOSIT.allows(a, b)}
    assert allowed == {(0, 1), (0, 2), (0, 3), (2, 1), (3, 1)}
    assert set(DEPOSIT.states) == {0, 1, 2, 3}


def test_sources_and_targets_read_the_table_both_ways() -> None:
    assert DEPOSIT.sources(1) == (0, 3, 2)
    assert DEPOSIT.sources(0) == ()
    assert DEPOSIT.targets(0) == {1, 2, 3}
    assert DEPOSIT.is_final(1)
    assert not DEPOSIT.is_final(3)


def test_an_unknown_state_moves_nowhere() -> None:
    assert not DEPOSIT.allows(9, 1)
    assert DEPOSIT.sources(9) == ()
    with pytest.raises(KeyError):
        DEPOSIT.is_final(9)


def test_the_table_does_not_follow_what_it_was_made_from() -> None:
    source = {"a": {"b"}}
    moves = Moves(source)
    source["a"].add("c")
    source["b"] = {"a"}
    assert not moves.allows("a", "c")
    assert not moves.allows("b", "a")
