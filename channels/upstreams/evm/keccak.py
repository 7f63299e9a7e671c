"""Keccak-256 as Ethereum uses it: SHA-3's permutation with the padding that came before the standard.

Hashlib has only the standard's padding. This one is for addresses, 40 characters at a time, not for bulk.
Source: the Keccak reference, version 3.0, section 1.
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_RATE = 136


def _round_constants() -> tuple[int, ...]:
    """Return the constants of the 24 rounds, from the linear feedback shift register that defines them."""
    found, register = [], 1
    for _round in range(24):
        constant = 0
        for power in range(7):
            if register & 1:
                constant |= 1 << ((1 << power) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        found.append(constant)
    return tuple(found)


_CONSTANTS = _round_constants()


def _turned(lane: int, places: int) -> int:
    places %= 64
    return ((lane << places) | (lane >> (64 - places))) & _MASK


def _permuted(lanes: list[int]) -> list[int]:
    """Apply Keccak-f[1600] to 25 lanes; lane (x, y) stands at x + 5y."""
    for constant in _CONSTANTS:
        # theta
        parity = [lanes[x] ^ lanes[x + 5] ^ lanes[x + 10] ^ lanes[x + 15] ^ lanes[x + 20] for x in range(5)]
        spread = [parity[(x - 1) % 5] ^ _turned(parity[(x + 1) % 5], 1) for x in range(5)]
        lanes = [lane ^ spread[place % 5] for place, lane in enumerate(lanes)]
        # rho and pi: walk the lanes along one orbit, each turned further than the one before
        moved = lanes[:]
        x, y = 1, 0
        for step in range(24):
            target = (y, (2 * x + 3 * y) % 5)
            moved[target[0] + 5 * target[1]] = _turned(lanes[x + 5 * y], (step + 1) * (step + 2) // 2)
            x, y = target
        # chi
        lanes = [
            moved[place] ^ (~moved[row + (place + 1) % 5] & moved[row + (place + 2) % 5] & _MASK)
            for row in range(0, 25, 5)
            for place in range(row, row + 5)
        ]
        # iota
        lanes[0] ^= constant
    return lanes


def keccak256(message: bytes) -> bytes:
    """Return the 32 bytes of Keccak-256."""
    padded = bytearray(message)
    padded += b"\x00" * (_RATE - len(padded) % _RATE)
    padded[len(message)] |= 0x01
    padded[-1] |= 0x80
    lanes = [0] * 25
    for start in range(0, len(padded), _RATE):
        for place in range(_RATE // 8):
            at = start + 8 * place
            lanes[place] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def checksummed(address: bytes) -> str:
    """Return a 20-byte address as text whose capitals are its check sum. Source: EIP-55."""
    if len(address) != 20:
        raise ValueError("an address has 20 bytes")
    plain = address.hex()
    digest = keccak256(plain.encode()).hex()
    pairs = zip(plain, digest, strict=False)
    return "0x" + "".join(letter.upper() if int(nibble, 16) >= 8 else letter for letter, nibble in pairs)


def read_address(text: str) -> str:
    """Return an address with its check sum.

    Raises: ValueError when it is none, or when its capitals say that it was mistyped.
    """
    body = text.removeprefix("0x")
    if len(text) != 42 or len(body) != 40 or not all(letter in "0123456789abcdefABCDEF" for letter in body):
        raise ValueError("an address is 0x and 40 hexadecimal digits")
    right = checksummed(bytes.fromhex(body))
    if body not in (body.lower(), body.upper()) and text != right:
        raise ValueError("the capitals of this address say that it was mistyped")
    return right
