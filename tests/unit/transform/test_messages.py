"""What goes between the service and a worker: all of it comes over, and nothing else is believed."""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from darkroom.errors import (
    DarkroomError,
    NotFound,
    RenderFailed,
    TooLarge,
    TooManyPixels,
    UnreadableImage,
    UnsupportedFormat,
)
from darkroom.model import Exif, Facts, Format, Source
from darkroom.transform import Limits, Order, Rendered, Slot, messages
from darkroom.transform.recipes import Color, Fit, Recipe

ORDER = Order(
    recipes=(
        Recipe(
            name="card",
            width=640,
            height=360,
            fit=Fit.COVER,
            gravity="0.25:0.75",
            formats=(Format.WEBP, Format.JPEG),
            quality={Format.WEBP: 70, Format.JPEG: 75},
            target=65,
            background="#102030",
            color=Color.KEEP,
        ),
    ),
    focus=(0.125, 0.875),
    limits=Limits(bytes=1_000_000, pixels=2_000_000, side=4_000, frames=50, svg=True, accept_truncated=True),
)
SHA256 = "0f" * 32
FACTS = Facts(
    source=Source(
        format=Format.GIF, width=800, height=600, bytes=12_345, sha256=SHA256, has_alpha=True, frames=7, pages=3
    ),
    placeholder=base64.b64encode(b"25 bytes or a little less").decode(),
    perceptual_hash="0123456789abcdef" * 4 + "0f1e2d3c4b5a",
    color="#7f6a55",
    colors=("#7f6a55", "#0a0a0a"),
    exif=Exif(
        taken_at="2024-05-17T09:31:02+02:00",
        camera="Brightbox Öne",
        lens="26mm",
        iso=100,
        f_number=1.8,
        exposure="1/120",
        focal_length=26.5,
    ),
)
BODIES = {"webp": b"RIFF\x00\x00\x00\x00WEBP moving", "jpg": b"GIF89a moving too"}
SLOTS = (
    Slot(variant="card", extension="webp", format=Format.WEBP, width=640, height=360, body=b"", listed=True),
    Slot(variant="card", extension="jpg", format=Format.GIF, width=639, height=359, body=b"", listed=False),
)


def over_the_socket(header: dict[str, Any]) -> dict[str, Any]:
    framed = messages.frame(header)
    (length,) = messages.LENGTH.unpack(framed[:4])
    assert length == len(framed) - 4
    return messages.parse(framed[4:])


def answer() -> dict[str, Any]:
    slots = tuple(
        Slot(
            variant=each.variant,
            extension=each.extension,
            format=each.format,
            width=each.width,
            height=each.height,
            body=BODIES[each.extension],
            listed=each.listed,
        )
        for each in SLOTS
    )
    return messages.rendered_to_header(Rendered(facts=FACTS, slots=slots))


def read(header: dict[str, Any]) -> None:
    header = over_the_socket(header)
    messages.slots_of(header, ORDER, most_bytes=1_000)
    messages.facts_of(header, ORDER, length=12_345, sha256=SHA256)


def unusual(value: Any) -> bool:  # any part of a message
    """Tell whether every field of a value has another value than it would have by itself: nothing can be forgotten."""
    return all(
        getattr(value, each.name) != each.default
        and (not is_dataclass(getattr(value, each.name)) or unusual(getattr(value, each.name)))
        for each in fields(value)
    )


def test_an_order_comes_over_whole() -> None:
    assert unusual(ORDER)
    assert unusual(ORDER.recipes[0])
    assert messages.order_from_header(over_the_socket(messages.order_to_header(ORDER))) == ORDER


def test_an_order_without_focus_comes_over() -> None:
    order = Order(recipes=ORDER.recipes)
    assert messages.order_from_header(over_the_socket(messages.order_to_header(order))) == order


def test_facts_come_over_whole() -> None:
    assert unusual(FACTS)
    assert messages.facts_of(over_the_socket(answer()), ORDER, length=12_345, sha256=SHA256) == FACTS


def test_facts_of_a_picture_without_exif_come_over() -> None:
    header = answer()
    header["facts"]["exif"] = dict.fromkeys(header["facts"]["exif"])
    assert messages.facts_of(over_the_socket(header), ORDER, length=12_345, sha256=SHA256).exif == Exif()


def test_slots_come_over_with_the_lengths_of_their_bodies() -> None:
    lengths = [len(BODIES["webp"]), len(BODIES["jpg"])]
    assert messages.slots_of(over_the_socket(answer()), ORDER, most_bytes=sum(lengths)) == list(
        zip(SLOTS, lengths, strict=True)
    )


@pytest.mark.parametrize("error", [UnsupportedFormat, UnreadableImage, TooManyPixels, TooLarge, RenderFailed])
def test_the_errors_of_the_port_come_over(error: type[DarkroomError]) -> None:
    said = messages.error_of(over_the_socket(messages.error_to_header(error("so it is\nand so"))))
    assert type(said) is error
    assert said.detail == "so it is and so"


@pytest.mark.parametrize("error", [KeyError("x"), NotFound("x"), MemoryError(), ValueError("x" * 5_000)])
def test_any_other_error_is_a_failure_of_the_decoder(error: Exception) -> None:
    assert type(messages.error_of(over_the_socket(messages.error_to_header(error)))) is RenderFailed


