"""What no picture is made of is refused; what cameras and editors write never is."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bombs
import pictures
from darkroom.errors import Refused, TooLarge, TooManyPixels, UnreadableImage
from darkroom.transform import Limits
from darkroom.transform.structure import (
    MOST_BLOCKS,
    MOST_INFLATED,
    MOST_PAGES,
    MOST_PARTS,
    MOST_SCANS,
    check_before_decoding,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HONEST = {
    "jpeg": pictures.jpeg(),
    "jpeg with restart markers": pictures.jpeg(400, 300, restart_marker_blocks=1),
    "jpeg in CMYK": pictures.jpeg(mode="CMYK"),
    "grey jpeg": pictures.jpeg(mode="L"),
    "jpeg of one colour": pictures.encode(pictures.scene(2, 2).resize((4_000, 3_000)), "JPEG", quality=1),
    "progressive jpeg": pictures.jpeg(400, 300, progressive=True),
    "progressive jpeg in CMYK": pictures.jpeg(400, 300, progressive=True, mode="CMYK"),
    "jpeg with a long comment": pictures.jpeg(comment=b"\xff\xda" * 30_000),
    "png": pictures.png(),
    "png with profile": pictures.png(icc_profile=pictures.srgb_profile()),
    "webp": pictures.webp(),
    "animated webp": pictures.animated_webp(frames=5),
    "tiff": pictures.tiff(),
    "tiff of pages": pictures.tiff(pages=30),
    "gif": pictures.gif(),
    "animated gif": pictures.animated_gif(frames=5),
    "gif that says nothing of its end": pictures.animated_gif(frames=5).removesuffix(b";"),
    "gif and more": pictures.animated_gif(frames=5) + b"!" * 100,
    "gif with a comment": pictures.encode(pictures.scene(64, 48).quantize(4), "GIF", comment=b"," * 600),
    "avif": pictures.avif(),
    "heic": pictures.heic(),
    "heic of tiles": bombs.heic_grid(4, 5, 32),
    "avif of tiles": bombs.avif_grid(20, 20, 64),
}


def with_texts(*chunks: bytes) -> bytes:
    return bombs._small_png(*chunks)


def text(length: int) -> bytes:
    return bombs._chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(length)))


def pages(count: int) -> bytes:
    return bombs._tiff(*bombs._directories(count, last=0))


def large_pages(count: int) -> bytes:
    """A BigTIFF, whose pointers and counts have eight bytes."""
    step = 8 + 20 + 8
    directories = b"".join(
        struct.pack("<QHHQQQ", 1, 256, 4, 1, 8, 16 + number * step if number < count else 0)
        for number in range(1, count + 1)
    )
    return b"II+\0" + struct.pack("<HHQ", 8, 0, 16) + directories


def scans(count: int) -> bytes:
    return bombs.jpeg_of_many_scans(8, 8, scans=count)


@pytest.mark.parametrize("name", HONEST)
def test_what_encoders_write_passes(name: str) -> None:
    check_before_decoding(HONEST[name], Limits())


@pytest.mark.parametrize("name", HONEST)
@given(data=st.data())
def test_a_damaged_file_passes_or_is_refused(name: str, data: st.DataObject) -> None:
    content = HONEST[name]
    at = data.draw(st.integers(0, len(content)))
    damaged = content[:at] + data.draw(st.binary(max_size=12)) + content[at + data.draw(st.integers(0, 12)) :]
    try:
        check_before_decoding(damaged, Limits())
    except Refused as refusal:
        assert refusal.detail  # noqa: PT017  # either is right, another error is not


def test_the_scans_of_a_jpeg_are_bounded() -> None:
    check_before_decoding(scans(MOST_SCANS), Limits())
    with pytest.raises(UnreadableImage, match="scans"):
        check_before_decoding(scans(MOST_SCANS + 1), Limits())


def test_the_segments_of_a_jpeg_are_bounded() -> None:
    jpeg = pictures.jpeg()
    with pytest.raises(UnreadableImage, match="parts"):
        check_before_decoding(jpeg[:2] + b"\xff\xe5\0\2" * MOST_PARTS + jpeg[2:], Limits())


def test_a_jpeg_with_less_than_a_bit_for_each_block_is_cut_off() -> None:
    with pytest.raises(UnreadableImage, match="cut off"):
        check_before_decoding(bombs.jpeg_header_only(2_000, 2_000), Limits())


def test_what_notes_of_a_png_inflate_to_is_bounded() -> None:
    half = MOST_INFLATED // 2
    check_before_decoding(with_texts(text(half), text(half)), Limits())
    with pytest.raises(TooLarge, match="inflate"):
        check_before_decoding(with_texts(text(half), text(half), text(1)), Limits())


def test_what_pixels_inflate_to_is_another_matter() -> None:
    pixels = bombs._chunk(b"IDAT", zlib.compress(bytes(2 * MOST_INFLATED)))
    check_before_decoding(bombs._png(8, 8, pixels), Limits())


def test_the_frames_of_a_webp_are_counted_before_it_is_opened() -> None:
    animation = pictures.animated_webp(frames=5)
    check_before_decoding(animation, Limits(frames=5))
    with pytest.raises(TooManyPixels, match="frames"):
        check_before_decoding(animation, Limits(frames=4))


def test_the_frames_of_a_gif_are_counted_before_it_is_opened() -> None:
    animation = pictures.animated_gif(frames=5)
    check_before_decoding(animation, Limits(frames=5))
    with pytest.raises(TooManyPixels, match="frames"):
        check_before_decoding(animation, Limits(frames=4))


def test_the_blocks_of_a_gif_are_bounded() -> None:
    content = pictures.gif()
    check_before_decoding(content[:-1] + b"!\xfe" + b"\1 " * (MOST_BLOCKS // 2) + b"\0;", Limits())
    with pytest.raises(UnreadableImage, match="parts"):
        check_before_decoding(content[:-1] + b"!\xfe" + b"\1 " * (MOST_BLOCKS + 1) + b"\0;", Limits())


@pytest.mark.parametrize("missing", [2, 3, 40, 300])
def test_a_gif_that_ends_in_the_middle_of_a_picture_is_cut_off(missing: int) -> None:
    with pytest.raises(UnreadableImage, match="cut off"):
        check_before_decoding(pictures.animated_gif(frames=5)[:-missing], Limits())


@pytest.mark.parametrize("made", [pages, large_pages])
def test_the_pages_of_a_tiff_are_bounded(made: Callable[[int], bytes]) -> None:
    check_before_decoding(made(MOST_PAGES), Limits())
    with pytest.raises(UnreadableImage, match="pages"):
        check_before_decoding(made(MOST_PAGES + 1), Limits())


def test_the_tiles_of_a_heic_are_counted_as_often_as_they_are_decoded() -> None:
    def nested(depth: int) -> bytes:
        return bombs._heif(b"heic", bombs._pictures_in_pictures(bombs._heic_tile(32), depth))

    check_before_decoding(nested(4), Limits())
    with pytest.raises(UnreadableImage, match="put together"):
        check_before_decoding(nested(5), Limits())
    check_before_decoding(bombs.heic_grid(25, 40, 32, same=True), Limits())
    with pytest.raises(UnreadableImage, match="put together"):
        check_before_decoding(bombs.heic_grid(25, 41, 32, same=True), Limits())


def test_a_heic_of_countless_boxes_is_refused() -> None:
    meta = bombs._full(b"meta", bombs._box(b"free", b"") * 20_000)
    with pytest.raises(UnreadableImage, match="parts"):
        check_before_decoding(bombs._box(b"ftyp", b"heic" + bytes(4) + b"heic") + meta, Limits())
