"""Where a request comes from."""

import pytest

from diamondpay.lib import addresses

PEER = "10.0.0.9"


@pytest.mark.parametrize(
    ("forwarded", "trusted", "wanted"),
    [
        (None, 0, PEER),
        ("1.2.3.4", 0, PEER),
        ("6.6.6.6, 1.2.3.4", 1, "1.2.3.4"),
        ("6.6.6.6, 1.2.3.4, 10.0.0.1", 2, "1.2.3.4"),
        ("1.2.3.4", 2, PEER),
        (None, 1, PEER),
        (" , ,", 1, PEER),
        ("[2001:db8::1]:4711", 1, "2001:db8::1"),
        ("2001:db8::1", 1, "2001:db8::1"),
        ("1.2.3.4:5678", 1, "1.2.3.4"),
        ("::ffff:1.2.3.4", 1, "1.2.3.4"),
        ("::ffff:6.6.6.6, ::ffff:1.2.3.4", 1, "1.2.3.4"),
        ("6.6.6.6, [2001:db8::7]:80, 10.0.0.1", 2, "2001:db8::7"),
        ("1.2.3.4, 6.6.6.6, 10.0.0.1, 10.0.0.2", 2, "10.0.0.1"),
        ("1.2.3.4, unknown", 1, None),
        ("1.2.3.4, <script>", 1, None),
    ],
)
def test_only_what_trusted_proxies_wrote_is_believed(
    forwarded: str | None, trusted: int, wanted: str | None
) -> None:
    meta: dict[str, object] = {"REMOTE_ADDR": PEER}
    if forwarded is not None:
        meta["HTTP_X_FORWARDED_FOR"] = forwarded
    assert addresses.client_address(meta, trusted) == wanted


def test_a_socket_without_an_address_is_unknown() -> None:
    assert addresses.client_address({"REMOTE_ADDR": ""}, 0) is None
    assert addresses.client_address({}, 0) is None


@pytest.mark.parametrize(
    ("address", "cidrs", "wanted"),
    [
        ("1.2.3.4", ["1.2.3.0/24"], True),
        ("1.2.4.4", ["1.2.3.0/24", "1.2.4.4"], True),
        ("1.2.5.4", ["1.2.3.0/24", "1.2.4.4"], False),
        ("2001:db8::5", ["2001:db8::/32"], True),
        ("2001:db8::5", ["1.2.3.0/24"], False),
        ("::ffff:1.2.3.4", ["1.2.3.4/32"], True),
        ("1.2.3.4", ["1.2.3.77/24"], True),
        ("1.2.3.4", ["::ffff:1.2.3.4"], True),
        ("1.2.3.4", ["::ffff:1.2.3.0/120"], True),
        ("1.2.4.4", ["::ffff:1.2.3.0/120"], False),
        ("::ffff:1.2.3.4", ["::ffff:0:0/96"], True),
        ("2001:db8::5", ["::ffff:0:0/96"], False),
        ("1.2.3.4", [], False),
        ("nonsense", ["0.0.0.0/0", "::/0"], False),
        (None, ["0.0.0.0/0"], False),
    ],
)
def test_in_networks_answers_for_both_families(address: str | None, cidrs: list[str], wanted: bool) -> None:
    assert addresses.in_networks(address, cidrs) is wanted


def test_a_malformed_list_is_not_passed_over() -> None:
    with pytest.raises(ValueError, match="does not appear"):
        addresses.in_networks("1.2.3.4", ["10.0.0.0/99"])
