"""From rows to what they say: bytes and processor time of a way at a score, next to another way at the same score."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.interpolate import PchipInterpolator

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from quality_study.rows import Row

SCORES = (60, 70, 80, 90)
DRAWS = 2000
"""Of the bootstrap."""


class Curve:
    """Of one picture by one way: what it takes to reach a score. Nothing is said outside of what was measured."""

    def __init__(self, rows: Iterable[Row]) -> None:
        better: list[Row] = []
        for row in sorted(rows, key=lambda row: row.bytes):
            if not better or (row.score > better[-1].score and row.quality > better[-1].quality):
                better.append(row)
        self.rows = better
        self._scores = np.array([row.score for row in better])

    def _at(self, values: list[float], score: float) -> float | None:
        if len(self.rows) < 2 or not self._scores[0] <= score <= self._scores[-1]:
            return None
        return float(PchipInterpolator(self._scores, values)(score))

    def log_bytes(self, score: float) -> float | None:
        """Return the logarithm of the bytes at a score."""
        return self._at([math.log(row.bytes) for row in self.rows], score)

    def log_cpu(self, score: float) -> float | None:
        """Return the logarithm of the milliseconds at a score."""
        return self._at([math.log(max(0.01, row.cpu)) for row in self.rows], score)

    def quality(self, score: float) -> float | None:
        """Return the quality to ask for, for a score."""
        return self._at([float(row.quality) for row in self.rows], score)

    def score_at(self, quality: float) -> float | None:
        """Return the score of a quality."""
        qualities = [row.quality for row in self.rows]
        if len(qualities) < 2 or not qualities[0] <= quality <= qualities[-1]:
            return None
        return float(PchipInterpolator(qualities, self._scores)(quality))

    def log_bytes_of(self, quality: float) -> float | None:
        """Return the logarithm of the bytes at a quality."""
        qualities = [row.quality for row in self.rows]
        if len(qualities) < 2 or not qualities[0] <= quality <= qualities[-1]:
            return None
        return float(PchipInterpolator(qualities, [math.log(row.bytes) for row in self.rows])(quality))


@dataclass(frozen=True)
class Ratio:
    """Of one way to another at the same score: geometric means over pictures, and where 95 % of resamplings lie."""

    bytes: float
    low: float
    high: float
    cpu: float
    pictures: int


Key = tuple[int, str, str]
"""Width, format, way."""


def curves_of(rows: Iterable[Row]) -> Mapping[Key, Mapping[str, Curve]]:
    """Return the curve of each picture by each way."""
    grouped: dict[Key, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        grouped[row.width, row.format, row.way][row.subject].append(row)
    return {key: {name: Curve(each) for name, each in group.items()} for key, group in grouped.items()}


def ratio(one: Mapping[str, Curve], other: Mapping[str, Curve], score: float) -> Ratio | None:
    """Compare two ways on the pictures that both bring to a score; ``None`` for fewer than three."""
    sizes, costs = [], []
    for name in sorted(one.keys() & other.keys()):
        mine, theirs = one[name].log_bytes(score), other[name].log_bytes(score)
        if mine is not None and theirs is not None:
            sizes.append(mine - theirs)
            costs.append((one[name].log_cpu(score) or 0.0) - (other[name].log_cpu(score) or 0.0))
    if len(sizes) < 3:
        return None
    drawn = np.random.default_rng(1).choice(sizes, (DRAWS, len(sizes))).mean(axis=1)
    low, high = np.exp(np.quantile(drawn, (0.025, 0.975)))
    return Ratio(math.exp(np.mean(sizes)), float(low), float(high), math.exp(np.mean(costs)), len(sizes))
