"""Signatures of the merchant APIs and of notifications. Pure; every comparison takes constant time.

Source: gateway-api.md, 2. Signature; transaction-request-api.md and payment-detail-api.md, Authentication;
Standard Webhooks.
"""

import base64
import functools
import hashlib
import hmac
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

MD5 = "MD5"
HMAC_SHA256 = "HMAC-SHA256"
UNSIGNED = frozenset({"sign", "sign_type"})
# All of Unicode's category Cc.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


class NumberText(str):
    """A JSON number that is not an integer, kept as the text that was sent.

    It is a `str`, so a place that wants a text must ask `type(value) is str`.
    """

    __slots__ = ()


def canonical(params: Mapping[str, object]) -> str:
    """Return the string that is signed: `k=v` of all non-empty parameters but sign and sign_type, by name.

    A value stands as it was sent: texts raw, numbers in their digits, arrays as compact JSON. Integer 0 is
    not empty; `""` and null are.
    Raises: TypeError for a float or any other type whose text as sent is not known.
    """
    names = _signed_names(tuple(params))
    return "&".join([f"{name}={text}" for name in names if (text := _text(params[name])) != ""])


@functools.lru_cache(maxsize=256)
def _signed_names(names: tuple[str, ...]) -> list[str]:
    """Return the names that are signed, in order; all rows of a list have the same ones."""
    return sorted(name for name in names if name not in UNSIGNED)


def sign(params: Mapping[str, object], key: str, sign_type: str) -> str:
    """Return the signature of the parameters in lower-case hex.

    Raises: ValueError for an empty key or an unknown sign_type.
    """
    if not key:
        raise ValueError("a signing key must not be empty")
    text = canonical(params)
    if sign_type == MD5:
        return hashlib.md5(f"{text}&{key}".encode(), usedforsecurity=False).hexdigest()
    if sign_type == HMAC_SHA256:
        return hmac.digest(key.encode(), text.encode(), "sha256").hex()
    raise ValueError(f"unknown sign_type {sign_type!r}")


def verify(params: Mapping[str, object], key: str, sign_type: str, signature: object) -> bool:
    """Say whether `signature` is the one of the parameters; False for anything that is not one.

    Also False for an unknown `sign_type` and for texts that have no UTF-8 form, because both come from
    outside.
    """
    if sign_type not in (MD5, HMAC_SHA256):
        return False
    try:
        wanted = sign(params, key, sign_type)
    except UnicodeEncodeError:
        return False
    return equal(wanted, signature)


def equal(wanted: str, given: object) -> bool:
    """Compare a signature or token with what was given, in constant time; only ASCII text can be equal."""
    if not isinstance(given, str) or not given.isascii():
        return False
    return hmac.compare_digest(wanted.encode(), given.encode())


def ambiguous_parameter(params: Mapping[str, object], known_names: Collection[str] = ()) -> str | None:
    """Return the name of a parameter that lets the canonical string be read in two ways, or None.

    `a=1&b=2` is one value or two. Refused are control characters, a name with `&` or `=`, and a value with
    `&`, the name of a parameter of this call, `=`. `known_names` are all names that the call knows: whoever
    moves a parameter into another one's value leaves its own place empty.
    """
    names = (set(params) | set(known_names)) - UNSIGNED
    marks = tuple(f"&{name}=" for name in names)
    for name, value in params.items():
        if "&" in name or "=" in name or _has_control(name):
            return name
        if name in UNSIGNED:
            continue
        if any(_has_control(text) or any(mark in text for mark in marks) for text in texts(value)):
            return name
    return None


def access_signature(*, access_key: str, secret_key: str, timestamp: str) -> str:
    """Return the transaction-request API's header signature, upper-case hex; `timestamp` as in its header."""
    if not secret_key:
        raise ValueError("a secret key must not be empty")
    message = f"{access_key}_{timestamp}".encode()
    return hmac.digest(secret_key.encode(), message, "sha256").hex().upper()


def verify_access(*, access_key: str, secret_key: str, timestamp: str, signature: object) -> bool:
    """Say whether the transaction-request API's header signature is right; False for any garbage."""
    try:
        wanted = access_signature(access_key=access_key, secret_key=secret_key, timestamp=timestamp)
    except UnicodeEncodeError:
        return False
    return equal(wanted, signature)


def detail_signature(*, secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """Return the payment-detail API's signature: Base64 of HMAC-SHA256 of time, method, path and body.

    Shapes: `timestamp` as in its header; `path` without the host, with the query string where one is signed.
    Source: payment-detail-api.md, Authentication.
    """
    if not secret:
        raise ValueError("a secret must not be empty")
    message = f"{timestamp}{method}{path}".encode() + body
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()


def verify_detail(
    *, secret: str, timestamp: str, method: str, paths: Sequence[str], body: bytes, signature: object
) -> bool:
    """Say whether the payment-detail API's signature is right for one of the paths; False for any garbage."""
    for path in paths:
        try:
            wanted = detail_signature(secret=secret, timestamp=timestamp, method=method, path=path, body=body)
        except UnicodeEncodeError:
            return False
        if equal(wanted, signature):
            return True
    return False


def answer_signature(*, secret: str, call: str, status: int, body: bytes) -> str:
    """Return the signature of an answer, upper-case hex: it covers status, body and the call itself.

    `call` is what was unique in the call: its signature, or the name that it gave itself.
    """
    message = f"{call}_{status}_".encode() + body
    return hmac.digest(secret.encode(), message, "sha256").hex().upper()


def webhook_headers(*, secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the Standard Webhooks headers of a notification.

    Units: `timestamp` in Unix seconds of this attempt; `message_id` is the same on every retry.
    Raises: ValueError for an empty secret or a message id with a point, which would be ambiguous.
    """
    if not secret or "." in message_id:
        raise ValueError("a webhook needs a secret and a message id without a point")
    signed = f"{message_id}.{timestamp}.".encode() + body
    signature = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{signature}",
    }


def webhook_headers_of_all(
    *, secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes
) -> dict[str, str]:
    """Return the Standard Webhooks headers with one signature for every secret, the first secret's first.

    Raises: ValueError when there is no secret; as `webhook_headers`.
    """
    made = [
        webhook_headers(secret=secret, message_id=message_id, timestamp=timestamp, body=body)
        for secret in secrets
    ]
    if not made:
        raise ValueError("a notification needs a secret to be signed with")
    return {**made[0], "webhook-signature": " ".join(headers["webhook-signature"] for headers in made)}


def webhook_secret_text(secret: bytes) -> str:
    """Return the secret as Standard Webhooks libraries take it: `whsec_` and base64."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def _text(value: object) -> str:
    # Lists are signed row by row, and nearly every value is one of these two.
    if type(value) is str:
        return value
    if type(value) is int:
        return str(value)
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    return _compact(value)


def _compact(value: object) -> str:
    if isinstance(value, NumberText):
        return str(value)
    if value is None or isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_compact(member) for member in value) + "]"
    if isinstance(value, Mapping):
        members = (f"{_compact(str(name))}:{_compact(member)}" for name, member in value.items())
        return "{" + ",".join(members) + "}"
    raise TypeError(f"a {type(value).__name__} has no text as sent")


def texts(value: object) -> Iterator[str]:
    """Yield every text within a value, the names of members too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for member in value:
            yield from texts(member)
    elif isinstance(value, Mapping):
        for name, member in value.items():
            yield str(name)
            yield from texts(member)


def _has_control(text: str) -> bool:
    return _CONTROL.search(text) is not None