def test_an_answer_that_names_no_error_has_none() -> None:
    assert messages.error_of(over_the_socket(answer())) is None


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"\xff",
        b"not JSON",
        b"[]",
        b'"text"',
        b'{"facts": NaN}',
        b"[" * 100_000,
        b'{"width": ' + b"9" * 100_000 + b"}",
    ],
)
def test_what_is_no_header_is_malformed(header: bytes) -> None:
    with pytest.raises(messages.Malformed):
        messages.parse(header)


@pytest.mark.parametrize(
    "header",
    [
        {"error": "BadConfiguration", "detail": "x"},
        {"error": "SystemExit", "detail": "x"},
        {"error": ["TooLarge"], "detail": "x"},
        {"error": "TooLarge"},
        {"error": "TooLarge", "detail": "x" * 2_000},
        {"error": "TooLarge", "detail": "bell \x07"},
    ],
)
def test_errors_that_no_worker_raises_are_malformed(header: dict[str, Any]) -> None:
    with pytest.raises(messages.Malformed):
        messages.error_of(header)


WRONG: list[tuple[str, Any]] = [
    ("facts", None),
    ("facts", []),
    ("facts.source", "x"),
    ("facts.source.format", "exe"),
    ("facts.source.format", None),
    ("facts.source.width", 0),
    ("facts.source.width", 4_001),
    ("facts.source.width", 12.5),
    ("facts.source.width", True),
    ("facts.source.height", "600"),
    ("facts.source.bytes", 12_344),
    ("facts.source.sha256", "0f" * 31 + "00"),
    ("facts.source.has_alpha", 1),
    ("facts.source.frames", 51),
    ("facts.placeholder", "not base64!"),
    ("facts.perceptual_hash", "0" * 75),
    ("facts.perceptual_hash", "g" * 76),
    ("facts.perceptual_hash", 7),
    ("facts.placeholder", base64.b64encode(bytes(65)).decode()),
    ("facts.placeholder", "é"),
    ("facts.color", "red"),
    ("facts.color", "#7F6A55"),
    ("facts.color", "#7f6a5"),
    ("facts.color", "url(x)"),
    ("facts.color", None),
    ("facts.colors", None),
    ("facts.colors", []),
    ("facts.colors", ["#7f6a55"] * 6),
    ("facts.colors", ["#7f6a55", "red"]),
    ("facts.colors", "#7f6a55"),
    ("facts.colors", [["#7f6a55"]]),
    ("facts.exif", None),
    ("facts.exif.camera", 7),
    ("facts.exif.camera", "a" * 1_001),
    ("facts.exif.camera", "two\nlines"),
    ("facts.exif.camera", "half a \ud800 pair"),
    ("facts.exif.iso", "100"),
    ("facts.exif.iso", -1),
    ("facts.exif.f_number", True),
    ("facts.exif.f_number", 10**400),
    ("facts.exif.focal_length", [26.0]),
    ("slots", None),
    ("slots", {}),
    ("slots.0", None),
    ("slots.0.variant", "another"),
    ("slots.0.extension", "html"),
    ("slots.0.extension", "jpg"),
    ("slots.0.format", "svg"),
    ("slots.0.width", 0),
    ("slots.0.height", 4_001),
    ("slots.0.bytes", 0),
    ("slots.0.bytes", -1),
    ("slots.0.bytes", 990),
    ("slots.0.bytes", 2**70),
    ("slots.0.listed", "yes"),
]


@pytest.mark.parametrize(("where", "value"), WRONG, ids=[f"{where}={str(value)[:20]!a}" for where, value in WRONG])
def test_an_answer_with_anything_wrong_is_malformed(where: str, value: Any) -> None:  # any JSON
    header = answer()
    read(copy.deepcopy(header))
    *path, last = [int(part) if part.isdigit() else part for part in where.split(".")]
    holder: Any = header
    for part in path:
        holder = holder[part]
    holder[last] = value
    with pytest.raises(messages.Malformed):
        read(header)


@pytest.mark.parametrize("change", ["left out", "twice"])
def test_there_are_exactly_the_slots_that_were_ordered(change: str) -> None:
    header = answer()
    header["slots"] = header["slots"][:1] if change == "left out" else header["slots"] + header["slots"][:1]
    with pytest.raises(messages.Malformed):
        read(header)


def test_numbers_that_json_has_not_are_malformed() -> None:
    text = json.dumps(answer()).replace("26.5", "1e999")
    with pytest.raises(messages.Malformed):
        messages.facts_of(messages.parse(text.encode()), ORDER, length=12_345, sha256=SHA256)


@pytest.mark.parametrize("body", [b"<script>alert(1)</script>", b"GIF89a", b"", b"MZ"])
def test_a_body_begins_as_its_format_does(body: bytes) -> None:
    slot = Slot(variant="card", extension="webp", format=Format.WEBP, width=1, height=1, body=body, listed=True)
    with pytest.raises(messages.Malformed):
        messages.check_body(slot)
    good = Slot(
        variant="card", extension="webp", format=Format.WEBP, width=1, height=1, body=BODIES["webp"], listed=True
    )
    assert messages.check_body(good) is good
