"""The deployment at one scale: load, who answers, what waits, what is hot, what breaks first, and the bill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.capacity.backlog import Backlog, three_days
from darkroom.capacity.ceilings import COUNTERS, ENTRIES, IMAGES, TAGS, Load, Part, making, parts, rendering
from darkroom.capacity.edge import Edge, look, sample
from darkroom.capacity.heat import Kind, heat
from darkroom.cost.bill import Bill, bill, images_kept
from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from darkroom.capacity.assumptions import Assumptions
    from darkroom.cost.prices import Prices
    from darkroom.cost.scenario import Scenario

SCALES = (1.0, 10.0, 100.0, 1_000.0, 100_000.0)
LOCATIONS = (1, 3, 10, 30, 100, 300, 600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Everything about one scale.

    ``renders`` are functions that render uploads at a time on average, ``making`` those that make pictures by their
    addresses at the peak, ``kept`` images.
    """

    scale: float
    load: Load
    edge: Edge
    renders: float
    making: float
    backlog: Backlog
    kept: float
    parts: tuple[Part, ...]
    bill: Bill

    @property
    def broken(self) -> tuple[Part, ...]:
        """The parts that are asked for more than they may be, the worst first."""
        return tuple(part for part in self.parts if part.ratio > 1)

    @property
    def first(self) -> Part | None:
        """What people notice first as the load rises to this; ``None`` when they notice nothing."""
        return next((part for part in self.broken if part.noticed), None)


def forecast(
    workload: Scenario, assumed: Assumptions, prices: Prices, *, scale: float, month: int, seed: int
) -> Forecast:
    """Return how so many times the workload is borne in a month after the start.

    The bill takes the hit rate from the simulation. Raises ``InvalidRequest`` for a workload out of all bounds.
    """
    scenario = workload.scaled(scale)
    if not scenario.uploads or not scenario.views:
        raise InvalidRequest("a workload without uploads or without views has no capacity; give it some")
    load = Load.of(scenario, assumed)
    edge = edge_at(scenario, assumed, locations=assumed.locations_at(scale), seed=seed)
    backlog = three_days(
        mean=load.uploads,
        peak=assumed.peak,
        burst=assumed.burst,
        burst_minutes=assumed.burst_minutes,
        workers=assumed.transforms,
        seconds_each=scenario.transform_seconds,
        seed=seed,
    )
    hot = heat(
        (
            Kind(COUNTERS, 1, assumed.counter_units),
            Kind(TAGS, 1, assumed.tag_units),
            Kind(ENTRIES, assumed.shards, assumed.state_units),
        ),
        uploads=load.burst * assumed.owner_share,
        seed=seed,
    ) + heat((Kind(IMAGES, assumed.image_keys, assumed.image_units),), uploads=load.burst, seed=seed)
    kept = images_kept(scenario, month)
    simulated = scenario.with_numbers("simulated", hit_rate=1 - edge.origin)
    return Forecast(
        scale=scale,
        load=load,
        edge=edge,
        renders=rendering(scenario, load.uploads),
        making=making(simulated, load.peak_views),
        backlog=backlog,
        kept=kept,
        parts=parts(simulated, assumed, edge=edge, backlog=backlog, hot=hot, kept=kept),
        bill=bill(simulated, prices, month),
    )


def edge_at(scenario: Scenario, assumed: Assumptions, *, locations: int, seed: int) -> Edge:
    """Return which of the views of a workload the CDN answers from so many edge locations."""
    images = max(1.0, scenario.uploads / scenario.days * assumed.life_days)
    asked = sample(assumed, views=scenario.views / scenario.uploads, images=images, locations=locations, seed=seed)
    return look(
        asked,
        assumed,
        images_an_hour=scenario.uploads / scenario.days / 24,
        sizes=[scenario.view_bytes] * 6,
        locations=locations,
    )
