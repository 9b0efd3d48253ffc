"""How forecasts are shown: a table for people, JSON for programs, charts."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

import typer

from darkroom.capacity.forecast import LOCATIONS, edge_at
from darkroom.cli.bills import assumptions_as_json, print_assumptions
from darkroom.cli.output import print_columns, print_json
from darkroom.cost.chart import PLAIN, beside, chart
from darkroom.cost.numbers import amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from darkroom.capacity.assumptions import Assumptions
    from darkroom.capacity.forecast import Forecast
    from darkroom.cost.scenario import Scenario

__all__ = ["draw", "print_assumptions", "print_forecasts", "print_forecasts_as_json"]

_NEAREST = 5
_LOW_RATIO = 1e-3
_LINES = 11


def print_forecasts(workload: Scenario, found: Sequence[Forecast], *, month: int) -> None:
    """Print each scale as a column, and below what is near its bound."""
    typer.echo(
        f"{workload.name} in month {month}: {workload.uploads:,.0f} uploads and {workload.views:,.0f} views a month, "
        "times\n"
    )
    print_columns(("", *(f"{amount(one.scale)}×" for one in found)), _rows(found))
    for one in found:
        typer.echo(f"\n{amount(one.scale)}×: what people notice first: {one.first.name if one.first else 'nothing'}")
        shown = [part for part in one.parts if part.ratio > 1] or list(one.parts[:1])
        rows = [
            (
                f"{_rate(part.ratio)}×",
                part.name,
                f"{amount(part.asked)} of {amount(part.bound)} {part.unit}",
                part.moves,
            )
            for part in shown[:_NEAREST]
        ]
        print_columns(("OF ITS BOUND", "WHAT", "ASKED", "WHAT MOVES IT"), rows)
        if len(shown) > _NEAREST:
            typer.echo(f"and {len(shown) - _NEAREST} more (--json)")


def _rows(found: Sequence[Forecast]) -> list[tuple[str, ...]]:
    def row(name: str, *cells: str) -> tuple[str, ...]:
        return (name, *cells)

    return [
        row("uploads a second, mean / burst", *(f"{_rate(x.load.uploads)} / {_rate(x.load.burst)}" for x in found)),
        row("views a second, mean / peak", *(f"{_rate(x.load.views)} / {_rate(x.load.peak_views)}" for x in found)),
        row("edge locations", *(f"{x.edge.locations}" for x in found)),
        row("answered by the edge location", *(f"{x.edge.edge:.1%}" for x in found)),
        row("… by a regional cache", *(f"{x.edge.regional:.1%}" for x in found)),
        row("… by the bucket", *(f"{x.edge.origin:.1%}" for x in found)),
        row("gets of the bucket a second, peak", *(_rate(x.load.peak_views * x.edge.origin) for x in found)),
        row("functions that render, mean", *(_rate(x.renders) for x in found)),
        *(
            [row("… that make pictures by addresses, peak", *(_rate(x.making) for x in found))]
            if any(x.making for x in found)
            else []
        ),
        row("oldest upload in the queue", *(_oldest(x) for x in found)),
        row("queue empty after the burst", *(_duration(x.backlog.drained_seconds) for x in found)),
        row("images kept", *(amount(round(x.kept)) for x in found)),
        row("bill, dollars a month", *(f"{x.bill.total:,.2f}" for x in found)),
    ]


def print_forecasts_as_json(
    workload: Scenario, assumed: Assumptions, found: Sequence[Forecast], *, seed: int, month: int
) -> None:
    """Print everything that was found, and what it began from."""
    print_json(
        {
            "preset": workload.name,
            "month": month,
            "seed": seed,
            "scales": [_as_json(one) for one in found],
            "assumptions": assumptions_as_json(assumed, workload),
        }
    )


def _as_json(one: Forecast) -> dict[str, Any]:
    return {
        "scale": one.scale,
        "load": dataclasses.asdict(one.load),
        "edge": dataclasses.asdict(one.edge),
        "renders": one.renders,
        "making": one.making,
        "queue": {name: _finite(value) for name, value in dataclasses.asdict(one.backlog).items()},
        "kept": one.kept,
        "usd": round(one.bill.total, 6),
        "first": one.first.name if one.first else None,
        "parts": [dataclasses.asdict(part) | {"ratio": part.ratio} for part in one.parts],
    }


def draw(path: Path, workload: Scenario, assumed: Assumptions, found: Sequence[Forecast], *, seed: int) -> None:
    """Write four charts as SVG: who answers by locations and by scale, how near the bounds are, and the bill."""
    by_locations: dict[str, list[tuple[float, float]]] = {"edge location": [], "with regional caches": []}
    for locations in LOCATIONS:
        edge = edge_at(workload, assumed, locations=locations, seed=seed)
        by_locations["edge location"].append((float(locations), edge.edge * 100))
        by_locations["with regional caches"].append((float(locations), (edge.edge + edge.regional) * 100))
    names = [part.name for part in found[-1].parts[:_LINES]]
    near = {
        _short(name): [
            (one.scale, part.ratio)
            for one in found
            for part in one.parts
            if part.name == name and part.ratio > _LOW_RATIO
        ]
        for name in names
    }
    bills = {"total": [(one.scale, one.bill.total) for one in found]}
    for one in found:
        for service, dollars in one.bill.by_service().items():
            bills.setdefault(service, []).append((one.scale, dollars))
    by_scale = {
        "edge location": [(one.scale, one.edge.edge * 100) for one in found],
        "with regional caches": [(one.scale, (one.edge.edge + one.edge.regional) * 100) for one in found],
    }
    percent = "{} %"
    path.write_text(
        beside(
            chart("Views answered by the CDN", "edge locations in use", by_locations, wide=True, unit=percent),
            chart("… at scale", "times the workload", by_scale, wide=True, unit=percent),
            chart("Asked for, over what may be", "times the workload", near, wide=True, high=True, unit=PLAIN),
            chart("Bill of a month", "times the workload", bills, wide=True, high=True),
        ),
        encoding="utf-8",
    )


def _short(name: str) -> str:
    return name.partition(",")[0].replace("the largest owner's", "owner's")


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _oldest(one: Forecast) -> str:
    grows = "" if math.isfinite(one.backlog.drained_seconds) else ", and grows"
    return f"{_duration(one.backlog.oldest_seconds)}{grows}"


def _duration(seconds: float) -> str:
    """Return a time for people."""
    if not math.isfinite(seconds):
        return "never"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3600:.1f} h"
