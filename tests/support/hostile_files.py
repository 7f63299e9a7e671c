"""Files that somebody with bad intentions, or bad luck, uploads: each with what must become of it."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, PngImagePlugin

SCRIPT = b"<script>alert(1)</script>"
PHP = b"<?php system($_GET['c']); ?>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><html><body onload=alert(1)>"
MB = 1024 * 1024

EMPTY = "The file is empty."
LARGE = "at most 5 MB can be uploaded"
ENDING = "The file's name must end in .jpg, .jpeg, .png or .pdf."
NEITHER = "This is no JPEG or PNG picture and no PDF file, whatever its name says."
DAMAGED = "This picture is damaged and cannot be read."
PIXELS = "pixels"
BROKEN_PDF = "This PDF file is damaged or not whole."
PROTECTED = "This PDF file is protected."
RUNS = "This PDF file holds a script, a form that sends, or another file."
UNSEEN = "This PDF file cannot be looked into."


@dataclass(frozen=True)
class File:
    """A file, and the words of its refusal; `kept` is what it becomes where it is made harmless instead."""

    case: str
    name: str
    content: bytes
    refused: str = ""
    kept: str = ""


def picture(
    kind: str = "PNG", *, size: tuple[int, int] = (40, 30), mode: str = "RGB", **how: object
) -> bytes:
    """Return a picture of one colour."""
    made = io.BytesIO()
    Image.new(mode, size, 120 if mode in ("L", "P", "1") else 0).save(made, kind, **how)
    return made.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int, rows: bytes = b"\x00") -> bytes:
    """Return a PNG file that says how large it is, whatever it holds."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def jpeg_of(width: int, height: int) -> bytes:
    """Return a JPEG file whose frame says how large it is."""
    made = picture("JPEG")
    frame = made.index(b"\xff\xc0") + 5
    return made[:frame] + struct.pack(">HH", height, width) + made[frame + 4 :]


def with_chunk(name: bytes, body: bytes) -> bytes:
    """Return a PNG picture with a chunk of this name behind its head."""
    made = picture()
    return made[:33] + chunk(name, body) + made[33:]


def commented(kind: str, words: bytes) -> bytes:
    """Return a picture that carries words in its comments."""
    if kind == "JPEG":
        return picture("JPEG", comment=words)
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", words.decode())
    return picture("PNG", pnginfo=told)


def pdf(
    objects: bytes = b"1 0 obj << /Type /Catalog /Pages 2 0 R >> endobj", *, head: bytes = b"%PDF-1.7\n"
) -> bytes:
    """Return a PDF file around some objects."""
    pages = b"\n2 0 obj << /Type /Pages /Kids [] /Count 0 >> endobj\n"
    return head + objects + pages + b"xref\n0 1\ntrailer << /Root 1 0 R >>\nstartxref\n9\n%%EOF\n"


def packed(objects: bytes, *, about: bytes = b"/Filter /FlateDecode", body: bytes | None = None) -> bytes:
    """Return a PDF file with objects in an object stream."""
    inside = zlib.compress(objects) if body is None else body
    return pdf(
        b"3 0 obj << /Type /ObjStm /N 1 /First 4 " + about + b" >> stream\n" + inside + b"\nendstream endobj"
    )


def _action(name: bytes) -> bytes:
    return b"1 0 obj << /Type /Catalog /OpenAction << /S /" + name + b" /JS (app.alert\\(1\\)) >> >> endobj"


def _by_name() -> list[File]:
    endings = (
        "php", "svg", "html", "htm", "js", "exe", "sh", "phtml", "jsp", "zip", "gif", "webp", "bmp", "tiff",
        "xml", "swf", "heic", "docx", "png.php", "pdf.exe", "jpg%00", "",
    )  # fmt: skip
    return [
        File(f"a picture called .{end}", f"proof.{end}".rstrip("."), picture(), ENDING) for end in endings
    ]


def _by_content() -> list[File]:
    bodies = {
        "php": PHP, "svg": SVG, "html": HTML, "script": SCRIPT, "gif": picture("GIF", mode="L"),
        "bmp": picture("BMP"), "webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ", "tiff": picture("TIFF"),
        "zip": b"PK\x03\x04" + b"\x00" * 40, "elf": b"\x7fELF" + b"\x00" * 60, "text": b"paid, I swear",
        "nul": b"\x00" * 100, "postscript": b"%!PS-Adobe-3.0\n", "blank before pdf": b" " + pdf(),
        "html before pdf": HTML + pdf(), "blank before png": b"\n" + picture(),
        "ico": b"\x00\x00\x01\x00" * 9,
        "utf-16 html": HTML.decode().encode("utf-16"), "bom svg": b"\xef\xbb\xbf" + SVG,
    }  # fmt: skip
    names = ("proof.jpg", "proof.png", "proof.pdf")
    return [
        File(f"{kind} as {names[place % 3]}", names[place % 3], body, NEITHER)
        for place, (kind, body) in enumerate(bodies.items())
    ]


def _by_size() -> list[File]:
    bomb = b"k\x00\x00" + zlib.compress(b"A" * 90 * MB)
    return [
        File("nothing", "proof.png", b"", EMPTY),
        File("20 MB of a picture", "proof.png", picture() + b"\x00" * (20 * MB), LARGE),
        File("a byte too many", "proof.pdf", pdf() + b"\n" * (5 * MB + 1 - len(pdf())), LARGE),
        File("60,000 × 60,000 png", "proof.png", png_of(60_000, 60_000), PIXELS),
        File("60,000 × 60,000 jpeg", "proof.jpg", jpeg_of(60_000, 60_000), PIXELS),
        File("2³¹ wide", "proof.png", png_of(2**31 - 1, 1), PIXELS),
        File("20,001 × 1", "proof.png", png_of(20_001, 1), PIXELS),
        File("6,000 × 6,000, packed small", "proof.png", png_of(6_000, 6_000), PIXELS),
        File("no width", "proof.png", png_of(0, 10), DAMAGED),
        File("an unpacking bomb for text", "proof.png", with_chunk(b"zTXt", bomb), DAMAGED),
    ]  # fmt: skip


