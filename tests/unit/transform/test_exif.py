from __future__ import annotations

import json
import struct
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pictures
from darkroom.model import Exif
from darkroom.transform.exif import TEXT_MAX, read_exif

MAKE, MODEL, DATE, SHOT, PLACE = 0x010F, 0x0110, 0x0132, 0x8769, 0x8825
EXPOSURE, F_NUMBER, ISO, TAKEN, OFFSET, FOCAL, LENS = 0x829A, 0x829D, 0x8827, 0x9003, 0x9011, 0x920A, 0xA434
BYTE, TEXT, SHORT, LONG, RATIONAL, UNDEFINED, SIGNED, FLOAT, DOUBLE = 1, 2, 3, 4, 5, 7, 10, 11, 12

Entry = tuple[int, int, int, bytes]


def text(tag: int, value: bytes) -> Entry:
    return tag, TEXT, len(value) + 1, value + b"\0"


def rational(tag: int, over: int, under: int, order: str = "<") -> Entry:
    return tag, RATIONAL, 1, struct.pack(f"{order}II", over, under)


def block(main: list[Entry], shot: list[Entry] | None = None, order: str = "<") -> bytes:
    """Lay out a block as a camera does: header, directory, the values that do not fit into it, the second directory."""
    first = directory(8, main + ([(SHOT, LONG, 1, bytes(4))] if shot else []), order)
    if shot:
        where = struct.pack(f"{order}I", 8 + len(first))
        first = directory(8, [*main, (SHOT, LONG, 1, where)], order)
        first += directory(8 + len(first), shot, order)
    return {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8) + first


def directory(at: int, entries: list[Entry], order: str) -> bytes:
    head, values = struct.pack(f"{order}H", len(entries)), b""
    beyond = at + 2 + 12 * len(entries) + 4
    for tag, kind, count, value in entries:
        inline = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(f"{order}I", beyond + len(values))
        values += b"" if len(value) <= 4 else value
        head += struct.pack(f"{order}HHI", tag, kind, count) + inline
    return head + bytes(4) + values


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("marker", [b"", b"Exif\0\0"])
def test_everything_a_camera_says_is_read_in_both_byte_orders(order: str, marker: bytes) -> None:
    content = block(
        [text(MAKE, b"Brightbox"), text(MODEL, b"One"), text(DATE, b"2020:01:01 00:00:00")],
        [
            rational(EXPOSURE, 10, 1200, order),
            rational(F_NUMBER, 178, 100, order),
            (ISO, SHORT, 1, struct.pack(f"{order}H", 320)),
            text(TAKEN, b"2024:05:17 09:31:02"),
            text(OFFSET, b"-03:30"),
            rational(FOCAL, 57, 10, order),
            text(LENS, b"Wide"),
        ],
        order,
    )
    assert read_exif(marker + content) == Exif(
        taken_at="2024-05-17T09:31:02-03:30",
        camera="Brightbox One",
        lens="Wide",
        iso=320,
        f_number=1.78,
        exposure="1/120",
        focal_length=5.7,
    )


def test_a_tiff_file_tells_like_any_block() -> None:
    assert read_exif(block([text(MAKE, b"Scanner")]) + b"pixels") == Exif(camera="Scanner")
    assert read_exif(pictures.tiff()) == Exif()


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        (b"Canon", b"Canon EOS 5D", "Canon EOS 5D"),
        (b"NIKON", b"Nikon D1", "Nikon D1"),
        (b"Apple", b"", "Apple"),
        (b"", b"X100", "X100"),
        (b" ", b"\t", None),
        (b"A\x00hidden", b"B", "A B"),
        (b"Gr\xc3\xb6\xc3\x9fe", b"1", "Größe 1"),
        (b"Gr\xf6\xdfe", b"1", "Größe 1"),
        (b"evil\r\n\x1b[31m", "\u202etxt\u200b".encode(), "evil [31m txt"),
        (b"x" * 5000, b"y", "x" * TEXT_MAX),
    ],
)
def test_the_camera_is_one_clean_short_line(make: bytes, model: bytes, camera: str | None) -> None:
    assert read_exif(block([text(MAKE, make), text(MODEL, model)])).camera == camera


