"""The archive of an uploaded XLSX book: what may be in it, and its parts as streams that cannot grow."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from xml.parsers import expat

from django.utils.translation import gettext_lazy as _

from diamondpay.lib.spreadsheet.uploads import MEGABYTE, FileRefused, Limits

# What begins like this makes a book do something, or brings in what stands elsewhere.
_ACTIVE_PARTS = (
    ("vba", _("The book holds macros. Save it as .xlsx, without macros.")),
    ("macrosheets/", _("The book holds macros. Save it as .xlsx, without macros.")),
    ("dialogsheets/", _("The book holds macros. Save it as .xlsx, without macros.")),
    ("externallinks/", _("The book is linked to another one. Break the links and keep the values.")),
    ("connections", _("The book is connected to a source of data. Keep the values alone.")),
    ("querytables/", _("The book is connected to a source of data. Keep the values alone.")),
    ("embeddings/", _("The book holds other files. Remove them.")),
    ("activex/", _("The book holds controls. Remove them.")),
    ("ctrlprops/", _("The book holds controls. Remove them.")),
)
_MACRO_TYPE = "macroenabled"
_CHUNK_BYTES = 64 * 1024
_RATIO_FROM_BYTES = MEGABYTE
_BROKEN = _("The book is damaged. Open it in Excel and save it again.")
_DEFLATED_OR_STORED = (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED)

StartElement = Callable[[str, Mapping[str, str]], None]
EndElement = Callable[[str], None]
Text = Callable[[str], None]


def broken() -> FileRefused:
    """Return the refusal of a book that holds no sense."""
    return FileRefused(_BROKEN)


class Archive:
    """The parts of a book whose size, number and kind were looked at before any was unpacked."""

    def __init__(self, content: bytes, limits: Limits) -> None:
        """Open it. Raises: FileRefused."""
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, RuntimeError, ValueError, OSError, EOFError):
            # RuntimeError is a version of archives that no spreadsheet writes.
            raise broken() from None
        self._limits = limits
        parts = self._zip.infolist()
        self._check_count(parts)
        self._check_sizes(parts)
        self._check_kinds(parts)
        self._names = {part.filename.lstrip("/").lower(): part for part in parts}
        if len(self._names) < len(parts):
            # Of two parts of one name another reader would take the other.
            raise broken()

    def _check_count(self, parts: list[zipfile.ZipInfo]) -> None:
        if len(parts) > self._limits.part_count_max:
            sheets = sum("worksheets/sheet" in part.filename.lower() for part in parts)
            if sheets > self._limits.sheet_count_max:
                raise too_many_sheets(sheets, self._limits)
            shape = _("The book has %(count)d parts; at most %(most)d are taken.")
            raise FileRefused(shape % {"count": len(parts), "most": self._limits.part_count_max})

    def _check_sizes(self, parts: list[zipfile.ZipInfo]) -> None:
        """Refuse what would unpack to much more than it is, without unpacking it.

        A part that lies about its size ends there: zipfile gives no byte beyond what was declared.
        """
        total = sum(part.file_size for part in parts)
        is_packed_too_well = any(
            part.file_size > _RATIO_FROM_BYTES
            and part.file_size > self._limits.ratio_max * max(part.compress_size, 1)
            for part in parts
        )
        if total > self._limits.unpacked_bytes_max or is_packed_too_well:
            shape = _("The book would unpack to %(size)s MB, which no table of this kind has.")
            raise FileRefused(shape % {"size": f"{total / MEGABYTE:,.0f}"})

    def _check_kinds(self, parts: list[zipfile.ZipInfo]) -> None:
        for part in parts:
            if part.flag_bits & 1 or part.compress_type not in _DEFLATED_OR_STORED:
                raise FileRefused(_("The book is encrypted or packed in an unusual way. Save it again."))
            inside = part.filename.replace("\\", "/").lstrip("/").lower().removeprefix("xl/")
            for beginning, words in _ACTIVE_PARTS:
                if inside.startswith(beginning):
                    raise FileRefused(words)

    def parse(
        self,
        name: str,
        *,
        start: StartElement,
        end: EndElement | None = None,
        text: Text | None = None,
        is_required: bool = True,
    ) -> None:
        """Read a part of the book as XML, element by element, by their names without a namespace.

        No document type, entity or reference to elsewhere is taken. Raises: FileRefused.
        """
        part = self._names.get(name.lstrip("/").lower())
        if part is None:
            if is_required:
                raise broken()
            return
        parser = _parser(start, end, text)
        try:
            with self._zip.open(part) as stream:
                while chunk := stream.read(_CHUNK_BYTES):
                    parser.Parse(chunk, False)
                parser.Parse(b"", True)
        except (expat.ExpatError, zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, LookupError):
            raise broken() from None
        except RuntimeError:
            raise FileRefused(
                _("The book is encrypted or packed in an unusual way. Save it again.")
            ) from None

    def check_types(self) -> None:
        """Refuse a book that declares macros whatever its name. Raises: FileRefused."""

        def start(_name: str, attributes: Mapping[str, str]) -> None:
            if _MACRO_TYPE in attributes.get("ContentType", "").lower():
                raise FileRefused(_("The book holds macros. Save it as .xlsx, without macros."))

        self.parse("[Content_Types].xml", start=start)


def too_many_sheets(count: int, limits: Limits) -> FileRefused:
    """Return the refusal of a book of too many sheets."""
    shape = _("The book has %(count)d sheets; at most %(most)d are taken.")
    return FileRefused(shape % {"count": count, "most": limits.sheet_count_max})


def _parser(start: StartElement, end: EndElement | None, text: Text | None) -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True

    def refuse(*_declared: object) -> None:
        raise FileRefused(_("The book declares entities of its own, which no spreadsheet does."))

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = lambda *_reference: 0

    def start_element(name: str, attributes: dict[str, str]) -> None:
        plain = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
        start(name.rpartition(" ")[2], plain)

    parser.StartElementHandler = start_element
    if end is not None:
        ending = end
        parser.EndElementHandler = lambda name: ending(name.rpartition(" ")[2])
    if text is not None:
        parser.CharacterDataHandler = text
    return parser
