"""Runs where numpy, scipy and matplotlib are: writes the tables between the marks of a page, and the plots beside it.

    python report.py ROWS [PAGE]

What is not between the marks is written by people, and left as it is.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
from matplotlib import pyplot as plt

from quality_study.curves import SCORES, Curve, Key, curves_of, ratio
from quality_study.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from matplotlib.axes import Axes

    Curves = Mapping[Key, Mapping[str, Curve]]

    from quality_study.rows import Row

WIDTHS = (320, 1080, 1920)
BEGIN, END = "<!-- measured: begin, written by bench/quality.py -->", "<!-- measured: end -->"
MEASURES = {"jpeg": ("jpeg", "sharp"), "webp": ("webp", "sharp"), "avif": ("webp", "sharp")}
"""What each format is next to, at the same score: sharp's JPEG, and for both modern formats sharp's WebP."""
DRAWN = {
    ("jpeg", "sharp"): ("#777777", "--"),
    ("jpeg", "ours"): ("#c62828", "-"),
    ("webp", "sharp"): ("#444444", "-."),
    ("avif", "ours"): ("#1565c0", "-"),
    ("jpeg", "Pillow"): ("#e0a030", ":"),
}


def main() -> None:
    """Write everything, or print the tables where there is no page."""
    rows = rows_of(Path(sys.argv[1]))
    curves = curves_of(rows)
    tables = "\n".join(_tables(rows, curves))
    if len(sys.argv) < 3:
        print(tables)
        return
    page = Path(sys.argv[2])
    _draw_curves(curves, page.parent / "pictures" / "quality-curves.png")
    _draw_ratios(curves, page.parent / "pictures" / "quality-ratios.png")
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")


# ------------------------------------------------------------------ tables


def _tables(rows: Sequence[Row], curves: Curves) -> Iterator[str]:
    kinds = {row.subject: row.kind for row in rows}
    counted = sorted({kind: list(kinds.values()).count(kind) for kind in kinds.values()}.items())
    yield f"{len(kinds)} pictures: " + ", ".join(f"{count} {kind}" for kind, count in counted) + "."
    yield f"{len(rows)} files were made and judged."
    for width in WIDTHS:
        yield from _table(curves, width)
    yield from _by_kind(rows, curves)
    yield from _as_they_come(rows)
    yield from _agreement(rows)


def _ways(curves: Curves, width: int) -> list[tuple[str, str]]:
    order = ["sharp", "ours", "Pillow", "thumbor"]
    found = [(format_, way) for wide, format_, way in curves if wide == width and format_ in MEASURES]
    known = {way: number for number, way in enumerate(order)}
    return sorted(found, key=lambda each: (list(MEASURES).index(each[0]), known.get(each[1], 9), each[1]))


def _table(curves: Curves, width: int) -> Iterator[str]:
    yield f"\n### {width} pixels wide\n"
    yield "| format | way |" + "".join(f" at {score} |" for score in SCORES)
    yield "|---|---|" + "---|" * len(SCORES)
    for format_, way in _ways(curves, width):
        measure = (width, *MEASURES[format_])
        cells = [_cell(curves, (width, format_, way), measure, score) for score in SCORES]
        yield f"| {format_} | {way} | " + " | ".join(cells) + " |"


def _cell(curves: Curves, key: Key, measure: Key, score: int) -> str:
    if key == measure:
        sizes = [size for curve in curves[key].values() if (size := curve.log_bytes(score)) is not None]
        costs = [cost for curve in curves[key].values() if (cost := curve.log_cpu(score)) is not None]
        if len(sizes) < 3:
            return ""
        return f"**{math.exp(np.mean(sizes)) / 1000:.1f} kB, {math.exp(np.mean(costs)):.0f} ms** ({len(sizes)})"
    found = ratio(curves[key], curves.get(measure, {}), score)
    if found is None:
        return ""
    return f"{found.bytes:.2f} ({found.low:.2f}–{found.high:.2f}), CPU {found.cpu:.2f} ({found.pictures})"


def _by_kind(rows: Sequence[Row], curves: Curves) -> Iterator[str]:
    kinds = sorted({row.kind for row in rows})
    yield "\n### By kind of picture, at the score of sharp's quality 80, 320 pixels wide\n"
    shown = [("jpeg", "ours"), ("jpeg", "4:4:4, table 3"), ("avif", "ours"), ("avif", "4:4:4"), ("webp", "ours")]
    yield "| kind |" + "".join(f" {format_}, {way} |" for format_, way in shown)
    yield "|---|" + "---|" * len(shown)
    for kind in kinds:
        names = {row.subject for row in rows if row.kind == kind}
        cells = []
        for format_, way in shown:
            sizes = []
            one, other = curves.get((320, format_, way), {}), curves.get((320, *MEASURES[format_]), {})
            for name in names & one.keys() & other.keys():
                usual = other[name].score_at(80)
                mine = None if usual is None else one[name].log_bytes(usual)
                theirs = None if usual is None else other[name].log_bytes(usual)
                if mine is not None and theirs is not None:
                    sizes.append(mine - theirs)
            cells.append(f"{math.exp(np.mean(sizes)):.2f} ({len(sizes)})" if sizes else "")
        yield f"| {kind} | " + " | ".join(cells) + " |"


USUAL = {
    ("jpeg", "sharp"): 80,
    ("webp", "sharp"): 80,
    ("avif", "sharp"): 50,
    ("jpeg", "Pillow"): 75,
    ("webp", "Pillow"): 80,
    ("avif", "Pillow"): 75,
    ("jpeg", "thumbor"): 80,
    ("webp", "thumbor"): 80,
}
"""The quality that each peer comes with. thumbor's WebP is Pillow's."""


def _as_they_come(rows: Sequence[Row]) -> Iterator[str]:
    yield "\n### As they come: what each one's own default quality gives\n"
    yield "| format | who | quality |" + "".join(
        f" score at {width}: middle, worst tenth | bytes |" for width in WIDTHS
    )
    yield "|---|---|---|" + "---|---|" * len(WIDTHS)
    curves = curves_of(rows)
    for (format_, who), quality in USUAL.items():
        cells = []
        for width in WIDTHS:
            way = "Pillow" if (format_, who) == ("webp", "thumbor") else who
            own = curves.get((width, format_, way), {})
            scores = [score for curve in own.values() if (score := curve.score_at(quality)) is not None]
            sizes = [size for curve in own.values() if (size := curve.log_bytes_of(quality)) is not None]
            if len(scores) < 3:
                cells += ["", ""]
                continue
            cells.append(f"{np.median(scores):.0f}, {np.quantile(scores, 0.1):.0f}")
            cells.append(f"{math.exp(np.mean(sizes)) / 1000:.1f} kB")
        yield f"| {format_} | {who} | {quality} | " + " | ".join(cells) + " |"


def _agreement(rows: Sequence[Row]) -> Iterator[str]:
    """Say whether DSSIM agrees, by the order of the files of one picture."""
    twice = [row for row in rows if row.dssim is not None and row.score < 100]
    if len(twice) < 100:
        return
    from scipy.stats import spearmanr  # noqa: PLC0415  # slow to import, and not always needed

    names = sorted({row.subject for row in twice})
    found = []
    for name in names:
        mine = [row for row in twice if row.subject == name]
        if len(mine) >= 20:
            found.append(-spearmanr([row.score for row in mine], [row.dssim for row in mine]).statistic)
    yield (
        f"\nDSSIM orders the {len(twice)} files it saw (320 pixels) much as SSIMULACRA2 does: Spearman's rank "
        f"correlation within a picture is {np.median(found):.2f} in the middle and {min(found):.2f} at the worst "
        f"of {len(found)} pictures."
    )
    yield from _second_ratios(twice)


def _second_ratios(rows: Sequence[Row]) -> Iterator[str]:
    """Compare bytes at equal DSSIM instead: a curve by another judge."""
    from dataclasses import replace  # noqa: PLC0415  # beside what uses it

    judged = curves_of([replace(row, score=-1000 * math.log(row.dssim)) for row in rows if row.dssim])
    told = []
    for format_, way in (
        ("jpeg", "ours"),
        ("jpeg", "table 3"),
        ("jpeg", "table 5"),
        ("avif", "ours"),
        ("avif", "4:4:4"),
    ):
        one, other = judged.get((320, format_, way), {}), judged.get((320, *MEASURES[format_]), {})
        sizes = []
        for name in one.keys() & other.keys():
            usual = other[name].score_at(80)
            mine = None if usual is None else one[name].log_bytes(usual)
            theirs = None if usual is None else other[name].log_bytes(usual)
            if mine is not None and theirs is not None:
                sizes.append(mine - theirs)
        if len(sizes) >= 3:
            told.append(f"{format_} {way} {math.exp(np.mean(sizes)):.2f} ({len(sizes)})")
    if told:
        yield "At the DSSIM of sharp's quality 80, the same ratios of bytes are: " + "; ".join(told) + "."


# ------------------------------------------------------------------ plots


def _draw_curves(curves: Curves, path: Path) -> None:
    """Draw mean score over mean bytes for every quality, on the pictures that all of the ways of a width have."""
    figure, axes = plt.subplots(1, len(WIDTHS), figsize=(15, 5), sharey=True, layout="constrained")
    for width, axis in zip(WIDTHS, axes, strict=True):
        shown = {key: own for key in DRAWN if (own := curves.get((width, *key)))}
        names = set.intersection(*(set(own) for own in shown.values())) if shown else set()
        for (format_, way), own in shown.items():
            color, line = DRAWN[format_, way]
            points = [_middle([own[name] for name in sorted(names)], quality) for quality in range(30, 97)]
            kept = [point for point in points if point]
            axis.plot(*zip(*kept, strict=True), line, color=color, label=f"{format_}, {way}") if kept else None
        axis.set(title=f"{width} pixels wide, {len(names)} pictures", xscale="log", xlabel="kilobytes, geometric mean")
        axis.grid(alpha=0.3, which="both")
    axes[0].set_ylabel("SSIMULACRA2, mean")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=90)
    plt.close(figure)


def _middle(own: Sequence[Curve], quality: int) -> tuple[float, float] | None:
    sizes = [size for curve in own if (size := curve.log_bytes_of(quality)) is not None]
    scores = [score for curve in own if (score := curve.score_at(quality)) is not None]
    if len(sizes) < max(2, len(own)):
        return None
    return math.exp(np.mean(sizes)) / 1000, float(np.mean(scores))


def _draw_ratios(curves: Curves, path: Path) -> None:
    figure, axes = plt.subplots(2, len(WIDTHS), figsize=(15, 8), sharey="row", layout="constrained")
    for row, formats in enumerate((("jpeg",), ("webp", "avif"))):
        for width, axis in zip(WIDTHS, axes[row], strict=True):
            for format_, way in _ways(curves, width):
                if format_ not in formats or way in {"progressive", "4:4:4, table 5", "table 6", "10 bits"}:
                    continue
                measure = curves.get((width, *MEASURES[format_]), {})
                found = [(s, ratio(curves[width, format_, way], measure, s)) for s in range(50, 92, 2)]
                most = max((each.pictures for _, each in found if each), default=0)
                points = [(s, each.bytes if each and each.pictures >= 0.6 * most else None) for s, each in found]
                color, line = DRAWN.get((format_, way), (None, ":" if way == "Pillow" else "--"))
                _line(axis, points, f"{format_}, {way}", color, line)
            axis.set(title=f"{width} pixels wide", xlabel="SSIMULACRA2")
            axis.axhline(0.90 if row == 0 else 0.85, color="#000000", alpha=0.3, linewidth=4)
            axis.grid(alpha=0.3)
            if axis.lines[1:]:
                axis.legend(fontsize=7)
    axes[0][0].set_ylabel("bytes, of sharp's JPEG at the same score")
    axes[1][0].set_ylabel("bytes, of sharp's WebP at the same score")
    figure.savefig(path, dpi=80)
    plt.close(figure)


def _line(axis: Axes, points: Sequence[tuple[float, float | None]], label: str, color: str | None, line: str) -> None:
    kept = [(x, y) for x, y in points if y is not None]
    if kept:
        axis.plot(*zip(*kept, strict=True), line, color=color, label=label)


if __name__ == "__main__":
    main()
