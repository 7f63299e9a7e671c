"""Pictures and PDF files that people upload, made harmless before anybody keeps them.

What a file is called says nothing: its first bytes do. A picture is decoded and drawn anew, so that what hid
behind its pixels, in its comments or in its name stays outside. A PDF file cannot be drawn anew here: one
with something that runs in it, or that cannot be looked into, is refused, and whoever hands out any file does
so as an attachment under a policy that lets nothing run.
"""

from __future__ import annotations

import enum
import io
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath

from django.utils.translation import gettext as _t
from PIL import Image, ImageOps

from diamondpay.lib import errors

FIELD = "file"
BYTES_MAX = 5 * 1024 * 1024
# A picture drawn anew may need more room than it came with.
KEPT_BYTES_MAX = 20 * 1024 * 1024
SIDE_MAX = 20_000
# Decoded, four bytes each: 120 MB for a moment.
PIXELS_MAX = 30_000_000
JPEG_QUALITY = 90
ENDINGS = frozenset({"jpg", "jpeg", "png", "pdf"})

# What a PDF file can do besides being read. `/JS` alone does nothing without the first of them.
_RUNS = frozenset({
    b"JavaScript", b"Launch", b"EmbeddedFile", b"EmbeddedFiles", b"RichMedia", b"SubmitForm", b"ImportData",
    b"GoToE", b"XFA",
})  # fmt: skip
# Three letters turn up by chance in the middle of pictures, so these are looked for outside of them.
_SHORT = frozenset({b"XFA"})
_PACKED = frozenset({b"ObjStm"})
_NAME = re.compile(rb"/([^\x00\t\n\x0c\r ()<>\[\]{}/%]{1,127})")
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_FILTERS = re.compile(rb"/Filter\s*(\[[^\]]*\]|/\w+)")
_DICTIONARY_BYTES_MAX = 1024
_INFLATED_BYTES_MAX = 20 * 1024 * 1024
_END_BYTES = 2048
# Everything that decoders say of broken files.
_UNREADABLE = (
    OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError, AttributeError, EOFError,
    MemoryError, struct.error, zlib.error, Image.DecompressionBombError,
)  # fmt: skip


class Kind(enum.StrEnum):
    """What a file is."""

    JPEG = "jpeg"
    PNG = "png"
    PDF = "pdf"


