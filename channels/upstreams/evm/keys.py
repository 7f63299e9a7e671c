"""Addresses from an extended public key: BIP-32 public derivation, which no private key is needed for.

The server never holds a private key: one that is given by mistake is refused, so that it is never stored.
Source: BIP-32, Child key derivation functions, Serialization format; the Ethereum yellow paper, appendix F.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from channels.upstreams.evm import keccak

INDEX_MAX = 2**31 - 1
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PUBLIC_VERSIONS = frozenset({b"\x04\x88\xb2\x1e", b"\x04\x35\x87\xcf"})
_PRIVATE_VERSIONS = frozenset({b"\x04\x88\xad\xe4", b"\x04\x35\x83\x94"})
_CURVE = ec.SECP256K1()
_PRIME = 2**256 - 2**32 - 977
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class PrivateKeyGiven(ValueError):
    """Somebody gave a private key where a public one is asked for."""


@dataclass(frozen=True, slots=True)
class ExtendedKey:
    """An extended public key: a point of the curve, and the code its children are made with."""

    x: int
    y: int
    chain_code: bytes
    depth: int = 0

    @property
    def compressed(self) -> bytes:
        """The 33 bytes of the point."""
        return bytes([2 + self.y % 2]) + self.x.to_bytes(32, "big")

    @property
    def fingerprint(self) -> str:
        """What tells the key from others without telling the key."""
        return hashlib.sha256(self.compressed + self.chain_code).hexdigest()

    @property
    def address(self) -> str:
        """The Ethereum address of the key, with its check sum."""
        point = self.x.to_bytes(32, "big") + self.y.to_bytes(32, "big")
        return keccak.checksummed(keccak.keccak256(point)[-20:])


def read(text: str) -> ExtendedKey:
    """Return the extended public key of its usual text (xpub…, tpub…).

    Raises: PrivateKeyGiven for a private key in any usual form; ValueError for anything else.
    """
    text = text.strip()
    if text.lower().startswith(("xprv", "tprv", "yprv", "zprv")):
        raise PrivateKeyGiven("This is a private key. Give the extended public key (xpub).")
    raw = _unchecked(text)
    version, body = raw[:4], raw[4:]
    if version in _PRIVATE_VERSIONS or (len(body) == 74 and body[41] == 0):
        raise PrivateKeyGiven("This is a private key. Give the extended public key (xpub).")
    if version not in _PUBLIC_VERSIONS or len(body) != 74:
        raise ValueError("The extended public key must begin with xpub.")
    depth, parent, number = body[0], body[1:5], body[5:9]
    if depth == 0 and (parent != b"\x00" * 4 or number != b"\x00" * 4):
        raise ValueError("The extended public key contradicts itself.")
    x, y = _point(body[41:])
    return ExtendedKey(x, y, chain_code=body[9:41], depth=depth)


def _unchecked(text: str) -> bytes:
    """Return the bytes of a Base58Check text. Raises: ValueError."""
    if not 100 <= len(text) <= 120 or any(letter not in _ALPHABET for letter in text):
        if len(text.removeprefix("0x")) == 64:
            raise PrivateKeyGiven("This looks like a private key. Give the extended public key (xpub).")
        raise ValueError("An extended public key has about 111 letters and digits and begins with xpub.")
    number = 0
    for letter in text:
        number = 58 * number + _ALPHABET.index(letter)
    raw = number.to_bytes(82, "big") if number < 1 << 656 else b""
    body, check = raw[:-4], raw[-4:]
    if hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] != check:
        raise ValueError("The extended public key was mistyped: its check sum is wrong.")
    return body


def _point(compressed: bytes) -> tuple[int, int]:
    try:
        numbers = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, compressed).public_numbers()
    except ValueError:
        raise ValueError("The extended public key holds no point of the curve.") from None
    return numbers.x, numbers.y


def child(key: ExtendedKey, index: int) -> ExtendedKey:
    """Return the child of a key that is not hardened.

    Raises: ValueError for an index out of range, and for the one in 2^127 that has no child: take the next.
    """
    if not 0 <= index <= INDEX_MAX:
        raise ValueError("Only indexes below 2^31 can be derived from a public key.")
    message = key.compressed + index.to_bytes(4, "big")
    digest = hmac.digest(key.chain_code, message, "sha512")
    shift = int.from_bytes(digest[:32], "big")
    if not 0 < shift < _ORDER:
        raise ValueError("This index has no child.")
    encoded = ec.derive_private_key(shift, _CURVE).public_key()
    shifted = encoded.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    x, y = _added((int.from_bytes(shifted[1:33], "big"), int.from_bytes(shifted[33:], "big")), (key.x, key.y))
    return ExtendedKey(x, y, chain_code=digest[32:], depth=key.depth + 1)


def _added(first: tuple[int, int], second: tuple[int, int]) -> tuple[int, int]:
    """Return the sum of two points; all of it is public, so nothing needs constant time."""
    (x1, y1), (x2, y2) = first, second
    if x1 == x2:
        if (y1 + y2) % _PRIME == 0:
            raise ValueError("This index has no child.")
        slope = 3 * x1 * x1 * pow(2 * y1, -1, _PRIME) % _PRIME
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, _PRIME) % _PRIME
    x = (slope * slope - x1 - x2) % _PRIME
    return x, (slope * (x1 - x) - y1) % _PRIME
