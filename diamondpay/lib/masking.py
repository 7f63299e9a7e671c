"""Raw bodies for reading: no secret, no signature, no card, account, phone or identity number stays whole.

What another system sent is masked twice: by the name of the field, in JSON (whole, cut or inside a text),
forms, headers and XML; and by its looks, since a field may be called anything: long runs of digits, and long
opaque words as keys and signatures are.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from diamondpay.lib import crypto

HIDDEN = "***"
TEXT_LENGTH_MAX = 4000
# What is looked at; a body may have 256 kB, and nobody reads more of it than this.
READ_LENGTH_MAX = 16_384
KEPT_LENGTH_MIN = 6

_NESTED_MAX = 3
# What is known of names is remembered: the same few come with every call.
_NAME_COUNT_MAX = 2048
_INDENT_MAX = 20
_SECRET_PARTS = (
    "password", "passwd", "secret", "token", "authorization", "apikey", "signature", "credential", "cookie",
    "hmac",
)  # fmt: skip
_SECRET_ENDS = ("key", "sign", "auth", "cvv", "cvc", "pin", "otp", "sig", "mac")
_PERSONAL_PARTS = (
    "account", "card", "phone", "mobile", "msisdn", "idnumber", "idno", "identity", "passport", "iban", "cpf",
    "cnpj", "taxid", "pixkey", "nationalid",
)  # fmt: skip
_PERSONAL_WORDS = frozenset({"pan", "tel", "ssn", "aadhaar", "number", "no"})
_ABOUT_IT = ("name", "type", "kind", "code", "bank", "branch", "status", "currency", "channel")
_TIME_PARTS = ("time", "date", "timestamp")
_AMOUNT_PARTS = ("amount", "balance", "fee", "total", "price", "sum")

_DIGITS = re.compile(r"\d(?:[ \-\u2010-\u2015]?\d){8,}")
_MOMENT = re.compile(r"(?:19|20)\d\d-[01]\d-[0-3]\d(?:[ T][0-2]\d(?::\d\d){0,2})?")
_MOMENT_NUMBER = re.compile(r"1[0-9]{9}|1[0-9]{12}|20[0-9]{12}")
_OPAQUE = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{32,}={0,2}")
_PAIR = re.compile(
    r"(?<![\w.\-])(?P<name>[A-Za-z][\w.\-]*+)(?P<between>\\*+[\"']?\s*+[=:]\s*+\\*+[\"']?)"
    r"(?P<value>(?:(?:bearer|basic|digest)\s++)?[^\s\"'&,;<>\\]++)", re.IGNORECASE,
)  # fmt: skip
_HEADER = re.compile(r"(?m)^(?P<name>[A-Za-z][\w\-]*+)(?P<between>: ++)(?P<value>.++)$")
_TAG = re.compile(r"<(?P<name>[A-Za-z][\w.:\-]*+)(?P<between>[^<>]*+>)(?P<value>[^<>]++)(?=<)")
_FORM = re.compile(r"[\w.\-\[\]%+]++=[^&\s]*+(?:&[\w.\-\[\]%+]++=[^&\s]*+)*+&?")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?$)|[{}\[\],:]|[^\s"{}\[\],:]+|\s+', re.DOTALL)
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# The shortest word that `_OPAQUE` takes for a key; and what a shorter one must have to hide anything.
_OPAQUE_LENGTH_MIN = 32
_TELLING = re.compile(r"[=:<{\[]|\d(?:[ \-\u2010-\u2015]?\d){8}|[^\x20-\x7e\u00a0-\u2fff\u3001-\ud7ff]")
_JSON_BEGINS = re.compile(r"(?m)^\s*[\[{]")


def readable(value: Any, *, keep: Collection[str] = (), length_max: int = TEXT_LENGTH_MAX) -> str:
    """Return a text, JSON value or raw body for reading, masked, at most `length_max` characters.

    `keep` are numbers that stay whole, such as the order's own; shorter than 6 characters they are ignored,
    since a short one could stand in the middle of a card number.
    """
    if value in (None, "", b"", {}, []):
        return ""
    if isinstance(value, bytes | memoryview | bytearray):
        text = bytes(value[: 4 * READ_LENGTH_MAX]).decode(errors="replace")
    elif isinstance(value, str):
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, indent=1, default=str)
    if len(text) > READ_LENGTH_MAX:
        # Not through the middle of a number, whose first half would then look harmless.
        text = _cut(text, READ_LENGTH_MAX)
    clean = text
    if not text.replace("\n", "").replace("\t", "").isprintable():
        clean = "".join(sign if sign.isprintable() or sign in "\n\t" else "\ufffd" for sign in text)
    masked = _Mask(keep).text(clean)
    return masked if len(masked) <= length_max else masked[: length_max - 1] + "…"


def compact(value: bytes | str, *, bytes_max: int) -> str:
    """Return a body masked as `readable` does, on one line and at most so many bytes: for keeping it.

    A whole JSON document goes a quick way, since this is done with every call of an API: values that cannot
    hide anything are told by their length and signs, and nothing is looked at beyond what is kept.
    """
    text = value if isinstance(value, str) else value.decode(errors="replace")
    if not text:
        return ""
    try:
        document = json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict | list):
        shown = _kept_whole(document, length_max=bytes_max)
    elif _is_dull(text):
        shown = text
    else:
        # Behind what is kept much would be masked for nothing; a number is not cut in its middle.
        shown = readable(_cut(text, 2 * bytes_max))
    clean = "".join(shown.splitlines()).replace("\x00", "\ufffd")
    return clean.encode(errors="replace")[:bytes_max].decode(errors="ignore")


class _Number(str):
    """A number of a JSON text by its digits, however many."""


def _kept_whole(document: Any, *, length_max: int) -> str:
    parts: list[str] = []
    _Mask().put(parts, document, "", "", [length_max])
    return "".join(parts)


def _is_dull(text: str) -> bool:
    """Say whether a text is too short and plain to hide a number, a key or a pair of name and value."""
    return len(text) < _OPAQUE_LENGTH_MIN and _TELLING.search(text) is None


def _cut(text: str, length_max: int) -> str:
    if len(text) <= length_max:
        return text
    end = length_max
    while end and (text[end - 1].isalnum() or text[end - 1] in "+/=-_ "):
        end -= 1
    return text[:end]


@functools.lru_cache(maxsize=_NAME_COUNT_MAX)
def _is_covered(name: str) -> bool:
    """Say whether the name alone asks for a mask."""
    return is_secret(name) or is_personal(name)


@functools.lru_cache(maxsize=_NAME_COUNT_MAX)
def _key(name: str) -> str:
    """Return a field's name as it stands in JSON, masked where it looks like what it must not."""
    return f"{_quoted(name if _is_dull(name) else _Mask().by_looks(name))}:"


