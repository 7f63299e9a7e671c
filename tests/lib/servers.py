"""Small real servers that misbehave in one way each, on loopback, in threads of the test."""

import contextlib
import datetime as dt
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[[socket.socket, threading.Event], None]


@dataclass
class Server:
    """Where it listens, what it was sent, and how many connections it saw."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connection_count: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/cb"


@contextlib.contextmanager
def serving(
    behaviour: Behaviour, *, read_first: bool = True, tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    """Serve every connection with the behaviour, after its request was read whole; stop with the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    server, over = Server(listener.getsockname()[1]), threading.Event()

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(connection):
            connection.settimeout(5)
            secure = tls.wrap_socket(connection, server_side=True) if tls else connection
            with contextlib.closing(secure):
                if read_first:
                    server.requests.append(read_request(secure))
                behaviour(secure, over)

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                server.connection_count += 1
                threads.append(threading.Thread(target=serve, args=(connection,)))
                threads[-1].start()

    threads = [threading.Thread(target=accept)]
    threads[0].start()
    try:
        yield server
    finally:
        over.set()
        for thread in threads:
            thread.join()
        listener.close()


def read_request(connection: socket.socket) -> bytes:
    """Read one request with its body."""
    received = b""
    while b"\r\n\r\n" not in received:
        part = connection.recv(65536)
        if not part:
            return received
        received += part
    head = received.partition(b"\r\n\r\n")[0].lower()
    length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    while len(received) < len(head) + 4 + length:
        received += connection.recv(65536)
    return received


def answering(raw: bytes) -> Behaviour:
    """Send exactly these bytes and close."""

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(raw)

    return answer


def hanging(connection: socket.socket, over: threading.Event) -> None:
    """Say nothing."""
    over.wait(30)


def dripping(start: bytes, drop: bytes, *, seconds: float = 0.05) -> Behaviour:
    """Send the start, then one drop after the other for ever."""

    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        while not over.wait(seconds):
            connection.sendall(drop)

    return drip


def flooding(start: bytes, part: bytes) -> Behaviour:
    """Send the start, then the part again and again as fast as it is taken."""
    return dripping(start, part, seconds=0)


def resetting(start: bytes) -> Behaviour:
    """Send the start, then reset the connection."""

    def reset(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(start)
        over.wait(0.1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    return reset


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, Path]:
    """Make a self-signed certificate for the name; return the server's side and the file to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, secret = folder / "certificate.pem", folder / "key.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted, secret)
    return context, trusted
