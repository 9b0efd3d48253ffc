"""A chart of lines as SVG: dollars over months, or anything over scale on logarithmic axes."""

from __future__ import annotations

import math
from html import escape
from itertools import cycle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WIDTH, HEIGHT = 760, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 190, 44, 52
_COLORS = (
    "#1b1f24",
    "#1f6feb",
    "#d1495b",
    "#2a9d5c",
    "#b8860b",
    "#7b4fc9",
    "#3aa0a8",
    "#8a5a44",
    "#555f6d",
    "#c2548f",
    "#6b8e23",
    "#e07a2f",
    "#4a6fa5",
)

_MOST_TICKS = 6
_SHORTEST = 0.005
"""What is shown as more than nothing: half a cent, half a percent."""

DOLLARS = "${}"
PLAIN = "{}"


def chart(
    title: str,
    across: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    wide: bool = False,
    high: bool = False,
    unit: str = DOLLARS,
) -> str:
    """Return an SVG document of named lines; one that hardly leaves zero is left out, its colour is not reused.

    ``across`` says what the horizontal axis is; it is logarithmic when ``wide``, and the vertical one when ``high``.
    Values of the vertical axis are written as ``unit`` says.
    """
    colors = dict(zip(series, cycle(_COLORS), strict=False))
    shown = {
        name: [(x, y) for x, y in points if (x > 0 or not wide) and (y > 0 or not high)]
        for name, points in series.items()
        if any(y >= _SHORTEST for _, y in points)
    }
    every = [point for points in shown.values() for point in points] or [(1.0, 1.0)]
    low_x, high_x = min(x for x, _ in every), max(x for x, _ in every)
    high_y = max(y for _, y in every) or 1.0
    low_y = min(y for _, y in every) if high else 0.0
    to_x = _placed(low_x, high_x, _LEFT, WIDTH - _RIGHT, logarithmic=wide)
    to_y = _placed(low_y, high_y, HEIGHT - _BOTTOM, _TOP, logarithmic=high)
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    grey = 'fill="#555f6d"'
    parts = [
        f'{opening} font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="15" fill="#1b1f24">{escape(title)}</text>',
        f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle" {grey}>{escape(across)}</text>',
    ]
    for value in _ticks(low_y, high_y, logarithmic=high):
        y = to_y(value)
        parts += [
            f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e7ec"/>',
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {grey}>{unit.format(_short(value))}</text>',
        ]
    foot = HEIGHT - _BOTTOM + 18
    parts += [
        f'<text x="{to_x(value):.1f}" y="{foot}" text-anchor="middle" {grey}>{_short(value)}</text>'
        for value in _ticks(low_x, high_x, logarithmic=wide)
    ]
    labels = _spread({name: to_y(points[-1][1]) for name, points in shown.items()})
    for name, points in shown.items():
        path = " ".join(f"{to_x(x):.1f},{to_y(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colors[name]}" stroke-width="2"/>')
        parts.append(
            f'<text x="{WIDTH - _RIGHT + 8}" y="{labels[name] + 4:.1f}" fill="{colors[name]}">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def beside(*charts: str) -> str:
    """Return one SVG document with charts next to each other, two in a row."""
    placed = [
        one.replace(
            "<svg ", f'<svg x="{place % 2 * WIDTH}" y="{place // 2 * HEIGHT}" width="{WIDTH}" height="{HEIGHT}" ', 1
        )
        for place, one in enumerate(charts)
    ]
    rows = -(-len(charts) // 2)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * min(2, len(charts))} {HEIGHT * rows}">'
    return "\n".join([head, *placed, "</svg>", ""])


def _placed(low: float, high: float, start: float, end: float, *, logarithmic: bool) -> Callable[[float], float]:
    """Return what turns a value between two into a place between two."""
    scale = math.log10 if logarithmic else float
    span = scale(high) - scale(low) or 1.0
    return lambda value: start + (scale(value) - scale(low)) / span * (end - start)


def _ticks(low: float, high: float, *, logarithmic: bool) -> list[float]:
    """Return some round values between two, both included where they are round."""
    if logarithmic:
        return [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    span = max(high - low, 1e-9)
    power = 10.0 ** math.floor(math.log10(span))
    step = next(power * part for part in (0.2, 0.5, 1, 2, 5, 10) if span / (power * part) <= _MOST_TICKS)
    return [count * step for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _spread(wanted: Mapping[str, float]) -> dict[str, float]:
    """Return the heights of labels, moved apart so that none covers another."""
    placed: dict[str, float] = {}
    last = -math.inf
    for name, y in sorted(wanted.items(), key=lambda pair: pair[1]):
        last = max(y, last + 15)
        placed[name] = last
    return placed


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
