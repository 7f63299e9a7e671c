"""Two whole instances, each with a supervisor, a folder, ports and a PostgreSQL server of its own.

B has the sandbox behind it and A among its merchants; A has B behind it, over both protocols. Between them
stand two proxies, so that calls and callbacks can get lost.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg

from channels.upstreams.sandbox.configuration import DEFAULT_ACCOUNTS
from diamondpay.run import instance, postgres
from tests.run.terminal import Terminal
from tests.support import runs, spoiling_proxy
from tests.support.receiver import Merchant
from tests.support.spoiling_proxy import SpoilingProxy

WAIT_SECONDS_MAX = 45.0
PROTOCOLS = ("gateway", "transaction_request")
# Fees of 8 ‰ at A and 3 ‰ at B.
_OPEN = """
import json
from decimal import Decimal
from channels import secrets
from diamondpay.lib import clock
from merchants import registration
from records import ledger
from tests.factories import founding, make_channel, set_terms

opened = {{}}
for code, upstream, settings in {channels!r}:
    channel = make_channel(code=code, upstream=upstream, services=("SVC0001", "SVC0004"))
    set_terms(type(channel).objects.filter(pk=code), settings_encrypted=secrets.seal_settings(settings))
for name, channels, apis in {merchants!r}:
    with founding():
        made = registration.register(
            name=name, services=["SVC0001", "SVC0004"], channels=channels, apis=apis, now=clock.now(),
            terms=registration.Terms(fee_permillage=Decimal({permillage})), is_in_force=True,
        )
    wallet = made.wallets[0].pk
    ledger.adjust(
        merchant_channel=made.wallets[0], amount=Decimal(1000), reason="opening balance",
        request_id=f"opening-{{wallet}}", now=clock.now(), actor="tests",
    )
    opened[name] = {{
        "platform_id": made.merchant.pk, "platform_key": made.platform_key,
        "authorization": made.authorization, "wallet": wallet,
        "further": {{api: [one.credential.public_id, one.platform_key] for api, one in made.further.items()}},
    }}
print(json.dumps(opened))
"""


@dataclass
class Site:
    """One instance, and the proxy through which the other one reaches it."""

    terminal: Terminal
    proxy: SpoilingProxy

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Ask its database, as the owner; changes are kept."""
        _data, sockets = postgres.folders(self.terminal.home)
        with psycopg.connect(
            host=str(sockets), dbname=instance.DATABASE, user=instance.OWNER, autocommit=True
        ) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement: str, *parameters: object) -> Any:
        """Return the one value of the one row."""
        ((found,),) = self.rows(statement, *parameters)
        return found

    def open(self, **values: object) -> dict[str, Any]:
        """Make channels and merchants with the product's own functions; return the merchants' keys."""
        answer = self.terminal.manage("shell", "--no-imports", "-c", _OPEN.format(**values))
        assert answer.returncode == 0, answer.stderr
        found: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
        return found

    def available(self, wallet: str) -> tuple[Decimal, Decimal]:
        """Return a wallet's available and frozen balance."""
        statement = "SELECT balance FROM records_account WHERE kind = %s AND merchant_channel_id = %s"
        return self.one(statement, "available", wallet), self.one(statement, "frozen", wallet)

    def make_due(self, number: str) -> None:
        """Bring the next query of an order near, as the database's owner alone can."""
        self.rows("UPDATE records_payment SET next_query_at = now() WHERE payment_id = %s", number)
        self.rows(
            "UPDATE records_payoutattempt SET next_query_at = now() WHERE reference = %s", f"{number}-1"
        )

    def kill_web(self) -> None:
        """Kill the web processes; the supervisor starts new ones."""
        os.killpg(self.terminal.parts()["web"], signal.SIGKILL)

    def behaviour(self, mode: str = "normal", **other: float) -> None:
        """Set how its sandbox behaves."""
        self._sandbox("/behaviour", json={"account": "sandbox", "mode": mode, **other})

    def pay(self, reference: str) -> None:
        """Let its sandbox pay an order."""
        self._sandbox_order(f"/orders/{reference}/pay", json={}, params={"account": "sandbox"})

    def fail(self, reference: str) -> None:
        """Let its sandbox fail an order."""
        self._sandbox_order(f"/orders/{reference}/fail", params={"account": "sandbox"})

    def _sandbox(self, path: str, **arguments: Any) -> None:
        answer = self._sent(path, **arguments)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"

    def _sandbox_order(self, path: str, **arguments: Any) -> None:
        """Do something to an order, as soon as it has come from the instance to its sandbox."""
        arrived = until(
            lambda: (answer := self._sent(path, **arguments)).status_code != 404 and answer, what=path
        )
        assert arrived.status_code == 200, f"{path}: {arrived.status_code} {arrived.text}"

    def _sent(self, path: str, **arguments: Any) -> httpx.Response:
        url = f"http://127.0.0.1:{self.terminal.sandbox_port}{path}"
        return httpx.post(url, trust_env=False, timeout=20, **arguments)


