"""Where outgoing HTTP may go (bad input, notify_url)."""

import pytest

from diamondpay.lib import http
from diamondpay.lib.http import AddressRefused

LOOPBACK = ["127.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "begin with http"),
        ("ftp://8.8.8.8/", "begin with http"),
        ("gopher://8.8.8.8/", "begin with http"),
        ("//8.8.8.8/", "begin with http"),
        ("merchant.example/cb", "begin with http"),
        ("", "begin with http"),
        ("http://", "names no host"),
        ("http:///cb", "names no host"),
        ("http://user@8.8.8.8/", "user name"),
        ("http://user:pw@8.8.8.8/", "user name"),
        ("http://8.8.8.8@127.0.0.1/", "user name"),
        ("http://8.8.8.8\\@127.0.0.1/", "backslash"),
        ("http://8.8.8.8/a b", "blank"),
        ("http://8.8.8.8/a\r\nX: y", "invisible"),
        ("http://8.8.8.8/\u202e", "invisible"),
        ("http://8.8.8.8/\x00", "invisible"),
        ("http://8.8.8.8:99999/", "malformed"),
        ("http://8.8.8.8:abc/", "malformed"),
        ("http://8.8.8.8:0/", "port 0"),
        ("http://[::1/", "malformed"),
        ("http://[fe80::1%25eth0]/", "not an IPv6"),
        ("http://[v1.x]/", "not an IPv6|malformed"),
        ("http://①②⑦.0.0.1/", "plain ASCII|malformed"),
        ("http://mérchant.example/", "plain ASCII"),
        ("http://127%2e0.0.1/", "plain ASCII"),
        ("http://a..b/", "plain ASCII"),
        ("http://-a.example/", "plain ASCII"),
        ("http://" + "a" * 64 + ".example/", "plain ASCII"),
        ("http://8.8.8.8/" + "a" * 2048, "longer than 2048"),
        ("http://2130706433/", "four decimal numbers"),
        ("http://0x7f000001/", "four decimal numbers"),
        ("http://0x7f.1/", "four decimal numbers"),
        ("http://0177.0.0.1/", "four decimal numbers"),
        ("http://127.1/", "four decimal numbers"),
        ("http://127.0.0.1.2/", "four decimal numbers"),
        ("http://8.8.8.256/", "four decimal numbers"),
        ("http://0/", "four decimal numbers"),
    ],
)
def test_a_url_of_bad_form_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(AddressRefused, match=reason):
        http.check_url(url, LOOPBACK)


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("0.0.0.0", "this host"),  # noqa: S104
        ("0.1.2.3", "this host"),
        ("10.1.2.3", "private"),
        ("100.64.0.1", "shared by carriers"),
        ("127.0.0.1", "loopback"),
        ("127.8.8.8", "loopback"),
        ("127.0.0.1.", "loopback"),
        ("169.254.169.254", "link-local"),
        ("172.31.255.255", "private"),
        ("192.0.2.1", "documentation"),
        ("192.88.99.1", "6to4"),
        ("192.168.0.1", "private"),
        ("198.19.0.1", "benchmarks"),
        ("224.0.0.1", "multicast"),
        ("240.0.0.1", "reserved"),
        ("255.255.255.255", "broadcast"),
        ("[::]", "unspecified"),
        ("[::1]", "loopback"),
        ("[0:0:0:0:0:0:0:1]", "loopback"),
        ("[::ffff:127.0.0.1]", "IPv4 address in IPv6"),
        ("[::ffff:8.8.8.8]", "IPv4 address in IPv6"),
        ("[::7f00:1]", "IPv4 address in IPv6"),
        ("[64:ff9b::7f00:1]", "NAT64"),
        ("[64:ff9b:1::1]", "NAT64"),
        ("[2001:0:1::1]", "Teredo"),
        ("[2002:7f00:1::1]", "6to4"),
        ("[2001:db8::1]", "documentation"),
        ("[fc00::1]", "private"),
        ("[fe80::1]", "link-local"),
        ("[fec0::1]", "site-local"),
        ("[ff02::1]", "multicast"),
        ("[4000::1]", "not public"),
        ("localhost", "loopback"),
        ("LOCALHOST", "loopback"),
        ("localhost.", "loopback"),
    ],
)
def test_an_address_that_is_not_public_is_refused_with_the_reason(host: str, why: str) -> None:
    for scheme, port in (("http", ""), ("https", ":8443")):
        with pytest.raises(AddressRefused, match=why):
            http.check_url(f"{scheme}://{host}{port}/cb", [])


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/",
        "https://8.8.8.8:8443/cb?order=1&x=a%20b#part",
        "HTTPS://8.8.8.8",
        "http://[2606:4700::1111]:8080/",
        "http://192.0.0.0.example.invalid/",
        "http://no-such-name.invalid/cb",
        "https://8.8.8.8/回调?a=[1]",
    ],
)
def test_a_public_address_passes_and_so_does_a_name_that_leads_nowhere(url: str) -> None:
    refused: list[str] = []
    try:
        http.check_url(url, [], resolve_seconds=0.5)
    except AddressRefused as refusal:
        refused.append(refusal.reason)
    assert refused == []


def test_only_the_private_networks_that_are_named_may_be_called() -> None:
    http.check_url("http://127.0.0.1:9/", LOOPBACK)
    http.check_url("http://localhost:9/", LOOPBACK)
    http.check_url("http://10.1.2.3/", ["10.1.0.0/16"])
    for url in ("http://10.2.0.1/", "http://[::1]/", "http://127.0.0.1/"):
        with pytest.raises(AddressRefused):
            http.check_url(url, ["10.1.0.0/16"])


def test_multicast_and_unspecified_are_refused_whatever_is_allowed() -> None:
    for host in ("224.0.0.1", "0.1.2.3", "255.255.255.255", "[::]", "[ff02::1]"):
        with pytest.raises(AddressRefused):
            http.check_url(f"http://{host}/", ["0.0.0.0/0", "::/0"])


def test_one_bad_address_of_a_name_is_enough() -> None:
    """localhost has an IPv4 and perhaps an IPv6 address; each is checked."""
    with pytest.raises(AddressRefused, match=r"127\.0\.0\.1"):
        http.check_url("http://localhost/", ["::1/128"])


def test_no_name_server_is_asked_where_there_is_no_time_for_it() -> None:
    # A look-up would find the loopback address and refuse it.
    http.check_url("http://localhost/", [], resolve_seconds=0)
    with pytest.raises(AddressRefused):
        http.check_url("http://127.0.0.1/", [], resolve_seconds=0)
