"""Which kind of file an upload is, by its name and by its first bytes, which must agree."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from diamondpay.lib.spreadsheet import delimited_reading, xlsx_reading
from diamondpay.lib.spreadsheet.uploads import MEGABYTE, FileRefused, Limits, Sheet

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"


def read(content: bytes, *, name: str, limits: Limits | None = None) -> list[Sheet]:
    """Return the sheets of an uploaded book, or the one of a CSV file, with their rows.

    Raises: FileRefused.
    """
    bounds = limits or Limits()
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    _check_name(suffix, name)
    check_size(len(content), bounds)
    if content.startswith(_OLE):
        raise FileRefused(
            _("The book has a password or is of an old kind. Save it as .xlsx without a password.")
        )
    if suffix == "xlsx":
        if not content.startswith(_ZIP):
            raise FileRefused(
                _("The file is called .xlsx but is no Excel book. Save it from Excel as .xlsx.")
            )
        return xlsx_reading.read(content, bounds)
    if content.startswith(_ZIP):
        raise FileRefused(_("The file is called .csv but is an Excel book or an archive. Name it .xlsx."))
    return [delimited_reading.read(content, bounds)]


def check_size(size: int, limits: Limits | None = None) -> None:
    """Refuse a file by its size, before it is read. Raises: FileRefused."""
    bounds = limits or Limits()
    if not size:
        raise FileRefused(_("The file is empty."))
    if size > bounds.file_bytes_max:
        shape = _("The file has %(size)s MB; at most %(most)s MB are taken. Split it into several files.")
        shown = {"size": f"{size / MEGABYTE:.1f}", "most": f"{bounds.file_bytes_max // MEGABYTE}"}
        raise FileRefused(shape % shown)


def _check_name(suffix: str, name: str) -> None:
    if suffix in ("xlsm", "xltm", "xlsb", "xlam"):
        raise FileRefused(_("Books with macros are not taken. Save it as .xlsx, without macros."))
    if suffix not in ("xlsx", "csv"):
        shape = _("Choose a file that ends in .xlsx or .csv; this one is called “%s”.")
        raise FileRefused(shape % "".join(sign for sign in name[-60:] if sign.isprintable()))
