"""What was measured: a row for each file that was made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One file that was made: from which picture, how, and what came out."""

    subject: str
    kind: str
    width: int
    height: int
    way: str
    format: str
    quality: int
    bytes: int
    cpu: float
    """Milliseconds."""
    score: float
    """SSIMULACRA2."""
    dssim: float | None
    pixels: str
    """Checksum of what the file shows: what shows the same is judged once."""


def rows_of(path: Path) -> list[Row]:
    """Return the rows that a run has written down."""
    return [Row(**each) for each in json.loads(path.read_text())]