def _broken() -> list[File]:
    whole = picture(size=(300, 300))
    return [
        File("a png cut off", "proof.png", whole[: len(whole) // 2], DAMAGED),
        File("a png's first bytes alone", "proof.png", whole[:8], DAMAGED),
        File("a jpeg cut off", "proof.jpg", picture("JPEG", size=(300, 300))[:400], DAMAGED),
        File("a jpeg's first bytes alone", "proof.jpg", b"\xff\xd8\xff", DAMAGED),
        File("script behind a jpeg's first bytes", "proof.jpg", b"\xff\xd8\xff\xe0" + SCRIPT, DAMAGED),
        File("php behind a png's first bytes", "proof.png", whole[:8] + PHP, DAMAGED),
        File("a wrong checksum", "proof.png", whole[:29] + b"\x00\x00\x00\x00" + whole[33:], DAMAGED),
        File("an empty pdf", "proof.pdf", b"%PDF-1.7\n", BROKEN_PDF),
        File("html behind a pdf's first bytes", "proof.pdf", b"%PDF-1.4\n" + HTML + SCRIPT, BROKEN_PDF),
        File("a pdf cut off", "proof.pdf", pdf()[:-40], BROKEN_PDF),
    ]


def _running() -> list[File]:
    hidden = b"<< /S /JavaScript /JS (1) >>"
    twice = b"/Filter [/ASCIIHexDecode /FlateDecode]"
    far = b"% " + b"x" * 2000 + b"\n"
    inside = pdf(b"9 0 obj << >> stream\n")
    found = [
        File(f"a pdf that does {name.decode()}", "proof.pdf", pdf(_action(name)), RUNS)
        for name in (
            b"JavaScript",
            b"Launch",
            b"SubmitForm",
            b"ImportData",
            b"GoToE",
            b"Java#53cript",
            b"#4aavaScript",
        )
    ]
    return [
        *found,
        File("a pdf with a file inside", "proof.pdf", pdf(b"3 0 obj << /Type /EmbeddedFile >> endobj"), RUNS),
        File("a pdf with a film", "proof.pdf", pdf(b"3 0 obj << /Subtype /RichMedia >> endobj"), RUNS),
        File("a pdf with an xml form", "proof.pdf", pdf(b"3 0 obj << /XFA [] >> endobj"), RUNS),
        File("a script in an object stream", "proof.pdf", packed(hidden), RUNS),
        File("a script in a plain object stream", "proof.pdf", packed(hidden, about=b"", body=hidden), RUNS),
        File("an object stream in another stream", "proof.pdf", inside + packed(hidden), RUNS),
        File("a script packed twice", "proof.pdf", packed(hidden, about=twice), UNSEEN),
        File("an object stream of rubbish", "proof.pdf", packed(b"", body=b"rubbish"), UNSEEN),
        File("an object stream without end", "proof.pdf", packed(b" " * 30 * MB), UNSEEN),
        File("an object stream far from its name", "proof.pdf", packed(b"1", about=far), UNSEEN),
        File("a protected pdf", "proof.pdf", pdf(b"3 0 obj << /Encrypt 4 0 R >> endobj"), PROTECTED),
    ]  # fmt: skip


def _made_harmless() -> list[File]:
    turned = Image.Exif()
    turned[0x0112], turned[0x010E] = 6, SCRIPT.decode()
    return [
        File("a script behind a png", "proof.png", picture() + SCRIPT, kept="png"),
        File("php behind a jpeg", "proof.jpg", picture("JPEG") + PHP, kept="jpeg"),
        File("a script in a png's comment", "proof.png", commented("PNG", SCRIPT), kept="png"),
        File("php in a jpeg's comment", "proof.jpg", commented("JPEG", PHP), kept="jpeg"),
        File("a script in a jpeg's exif", "proof.jpeg", picture("JPEG", exif=turned), kept="jpeg"),
        File("a script as a colour profile", "proof.png", picture(icc_profile=SCRIPT), kept="png"),
        File("a script in a private chunk", "proof.png", with_chunk(b"prVt", SCRIPT), kept="png"),
        File("a zip behind a png", "proof.png", picture() + b"PK\x03\x04" + SCRIPT, kept="png"),
        File("../../x", "../../x.png", picture(), kept="png"),
        File("..\\..\\x", "..\\..\\x.jpg", picture("JPEG"), kept="jpeg"),
        File("/etc/passwd", "/etc/passwd.pdf", pdf(), kept="pdf"),
        File("two endings", "shell.php.png", picture(), kept="png"),
        File("marks in the name", "\u202egnp.exe; X=y<b>'.png", picture(), kept="png"),
        File("a jpeg called png", "proof.png", picture("JPEG"), kept="jpeg"),
        File("a png called pdf", "proof.pdf", picture(), kept="png"),
        File("capital letters", "PROOF.PNG", picture(), kept="png"),
    ]  # fmt: skip


_GROUPS: tuple[Callable[[], list[File]], ...] = (
    _by_name, _by_content, _by_size, _broken, _running, _made_harmless,
)  # fmt: skip
FILES = [file for group in _GROUPS for file in group()]
REFUSED = [file for file in FILES if file.refused]
KEPT = [file for file in FILES if file.kept]