_quoted = json.JSONEncoder(ensure_ascii=False).encode


def is_secret(name: str) -> bool:
    """Say whether a field of this name holds a key, password, token or signature."""
    plain = _plain(name)
    return any(part in plain for part in _SECRET_PARTS) or plain.endswith(_SECRET_ENDS)


def is_personal(name: str) -> bool:
    """Say whether a field of this name holds a card, account, phone or identity number."""
    plain = _plain(name)
    if plain in _PERSONAL_WORDS:
        return True
    return any(part in plain for part in _PERSONAL_PARTS) and not plain.endswith(_ABOUT_IT)


@functools.lru_cache(maxsize=_NAME_COUNT_MAX)
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


@dataclass
class _Level:
    """An object or array of a JSON text that is being read: the name of the value that comes next."""

    is_object: bool
    inherited: str = ""
    name: str = ""
    is_value: bool = False


@dataclass
class _Mask:
    """Masks one body; `keep` are the numbers that stay whole."""

    keep: Collection[str] = ()
    _kept: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        words = sorted({word for word in self.keep if len(word) >= KEPT_LENGTH_MIN}, key=len, reverse=True)
        either = "|".join([*map(re.escape, words), _UUID])
        self._kept = re.compile(rf"(?<![A-Za-z0-9])({either})(?![A-Za-z0-9])")

    def text(self, text: str, nested: int = 0) -> str:
        """Mask a text of any kind: a form, or lines with perhaps a JSON document behind them."""
        if nested < _NESTED_MAX:
            if _FORM.fullmatch(text.strip()):
                return self._form(text.strip(), nested)
            begins = _JSON_BEGINS.search(text)
            if begins:
                head, document = text[: begins.start()], text[begins.start() :]
                return self._loose(head) + self._document(document, nested)
        return self._loose(text)

    def value(self, name: str, text: str, nested: int = 0) -> str:
        """Mask the value of a named field."""
        if is_secret(name):
            return HIDDEN if text else ""
        if is_personal(name):
            return crypto.mask(text)
        if self._is_harmless(name, text):
            return text
        return self.text(text, nested + 1)

    def put(self, parts: list[str], node: Any, name: str, inherited: str, room: list[int]) -> None:
        """Append a JSON document in pieces, masked, until there is no room for more.

        `inherited` is a sensitive field around the node; `room` holds how many characters are left.
        """
        if room[0] < 0:
            return
        if isinstance(node, dict | list):
            opened = inherited or (name if _is_covered(name) else "")
            is_object = isinstance(node, dict)
            between = "{" if is_object else "["
            for member in node:
                parts.append(between)
                between = ","
                if is_object:
                    parts.append(_key(member))
                    room[0] -= len(parts[-1])
                self.put(
                    parts, node[member] if is_object else member, member if is_object else name, opened, room
                )
                if room[0] < 0:
                    return
            parts.append(("}" if is_object else "]") if node else ("{}" if is_object else "[]"))
        elif node is None or isinstance(node, bool):
            parts.append({None: "null", True: "true", False: "false"}[node])
        else:
            # What a sensitive field holds is sensitive, whatever the fields inside it are called.
            is_covered = _is_covered(name)
            owner = name if is_covered or not inherited else inherited
            text = str(node)
            masked = text if not (is_covered or inherited) and _is_dull(text) else self.value(owner, text)
            parts.append(masked if type(node) is _Number else _quoted(masked))
        room[0] -= len(parts[-1]) + 1

    def _is_harmless(self, name: str, text: str) -> bool:
        plain = _plain(name)
        if plain.endswith("at") or any(part in plain for part in _TIME_PARTS):
            return _MOMENT_NUMBER.fullmatch(text) is not None
        if any(part in plain for part in _AMOUNT_PARTS):
            return re.fullmatch(r"-?\d{1,12}(?:\.\d{1,18})?", text) is not None
        return False

    def _form(self, text: str, nested: int) -> str:
        lines = []
        for pair in text.split("&"):
            name, equals, value = pair.partition("=")
            name = unquote_plus(name)
            lines.append(f"{self.by_looks(name)}{equals}{self.value(name, unquote_plus(value), nested)}")
        return "&\n".join(line for line in lines if line)

    def _document(self, text: str, nested: int) -> str:
        """Mask a JSON text token by piece, so that one cut off in its middle is masked as well."""
        is_flat = nested == 0 and "\n" not in text.strip()
        shown: list[str] = []
        levels: list[_Level] = [_Level(is_object=False)]
        for piece in _TOKEN.findall(text):
            level = levels[-1]
            if piece in "{[":
                inherited = level.name if _is_covered(level.name) else level.inherited
                levels.append(_Level(is_object=piece == "{", inherited=inherited))
            elif piece in "}]":
                levels = levels[:-1] or [_Level(is_object=False)]
            elif piece == ",":
                level.name, level.is_value = "", False
            elif piece == ":":
                level.is_value = level.is_object
            elif piece.isspace():
                shown.append("" if is_flat else piece)
                continue
            elif level.is_object and not level.is_value:
                level.name = _unquoted(piece)
                shown.append(piece if _is_dull(piece) else self.by_looks(piece))
                continue
            else:
                shown.append(self._scalar(piece, level.name or level.inherited, level.inherited, nested))
                continue
            shown.append(piece)
        return "".join(_indented(shown)) if is_flat else "".join(shown)

    def _scalar(self, piece: str, name: str, inherited: str, nested: int) -> str:
        text = _unquoted(piece)
        is_quoted = piece.startswith('"')
        if not is_quoted and text in ("null", "true", "false"):
            return piece
        # What a sensitive field holds is sensitive, whatever the fields inside it are called.
        owner = name if _is_covered(name) or not inherited else inherited
        masked = text if not _is_covered(owner) and _is_dull(text) else self.value(owner, text, nested)
        return _quoted(masked) if is_quoted else masked

    def _loose(self, text: str) -> str:
        """Mask what stands in lines, headers, tags and prose."""
        for shape in (_HEADER, _TAG, _PAIR):
            text = shape.sub(self._pair, text)
        return "".join(self.by_looks(part) if is_open else part for is_open, part in self._parts(text))

    def _parts(self, text: str) -> Iterator[tuple[bool, str]]:
        """Tell the numbers that stay whole, and UUIDs, from the rest."""
        for index, part in enumerate(self._kept.split(text)):
            yield index % 2 == 0, part

    def _pair(self, found: re.Match[str]) -> str:
        name, between, value = found["name"], found["between"], found["value"]
        if is_secret(name):
            value = HIDDEN
        elif is_personal(name):
            value = crypto.mask(value)
        return f"{'<' if found.re is _TAG else ''}{name}{between}{value}"

    def by_looks(self, text: str) -> str:
        """Mask what looks like a long number or a key, wherever it stands."""
        return _OPAQUE.sub(_opaque, _DIGITS.sub(_digits, text))


