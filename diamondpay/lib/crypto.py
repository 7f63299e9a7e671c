"""Secrets and personal data: encrypted fields, keyed hashes for searching, masks, sealed tokens.

The first of ENCRYPTION_KEYS encrypts, every one decrypts, so a key is rotated by putting a new one first.
"""

import base64
import binascii
import functools
import hashlib
import hmac
import os
import re
import secrets
import string
import unicodedata
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from django.conf import settings

_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_NONCE_BYTES = 12
_TAG_BYTES = 16
_TOKEN_LENGTH_MAX = 1024
_ALPHANUMERIC = string.ascii_letters + string.digits
_CODE = re.compile(r"[0-9a-f]{32}")
_URLSAFE = re.compile(r"[A-Za-z0-9_-]+")


class CannotDecrypt(Exception):
    """The bytes were not made by any of our keys for this context, or were changed."""


class BadToken(Exception):
    """The token is not one of ours for this context."""


def encrypt(text: str, context: str) -> bytes:
    """Encrypt a text with AES-256-GCM under the first key.

    The context, such as `payment.payer_account`, is authenticated: a value moved into another column does
    not decrypt. Shape: version, key id, nonce, ciphertext with tag. The same text never gives the same
    bytes; search by `keyed_hash`.
    """
    return encrypt_bytes(text.encode(), context)


def encrypt_bytes(content: bytes, context: str) -> bytes:
    """Encrypt bytes, such as a file, as `encrypt` does a text."""
    key = _keys()[0]
    head = _VERSION + _key_id(key)
    nonce = os.urandom(_NONCE_BYTES)
    return head + nonce + AESGCM(key).encrypt(nonce, content, _authenticated(head, context))


def decrypt(sealed: bytes | memoryview, context: str) -> str:
    """Return the text that was encrypted for this context, under whichever of the keys made it.

    Raises: CannotDecrypt.
    """
    return decrypt_bytes(sealed, context).decode()


def decrypt_bytes(sealed: bytes | memoryview, context: str) -> bytes:
    """Return the bytes that were encrypted for this context.

    Raises: CannotDecrypt.
    """
    sealed = bytes(sealed)
    head_length = len(_VERSION) + _KEY_ID_BYTES
    head, nonce = sealed[:head_length], sealed[head_length : head_length + _NONCE_BYTES]
    if len(sealed) < head_length + _NONCE_BYTES + _TAG_BYTES or head[:1] != _VERSION:
        raise CannotDecrypt("not an encrypted value")
    for key in _keys():
        if _key_id(key) != head[1:]:
            continue
        try:
            content = AESGCM(key).decrypt(
                nonce, sealed[head_length + _NONCE_BYTES :], _authenticated(head, context)
            )
        except InvalidTag:
            raise CannotDecrypt(f"value was changed or is not of {context}") from None
        return content
    raise CannotDecrypt("the key of this value is not configured")


def needs_new_key(sealed: bytes | memoryview) -> bool:
    """Say whether a value was made by another key than the one that encrypts now."""
    return bytes(sealed)[1 : 1 + _KEY_ID_BYTES] != _key_id(_keys()[0])


def keyed_hash(text: str, context: str) -> bytes:
    """Return 32 bytes by which an encrypted value can be found: HMAC-SHA256 of the normalised text.

    The context keeps equal texts in different columns apart, so nobody can join on them.
    """
    message = context.encode() + b"\x00" + normalise_account(text).encode()
    return hmac.digest(settings.HASH_KEY, message, "sha256")


def normalise_account(text: str) -> str:
    """Return the one spelling of an account, card, ID or phone number: no blanks, no dashes, upper case.

    Unicode's look-alikes (NFKC: full-width digits and the like) become the plain character.
    """
    if text.isascii() and text.isalnum():
        return text.upper()
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).upper())
    return "".join(
        character
        for character in folded
        if not character.isspace()
        and unicodedata.category(character) not in ("Pd", "Zs", "Cf")
        and character != "−"
    )


