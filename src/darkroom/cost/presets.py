"""Named workloads: the article's as it reckoned, as AWS would bill it, and with what was measured of this service."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from darkroom.cost.measured import darkroom
from darkroom.cost.numbers import ASSUMED
from darkroom.cost.scenario import Scenario
from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

ARTICLE = "the article"
READ = "the article, as its total is reached most naturally"
COUNTED = "counted from the article's design"


def _article() -> Scenario:
    stated = (
        "daily_users uploader_share uploads_each reader_share views_each view_bytes upload_bytes stored_bytes "
        "upload_seconds upload_mib transform_seconds transform_mib edge_mib edge_missing_seconds"
    )
    counted = "days api_units puts gets writes"
    sources = dict.fromkeys(stated.split(), ARTICLE) | dict.fromkeys(counted.split(), COUNTED)
    plain = Scenario(name="article", sources=sources)
    return plain.with_numbers(
        READ,
        stored_bytes=230_000,
        hit_rate=0,
        edge_function=0,
        lambda_free=0,
        old_database_prices=1,
        decimal_storage=1,
        whole_month=1,
        writes=1,
        reads=0,
        publishes=0,
        log_bytes=0,
        item_bytes=0,
    )


def _corrected() -> Scenario:
    article = _article()
    return dataclasses.replace(
        Scenario(name="article-corrected", sources=article.sources).with_numbers(
            ASSUMED, hit_rate=0.9, missing_share=0.01, edge_passing_seconds=0.005, log_bytes=614.4, item_bytes=1024
        ),
    )


PRESETS = {"article": _article, "article-corrected": _corrected, "darkroom": darkroom}
"""Named scenarios, made when asked for."""


def preset(name: str) -> Scenario:
    """Return a named scenario. Raises ``InvalidRequest`` for a name there is not."""
    if name not in PRESETS:
        msg = f"there is no preset {name!r}; there are {', '.join(PRESETS)}"
        raise InvalidRequest(msg)
    return PRESETS[name]()


API_UNIT = 512 * 1024
"""Bytes of a request that an HTTP API meters as one."""

PEOPLE = {
    "users": "daily_users",
    "uploaders": "uploader_share",
    "images": "uploads_each",
    "views": "views_each",
    "upload_bytes": "upload_bytes",
    "view_bytes": "view_bytes",
    "kept": "kept_months",
}
"""What people know of their workload, by the number of a scenario that it is."""


def with_people(scenario: Scenario, source: str, given: Mapping[str, float | None]) -> Scenario:
    """Return the scenario with what is given of ``PEOPLE``; who does not upload looks at images.

    Where the bytes of an upload go through the API, it meters them: there an upload has more units than calls.
    Raises ``InvalidRequest`` for a number out of bounds.
    """
    numbers = {PEOPLE[name]: value for name, value in given.items() if value is not None}
    if "uploader_share" in numbers:
        numbers["reader_share"] = min(1.0, max(0.0, 1 - numbers["uploader_share"]))
    if "upload_bytes" in numbers and scenario.api_units > scenario.calls:
        numbers["api_units"] = scenario.calls - 1 + max(1, -(-numbers["upload_bytes"] // API_UNIT))
    return scenario.with_numbers(source, **numbers)
