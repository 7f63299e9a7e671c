"""What becomes of files that people upload: refused in words, or made harmless (promises.md, 3: upload)."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from diamondpay.lib import errors, uploads
from tests.support import hostile_files
from tests.support.hostile_files import PHP, SCRIPT, File, pdf, picture


def words_of(file: File) -> str:
    """Return why a file is refused."""
    with pytest.raises(errors.InvalidInput) as refusal:
        uploads.harmless(name=file.name, content=file.content)
    assert list(refusal.value.fields) == ["file"]
    return str(refusal.value.fields["file"])


def test_there_are_at_least_sixty_hostile_files() -> None:
    assert len(hostile_files.REFUSED) >= 60
    assert len({file.case for file in hostile_files.FILES}) == len(hostile_files.FILES)


@pytest.mark.parametrize("file", hostile_files.REFUSED, ids=lambda file: file.case)
def test_a_hostile_file_is_refused_in_words(file: File) -> None:
    assert file.refused in words_of(file)


@pytest.mark.parametrize("file", hostile_files.KEPT, ids=lambda file: file.case)
def test_what_hides_in_a_file_is_not_kept(file: File) -> None:
    kept = uploads.harmless(name=file.name, content=file.content)
    assert kept.kind == file.kept
    assert SCRIPT not in kept.content
    assert PHP not in kept.content
    if kept.kind is not uploads.Kind.PDF:
        with Image.open(io.BytesIO(kept.content)) as picture_kept:
            assert picture_kept.format == kept.kind.upper()
            assert set(picture_kept.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
            assert picture_kept.size in ((40, 30), (30, 40))


def test_pixels_come_through_as_they_are() -> None:
    drawn = Image.new("RGBA", (3, 2), (10, 200, 30, 128))
    drawn.putpixel((2, 1), (1, 2, 3, 255))
    made = io.BytesIO()
    drawn.save(made, "PNG")
    kept = uploads.harmless(name="a.png", content=made.getvalue())
    with Image.open(io.BytesIO(kept.content)) as seen:
        assert (seen.mode, seen.tobytes()) == ("RGBA", drawn.tobytes())


def test_a_photo_is_kept_upright_without_saying_where_it_was_taken() -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    turned[0x8825] = {1: "N", 2: (52.0, 31.0, 0.0)}
    kept = uploads.harmless(name="a.jpg", content=picture("JPEG", size=(40, 20), exif=turned))
    with Image.open(io.BytesIO(kept.content)) as seen:
        assert (seen.size, dict(seen.getexif())) == ((20, 40), {})


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB"])
def test_pictures_of_every_shape_are_read(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"
    kept = uploads.harmless(name="a.png", content=picture(kind, mode=mode))
    with Image.open(io.BytesIO(kept.content)) as seen:
        assert (seen.size, seen.mode) == ((40, 30), "L" if mode in ("1", "L") else "RGB")


def test_a_clean_pdf_file_is_kept_as_it_came() -> None:
    for content in (pdf(), pdf(head=b"%PDF-2.0\n"), hostile_files.packed(b"<< /Type /Page >>")):
        assert uploads.harmless(name="a.pdf", content=content).content == content


def test_a_file_of_exactly_five_megabytes_is_not_too_large() -> None:
    content = pdf(b"1 0 obj << >> endobj" + b" " * (uploads.BYTES_MAX - len(pdf(b"1 0 obj << >> endobj"))))
    assert len(content) == uploads.BYTES_MAX
    assert uploads.harmless(name="a.pdf", content=content).kind is uploads.Kind.PDF
