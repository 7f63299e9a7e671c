"""Where outgoing HTTP may go: the form of a URL, and every address its host leads to.

No Django, and no state but what a caller keeps in `RecentNames`. `http` uses this for each request; whoever
stores a URL asks `check_url` first.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Networks = Sequence[str] | Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]

URL_LENGTH_MAX = 2048
_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

# What nobody may open, private networks allowed or not.
_NEVER = {
    "0.0.0.0/8": "this host",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved or broadcast",
    "::/128": "unspecified",
    "ff00::/8": "multicast",
}
_NOT_PUBLIC = {
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "shared by carriers",
    "127.0.0.0/8": "loopback",
    "169.254.0.0/16": "link-local",
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved for protocols",
    "192.0.2.0/24": "for documentation",
    "192.31.196.0/24": "reserved for protocols",
    "192.52.193.0/24": "reserved for protocols",
    "192.88.99.0/24": "6to4 relay",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "reserved for protocols",
    "198.18.0.0/15": "for benchmarks",
    "198.51.100.0/24": "for documentation",
    "203.0.113.0/24": "for documentation",
    "::1/128": "loopback",
    "::ffff:0:0/96": "an IPv4 address in IPv6",
    "::/96": "an IPv4 address in IPv6",
    "64:ff9b::/96": "NAT64",
    "64:ff9b:1::/48": "NAT64",
    "100::/64": "discarded",
    "2001::/32": "Teredo",
    "2001::/23": "reserved for protocols",
    "2001:db8::/32": "for documentation",
    "2002::/16": "6to4",
    "2620:4f:8000::/48": "reserved for protocols",
    "3fff::/20": "for documentation",
    "5f00::/16": "segment routing",
    "fc00::/7": "private",
    "fe80::/10": "link-local",
    "fec0::/10": "site-local",
}
_NEVER_NETWORKS = [(ipaddress.ip_network(cidr), words) for cidr, words in _NEVER.items()]
_NOT_PUBLIC_NETWORKS = [(ipaddress.ip_network(cidr), words) for cidr, words in _NOT_PUBLIC.items()]
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")


class DeliveryFailed(Exception):
    """There is no answer; `reason` says why in words.

    `kind` is one of address, dns, refused, unreachable, tls, timeout, reset, unreadable. `is_sent` is False
    only when certainly no part of the request had left.
    """

    def __init__(self, kind: str, reason: str, *, is_sent: bool) -> None:
        super().__init__(reason)
        self.kind, self.reason, self.is_sent = kind, reason, is_sent


class AddressRefused(DeliveryFailed):
    """The URL leads, or may lead, where nobody outside should be able to send us."""

    def __init__(self, reason: str) -> None:
        super().__init__("address", reason, is_sent=False)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A URL taken apart; `path` holds the query string too and is ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """What stands in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def check_url(
    url: str, allowed_private: Networks, resolve_seconds: float = 2.0, names: RecentNames | None = None
) -> None:
    """Refuse a URL that must not be called, by its form or by any one of its host's addresses.

    `allowed_private` are networks (CIDR) that may be called although they are not public. A name that
    cannot be resolved within `resolve_seconds` passes, since it leads nowhere and is checked again when
    used; 0 asks no name server at all. `names` remembers answers for whoever is given the same host often.
    Raises: AddressRefused.
    """
    target = parse_url(url)
    literal = literal_address(target.host)
    if literal is not None:
        check_addresses(target.host, [literal], allowed_private)
    elif resolve_seconds > 0:
        look_up = resolve if names is None else names.resolve
        try:
            found = look_up(target.host, time.monotonic() + resolve_seconds)
        except DeliveryFailed:
            return
        check_addresses(target.host, found, allowed_private)


