"""Which of a recipe's formats a reader is given, from the ``Accept`` header (RFC 9110, section 12.5.1).

A modern format is given only to who names it: browsers name AVIF and WebP when they can show them, while ``*/*`` and
``image/*`` are said by programs that can not. Everybody else is given the recipe's last format. So the whole header
comes down to one of the recipe's few extensions, and an edge has one copy for each, not one for each browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkroom.model import Format

ACCEPT_MAX = 1_000
"""Bytes of a header that are looked at; browsers send about a hundred, a longer one counts as none."""

_REMEMBERED = 1_000
_QUALITY_MAX = 5
_QUALITY_LETTERS = frozenset("0123456789.")


class Negotiator:
    """Chooses among the formats of one recipe. Remembers its choices, because there are few browsers."""

    def __init__(self, formats: tuple[Format, ...]) -> None:
        """Take a recipe's formats, from most modern to most widely read."""
        self._formats = formats
        self._choices: dict[bytes, str] = {}
        self._without: Negotiator | None = None

    def extension(self, accept: bytes | None) -> str:
        """Return the extension of the format to give to who sent this ``Accept`` header."""
        if accept is None or len(accept) > ACCEPT_MAX:
            return self._formats[-1].extension
        choice = self._choices.get(accept)
        if choice is None:
            if len(self._choices) >= _REMEMBERED:
                self._choices.clear()
            choice = self._choices[accept] = choose(accept.decode("latin-1"), self._formats).extension
        return choice

    def without(self, format_: Format) -> Negotiator:
        """Return the one that chooses among the others."""
        if self._without is None:
            self._without = Negotiator(tuple(each for each in self._formats if each is not format_))
        return self._without


def choose(accept: str, formats: tuple[Format, ...]) -> Format:
    """Return the format of the highest quality; of equal ones the most modern; the last one if all are refused."""
    qualities = _qualities(accept)
    *modern, last = formats
    best, best_quality = last, _quality_of_last(last, qualities)
    for format_ in reversed(modern):
        quality = qualities.get(format_.content_type, 0.0)
        if quality > 0.0 and quality >= best_quality:
            best, best_quality = format_, quality
    return best


def _quality_of_last(last: Format, qualities: Mapping[str, float]) -> float:
    for media_range in (last.content_type, "image/*", "*/*"):
        if media_range in qualities:
            return qualities[media_range]
    return 0.0


def _qualities(accept: str) -> dict[str, float]:
    """Return the quality of each media range; one with a quality that is none is left out."""
    qualities: dict[str, float] = {}
    for element in accept.split(","):
        media_range, *parameters = element.lower().split(";")
        quality = _quality(parameters)
        if quality is not None:
            name = media_range.strip()
            qualities[name] = max(quality, qualities.get(name, 0.0))
    return qualities


def _quality(parameters: list[str]) -> float | None:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            return _number(value.strip())
    return 1.0


def _number(text: str) -> float | None:
    """Return a number from 0 to 1 of at most three decimals, or ``None``."""
    if not 0 < len(text) <= _QUALITY_MAX or not _QUALITY_LETTERS.issuperset(text):
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number <= 1.0 else None
