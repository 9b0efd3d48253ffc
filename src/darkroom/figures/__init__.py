"""Port: the numbers an operator watches. Names and labels are declared once, here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Figure:
    """One counter or one distribution of seconds; ``labels`` have few possible values each, never an id."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


REQUESTS = Figure("darkroom_requests", "API requests answered.", ("method", "route", "status"))
REQUEST_SECONDS = Figure("darkroom_request_seconds", "Seconds from an API request to its answer.", ("route",))
DELIVERIES = Figure("darkroom_deliveries", "Deliveries under /i/ by outcome: hot, cold, default, error.", ("outcome", "status"))
DELIVERED_BYTES = Figure("darkroom_delivered_bytes", "Bytes of bodies delivered under /i/.")
RECEIVED_BYTES = Figure("darkroom_received_bytes", "Bytes of originals received.", ("door",))
TRANSFORMS = Figure("darkroom_transforms", "Originals worked on, by source format and outcome.", ("format", "outcome"))
TRANSFORM_SECONDS = Figure("darkroom_transform_seconds", "Seconds from taking an event to its end.", ("outcome",))
VARIANT_BYTES = Figure("darkroom_variant_bytes", "Bytes of variants made.", ("format",))

COUNTERS = (REQUESTS, DELIVERIES, DELIVERED_BYTES, RECEIVED_BYTES, TRANSFORMS, VARIANT_BYTES)
TIMES = (REQUEST_SECONDS, TRANSFORM_SECONDS)


class Figures(Protocol):
    """Takes numbers from any thread, cheaply; never raises."""

    def add(self, figure: Figure, amount: float = 1.0, **labels: str) -> None:
        """Add to a counter."""
        ...

    def time(self, figure: Figure, seconds: float, **labels: str) -> None:
        """Record one duration."""
        ...
