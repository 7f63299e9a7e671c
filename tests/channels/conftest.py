"""What the tests of channels share: a real sandbox process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import callbacks
from tests.support.sandbox import sandbox, sandbox_process

__all__ = ["receiver", "sandbox", "sandbox_process"]


@pytest.fixture
def receiver() -> Iterator[callbacks.CallbackReceiver]:
    """A receiver of callbacks, saying yes to each until told otherwise."""
    with callbacks.receiving() as running:
        yield running
