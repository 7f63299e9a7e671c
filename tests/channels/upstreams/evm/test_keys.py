"""Addresses from extended public keys. Source: BIP-32, Test vectors; EIP-55; Keccak's known answers."""

from __future__ import annotations

import pytest

from channels.upstreams.evm import keccak, keys

# BIP-32, test vectors 1, 2 and 3: a key that is public, a child index, the child.
VECTORS = (
    (
        (
            "xpub68Gmy5EdvgibQVfPdqkBBCHxA5htiqg55crXYuXoQRKfDBFA1WEjWgP6LHhwBZeNK1VTsfTFUHCdrfp1bgwQ9xv5ski8PX9rL2"
            "dZXvgGDnw"
        ),
        1,
        (
            "xpub6ASuArnXKPbfEwhqN6e3mwBcDTgzisQN1wXN9BJcM47sSikHjJf3UFHKkNAWbWMiGj7Wf5uMash7SyYq527Hqck2AxYysAA7x"
            "mALppuCkwQ"
        ),
    ),
    (
        (
            "xpub6D4BDPcP2GT577Vvch3R8wDkScZWzQzMMUm3PWbmWvVJrZwQY4VUNgqFJPMM3No2dFDFGTsxxpG5uJh7n7epu4trkrX7x7DogT"
            "5Uv6fcLW5"
        ),
        2,
        (
            "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh"
            "8zL4fiyLHV"
        ),
    ),
    (
        (
            "xpub6FHa3pjLCk84BayeJxFW2SP4XRrFd1JYnxeLeU8EqN3vDfZmbqBqaGJAyiLjTAwm6ZLRQUMv1ZACTj37sR62cfN7fe5JnJ7dh"
            "8zL4fiyLHV"
        ),
        1000000000,
        (
            "xpub6H1LXWLaKsWFhvm6RVpEL9P4KfRZSW7abD2ttkWP3SSQvnyA8FSVqNTEcYFgJS2UaFcxupHiYkro49S8yGasTvXEYBVPamhGW"
            "6cFJodrTHy"
        ),
    ),
    (
        (
            "xpub661MyMwAqRbcFW31YEwpkMuc5THy2PSt5bDMsktWQcFF8syAmRUapSCGu8ED9W6oDMSgv6Zz8idoc4a6mr8BDzTJY47LJhkJ8UB"
            "7WEGuduB"
        ),
        0,
        (
            "xpub69H7F5d8KSRgmmdJg2KhpAK8SR3DjMwAdkxj3ZuxV27CprR9LgpeyGmXUbC6wb7ERfvrnKZjXoUmmDznezpbZb7ap6r1D3tgF"
            "xHmwMkQTPH"
        ),
    ),
)
XPRV = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGB"
    "xrMPHi"
)


@pytest.mark.parametrize(("parent", "index", "expected"), VECTORS)
def test_a_child_is_the_one_of_the_published_vectors(parent: str, index: int, expected: str) -> None:
    child, wanted = keys.child(keys.read(parent), index), keys.read(expected)
    assert (child.compressed, child.chain_code, child.depth) == (
        wanted.compressed, wanted.chain_code, wanted.depth,
    )  # fmt: skip


def test_a_hardened_index_is_refused() -> None:
    with pytest.raises(ValueError, match="below 2"):
        keys.child(keys.read(VECTORS[0][0]), 2**31)


@pytest.mark.parametrize("text", [XPRV, XPRV.upper(), "00" * 32, "0x" + "ab" * 32])
def test_a_private_key_is_refused_in_every_form(text: str) -> None:
    with pytest.raises(keys.PrivateKeyGiven):
        keys.read(text)


# BIP-32, test vector 5: keys that must not be taken.
INVALID = (
    (
        "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6LBpB85b3D2yc8sfvZU521AAwdZafEz7mnzBBsz4wKY5fT"
        "tTQBm"
    ),
    (
        "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Txnt3siSujt9RCVYsx4qHZGc62TG4McvMGcAUjeuwZdduY"
        "EvFn"
    ),
    (
        "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6N8ZMMXctdiCjxTNq964yKkwrkBJJwpzZS4HS2fxvyYUA4"
        "q2Xe4"
    ),
    (
        "xpub661no6RGEX3uJkY4bNnPcw4URcQTrSibUZ4NqJEw5eBkv7ovTwgiT91XX27VbEXGENhYRCf7hyEbWrR3FewATdCEebj6znwMfQkhRY"
        "HRLpJ"
    ),
    (
        "xpub661MyMwAqRbcEYS8w7XLSVeEsBXy79zSzH1J8vCdxAZningWLdN3zgtU6Q5JXayek4PRsn35jii4veMimro1xefsM58PgBMrvdYre8Q"
        "yULY"
    ),
    "",
    "xpub",
    "0" * 111,
)


@pytest.mark.parametrize("text", INVALID)
def test_what_is_no_extended_public_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        keys.read(text)


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
        (b"a" * 135, "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446"),
        (b"a" * 136, "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e"),
    ],
)
def test_keccak_is_the_one_before_the_standard(message: bytes, digest: str) -> None:
    assert keccak.keccak256(message).hex() == digest


@pytest.mark.parametrize(
    "address",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
    ],
)
def test_the_capitals_of_an_address_are_its_check_sum(address: str) -> None:
    assert keccak.read_address(address.lower()) == address
    assert keccak.read_address(address) == address


@pytest.mark.parametrize(
    "text",
    [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x12",
        "0x" + "g" * 40, "",
    ],
)  # fmt: skip
def test_what_is_no_address_or_was_mistyped_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        keccak.read_address(text)