def _digits(found: re.Match[str]) -> str:
    """Mask a run of digits unless it is a moment, or the tail of an id: few digits, a letter before them."""
    run = found.group()
    before = found.string[max(found.start() - 1, 0) : found.start()]
    count = sum(sign.isdigit() for sign in run)
    if before.isalpha() and count <= 12:
        return run
    moment = _MOMENT.match(found.string, found.start())
    if moment is not None and moment.end() >= found.end():
        return run
    return crypto.mask(run)


def _opaque(found: re.Match[str]) -> str:
    word = found.group()
    has_both = any(sign.isdigit() for sign in word) and any(sign.isalpha() for sign in word)
    is_mixed = word.lower() != word and word.upper() != word
    return f"{word[:4]}…{HIDDEN}" if has_both and (is_mixed or len(word) >= 40) else word


def _unquoted(piece: str) -> str:
    if not piece.startswith('"'):
        return piece
    if "\\" not in piece and piece.endswith('"') and len(piece) > 1:
        return piece[1:-1]
    try:
        text: str = json.loads(piece, strict=False)
    except ValueError:
        return piece.strip('"')
    return text


def _indented(pieces: list[str]) -> Iterator[str]:
    """Put a document that came on one line onto several, as people read it."""
    depth = 0

    def line() -> str:
        return "\n" + " " * min(depth, _INDENT_MAX)

    for piece, following in zip(pieces, [*pieces[1:], ""], strict=True):
        if piece in ("{", "["):
            depth += 1
            yield piece if following in ("}", "]") else piece + line()
        elif piece == ",":
            yield piece + line()
        else:
            yield ": " if piece == ":" else piece
        if following in ("}", "]"):
            depth = max(depth - 1, 0)
            if piece not in ("{", "["):
                yield line()
