"""One HTTP exchange with a deadline that holds for all of it, over connections that are kept per process.

Usual HTTP clients bound each read, so a server that sends a byte every few seconds holds the caller for as
long as it likes. Here every operation on the socket is given what is left of one total. What stays outside is
the resolver: Python cannot interrupt it.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import httpcore

from diamondpay.lib import destinations

BODY_BYTES_MAX = 256 * 1024
CONNECTIONS_MAX = 100
# Shorter than any server's, so that a connection is not closed under a request.
KEEPALIVE_SECONDS = 15.0

_deadline = threading.local()


class NoAnswer(Exception):
    """No complete answer came: refused, reset, timed out, not HTTP, too long. It may have been acted on."""


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer: header names lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class _Connect(Protocol):
    def __call__(self, address: str, seconds: float) -> httpcore.NetworkStream: ...


def _remaining(expired: type[Exception]) -> float:
    seconds: float = _deadline.at - time.monotonic()
    if seconds <= 0:
        raise expired("the time for this exchange is over")
    return seconds


class _DeadlineStream(httpcore.NetworkStream):
    """A stream whose every operation ends with the exchange that uses it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _remaining(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _remaining(httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = _remaining(httpcore.ConnectTimeout)
        return _DeadlineStream(self._stream.start_tls(ssl_context, server_hostname, seconds))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _DeadlineBackend(httpcore.SyncBackend):
    """Connects to the addresses of a host one after the other, all within the exchange's deadline.

    With `is_public_only` a host that leads to any address inside a private network is not connected to.
    """

    def __init__(self, *, is_public_only: bool) -> None:
        self._is_public_only = is_public_only

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        def connect(address: str, seconds: float) -> httpcore.NetworkStream:
            return super(_DeadlineBackend, self).connect_tcp(
                address, port, seconds, local_address, socket_options
            )

        found = _addresses(host, port)
        if self._is_public_only:
            _check_public(host, found)
        return _DeadlineStream(_connect_first(found, connect))


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as fault:
        raise httpcore.ConnectError(str(fault)) from fault
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _check_public(host: str, addresses: list[str]) -> None:
    """Refuse a host that leads inside, at the very moment when it is connected to."""
    try:
        literals = [ipaddress.ip_address(address.partition("%")[0]) for address in addresses]
        destinations.check_addresses(host, literals, ())
    except destinations.AddressRefused as fault:
        raise httpcore.ConnectError(fault.reason) from fault


def _connect_first(addresses: list[str], connect: _Connect) -> httpcore.NetworkStream:
    """Return a stream to the first address that takes the connection, leaving time for the ones after it."""
    fault: Exception = httpcore.ConnectError("the host has no address")
    for position, address in enumerate(addresses):
        seconds = _remaining(httpcore.ConnectTimeout) / (len(addresses) - position)
        try:
            return connect(address, seconds)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as refusal:
            fault = refusal
    raise fault


class _PoolPerProcess:
    """The process's connections; a forked child starts with none: two processes cannot share a socket."""

    def __init__(self, *, is_public_only: bool) -> None:
        self._is_public_only = is_public_only
        self._lock = threading.Lock()
        self._pool: httpcore.ConnectionPool | None = None
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._pool = None

    def get(self) -> httpcore.ConnectionPool:
        with self._lock:
            if self._pool is None:
                self._pool = httpcore.ConnectionPool(
                    max_connections=CONNECTIONS_MAX,
                    max_keepalive_connections=CONNECTIONS_MAX,
                    keepalive_expiry=KEEPALIVE_SECONDS,
                    network_backend=_DeadlineBackend(is_public_only=self._is_public_only),
                )
            return self._pool


# Two, so that a connection that one caller may have is never lent to another who may not.
_pools = {is_public_only: _PoolPerProcess(is_public_only=is_public_only) for is_public_only in (False, True)}


def _read_body(response: httpcore.Response, body_bytes_max: int) -> bytes:
    body = bytearray()
    for part in response.iter_stream():
        body += part
        if len(body) > body_bytes_max:
            raise NoAnswer(f"the answer is longer than {body_bytes_max} bytes")
    return bytes(body)


def exchange(
    *,
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes,
    timeout_seconds: float,
    body_bytes_max: int = BODY_BYTES_MAX,
    is_public_only: bool = False,
) -> HttpAnswer:
    """Send one request once, following no redirect, and return its complete answer.

    With `is_public_only` no address inside a private network is connected to, whatever a name leads to.
    Units: timeout_seconds bounds the whole exchange.
    Raises: NoAnswer.
    """
    _deadline.at = time.monotonic() + timeout_seconds
    sent = [*headers.items(), ("accept-encoding", "identity"), ("content-length", str(len(body)))]
    try:
        with (
            _pools[is_public_only]
            .get()
            .stream(
                method,
                url,
                headers=sent,
                content=body,
                extensions={"timeout": {"pool": timeout_seconds}},
            ) as response
        ):
            received = {
                name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
            }
            return HttpAnswer(
                status=response.status, headers=received, body=_read_body(response, body_bytes_max)
            )
    except httpcore.TimeoutException as fault:
        raise NoAnswer(f"no complete answer within {timeout_seconds:g} s") from fault
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as fault:
        raise NoAnswer(f"{type(fault).__name__}: {fault}") from fault
