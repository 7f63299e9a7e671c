"""The node of a test that is paid over a chain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.evm import node as evm_node

__all__ = ["node"]


@pytest.fixture
def node() -> Iterator[evm_node.Node]:
    """A chain of its own."""
    with evm_node.running() as found:
        yield found
