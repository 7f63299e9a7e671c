"""Where a request comes from, and whether that is on a list."""

import functools
import ipaddress
from collections.abc import Iterable, Mapping

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
# The bits before the IPv4 address in an IPv4-mapped IPv6 address.
_MAPPED_PREFIX = 96


def client_address(request_meta: Mapping[str, object], trusted_proxy_count: int) -> str | None:
    """Return the address that the outermost of our own proxies saw, or None when it is unknown.

    Each trusted proxy appends the address it was called from to X-Forwarded-For; what stands further left
    was written by the caller and proves nothing. With fewer hops than trusted proxies somebody went round
    one of them, so only the address of the connection itself is believed.
    """
    peer = _parsed(str(request_meta.get("REMOTE_ADDR") or ""))
    hops = [hop for hop in str(request_meta.get("HTTP_X_FORWARDED_FOR") or "").split(",") if hop.strip()]
    found = peer
    if trusted_proxy_count and len(hops) >= trusted_proxy_count:
        found = _parsed(hops[-trusted_proxy_count])
    return None if found is None else str(found)


def in_networks(address: str | None, cidrs: Iterable[str]) -> bool:
    """Say whether the address lies in one of the networks or equals one of the addresses, IPv4 or IPv6.

    Raises: ValueError for a malformed entry of the list; a malformed address is simply not in it.
    """
    networks = [network(cidr) for cidr in cidrs]
    found = _parsed(address or "")
    return found is not None and any(found in each for each in networks)


def network(cidr: str, *, is_strict: bool = False) -> Network:
    """Return a network; one of IPv4-mapped IPv6 addresses is the IPv4 network, as the addresses are.

    Raises: ValueError for what is none, and, where that is asked for, one with host bits set.
    """
    found = ipaddress.ip_network(cidr.strip(), strict=is_strict)
    mapped = found.network_address.ipv4_mapped if isinstance(found, ipaddress.IPv6Network) else None
    if mapped is None or found.prefixlen < _MAPPED_PREFIX:
        return found
    return ipaddress.IPv4Network((mapped, found.prefixlen - _MAPPED_PREFIX))


# The same few callers call again and again, and their networks are read with every call.
@functools.lru_cache(maxsize=1024)
def _parsed(text: str) -> Address | None:
    """Read an address as proxies write it: bare, `[v6]`, with a port; an IPv4-mapped IPv6 becomes IPv4."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