def mask(text: str, keep: int = 4) -> str:
    """Return stars and the last `keep` characters, of a short text never more than half."""
    shown = min(keep, len(text) // 2)
    return "*" * (len(text) - shown) + text[len(text) - shown :]


def random_key(length: int) -> str:
    """Return a random key of ASCII letters and digits.

    Raises: ValueError below 16 characters, which could be guessed.
    """
    if length < 16:
        raise ValueError("a key needs at least 16 characters")
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(length))


def seal_token(payload: bytes, context: str) -> str:
    """Return an opaque token for a URL, always the same for the same payload and context (AES-SIV).

    Raises: ValueError for an empty payload.
    """
    if not payload:
        raise ValueError("a token needs a payload")
    sealed = AESSIV(_token_key(_keys()[0])).encrypt(payload, [context.encode()])
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def open_token(token: str, context: str) -> bytes:
    """Return the payload of a token.

    Raises: BadToken for anything that `seal_token` did not make for this context.
    """
    if len(token) > _TOKEN_LENGTH_MAX or _URLSAFE.fullmatch(token) is None:
        raise BadToken("not a token")
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except binascii.Error:
        raise BadToken("not a token") from None
    # Base64 has several spellings of the same bytes; one link, one spelling.
    if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != token or len(sealed) <= _TAG_BYTES:
        raise BadToken("not a token")
    for key in _keys():
        try:
            return AESSIV(_token_key(key)).decrypt(sealed, [context.encode()])
        except InvalidTag:
            continue
    raise BadToken("not a token of this kind")


def seal_number(number: int, context: str) -> str:
    """Return 32 hex characters that stand for a number, always the same ones, and give nothing of it away.

    Under HASH_KEY, which is never rotated, because such a code is kept by others for ever. One block is
    enciphered: the context's mark beside the number, so another context's code opens to nothing.
    Raises: ValueError for a number that does not fit 64 bits.
    """
    if not 0 <= number < 2**64:
        raise ValueError("the number does not fit 64 bits")
    block = _number_mark(context) + number.to_bytes(8, "big")
    encryptor = _number_cipher(settings.HASH_KEY, context).encryptor()
    return (encryptor.update(block) + encryptor.finalize()).hex()


def open_number(code: str, context: str) -> int | None:
    """Return the number behind a code of `seal_number`, None for any other text."""
    if _CODE.fullmatch(code) is None:
        return None
    decryptor = _number_cipher(settings.HASH_KEY, context).decryptor()
    block = decryptor.update(bytes.fromhex(code)) + decryptor.finalize()
    mark = _number_mark(context)
    return int.from_bytes(block[8:], "big") if hmac.compare_digest(block[:8], mark) else None


@functools.lru_cache(maxsize=16)
def _number_cipher(hash_key: bytes, context: str) -> Cipher[modes.ECB]:
    key = hmac.digest(hash_key, b"diamondpay number\x00" + context.encode(), "sha256")
    # Exactly one block, so there is no second one in which a pattern could show.
    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305


@functools.lru_cache(maxsize=16)
def _number_mark(context: str) -> bytes:
    return hashlib.sha256(context.encode()).digest()[:8]


def _keys() -> Sequence[bytes]:
    keys: Sequence[bytes] = settings.ENCRYPTION_KEYS
    if not keys or any(len(key) != 32 for key in keys):
        raise ValueError("ENCRYPTION_KEYS must hold at least one key, each of 32 bytes")
    return keys


@functools.lru_cache(maxsize=16)
def _key_id(key: bytes) -> bytes:
    """Name a key by its content, so that adding one in front renames none."""
    return hmac.new(key, b"diamondpay key id", hashlib.sha256).digest()[:_KEY_ID_BYTES]


def _token_key(key: bytes) -> bytes:
    """Derive the 64 bytes that AES-256-SIV takes; a key never serves two algorithms."""
    return hmac.new(key, b"diamondpay token", hashlib.sha512).digest()


def _authenticated(head: bytes, context: str) -> bytes:
    return head + context.encode()