CONTENT_TYPES = {Kind.JPEG: "image/jpeg", Kind.PNG: "image/png", Kind.PDF: "application/pdf"}
SUFFIXES = {Kind.JPEG: "jpg", Kind.PNG: "png", Kind.PDF: "pdf"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmless:
    """A file that may be kept: a picture drawn anew, or a PDF file as it came."""

    kind: Kind
    content: bytes


def harmless(*, name: str, content: bytes) -> Harmless:
    """Return what may be kept of an uploaded file.

    Raises: InvalidInput on `file` that says what is wrong and what would be right.
    """
    if not content:
        raise _refused(_t("The file is empty."))
    if len(content) > BYTES_MAX:
        raise _refused(too_large(len(content)))
    if PurePosixPath(name.replace("\\", "/")).suffix.lower().lstrip(".") not in ENDINGS:
        raise _refused(_t("The file's name must end in .jpg, .jpeg, .png or .pdf."))
    if content.startswith(b"\xff\xd8\xff"):
        return Harmless(kind=Kind.JPEG, content=_drawn_anew(content, Kind.JPEG))
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Harmless(kind=Kind.PNG, content=_drawn_anew(content, Kind.PNG))
    if content.startswith((b"%PDF-1.", b"%PDF-2.")):
        _look_into(content)
        return Harmless(kind=Kind.PDF, content=content)
    raise _refused(_t("This is no JPEG or PNG picture and no PDF file, whatever its name says."))


def too_large(byte_count: int) -> str:
    """Return what a person is told whose file is too large."""
    return _t("The file has %(size).1f MB; at most %(most)d MB can be uploaded.") % {
        "size": byte_count / 1024 / 1024, "most": BYTES_MAX // 1024 // 1024,
    }  # fmt: skip


def _refused(words: str) -> errors.InvalidInput:
    return errors.InvalidInput({FIELD: words})


def _drawn_anew(content: bytes, kind: Kind) -> bytes:
    """Decode a picture and encode its pixels, upright, with nothing else: no comment, profile or tail."""
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as opened:
            # Known from the header: nothing has been decoded yet.
            width, height = opened.size
            if not (max(width, height) <= SIDE_MAX and width * height <= PIXELS_MAX):
                raise _refused(_too_many_pixels(width, height))
            opened.load()
            pixels = ImageOps.exif_transpose(opened).convert(_mode(opened, kind))
        pixels.info.clear()
        kept = io.BytesIO()
        if kind is Kind.JPEG:
            pixels.save(kept, "JPEG", quality=JPEG_QUALITY)
        else:
            pixels.save(kept, "PNG")
    except Image.DecompressionBombError:
        raise _refused(_too_many_pixels(None, None)) from None
    except _UNREADABLE:
        raise _refused(_t("This picture is damaged and cannot be read. Save it again and retry.")) from None
    if kept.tell() > KEPT_BYTES_MAX:
        raise _refused(_t("This picture is too large once it is unpacked. Save it smaller and retry."))
    return kept.getvalue()


def _mode(opened: Image.Image, kind: Kind) -> str:
    """Return the shape of pixels to keep: grey, colour, and for PNG see-through."""
    is_grey = opened.mode in ("1", "L", "LA")
    is_clear = kind is Kind.PNG and (opened.mode in ("LA", "PA", "RGBA") or "transparency" in opened.info)
    if is_clear:
        return "RGBA"
    return "L" if is_grey else "RGB"


def _too_many_pixels(width: int | None, height: int | None) -> str:
    most = _t("At most %(side)d pixels a side and %(all)d million in all are possible.") % {
        "side": SIDE_MAX, "all": PIXELS_MAX // 1_000_000,
    }  # fmt: skip
    if width is None or height is None:
        return _t("This picture has far too many pixels.") + " " + most
    return (
        _t("This picture has %(width)d × %(height)d pixels.") % {"width": width, "height": height}
        + " "
        + most
    )


def _look_into(content: bytes) -> None:
    """Refuse a PDF file with something that runs, or of which we cannot tell. Raises: InvalidInput."""
    end = content[-_END_BYTES:]
    if b"%%EOF" not in end or b"startxref" not in end or b"obj" not in content:
        raise _refused(_t("This PDF file is damaged or not whole. Save it again and retry."))
    outside = _outside_of_streams(content)
    if b"Encrypt" in _names(outside):
        raise _refused(_t("This PDF file is protected. Save it without a password and retry."))
    found = [*_names(content, _RUNS - _SHORT), *_names(outside, _SHORT)]
    packed = _packed_objects(content)
    if len(packed) != len(_names(content, _PACKED)):
        raise _unseen()
    for objects in packed:
        found += _names(objects, _RUNS)
    if found:
        raise _refused(
            _t("This PDF file holds a script, a form that sends, or another file. Print it to a new PDF.")
        )


def _unseen() -> errors.InvalidInput:
    return _refused(_t("This PDF file cannot be looked into. Print it to a new PDF and retry."))


def _names(content: bytes, wanted: frozenset[bytes] = frozenset({b"Encrypt"})) -> list[bytes]:
    """Return those of the names that stand in a piece of a PDF file, however they are spelt."""
    spelt = (_ESCAPE.sub(lambda code: bytes([int(code[1], 16)]), name) for name in _NAME.findall(content))
    return [name for name in spelt if name in wanted]


def _outside_of_streams(content: bytes) -> bytes:
    outside, place = [], 0
    for begins in _STREAM.finditer(content):
        if begins.start() >= place:
            outside.append(content[place : begins.start()])
            ends = content.find(b"endstream", begins.end())
            place = ends if ends >= 0 else len(content)
    return b"".join([*outside, content[place:]])


def _packed_objects(content: bytes) -> list[bytes]:
    """Return what object streams hold, inflated; also of those that pretend to lie in another stream.

    Raises: InvalidInput where one is packed in a way that hides what it holds.
    """
    packed, room = [], _INFLATED_BYTES_MAX
    for begins in _STREAM.finditer(content):
        about = content[max(0, begins.start() - _DICTIONARY_BYTES_MAX) : begins.start()]
        about = about[max(about.rfind(b" obj"), 0) :]
        if _names(about, _PACKED):
            ends = content.find(b"endstream", begins.end())
            objects = _inflated(about, content[begins.end() : ends if ends >= 0 else None], room)
            room -= len(objects)
            packed.append(objects)
    return packed


def _inflated(about: bytes, body: bytes, room: int) -> bytes:
    filters = _FILTERS.search(about)
    if filters is None:
        return body
    unpacker = zlib.decompressobj()
    try:
        if _NAME.findall(filters[1]) != [b"FlateDecode"] or room <= 0:
            raise ValueError("packed in another way, or without end")
        objects = unpacker.decompress(body, room)
    except (zlib.error, ValueError):
        objects = b""
    if not objects or unpacker.unconsumed_tail:
        raise _unseen()
    return objects
