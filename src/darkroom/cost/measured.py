"""The workload with what was measured of this service: from the file of its benches, or from a service that runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from darkroom.cost.scenario import Scenario
from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = "measured.json"
RUNNING = "counted by the running service"
_SAMPLE = re.compile(r"^(darkroom_\w+?)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the benches gave: a day, and numbers of a scenario with the bench that gives each.

    ``pictures`` are bytes of the default variants in each format, of a photo on average; ``seconds`` are the processor
    seconds that such a photo takes in some sets of formats.
    """

    date: str
    machine: str
    numbers: Mapping[str, float]
    sources: Mapping[str, str]
    pictures: Mapping[str, float]
    seconds: Mapping[str, float]


@cache
def measured() -> Measured:
    """Return what comes with this release."""
    told = json.loads((resources.files(__package__) / FILE).read_text("utf-8"))
    return Measured(
        date=told["date"],
        machine=told["machine"],
        numbers={name: value for name, (value, _) in told["numbers"].items()},
        sources={name: source for name, (_, source) in told["numbers"].items()},
        pictures=told["pictures"],
        seconds=told["seconds"],
    )


def darkroom() -> Scenario:
    """Return the article's workload, served as this service was measured to serve it."""
    found = measured()
    plain = Scenario(name="darkroom")
    for name, value in found.numbers.items():
        plain = plain.with_numbers(found.sources[name], **{name: value})
    return plain


def from_running(scenario: Scenario, exposition: str, days: float) -> Scenario:
    """Return the scenario with what a service has counted in ``days``, as its ``/metrics`` shows it.

    What it has not counted yet stays as it was. Raises ``InvalidRequest`` for text that shows no figures of a service,
    and for one that has made no image yet, from which nothing can be reckoned.
    """
    if not 0 < days <= 36_500:
        raise InvalidRequest("say in how many days the service has counted this: a number above 0")
    found = Counted(exposition)
    uploads = found.total("darkroom_transforms_total", outcome="ready")
    if not uploads:
        raise InvalidRequest("the service has made no image since it was started; there is nothing to reckon from")
    views = found.total("darkroom_deliveries_total")
    numbers = {
        "daily_users": 1.0,
        "uploader_share": 1.0,
        "reader_share": 1.0,
        "uploads_each": uploads / days,
        "views_each": views / days,
        "stored_bytes": found.total("darkroom_variant_bytes_total") / uploads,
        "transform_seconds": found.total("darkroom_transform_seconds_sum", outcome="ready") / uploads,
    }
    made = found.total("darkroom_results_total", outcome="made")
    if made:
        numbers["render_seconds"] = min(29.0, found.total("darkroom_result_seconds_sum") / made)
    received = found.total("darkroom_received_bytes_total")
    if received:
        numbers["upload_bytes"] = received / uploads
    searches = found.total("darkroom_requests_total", method="GET", route="/v1/images")
    numbers["searches_each"] = searches / days
    numbers["deleted_share"] = min(1.0, found.total("darkroom_requests_total", method="DELETE", status="204") / uploads)
    if views:
        shown = {
            outcome: found.total("darkroom_deliveries_total", outcome=outcome) for outcome in ("hot", "cold", "made")
        }
        bodies = sum(shown.values())
        numbers["missing_share"] = found.total("darkroom_deliveries_total", outcome="default") / views
        numbers["made_share"] = min(1.0, made / views)
        if bodies:
            numbers["hit_rate"] = shown["hot"] / bodies
            numbers["view_bytes"] = max(1.0, found.total("darkroom_delivered_bytes_total") / views)
    return scenario.with_numbers(RUNNING, **numbers)


class Counted:
    """The numbers of an exposition in Prometheus's text format. Raises ``InvalidRequest`` for one without any."""

    def __init__(self, text: str) -> None:
        self._samples: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            matched = _SAMPLE.match(line)
            if matched is not None:
                name, labels, value = matched.groups()
                self._samples.append((name, dict(_LABEL.findall(labels or "")), float(value)))
        if not self._samples:
            raise InvalidRequest("these are not the figures of a service: no line of them begins with darkroom_")

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of all numbers of this name with these labels."""
        return sum(value for shown, given, value in self._samples if shown == name and labels.items() <= given.items())
