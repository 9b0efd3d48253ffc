"""Formats are told by their first bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pictures
from darkroom.model import Format
from darkroom.transform.sniff import HEAD_BYTES, sniff


def ftyp(major: bytes, *compatible: bytes, size: int | None = None) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return (len(body) + 4 if size is None else size).to_bytes(4) + body


@pytest.mark.parametrize(
    ("made", "format_"),
    [
        (pictures.jpeg(), Format.JPEG),
        (pictures.jpeg(mode="CMYK"), Format.JPEG),
        (pictures.png(), Format.PNG),
        (pictures.webp(), Format.WEBP),
        (pictures.webp(lossless=True), Format.WEBP),
        (pictures.animated_webp(), Format.WEBP),
        (pictures.gif(), Format.GIF),
        (pictures.tiff(), Format.TIFF),
        (pictures.avif(), Format.AVIF),
    ],
)
def test_what_encoders_write_is_recognised(made: bytes, format_: Format) -> None:
    assert sniff(made[:HEAD_BYTES]) is format_


@pytest.mark.parametrize(
    ("head", "format_"),
    [
        (b"GIF87a" + bytes(20), Format.GIF),
        (b"II*\x00" + bytes(20), Format.TIFF),
        (b"MM\x00*" + bytes(20), Format.TIFF),
        (b"II+\x00" + bytes(20), Format.TIFF),
        (ftyp(b"avis", b"msf1"), Format.AVIF),
        (ftyp(b"heic"), Format.HEIC),
        (ftyp(b"heix", b"mif1"), Format.HEIC),
        (ftyp(b"hevc", b"msf1"), Format.HEIC),
        (ftyp(b"mif1", b"mif1", b"heic"), Format.HEIC),
        (ftyp(b"mif1", b"miaf", b"avif"), Format.AVIF),
        (ftyp(b"msf1", b"avis"), Format.AVIF),
    ],
)
def test_rarer_beginnings_are_recognised(head: bytes, format_: Format) -> None:
    assert sniff(head) is format_


def test_the_major_brand_goes_before_the_compatible_ones() -> None:
    assert sniff(ftyp(b"avif", b"heic")) is Format.AVIF
    assert sniff(ftyp(b"heic", b"avif")) is Format.HEIC


def test_brands_end_where_their_box_ends() -> None:
    only_the_major = ftyp(b"mif1", size=16)
    assert sniff(only_the_major + b"heic" + bytes(40)) is None


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff\xd8",
        b"\x89PNG\r\n",
        b"RIFF\x10\x00\x00\x00WAVEfmt ",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"BM" + bytes(60),
        b"MM\x00+" + bytes(20),
        b"hello, world",
        ftyp(b"mp42", b"isom"),
        ftyp(b"crx ", b"isom"),
        ftyp(b"mif1", b"miaf"),
        ftyp(b"heic", size=15),
        ftyp(b"heic", size=0),
        ftyp(b"heic", size=1),
        ftyp(b"heic", size=17),
    ],
)
def test_anything_else_is_none(head: bytes) -> None:
    assert sniff(head) is None


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(head: bytes) -> None:
    assert sniff(head) in {None, *Format}


@given(st.binary(max_size=HEAD_BYTES), st.binary(max_size=64))
def test_only_the_first_bytes_decide(head: bytes, rest: bytes) -> None:
    whole = head.ljust(HEAD_BYTES, b"\0")
    assert sniff(whole) is sniff(whole + rest)
