"""What the camera said, read from an EXIF block (CIPA DC-008, on top of TIFF 6.0). Never where it stood.

A block comes from a stranger. Nothing here follows more than one pointer, loops more often than the block has entries,
or believes a value without bounds; what makes no sense is left out. The location directory is not read at all.
"""

from __future__ import annotations

import struct
import unicodedata
from datetime import datetime
from typing import NamedTuple

from darkroom.model import Exif

TEXT_MAX = 100

_MAKE, _MODEL, _DATE_TIME, _EXIF_DIRECTORY = 0x010F, 0x0110, 0x0132, 0x8769
_EXPOSURE_TIME, _F_NUMBER, _ISO = 0x829A, 0x829D, 0x8827
_TAKEN_AT, _TAKEN_AT_OFFSET, _FOCAL_LENGTH, _LENS = 0x9003, 0x9011, 0x920A, 0xA434

_TEXT = 2
_LARGEST_ISO, _LARGEST_NUMBER = 100_000_000, 100_000
_SHORTEST_EXPOSURE, _LONGEST_EXPOSURE = 1e-6, 86_400
_NUMBERS = {1: "B", 3: "H", 4: "I", 5: "II", 6: "b", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"}
"""TIFF's types of numbers by their code; a rational is two whole numbers."""
_HEADER = b"Exif\0\0"


def read_exif(block: bytes) -> Exif:
    """Return what a block tells; a damaged or senseless one tells less, never an error.

    ``block`` begins with the TIFF header, with or without the ``Exif`` marker before it; a TIFF file is a block too.
    """
    directory = _Block.open(block.removeprefix(_HEADER))
    if directory is None:
        return Exif()
    main = directory.entries(directory.first)
    pointer = main.whole(_EXIF_DIRECTORY)
    shot = directory.entries(pointer) if pointer else _Entries(directory, {})
    return Exif(
        taken_at=_moment(shot.text(_TAKEN_AT) or main.text(_DATE_TIME), shot.text(_TAKEN_AT_OFFSET)),
        camera=_camera(main.text(_MAKE), main.text(_MODEL)),
        lens=shot.text(_LENS) or None,
        iso=_within(shot.whole(_ISO), _LARGEST_ISO),
        f_number=_rounded(shot.number(_F_NUMBER)),
        exposure=_exposure(shot.number(_EXPOSURE_TIME)),
        focal_length=_rounded(shot.number(_FOCAL_LENGTH)),
    )


class _Field(NamedTuple):
    """One entry: TIFF's code for the type, how many values of it, and where in the block they begin."""

    kind: int
    length: int
    at: int


class _Block(NamedTuple):
    content: bytes
    order: str
    """``<`` or ``>``, as struct writes little and big endian."""
    first: int

    @classmethod
    def open(cls, content: bytes) -> _Block | None:
        order = {b"II*\0": "<", b"MM\0*": ">"}.get(content[:4])
        if order is None or len(content) < 8:
            return None
        return cls(content, order, struct.unpack_from(f"{order}I", content, 4)[0])

    def entries(self, at: int) -> _Entries:
        """Read one directory as far as it lies within the block."""
        found: dict[int, _Field] = {}
        if at + 2 <= len(self.content):
            (count,) = struct.unpack_from(f"{self.order}H", self.content, at)
            for entry in range(at + 2, min(at + 2 + 12 * count, len(self.content) - 11), 12):
                tag, kind, length = struct.unpack_from(f"{self.order}HHI", self.content, entry)
                found.setdefault(tag, _Field(kind, length, self._value(entry + 8, kind, length)))
        return _Entries(self, found)

    def _value(self, at: int, kind: int, count: int) -> int:
        """Return where a value lies: in its entry if it fits into four bytes, else where the entry points."""
        size = 1 if kind == _TEXT else struct.calcsize(f"={_NUMBERS.get(kind, 'II')}")
        return at if size * count <= 4 else int(struct.unpack_from(f"{self.order}I", self.content, at)[0])


class _Entries(NamedTuple):
    block: _Block
    fields: dict[int, _Field]

    def text(self, tag: int) -> str:
        """Return a text on one line, without control or invisible characters, of ``TEXT_MAX`` at most; maybe empty."""
        field = self.fields.get(tag)
        if field is None or field.kind != _TEXT:
            return ""
        raw = self.block.content[field.at : field.at + min(field.length, 4 * TEXT_MAX)].partition(b"\0")[0]
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
        normal = unicodedata.normalize("NFC", text)
        shown = "".join(" " if c.isspace() else c for c in normal if c.isspace() or unicodedata.category(c)[0] != "C")
        return " ".join(shown.split())[:TEXT_MAX].strip()

    def number(self, tag: int) -> float | None:
        """Return the first of a field's numbers; a rational that divides by nothing is none."""
        field = self.fields.get(tag)
        form = None if field is None else _NUMBERS.get(field.kind)
        if field is None or form is None or field.length == 0:
            return None
        form = f"{self.block.order}{form}"
        if field.at + struct.calcsize(form) > len(self.block.content):
            return None
        value, *divisor = struct.unpack_from(form, self.block.content, field.at)
        if not divisor:
            return float(value)
        return value / divisor[0] if divisor[0] else None

    def whole(self, tag: int) -> int:
        """Return a number that has to be a natural one, 0 when it is not."""
        number = self.number(tag)
        return int(number) if number is not None and 0 < number < 2**32 else 0


def _moment(stated: str, offset: str) -> str | None:
    """Return ``2024:05:17 09:31:02`` as ISO 8601, with the camera's offset from UTC when it says one."""
    day, _, clock = stated.partition(" ")
    local = f"{day.replace(':', '-')}T{clock}"
    if len(local) != len("2024-05-17T09:31:02"):
        return None
    try:
        moment = datetime.fromisoformat(local)
    except ValueError:
        return None
    try:
        return datetime.fromisoformat(f"{local}{offset}").isoformat(timespec="seconds")
    except ValueError:
        return moment.isoformat(timespec="seconds")


def _camera(make: str, model: str) -> str | None:
    """Return maker and model; many models begin with the maker's name already."""
    if model.casefold().startswith(make.casefold()):
        make = ""
    return f"{make} {model}".strip()[:TEXT_MAX] or None


def _exposure(seconds: float | None) -> str | None:
    """Return seconds as photographers write them: ``1/120``, ``0.5``, ``30``."""
    if seconds is None or not _SHORTEST_EXPOSURE <= seconds <= _LONGEST_EXPOSURE:
        return None
    if seconds <= 0.3:  # cameras go by fractions up to a quarter of a second, then by tenths
        return f"1/{round(1 / seconds)}"
    return f"{seconds:.1f}".removesuffix(".0")


def _rounded(number: float | None) -> float | None:
    if number is None or not 0 < number <= _LARGEST_NUMBER:  # also false for what is not a number
        return None
    return round(number, 2) or None


def _within(number: int, most: int) -> int | None:
    return number if 0 < number <= most else None
