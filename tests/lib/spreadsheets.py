"""Reading back what a file holds, by programs that are not ours."""

from __future__ import annotations

import csv
import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.escape import unescape

HOW_TO_INSTALL = "LibreOffice Calc is not here: apt-get install libreoffice-calc"


def sheets(content: bytes) -> dict[str, list[list[Any]]]:
    """Return the rows of each sheet of a book, in the order of the tabs."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {sheet.title: [[_value(cell) for cell in row] for row in sheet.iter_rows()] for sheet in book}


def _value(cell: Any) -> Any:
    assert cell.data_type != "f", f"{cell.coordinate} is a formula"
    # Every other application does this by itself; openpyxl leaves it to its caller.
    return unescape(cell.value) if isinstance(cell.value, str) else cell.value


def part(content: bytes, name: str) -> str:
    """Return a part of the archive as it stands there."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return archive.read(name).decode()


def lines(content: bytes) -> list[list[str]]:
    """Return the cells of a CSV file, without the tabs that keep them texts."""
    return [[cell.lstrip("\t") for cell in row] for row in raw_lines(content)]


def raw_lines(content: bytes) -> list[list[str]]:
    """Return the cells of a CSV file as they stand there."""
    text = content.decode("utf-8-sig")
    assert text.endswith("\r\n")
    return list(csv.reader(io.StringIO(text, newline="")))


def soffice() -> str | None:
    """Return the path of LibreOffice; in CI it must be there."""
    found = shutil.which("soffice")
    assert found or os.environ.get("CI") != "true", HOW_TO_INSTALL
    return found


def converted(path: Path, folder: Path) -> dict[str, list[list[str]]]:
    """Return what LibreOffice makes of each sheet of a book: numbers unformatted, times as they are shown."""
    options = "44,34,76,1,,0,false,true,false,false,false,-1"
    answer = subprocess.run(
        [
            str(soffice()), "--headless", f"-env:UserInstallation=file://{folder}/profile", "--convert-to",
            f"csv:Text - txt - csv (StarCalc):{options}", "--outdir", str(folder), str(path),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "Error" not in answer.stderr, answer.stderr
    found = {}
    for file in folder.glob(f"{path.stem}-*.csv"):
        text = file.read_text(encoding="utf-8-sig")
        found[file.stem.removeprefix(f"{path.stem}-")] = list(csv.reader(io.StringIO(text)))
    return found
