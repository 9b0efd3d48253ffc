"""Width and height come from the header, and a header made to mislead only gets a refusal."""

from __future__ import annotations

import io
import struct
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pictures
from darkroom.errors import UnreadableImage, UnsupportedFormat
from darkroom.transform.headers import dimensions

SECONDS = 2.0
"""Far more than any header takes, far less than reading a large file byte by byte."""

WRITTEN = {
    "jpeg": pictures.jpeg(70, 50),
    "progressive jpeg": pictures.jpeg(70, 50, progressive=True),
    "jpeg in CMYK": pictures.jpeg(70, 50, mode="CMYK"),
    "png": pictures.png(70, 50),
    "lossy webp": pictures.webp(70, 50),
    "lossless webp": pictures.webp(70, 50, lossless=True),
    "animated webp": pictures.animated_webp(70, 50),
    "gif": pictures.gif(70, 50),
    "tiff": pictures.tiff(70, 50),
    "svg": pictures.svg(70, 50),
    "avif": pictures.avif(70, 50),
    "avif with alpha": pictures.avif(70, 50, alpha=True),
}


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


FTYP = box(b"ftyp", b"heic", bytes(4), b"mif1", b"heic")
PITM = box(b"pitm", bytes(4), b"\x00\x02")


def extent(width: int, height: int) -> bytes:
    return box(b"ispe", bytes(4), struct.pack(">II", width, height))


def phone_picture(*, pitm: bytes = PITM, ipma: bytes | None = None) -> bytes:
    """The header of a HEIC as phones write it: tiles and a thumbnail beside the primary item, which is turned."""
    properties = box(b"ipco", extent(512, 512), extent(4032, 3024), box(b"irot", b"\x03"), extent(320, 240))
    entries = b"\x00\x01\x01\x81" + b"\x00\x02\x02\x02\x83" + b"\x00\x03\x01\x04"
    told = box(b"ipma", bytes(4), struct.pack(">I", 3), entries) if ipma is None else ipma
    meta = box(b"meta", bytes(4), box(b"hdlr", bytes(25)), pitm, box(b"iprp", properties, told))
    return FTYP + meta + box(b"mdat", bytes(100))


@pytest.mark.parametrize("name", WRITTEN)
def test_what_encoders_write_is_read(name: str) -> None:
    assert dimensions(io.BytesIO(WRITTEN[name])) == (70, 50)


@pytest.mark.parametrize(
    ("frame", "precision", "kind"),
    [
        (0xC1, 12, "12 bits"),
        (0xC2, 12, "12 bits"),
        (0xC3, 8, "lossless"),
        (0xC3, 16, "lossless"),
        (0xC5, 8, "hierarchical"),
        (0xC7, 8, "hierarchical"),
        (0xCB, 8, "lossless"),
        (0xCE, 8, "hierarchical"),
        (0xF7, 8, "JPEG-LS"),
    ],
)
def test_a_jpeg_of_a_rare_kind_is_refused_by_the_name_of_its_kind(frame: int, precision: int, kind: str) -> None:
    rare = WRITTEN["jpeg"].replace(b"\xff\xc0\x00\x11\x08", bytes([0xFF, frame, 0, 0x11, precision]))
    with pytest.raises(UnsupportedFormat, match=f"this JPEG is .*{kind}.*save it as a usual JPEG, with 8 bits"):
        dimensions(io.BytesIO(rare))


def test_bytes_that_fill_between_the_segments_of_a_jpeg_are_passed_over() -> None:
    filled = WRITTEN["jpeg"].replace(b"\xff\xc0", b"\xff\xff\xff\xc0")
    assert dimensions(io.BytesIO(filled)) == (70, 50)


def test_the_size_of_a_thumbnail_in_its_exif_is_not_a_jpegs_size() -> None:
    within = pictures.jpeg(70, 50, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + pictures.jpeg(16, 8))
    assert dimensions(io.BytesIO(within)) == (70, 50)


def test_a_turned_picture_is_measured_as_it_is_stored() -> None:
    upright = pictures.jpeg(70, 50, orientation=6)
    assert dimensions(io.BytesIO(upright)) == (50, 70)


