"""A bill as a picture: what each service costs over the months, and beside it over scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkroom.cost.bill import bill
from darkroom.cost.chart import beside, chart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.cost.bill import Bill
    from darkroom.cost.prices import Prices
    from darkroom.cost.scenario import Scenario

SCALES = (1, 10, 100, 1_000)


def drawn(scenario: Scenario, prices: Prices, months: Sequence[Bill]) -> str:
    """Return two charts in one SVG document; that over scale is of the last of the months."""
    last = months[-1]
    over_months = _series([(float(one.month), one) for one in months])
    over_scale = _series([(float(times), bill(scenario.scaled(times), prices, last.month)) for times in SCALES])
    return beside(
        chart(f"{scenario.name}, {prices.region}", "month", over_months),
        chart(f"month {last.month}", "times as many people", over_scale, wide=True, high=True),
    )


def _series(points: Sequence[tuple[float, Bill]]) -> dict[str, list[tuple[float, float]]]:
    """Return the line of the total and that of each service."""
    lines = {"total": [(x, one.total) for x, one in points]}
    for x, one in points:
        for service, dollars in one.by_service().items():
            lines.setdefault(service, []).append((x, dollars))
    return lines