@dataclass
class Pair:
    """A is a merchant of B. `merchants` are A's own, and `wallets` A's wallets at B, by protocol."""

    a: Site
    b: Site
    merchants: dict[str, Merchant]
    wallets_at_a: dict[str, str]
    wallets_at_b: dict[str, str]

    def at_b(self, table: str, reference: str) -> str:
        """Return B's number of an order of A's."""
        statement = f"SELECT {table}_id FROM records_{table} WHERE merchant_order_no = %s"
        number: str = until(lambda: self.b.rows(statement, reference), what=f"{reference} at B")[0][0]
        return number

    def reset(self) -> None:
        """Let calls and callbacks through, and the sandbox behave and leave payouts pending."""
        self.a.proxy.mode = self.b.proxy.mode = ""
        self.b.behaviour("normal", payout_delay_seconds=600)


def until(look: Callable[[], Any], *, what: str) -> Any:
    """Look again and again until something true comes back."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while not (found := look()):
        assert time.monotonic() < end, f"{what} did not come within {WAIT_SECONDS_MAX} s"
        time.sleep(0.05)
    return found


def prepare(home: Path) -> None:
    """Put a migrated, empty database into a new home; the first start would take half a minute for it."""
    home.mkdir(mode=0o700, parents=True)
    data, sockets = postgres.folders(home)
    runs.copy_cluster(data)
    server = postgres.start(
        data=data, sockets=sockets, log=home / "prepare.log", settings=postgres.THROWAWAY_SETTINGS
    )
    try:
        with server.connect() as connection:
            name = f"ALTER DATABASE {runs.TEMPLATE} RENAME TO {instance.DATABASE}"
            connection.execute(name.encode())
    finally:
        postgres.stop(server)
    (home / "postgres-created").touch()
    (home / "migrated").write_text(instance.migration_fingerprint())


@contextmanager
def running(folder: Path) -> Iterator[Pair]:
    """Start both, and introduce them to each other."""
    with ExitStack() as stack:
        sites = [stack.enter_context(_site(folder / name)) for name in ("a", "b")]
        # Both at once; each is waited for when its own context ends.
        stack.callback(_ask_to_stop, [site.terminal for site in sites])
        for site in sites:
            site.terminal.start()
        for site in sites:
            until(functools.partial(_has_started, site.terminal), what="the start")
            assert not site.terminal.ended(), site.terminal.output
        yield _introduced(*sites)


def _has_started(terminal: Terminal) -> bool:
    return "is running" in terminal.output or terminal.ended()


def _ask_to_stop(terminals: list[Terminal]) -> None:
    for terminal in terminals:
        if terminal.process is not None and not terminal.ended():
            terminal.process.terminate()


@contextmanager
def _site(home: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        stack.callback(_remove, home)
        prepare(home)
        # The port is known only once the terminal is made, and the terminal wants the proxy's address.
        terminal = Terminal(home, DIAMONDPAY_NOTIFICATION_RETRY_SECONDS="1,1,1,1,1")
        proxy = stack.enter_context(spoiling_proxy.running(terminal.port))
        terminal.variables["DIAMONDPAY_PUBLIC_URL"] = proxy.url
        stack.callback(_wait_for_end, terminal)
        yield Site(terminal, proxy)


def _wait_for_end(terminal: Terminal) -> None:
    # It was asked to stop before; a second signal would kill its parts.
    if terminal.process is not None:
        terminal.process.wait(20)


def _remove(home: Path) -> None:
    data, sockets = postgres.folders(home)
    for folder in (data, sockets, home):
        shutil.rmtree(folder, ignore_errors=True)


def _introduced(a: Site, b: Site) -> Pair:
    sandbox = {
        "base_url": f"http://127.0.0.1:{b.terminal.sandbox_port}",
        "account": "sandbox",
        "secret": DEFAULT_ACCOUNTS["sandbox"],
        "timeout_seconds": "2",
    }
    merchants = [(protocol, ["sandbox"], _apis(protocol)) for protocol in PROTOCOLS]
    at_b = b.open(channels=[("sandbox", "sandbox", sandbox)], merchants=merchants, permillage=3)
    channels = [(protocol, protocol, _settings(protocol, b, at_b[protocol])) for protocol in PROTOCOLS]
    at_a = a.open(
        channels=channels, merchants=[(protocol, [protocol], []) for protocol in PROTOCOLS], permillage=8
    )
    keys = ("platform_id", "platform_key", "authorization")
    return Pair(
        a=a,
        b=b,
        merchants={
            name: Merchant(url=a.terminal.url, **{key: made[key] for key in keys})
            for name, made in at_a.items()
        },
        wallets_at_a={name: made["wallet"] for name, made in at_a.items()},
        wallets_at_b={name: made["wallet"] for name, made in at_b.items()},
    )


def _apis(protocol: str) -> list[str]:
    return [] if protocol == "gateway" else [protocol]


def _settings(protocol: str, b: Site, made: dict[str, Any]) -> dict[str, str]:
    """Return the settings with which A speaks to B, as its own merchant of this protocol."""
    shared = {"base_url": b.proxy.url, "timeout_seconds": "5"}
    if protocol == "gateway":
        keys = {name: made[name] for name in ("platform_id", "platform_key", "authorization")}
        return {**shared, **keys, "currency": "CNY"}
    access_key, secret_key = made["further"][protocol]
    return {**shared, "access_key": access_key, "secret_key": secret_key, "key_header": "access-key"}
