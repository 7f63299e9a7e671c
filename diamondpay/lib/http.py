"""Outgoing HTTP to addresses that others chose: merchants' notify URLs, upstreams.

A URL is checked when it is given and again when it is used; the connection goes to the very address that
was checked, so a name that changes its answer in between gains nothing. No redirects, one deadline for
everything, a small answer. No Django and no state: safe from any thread, and never inside a transaction.
"""

import functools
import socket
import ssl
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import httpcore
import httpx

from diamondpay.lib import destinations
from diamondpay.lib.destinations import AddressRefused, DeliveryFailed, Networks, check_url

__all__ = ["AddressRefused", "Answer", "DeliveryFailed", "check_url", "post", "send"]

CONNECT_SECONDS_MAX = 5.0
ADDRESSES_TRIED_MAX = 4
# Headers beyond this are no answer; httpcore itself gives up at 100 kB of one header block.
RECEIVED_BYTES_MAX = 262_144
_WRITE_BYTES = 16_384
_OWN_HEADERS = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})
_KEPT_HEADERS = frozenset({"retry-after", "content-type"})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back. `body` holds at most the allowed bytes; `is_cut` says that there was more.

    `headers` holds retry-after and content-type only, names in lower case.
    """

    status: int
    body: bytes
    duration_ms: int
    headers: Mapping[str, str]
    is_cut: bool


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed_private: Networks,
    timeout_seconds_total: float = 15,
    answer_bytes_max: int = 2048,
) -> Answer:
    """POST the body to the checked address of the URL and return the answer, whatever its status.

    Raises: AddressRefused; DeliveryFailed.
    """
    return send("POST", url, body, headers, allowed_private, timeout_seconds_total, answer_bytes_max)


def send(
    method: str,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    allowed_private: Networks,
    timeout_seconds_total: float = 15,
    answer_bytes_max: int = 2048,
) -> Answer:
    """Send one request as `post` does, with any method.

    Raises: AddressRefused; DeliveryFailed; ValueError for a header that only this module may set.
    """
    clash = _OWN_HEADERS.intersection(name.lower() for name in headers)
    if clash:
        raise ValueError(f"headers set elsewhere: {sorted(clash)}")
    started = time.monotonic()
    clock = _Deadline(started + timeout_seconds_total, timeout_seconds_total)
    target = destinations.parse_url(url)
    literal = destinations.literal_address(target.host)
    addresses = [literal] if literal is not None else destinations.resolve(target.host, clock.at)
    destinations.check_addresses(target.host, addresses, allowed_private)
    backend = _PinnedBackend(addresses, target.port, clock)
    status, kept, answer_headers, is_cut = _exchange(method, target, body, headers, backend, answer_bytes_max)
    return Answer(
        status=status,
        body=kept,
        duration_ms=round((time.monotonic() - started) * 1000),
        headers=answer_headers,
        is_cut=is_cut,
    )


def _exchange(
    method: str,
    target: destinations.Target,
    body: bytes,
    headers: Mapping[str, str],
    backend: "_PinnedBackend",
    answer_bytes_max: int,
) -> tuple[int, bytes, dict[str, str], bool]:
    sent = {
        "Host": target.authority,
        "User-Agent": "DiamondPay",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "Content-Length": str(len(body)),
    }
    if method in ("GET", "HEAD"):
        del sent["Content-Length"]
    place = httpcore.URL(
        scheme=target.scheme.encode(),
        host=target.host.encode(),
        port=target.port,
        target=target.path.encode(),
    )
    request = httpcore.Request(
        method,
        place,
        headers=list({**sent, **headers}.items()),
        content=body if "Content-Length" in sent else None,
    )
    connection = httpcore.HTTPConnection(
        place.origin, ssl_context=_tls() if target.scheme == "https" else None, network_backend=backend
    )
    try:
        response = connection.handle_request(request)
        kept, is_cut = _read_body(response, answer_bytes_max)
    except httpcore.LocalProtocolError as fault:
        raise ValueError(f"request cannot be sent: {fault}") from fault
    except (httpcore.RemoteProtocolError, httpcore.NetworkError) as fault:
        raise _unreadable(str(fault), is_sent=backend.is_sent) from fault
    finally:
        connection.close()
        backend.close()
    answer_headers = {
        name.decode("latin-1").lower(): value.decode("latin-1")[:200]
        for name, value in response.headers
        if name.decode("latin-1").lower() in _KEPT_HEADERS
    }
    return response.status, kept, answer_headers, is_cut


def _read_body(response: httpcore.Response, bytes_max: int) -> tuple[bytes, bool]:
    kept = bytearray()
    for part in response.iter_stream():
        kept += part
        if len(kept) > bytes_max:
            return bytes(kept[:bytes_max]), True
    return bytes(kept), False


def _unreadable(fault: str, *, is_sent: bool) -> DeliveryFailed:
    if "disconnected" in fault or "closed connection" in fault:
        return DeliveryFailed("reset", "connection closed before the answer was complete", is_sent=is_sent)
    return DeliveryFailed("unreadable", f"unreadable answer: {fault[:120]}", is_sent=is_sent)


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


@dataclass(frozen=True)
class _Deadline:
    at: float
    seconds_total: float

    def left(self, *, is_sent: bool) -> float:
        """Return the seconds that remain, or raise when there are none."""
        remaining = self.at - time.monotonic()
        if remaining <= 0:
            raise self.passed(is_sent=is_sent)
        return remaining

    def passed(self, *, is_sent: bool) -> DeliveryFailed:
        return DeliveryFailed("timeout", f"timeout after {self.seconds_total:g} s", is_sent=is_sent)


class _PinnedBackend(httpcore.NetworkBackend):
    """Connects to the checked addresses only, whatever host httpcore asks for."""

    def __init__(self, addresses: Sequence[destinations.Address], port: int, clock: _Deadline) -> None:
        self._addresses, self._port, self._clock = addresses[:ADDRESSES_TRIED_MAX], port, clock
        self._open: socket.socket | None = None
        self.is_sent = False

    def close(self) -> None:
        """Close what a failed handshake left open; httpcore does not know of it yet."""
        if self._open is not None:
            self._open.close()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure = DeliveryFailed("dns", "DNS gave no address", is_sent=False)
        for address in self._addresses:
            seconds = min(self._clock.left(is_sent=False), CONNECT_SECONDS_MAX)
            try:
                connected = socket.create_connection((str(address), self._port), seconds)
            except TimeoutError:
                failure = DeliveryFailed("timeout", f"no connection within {seconds:g} s", is_sent=False)
            except ConnectionRefusedError:
                failure = DeliveryFailed("refused", "connection refused", is_sent=False)
            except OSError as fault:
                failure = DeliveryFailed("unreachable", f"not reachable: {fault.strerror}", is_sent=False)
            else:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open = connected
                return _DeadlineStream(connected, self._clock, self)
        raise failure


class _DeadlineStream(httpcore.NetworkStream):
    """A socket on which every step has what is left of the one deadline, so that dripping gains nothing."""

    def __init__(self, connected: socket.socket, clock: _Deadline, backend: _PinnedBackend) -> None:
        self._socket, self._clock, self._backend = connected, clock, backend
        self._received_bytes = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._socket.settimeout(self._clock.left(is_sent=True))
        try:
            part = self._socket.recv(max_bytes)
        except TimeoutError:
            raise self._clock.passed(is_sent=True) from None
        except ConnectionError:
            raise DeliveryFailed("reset", "connection reset", is_sent=True) from None
        except OSError as fault:
            raise DeliveryFailed(
                "unreadable", f"unreadable answer: {fault.strerror}", is_sent=True
            ) from fault
        self._received_bytes += len(part)
        if self._received_bytes > RECEIVED_BYTES_MAX:
            raise DeliveryFailed("unreadable", "unreadable answer: its headers never end", is_sent=True)
        return part

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        rest = memoryview(buffer)
        while rest:
            self._socket.settimeout(self._clock.left(is_sent=self._backend.is_sent))
            self._backend.is_sent = True
            try:
                rest = rest[self._socket.send(rest[:_WRITE_BYTES]) :]
            except TimeoutError:
                raise self._clock.passed(is_sent=True) from None
            except OSError as fault:
                # httpcore then still reads: some servers answer before they have read everything.
                raise httpcore.WriteError(str(fault)) from fault

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self._socket.settimeout(self._clock.left(is_sent=False))
        try:
            wrapped = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except TimeoutError:
            raise self._clock.passed(is_sent=False) from None
        except ssl.SSLCertVerificationError as fault:
            raise DeliveryFailed(
                "tls", f"TLS: certificate refused, {fault.verify_message}", is_sent=False
            ) from fault
        except OSError as fault:
            words = getattr(fault, "reason", None) or fault.strerror or "connection closed"
            raise DeliveryFailed("tls", f"TLS: no agreement, {words}", is_sent=False) from fault
        return _DeadlineStream(wrapped, self._clock, self._backend)

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> object:
        return self._socket if info == "socket" else None
