"""Runs where numpy is: fits what is told of pictures to the qualities they need, and says how right that is.

python fit.py TOLD [--page PAGE] [--write COEFFICIENTS]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from quality_study.curves import DRAWS, Curve
from quality_study.rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FORMATS = ("jpeg", "avif", "webp")
TARGET = 70
TARGETS = (60, 65, 70, 75, 80)
"""What is learnt from; 70 is what is validated."""
LEAST, MOST = 30, 95
"""Qualities that are ever chosen, as in ``auto_quality``."""
JOINED = (0, 1, 2, 4, 6, 9, 10, 12, 13)
"""Which of the features are multiplied with one another, as in ``auto_quality``."""
NEAR = 4.0
FOLDS = 10
PENALTY = 5.0
BEGIN, END = "<!-- automatic: begin, written by bench/quality_auto.py -->", "<!-- automatic: end -->"


@dataclass(frozen=True)
class Point:
    """One picture in one width and format."""

    group: str
    width: int
    features: np.ndarray
    curve: Curve
    cpu: float
    """Milliseconds that telling took."""
    seen: dict[int, tuple[float, float]] = field(default_factory=dict)

    def wanted(self, score: float) -> float | None:
        """Return the quality for a score; the ends of what was measured where even they are above or below it."""
        scores = [row.score for row in self.curve.rows]
        if score < scores[0] or score > scores[-1]:
            return float(self.curve.rows[0 if score < scores[0] else -1].quality)
        return self.curve.quality(score)

    def at(self, quality: float) -> tuple[float, float]:
        """Return score and logarithm of the bytes, of the nearest quality that was measured."""
        rows = self.curve.rows
        held = round(min(max(quality, rows[0].quality), rows[-1].quality))
        if held not in self.seen:
            self.seen[held] = self.curve.score_at(held) or 0.0, self.curve.log_bytes_of(held) or 0.0
        return self.seen[held]

    def is_right(self, score: float) -> bool:
        """Tell whether a score is near the target, or as near as the lowest or the highest quality can bring it."""
        rows = self.curve.rows
        return abs(score - min(max(TARGET, rows[0].score), rows[-1].score)) <= NEAR


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("told", type=Path)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args()
    told = json.loads(asked.told.read_text())
    points = {format_: list(_points(told, format_)) for format_ in FORMATS}
    table = "\n".join(_table(points))
    if asked.page:
        before, _, rest = asked.page.read_text().partition(BEGIN)
        asked.page.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}")
    else:
        print(table)
    if asked.write:
        asked.write.write_text("".join(_module(points)))


def _points(told: Sequence[dict[str, Any]], format_: str) -> Iterator[Point]:
    for each in told:
        curve = Curve(Row(**row) for row in each["rows"] if row["format"] == format_)
        if each["features"] and len(curve.rows) >= 2:
            yield Point(each["group"], each["width"], np.array(each["features"]), curve, each["cpu"])


# ------------------------------------------------------------------ fitting


def _terms(features: np.ndarray, target: float) -> np.ndarray:
    """As ``auto_quality.quality`` computes them."""
    off = (target - 70) / 10
    products = [features[one] * features[other] for at, one in enumerate(JOINED) for other in JOINED[at:]]
    return np.concatenate(([1.0, off, off * off], features, products))


def fitted(points: Sequence[Point]) -> np.ndarray:
    """Return the weight of each term."""
    pairs = [(point, score) for point in points for score in TARGETS]
    x = np.array([_terms(point.features, score) for point, score in pairs])
    y = np.array([point.wanted(score) for point, score in pairs])
    mean, scale = x.mean(axis=0), x.std(axis=0) + 1e-9
    mean[0], scale[0] = 0.0, 1.0
    z = (x - mean) / scale
    penalty = np.full(z.shape[1], PENALTY * len(TARGETS))
    penalty[:3] = 0.0
    weights = np.linalg.solve(z.T @ z + np.diag(penalty), z.T @ y) / scale
    weights[0] -= weights[1:] @ mean[1:]
    return weights


def told_by(weights: np.ndarray, point: Point, target: float = TARGET) -> float:
    """Return the quality for a picture."""
    return float(np.clip(weights @ _terms(point.features, target), LEAST, MOST))


def held_out(points: Sequence[Point]) -> np.ndarray:
    """Return the quality for each picture by a fit that did not see it."""
    groups = sorted({point.group for point in points})
    fold = {group: number % FOLDS for number, group in enumerate(groups)}
    qualities = np.zeros(len(points))
    for number in range(FOLDS):
        weights = fitted([point for point in points if fold[point.group] != number])
        for at, point in enumerate(points):
            if fold[point.group] == number:
                qualities[at] = told_by(weights, point)
    return qualities


# ------------------------------------------------------------------ how right it is


def _table(points: dict[str, list[Point]]) -> Iterator[str]:
    yield (
        f"| format | pictures | within ±{NEAR:.0f} of {TARGET}, told | best fixed quality | worst tenth | bytes, to "
        "the fixed quality with the same worst tenth: of all together | of each, geometric mean | telling takes, of "
        "one encoding |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for format_, each in points.items():
        yield _line(format_, each, held_out(each))


def _line(format_: str, points: list[Point], told: np.ndarray) -> str:
    right, worst, sums, means = _compared(points, told)
    fixed = max((_rightness(points, np.full(len(points), float(quality))), quality) for quality in range(LEAST, MOST))
    chance = np.random.default_rng(1)
    groups = sorted({point.group for point in points})
    members = {group: [at for at, point in enumerate(points) if point.group == group] for group in groups}
    drawn = []
    for _ in range(DRAWS // 20):
        some = [at for group in chance.choice(groups, len(groups)) for at in members[group]]
        drawn.append(_compared([points[at] for at in some], told[some]))
    low, high = np.quantile(np.array(drawn), (0.025, 0.975), axis=0)
    encoding = sum(np.median([row.cpu for row in point.curve.rows]) for point in points)
    cost = sum(point.cpu for point in points) / encoding
    return (
        f"| {format_} | {len(points)} of {len(groups)} | {right:.0%} ({low[0]:.0%}–{high[0]:.0%}) | "
        f"{fixed[0]:.0%} at {fixed[1]} | {worst:.0f} | {sums:.2f} ({low[2]:.2f}–{high[2]:.2f}) | "
        f"{means:.2f} ({low[3]:.2f}–{high[3]:.2f}) | {cost:.2f} |"
    )


def _rightness(points: Sequence[Point], qualities: np.ndarray) -> float:
    return float(np.mean([point.is_right(point.at(q)[0]) for point, q in zip(points, qualities, strict=True)]))


def _compared(points: Sequence[Point], told: np.ndarray) -> tuple[float, float, float, float]:
    """Return the share that is right, the worst tenth, and bytes to the fixed quality of the same worst tenth."""
    scores, sizes = np.array([point.at(quality) for point, quality in zip(points, told, strict=True)]).T
    worst = float(np.quantile(scores, 0.1))
    nearest = (np.inf, 0.0, 0.0)
    for quality in range(LEAST, MOST + 1):
        fixed, weighed = np.array([point.at(quality) for point in points]).T
        apart = abs(float(np.quantile(fixed, 0.1)) - worst)
        if apart < nearest[0]:
            nearest = (apart, float(np.exp(weighed).sum()), float(weighed.mean()))
    right = _rightness(points, told)
    return right, worst, float(np.exp(sizes).sum()) / nearest[1], float(np.exp(sizes.mean() - nearest[2]))


def _module(points: dict[str, list[Point]]) -> Iterator[str]:
    yield '"""How the quality follows from what is told of a picture; ``bench/quality_auto.py`` wrote it."""\n\n'
    yield "from __future__ import annotations\n\nfrom typing import TYPE_CHECKING\n\n"
    yield "from darkroom.model import Format\n\nif TYPE_CHECKING:\n    from collections.abc import Mapping\n\n"
    yield "WEIGHTS: Mapping[Format, tuple[float, ...]] = {\n"
    for format_, each in points.items():
        yield f"    Format.{format_.upper()}: (\n"
        yield from (f"        {weight:.5f},\n" for weight in fitted(each))
        yield "    ),\n"
    yield "}\n"
    yield '"""Of each of the terms in ``auto_quality.quality``."""\n'


if __name__ == "__main__":
    main()
