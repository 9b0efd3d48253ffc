"""What commands print: columns for people, JSON lines for programs."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line."""
    typer.echo(json.dumps(value))


def print_columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under a header, aligned; what strangers wrote cannot move the cursor or colour the terminal."""
    lines = [header, *([shown(cell) for cell in row] for row in rows)]
    widths = [max(columns(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        padded = (cell + " " * (width - columns(cell)) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())


def print_facts(facts: Iterable[tuple[str, str | None]]) -> None:
    """Print names and values, one pair a line, without those that have no value."""
    known = [(name, value) for name, value in facts if value]
    width = max(len(name) for name, _ in known)
    for name, value in known:
        typer.echo(f"{name:<{width}}  {shown(value)}")


def shown(text: object) -> str:
    """Return ``text`` fit for a terminal: what controls it, or the direction of writing, is replaced by �."""
    return "".join(letter if letter.isprintable() or _is_space(letter) else "�" for letter in str(text))


def size(count: float) -> str:
    """Return a number of bytes for people, in the decimal units of SI: ``1.9 MB``."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def counted(number: int, noun: str) -> str:
    """Return ``1 image``, ``2 images``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def local(moment: datetime) -> str:
    """Return a moment in the time of the person's place, to the second."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _is_space(letter: str) -> bool:
    """Tell whether it is one of the spaces of other widths, which names from some systems have."""
    return unicodedata.category(letter) == "Zs"


def columns(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes (Unicode Standard Annex 11)."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    marks = sum(unicodedata.combining(letter) != 0 for letter in text)
    return len(text) + wide - marks
