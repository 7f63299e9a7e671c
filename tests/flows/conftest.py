"""One platform of real processes for the flow tests of a module; each test brings its own merchant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from tests.support import platform as platforms
from tests.support import receiver as receivers
from tests.support import sandbox as sandboxes
from tests.support.platform import Platform
from tests.support.receiver import Merchant, Receiver

_numbers = count(1)
MakeMerchant = Callable[..., tuple[Merchant, dict[str, Any]]]


@pytest.fixture(scope="module")
def platform(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Web, worker, beat and sandbox as processes, on a database of their own."""
    with sandboxes.running(tmp_path_factory.mktemp("sandbox")) as sandbox:
        home = tmp_path_factory.mktemp("platform")
        with platforms.running(home=home, sandbox=sandbox) as running:
            running.make_channel()
            yield running


@pytest.fixture(autouse=True)
def sound_book(platform: Platform) -> Iterator[None]:
    """Leave every account of the sandbox well behaved, and the book without a violation."""
    platform.sandbox.reset()
    yield
    platform.check_book()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The merchant's notify_url."""
    with receivers.listening() as listening:
        yield listening


@pytest.fixture
def make_merchant(platform: Platform) -> MakeMerchant:
    """Create a merchant with the command that operators use; return its client and what was printed."""

    def make(*options: str) -> tuple[Merchant, dict[str, Any]]:
        printed = platform.command_json(
            "create_merchant", "--name", f"Acme {next(_numbers)}", "--service", "SVC0001", "SVC0004",
            "--channel", "sandbox", "--fee-permillage", "8", "--in-force", *options,
        )  # fmt: skip
        sign_type = "MD5" if "--md5" in options else "HMAC-SHA256"
        merchant = Merchant(
            url=platform.url, platform_id=printed["platform_id"], platform_key=printed["platform_key"],
            authorization=printed["authorization"], sign_type=sign_type,
        )  # fmt: skip
        return merchant, printed

    return make
