"""A bill as a picture: what each service costs over the months, and beside it over scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkroom.cost.bill import bill
from darkroom.cost.chart import beside, chart
from darkroom.cost.numbers import entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.cost.bill import Bill
    from darkroom.cost.prices import Prices
    from darkroom.cost.scenario import Scenario

SCALES = (1, 10, 100, 1_000)


def drawn(scenario: Scenario, prices: Prices, months: Sequence[Bill]) -> str:
    """Return two charts in one SVG document; that over scale is of the last of the months, as far as people go."""
    last = months[-1]
    over_months = _series([(float(one.month), one) for one in months])
    most = entries(type(scenario))["daily_users"].most
    scales = [times for times in SCALES if scenario.daily_users * times <= most]
    over_scale = _series([(float(times), bill(scenario.scaled(times), prices, last.month)) for times in scales])
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
