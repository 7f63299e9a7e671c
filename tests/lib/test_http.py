"""Outgoing HTTP against real servers that misbehave (F10, SSRF)."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from diamondpay.lib import http
from diamondpay.lib.http import AddressRefused, Answer, DeliveryFailed
from tests.lib import servers

LOOPBACK = ["127.0.0.0/8", "::1/128"]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + b'{"error_code":"0000"}'
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def _post(url: str, body: bytes = b"{}", seconds: float = 5) -> Answer:
    return http.post(url, body, {"Content-Type": "application/json"}, LOOPBACK, timeout_seconds_total=seconds)


def _failure(url: str, seconds: float = 5) -> tuple[str, str, bool, float]:
    started = time.perf_counter()
    with pytest.raises(DeliveryFailed) as caught:
        _post(url, seconds=seconds)
    return caught.value.kind, caught.value.reason, caught.value.is_sent, time.perf_counter() - started


def test_a_request_arrives_whole_and_its_answer_comes_back() -> None:
    with servers.serving(servers.answering(OK)) as server:
        answer = http.post(
            f"{server.url}?a=1&b=%20#part",
            b'{"x":"\xc3\xa9"}',
            {"Content-Type": "application/json", "webhook-id": "m1"},
            LOOPBACK,
        )
    assert (answer.status, answer.body, answer.is_cut) == (200, b'{"error_code":"0000"}', False)
    assert 0 <= answer.duration_ms < 2000
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == b'{"x":"\xc3\xa9"}'
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /cb?a=1&b=%20 HTTP/1.1"
    assert sorted(line.lower() for line in lines[1:]) == [
        "accept-encoding: identity", "accept: */*", "connection: close", "content-length: 10",
        "content-type: application/json", f"host: 127.0.0.1:{server.port}", "user-agent: diamondpay",
        "webhook-id: m1",
    ]  # fmt: skip


def test_a_path_that_is_not_ascii_is_sent_percent_encoded() -> None:
    with servers.serving(servers.answering(OK)) as server:
        _post(f"{server.url}/回?k=ü")
    assert server.requests[0].startswith(b"POST /cb/%E5%9B%9E?k=%C3%BC HTTP/1.1\r\n")


@pytest.mark.parametrize(("status", "retry_after"), [(410, None), (429, "120"), (500, None), (204, None)])
def test_any_status_is_an_answer_and_retry_after_is_kept(status: int, retry_after: str | None) -> None:
    more = f"Retry-After: {retry_after}\r\n" if retry_after else ""
    raw = f"HTTP/1.1 {status} Whatever\r\n{more}Set-Cookie: a=b\r\nContent-Length: 0\r\n\r\n".encode()
    with servers.serving(servers.answering(raw)) as server:
        answer = _post(server.url)
    assert (answer.status, answer.body) == (status, b"")
    assert dict(answer.headers) == ({"retry-after": retry_after} if retry_after else {})


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with servers.serving(servers.answering(OK)) as other:
        raw = f"HTTP/1.1 301 Moved\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode()
        with servers.serving(servers.answering(raw)) as server:
            assert _post(server.url).status == 301
        assert (server.connection_count, other.connection_count) == (1, 0)


@pytest.mark.parametrize(
    "behaviour",
    [
        servers.flooding(HEAD, b"x" * 65536),
        servers.answering(HEAD + b"x" * 5_000_000),
        servers.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000),
        servers.flooding(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\nxxxx\r\n"),
    ],
)
def test_of_an_endless_or_huge_body_two_kilobytes_are_kept(behaviour: servers.Behaviour) -> None:
    with servers.serving(behaviour) as server:
        answer = _post(server.url)
    assert (answer.status, answer.body, answer.is_cut) == (200, b"x" * 2048, True)
    assert answer.duration_ms < 2000


@pytest.mark.parametrize(
    "behaviour",
    [
        servers.hanging,
        servers.dripping(b"", b"H"),
        servers.dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
        servers.dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n", b"x"),
        servers.dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
def test_one_deadline_ends_a_hang_and_every_kind_of_dripping(behaviour: servers.Behaviour) -> None:
    with servers.serving(behaviour) as server:
        kind, reason, is_sent, seconds = _failure(server.url, seconds=0.6)
    assert (kind, reason, is_sent) == ("timeout", "timeout after 0.6 s", True)
    assert 0.5 < seconds < 1.5


@pytest.mark.parametrize(
    "behaviour",
    [
        servers.flooding(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"b" * 1000 + b"\r\n"),
        servers.flooding(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500),
        servers.answering(b"this is not HTTP\r\n\r\n"),
        servers.answering(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
        servers.answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        servers.answering(b"\x00" * 100 + b"\r\n\r\n"),
    ],
)
def test_what_is_not_http_or_has_endless_headers_is_unreadable(behaviour: servers.Behaviour) -> None:
    with servers.serving(behaviour) as server:
        kind, reason, is_sent, seconds = _failure(server.url)
    assert (kind, is_sent) == ("unreadable", True)
    assert reason.startswith("unreadable answer: ")
    assert seconds < 4


@pytest.mark.parametrize(
    "behaviour",
    [
        servers.answering(b""),
        servers.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"),
        servers.resetting(b""),
        servers.resetting(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"),
    ],
)
def test_a_connection_that_ends_early_is_said_to_be_reset(behaviour: servers.Behaviour) -> None:
    with servers.serving(behaviour) as server:
        kind, reason, is_sent, _ = _failure(server.url)
    assert (kind, is_sent) == ("reset", True)
    assert reason in ("connection reset", "connection closed before the answer was complete")


def test_a_refused_connection_certainly_sent_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert _failure(f"http://127.0.0.1:{port}/")[:3] == ("refused", "connection refused", False)


def test_a_name_that_does_not_exist_is_a_dns_failure() -> None:
    kind, reason, is_sent, seconds = _failure("http://no-such-name.invalid/", seconds=3)
    assert (kind, is_sent) == ("dns", False)
    assert reason.startswith("DNS")
    assert "no-such-name.invalid" in reason
    assert seconds < 4


def test_tls_to_a_plain_port_fails_in_words_and_sent_nothing() -> None:
    with servers.serving(servers.answering(b"HTTP/1.1 400 Bad Request\r\n\r\n"), read_first=False) as server:
        kind, reason, is_sent, _ = _failure(f"https://127.0.0.1:{server.port}/")
    assert (kind, is_sent) == ("tls", False)
    assert reason.startswith("TLS: no agreement, ")


def test_a_tls_handshake_that_hangs_ends_with_the_deadline() -> None:
    with servers.serving(servers.hanging, read_first=False) as server:
        kind, _, is_sent, seconds = _failure(f"https://127.0.0.1:{server.port}/", seconds=0.5)
    assert (kind, is_sent) == ("timeout", False)
    assert seconds < 1.5


@pytest.fixture
def fresh_trust() -> Iterator[None]:
    http._tls.cache_clear()
    yield
    http._tls.cache_clear()


def test_a_certificate_nobody_trusts_is_refused(tmp_path: Path, fresh_trust: None) -> None:
    context, _ = servers.certificate(tmp_path, "localhost")
    with servers.serving(servers.answering(OK), tls=context) as server:
        kind, reason, is_sent, _ = _failure(f"https://localhost:{server.port}/")
    assert (kind, is_sent) == ("tls", False)
    assert reason.startswith("TLS: certificate refused, self-signed certificate")
    assert server.requests == []


def test_tls_is_checked_against_the_name_though_an_address_is_dialled(
    tmp_path: Path, fresh_trust: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSRF: pinned address, Host and certificate of the name."""
    context, trusted = servers.certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with servers.serving(servers.answering(OK), tls=context) as server:
        assert _post(f"https://localhost:{server.port}/cb").status == 200
        kind, reason, _, _ = _failure(f"https://127.0.0.1:{server.port}/cb")
    assert names[0] == "localhost"
    assert f"Host: localhost:{server.port}\r\n".encode() in server.requests[0]
    assert kind == "tls"
    assert "127.0.0.1" in reason