def parse_url(url: str) -> Target:
    """Take the URL apart by the strictest reading; the request is built from these parts alone.

    Raises: AddressRefused.
    """
    if len(url) > URL_LENGTH_MAX:
        raise AddressRefused(f"the URL is longer than {URL_LENGTH_MAX} characters")
    if any(not character.isprintable() or character in " \\" for character in url):
        raise AddressRefused("the URL contains a blank, a backslash or an invisible character")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("the URL is malformed") from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise AddressRefused("the URL must begin with http:// or https://")
    if "@" in parts.netloc:
        raise AddressRefused("the URL must not contain a user name or password")
    if port == 0:
        raise AddressRefused("port 0 cannot be called")
    path = quote(parts.path or "/", safe="/%:=&~+!$,;'()*@") + (
        "?" + quote(parts.query, safe="/?%:=&~+!$,;'()*@[]") if parts.query else ""
    )
    return Target(scheme=scheme, host=_host(parts), port=port or _PORTS[scheme], path=path)


def _host(parts: SplitResult) -> str:
    host = (parts.hostname or "").removesuffix(".")
    if not host:
        raise AddressRefused("the URL names no host")
    if "[" in parts.netloc:
        try:
            return ipaddress.IPv6Address(host if "%" not in host else "").compressed
        except ValueError:
            raise AddressRefused("the host is not an IPv6 address") from None
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("the host is not a plain ASCII host name")
    # Resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses; only the dotted form is one.
    if _NUMBER.fullmatch(labels[-1]) and literal_address(host) is None:
        raise AddressRefused("an IPv4 address must be written as four decimal numbers")
    return host


def literal_address(host: str) -> Address | None:
    """Return the address that the host is, None when it is a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def check_addresses(host: str, addresses: Iterable[Address], allowed_private: Networks) -> None:
    """Refuse the host when any one of its addresses must not be called.

    Raises: AddressRefused.
    """
    allowed = [ipaddress.ip_network(str(network)) for network in allowed_private]
    for address in addresses:
        why = next((words for network, words in _NEVER_NETWORKS if address in network), None)
        if why is None and not any(address in network for network in allowed):
            why = next((words for network, words in _NOT_PUBLIC_NETWORKS if address in network), None)
            if why is None and address.version == 6 and address not in _GLOBAL_UNICAST:
                why = "not public"
        if why is not None:
            raise AddressRefused(f"{host} leads to {address}, which is not a public address ({why})")


def resolve(host: str, at: float) -> list[Address]:
    """Return all addresses of the name, asked for until the monotonic time `at`.

    Raises: DeliveryFailed.
    """
    # The resolver has no deadline of its own, so it runs beside us; a late answer falls into the box unread.
    box: queue.SimpleQueue[list[Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            box.put(list(dict.fromkeys(ipaddress.ip_address(row[4][0]) for row in rows)))
        except (OSError, UnicodeError) as failure:
            box.put(failure)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        found = box.get(timeout=max(at - time.monotonic(), 0.001))
    except queue.Empty:
        raise DeliveryFailed("dns", f"DNS gave no answer in time for {host}", is_sent=False) from None
    if not isinstance(found, list):
        words = found.strerror if isinstance(found, OSError) else "not a host name"
        raise DeliveryFailed("dns", f"DNS: {host} cannot be resolved ({words})", is_sent=False)
    return found


class RecentNames:
    """Remembers for a short while where names led to; names that could not be resolved are not remembered.

    Only for looking at a URL that is given: whoever sends asks anew, since a name may lead elsewhere by then.
    """

    def __init__(self, *, seconds: float = 60.0, host_count_max: int = 1000) -> None:
        self.seconds, self.host_count_max = seconds, host_count_max
        self._found: dict[str, tuple[float, list[Address]]] = {}

    def resolve(self, host: str, at: float) -> list[Address]:
        """Return all addresses of the name as `resolve` does, from memory where it can.

        Raises: DeliveryFailed.
        """
        now = time.monotonic()
        ends_at, addresses = self._found.get(host, (now, []))
        if now < ends_at:
            return addresses
        addresses = resolve(host, at)
        if len(self._found) >= self.host_count_max:
            self._found.clear()
        self._found[host] = (now + self.seconds, addresses)
        return addresses
