"""Port: the numbers an operator watches. Names, labels and buckets are declared once, here.

The kinds are those of Prometheus (https://prometheus.io/docs/concepts/metric_types/), and so are the rules for names:
base units, the unit last, ``_total`` added to counters when they are shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from darkroom.events import Depth


@dataclass(frozen=True, slots=True)
class Figure:
    """What all numbers have; ``labels`` have few possible values each, never an id or a stranger's word."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counter(Figure):
    """Something that is only ever added to."""


@dataclass(frozen=True, slots=True)
class Histogram(Figure):
    """How long something took; ``buckets`` are upper bounds in seconds, rising, the one without bound left out."""

    buckets: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Gauge(Figure):
    """Something that is looked up at the moment it is asked for, not counted."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a gauge shows now, under these labels."""

    gauge: Gauge
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


REQUESTS = Counter("darkroom_requests", "API requests answered.", ("method", "route", "status"))
REQUEST_SECONDS = Histogram(
    "darkroom_request_seconds",
    "Seconds from an API request to its answer.",
    ("route",),
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0),
)
DELIVERIES = Counter(
    "darkroom_deliveries",
    "Deliveries under /i/ and /iiif/ by outcome: hot, cold, made, default, refused, error.",
    ("outcome", "status"),
)
DELIVERED_BYTES = Counter("darkroom_delivered_bytes", "Bytes of bodies delivered under /i/ and /iiif/.")
RECEIVED_BYTES = Counter("darkroom_received_bytes", "Bytes of originals received.", ("door",))
TRANSFORMS = Counter("darkroom_transforms", "Originals worked on, by source format and outcome.", ("format", "outcome"))
TRANSFORM_SECONDS = Histogram(
    "darkroom_transform_seconds",
    "Seconds from taking an event to its end.",
    ("outcome",),
    (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
VARIANT_BYTES = Counter("darkroom_variant_bytes", "Bytes of variants made.", ("format",))
RESULTS = Counter(
    "darkroom_results",
    "Transformations asked for by address, by format and outcome: made, superseded, failed.",
    ("format", "outcome"),
)
RESULT_SECONDS = Histogram(
    "darkroom_result_seconds",
    "Seconds it took to make one.",
    (),
    (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0),
)
DAMAGED_OBJECTS = Counter(
    "darkroom_damaged_objects",
    "Objects found to be other than they were stored, by who found them: delivery, verify.",
    ("finder",),
)
SWEEPS = Counter("darkroom_sweeps", "Sweeps by outcome: whole, stopped, withheld, failed.", ("outcome",))
SWEEP_SECONDS = Histogram("darkroom_sweep_seconds", "Seconds a sweep took.", (), (1, 5, 15, 60, 300, 900, 3600))
SWEEP_FINDINGS = Counter(
    "darkroom_sweep_findings", "What sweeps found, by kind and whether it was set right: yes, no.", ("kind", "mended")
)
START_SECONDS = Gauge("darkroom_start_time_seconds", "When counting began, in seconds since 1970.")
QUEUE_EVENTS = Gauge("darkroom_queue_events", "Events in the queue by state: waiting, leased, buried.", ("state",))
QUEUE_OLDEST_SECONDS = Gauge(
    "darkroom_queue_oldest_seconds", "Seconds for which the longest waiting event has been due."
)

COUNTERS = (
    REQUESTS,
    DELIVERIES,
    DELIVERED_BYTES,
    RECEIVED_BYTES,
    TRANSFORMS,
    VARIANT_BYTES,
    RESULTS,
    DAMAGED_OBJECTS,
    SWEEPS,
    SWEEP_FINDINGS,
)
TIMES = (REQUEST_SECONDS, TRANSFORM_SECONDS, RESULT_SECONDS, SWEEP_SECONDS)
GAUGES = (START_SECONDS, QUEUE_EVENTS, QUEUE_OLDEST_SECONDS)


def queue_readings(depth: Depth) -> tuple[Reading, ...]:
    """Return what the gauges of the queue show at this depth."""
    readings = (
        Reading(QUEUE_EVENTS, depth.waiting, {"state": "waiting"}),
        Reading(QUEUE_EVENTS, depth.leased, {"state": "leased"}),
        Reading(QUEUE_EVENTS, depth.buried, {"state": "buried"}),
    )
    if depth.oldest_seconds is None:
        return readings
    return (*readings, Reading(QUEUE_OLDEST_SECONDS, depth.oldest_seconds))


class Figures(Protocol):
    """Takes numbers from any thread, cheaply; never raises for a number that fits its declaration.

    One that does not (other labels than declared; below zero, or not finite) is a mistake of the program: where people
    are served it is left out, in tests it raises ``ValueError``, so that it is found.
    """

    def add(self, figure: Counter, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        ...

    def time(self, figure: Histogram, seconds: float, **labels: str) -> None:
        """Record one duration."""
        ...


class ShownFigures(Figures, Protocol):
    """Figures that can be asked for: the sum over all processes of the service, those that have ended included."""

    def exposition(self, readings: Iterable[Reading] = ()) -> tuple[bytes, str]:
        """Return everything counted, and the readings, as text in the format of Prometheus, and its content type."""
        ...