def test_reading_begins_at_the_beginning() -> None:
    file = io.BytesIO(WRITTEN["png"])
    file.seek(40)
    assert dimensions(file) == (70, 50)


def test_a_phones_heic_is_its_primary_item() -> None:
    assert dimensions(io.BytesIO(phone_picture())) == (4032, 3024)


def test_wide_item_numbers_and_wide_indices_of_heif_are_read() -> None:
    entries = struct.pack(">IBHH", 2, 2, 0x8003, 0x0002)
    ipma = box(b"ipma", b"\x01\x00\x00\x01", struct.pack(">I", 1), entries)
    pitm = box(b"pitm", b"\x01\x00\x00\x00", struct.pack(">I", 2))
    assert dimensions(io.BytesIO(phone_picture(pitm=pitm, ipma=ipma))) == (4032, 3024)


def test_a_gif_wider_than_a_signed_number_is_measured() -> None:
    file = b"GIF89a" + struct.pack("<HH", 40_000, 10) + bytes(20)
    assert dimensions(io.BytesIO(file)) == (40_000, 10)


@pytest.mark.parametrize("body", [b"", b"no picture", b"<html><svg width='10'/></html>", b"P6 10 10 255 "])
def test_what_is_no_accepted_format_is_refused(body: bytes) -> None:
    with pytest.raises(UnsupportedFormat):
        dimensions(io.BytesIO(body))


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xd8\xff\xd9",
        WRITTEN["jpeg"][:30],
        WRITTEN["png"][:20],
        WRITTEN["png"][:16] + bytes(8) + WRITTEN["png"][24:],
        WRITTEN["lossy webp"][:20],
        b"RIFF\x20\x00\x00\x00WEBPALPH" + bytes(40),
        WRITTEN["gif"][:8],
        b"II*\x00\xff\xff\xff\x7f" + bytes(40),
        WRITTEN["avif"][:40],
        FTYP,
        phone_picture(pitm=b""),
        phone_picture(ipma=b""),
        phone_picture(ipma=box(b"ipma", bytes(4), struct.pack(">I", 1), b"\x00\x02\x01\x00")),
        phone_picture(ipma=box(b"ipma", bytes(4), struct.pack(">I", 1), b"\x00\x02\x01\x63")),
        phone_picture(ipma=box(b"ipma", bytes(4), struct.pack(">I", 2**32 - 1), b"\x00\x09\x00" * 9)),
    ],
)
def test_a_damaged_header_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableImage):
        dimensions(io.BytesIO(body))


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xd8\xff\xe0\x00\x04\x00\x00" + bytes(30_000_000),
        b"\xff\xd8" + b"\xff" * 30_000_000,
        b"\xff\xd8" + b"\xff\xe1\x00\x02" * 5_000_000,
        FTYP + box(b"free") * 3_000_000,
        FTYP + box(b"meta", bytes(4), PITM, box(b"iprp", box(b"ipma", bytes(4), b"\xff" * 4, bytes(20_000_000)))),
        b"II+\x00\x08\x00\x00\x00\x10" + bytes(7) + b"\xff" * 8 + b"\x01\x00" * 10_000_000,
    ],
    ids=["zeros", "fill bytes", "segments", "boxes", "associations", "entries"],
)
def test_a_large_file_made_to_keep_the_reader_busy_is_refused_soon(body: bytes) -> None:
    class CountingFile(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            return super().read(size)

    file = CountingFile(body)
    began = time.monotonic()
    with pytest.raises(UnreadableImage):
        dimensions(file)
    assert file.reads < 20_000
    assert time.monotonic() - began < SECONDS


@settings(deadline=SECONDS * 1000)
@given(
    st.sampled_from([*WRITTEN.values(), phone_picture()]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    st.integers(0, 2000),
)
def test_no_damage_brings_up_another_error(written: bytes, changes: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(written)
    for at, value in changes:
        if at < len(damaged):
            damaged[at] = value
    try:
        width, height = dimensions(io.BytesIO(bytes(damaged[: max(length, 1)])))
    except (UnreadableImage, UnsupportedFormat):
        return
    assert width > 0
    assert height > 0