@pytest.mark.parametrize(
    ("stated", "offset", "taken_at"),
    [
        (b"2024:05:17 09:31:02", b"", "2024-05-17T09:31:02"),
        (b"2024:05:17 09:31:02", b"+02:00", "2024-05-17T09:31:02+02:00"),
        (b"2024:05:17 09:31:02", b"+99:00", "2024-05-17T09:31:02"),
        (b"2024:05:17 09:31:02", b"local", "2024-05-17T09:31:02"),
        (b"0000:00:00 00:00:00", b"", None),
        (b"2024:02:30 00:00:00", b"", None),
        (b"    :  :     :  :  ", b"", None),
        (b"2024:05:17", b"", None),
        (b"17 May 2024, 09:31:0", b"", None),
        (b"", b"+02:00", None),
    ],
)
def test_the_moment_is_iso_8601_or_nothing(stated: bytes, offset: bytes, taken_at: str | None) -> None:
    assert read_exif(block([], [text(TAKEN, stated), text(OFFSET, offset)])).taken_at == taken_at


def test_the_moment_of_the_file_stands_in_for_the_moment_of_the_shot() -> None:
    assert read_exif(block([text(DATE, b"2020:01:01 00:00:00")])).taken_at == "2020-01-01T00:00:00"


@pytest.mark.parametrize(
    ("over", "under", "exposure"),
    [
        (1, 8000, "1/8000"),
        (333, 10_000, "1/30"),
        (1, 4, "1/4"),
        (5, 10, "0.5"),
        (1, 1, "1"),
        (25, 10, "2.5"),
        (30, 1, "30"),
        (0, 1, None),
        (1, 0, None),
        (4_000_000_000, 1, None),
        (1, 4_000_000_000, None),
    ],
)
def test_the_exposure_is_written_as_photographers_do(over: int, under: int, exposure: str | None) -> None:
    assert read_exif(block([], [rational(EXPOSURE, over, under)])).exposure == exposure


@pytest.mark.parametrize(
    "entry",
    [
        (F_NUMBER, RATIONAL, 1, bytes(8)),
        (F_NUMBER, SIGNED, 1, struct.pack("<ii", -3, 2)),
        (F_NUMBER, FLOAT, 1, struct.pack("<f", float("nan"))),
        (F_NUMBER, DOUBLE, 1, struct.pack("<d", float("inf"))),
        (F_NUMBER, DOUBLE, 1, struct.pack("<d", 1e300)),
        (F_NUMBER, DOUBLE, 1, struct.pack("<d", 5e-324)),
        (F_NUMBER, RATIONAL, 0, b""),
        (F_NUMBER, RATIONAL, 2**31, b""),
        (F_NUMBER, TEXT, 4, b"1.8\0"),
        (F_NUMBER, 99, 1, b"1234"),
        (ISO, SHORT, 1, b"\0\0"),
        (ISO, LONG, 1, b"\xff\xff\xff\xff"),
        (ISO, DOUBLE, 1, struct.pack("<d", float("nan"))),
        (EXPOSURE, DOUBLE, 1, struct.pack("<d", 5e-324)),
        (TAKEN, UNDEFINED, 20, b"2024:05:17 09:31:02\0"),
        (LENS, TEXT, 2**32 - 1, struct.pack("<I", 2**32 - 1)),
    ],
)
def test_a_value_that_makes_no_sense_is_left_out(entry: Entry) -> None:
    assert read_exif(block([], [entry])) == Exif()


def test_a_field_of_several_numbers_tells_the_first() -> None:
    assert read_exif(block([], [(ISO, SHORT, 2, struct.pack("<HH", 200, 0))])).iso == 200


def test_the_place_is_never_told() -> None:
    told = json.dumps(asdict(read_exif(pictures.camera_exif())))
    assert "Brightbox" in told
    assert "48" not in told
    assert str(pictures.LATITUDE) not in told


def test_directories_that_point_at_themselves_end() -> None:
    assert read_exif(b"II*\0\x08\0\0\0" + struct.pack("<HHHII", 1, SHOT, LONG, 1, 8)) == Exif()


@given(
    order=st.sampled_from([b"II*\0", b"MM\0*"]),
    rest=st.binary(max_size=400),
    cut=st.integers(0, 400),
    noise=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
)
def test_no_block_whatever_is_an_error_or_more_than_a_little_text(
    order: bytes, rest: bytes, cut: int, noise: list[tuple[int, int]]
) -> None:
    real = bytearray(pictures.camera_exif())
    for at, value in noise:
        real[at % len(real)] = value
    for content in (order + rest, bytes(real[:cut]), bytes(real)):
        told = json.dumps(asdict(read_exif(content)), allow_nan=False)
        assert len(told) < 12 * 4 * TEXT_MAX
