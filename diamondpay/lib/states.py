"""Tables of allowed moves, one beside each model that has a status."""

from collections.abc import Collection, Hashable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar

Status = TypeVar("Status", bound=Hashable)


class Moves(Generic[Status]):
    """An unchangeable table of allowed moves: `Moves({0: {1, 2}, 1: set()})`.

    A state with no way out may be left out of the keys. A move to itself is allowed only where written.
    """

    __slots__ = ("_table", "states")

    def __init__(self, table: Mapping[Status, Collection[Status]]) -> None:
        self._table = MappingProxyType({source: frozenset(targets) for source, targets in table.items()})
        named = [*table, *(target for targets in table.values() for target in targets)]
        self.states: tuple[Status, ...] = tuple(dict.fromkeys(named))

    def allows(self, source: Status, target: Status) -> bool:
        """Say whether the move is in the table; an unknown state moves nowhere."""
        return target in self._table.get(source, frozenset())

    def sources(self, target: Status) -> tuple[Status, ...]:
        """Return the states from which `target` can be reached, in the table's order."""
        return tuple(source for source, targets in self._table.items() if target in targets)

    def targets(self, source: Status) -> frozenset[Status]:
        """Return the states that `source` may become."""
        return self._table.get(source, frozenset())

    def is_final(self, status: Status) -> bool:
        """Say whether nothing leads out of the state.

        Raises: KeyError for a state that the table does not name.
        """
        if status not in self.states:
            raise KeyError(status)
        return not self.targets(status)