def test_an_address_that_may_not_be_called_is_refused_again_when_sending() -> None:
    with servers.serving(servers.answering(OK)) as server:
        for host in ("127.0.0.1", "localhost"):
            with pytest.raises(AddressRefused, match="loopback") as caught:
                http.post(f"http://{host}:{server.port}/", b"", {}, ["10.0.0.0/8"])
            assert (caught.value.kind, caught.value.is_sent) == ("address", False)
        assert server.connection_count == 0


def test_a_name_is_asked_for_once_and_the_checked_address_is_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    """SSRF, rebinding: the second answer of the name server would be another address."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *more: Any, **options: Any) -> list[Any]:
        if host != "merchant.example":
            return real(host, *more, **options)
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with servers.serving(servers.answering(OK)) as server:
        url = f"http://merchant.example:{server.port}/"
        assert http.post(url, b"", {}, ["127.0.0.1/32"]).status == 200
        assert asked == ["merchant.example"]
        with pytest.raises(AddressRefused, match=r"127\.0\.0\.2"):
            http.post(url, b"", {}, ["127.0.0.1/32"])
    assert f"Host: merchant.example:{server.port}\r\n".encode() in server.requests[0]
    assert server.connection_count == 1


def test_headers_of_its_own_and_line_breaks_are_refused() -> None:
    with servers.serving(servers.answering(OK)) as server:
        with pytest.raises(ValueError, match="host"):
            http.post(server.url, b"", {"Host": "evil.example"}, LOOPBACK)
        with pytest.raises(ValueError, match="cannot be sent"):
            http.post(server.url, b"", {"X-A": "b\r\nX-C: d"}, LOOPBACK)
        assert server.requests in ([], [b""])


def test_a_get_has_no_body_and_a_larger_answer_where_asked() -> None:
    with servers.serving(servers.answering(HEAD + b"x" * 100_000)) as server:
        answer = http.send("GET", server.url, b"", {"Authorization": "t"}, LOOPBACK, answer_bytes_max=200_000)
    assert (len(answer.body), answer.is_cut) == (100_000, False)
    assert server.requests[0].startswith(b"GET /cb HTTP/1.1\r\n")
    assert b"content-length" not in server.requests[0].lower()


def test_many_threads_send_at_once() -> None:
    with servers.serving(servers.answering(OK)) as server, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: _post(server.url, str(number).encode()), range(64)))
    assert [answer.status for answer in answers] == [200] * 64
    assert {request.rpartition(b"\r\n")[2] for request in server.requests} == {b"%d" % n for n in range(64)}


def test_no_connection_is_left_open_behind_a_failure() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with servers.serving(servers.hanging, read_first=False) as server:
        for _ in range(5):
            _failure(f"http://127.0.0.1:{server.port}/", seconds=0.05)
            _failure(f"https://127.0.0.1:{server.port}/", seconds=0.05)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 1
