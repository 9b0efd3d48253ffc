"""What people do in a month, and what the service does about it: every number of an estimate, each with its source."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

GIVEN = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """How a number of a scenario is shown and bounded."""

    unit: str
    about: str
    most: float = 1e12
    least: float = 0.0


def number(value: float, unit: str, about: str, *, most: float = 1e12, least: float = 0.0) -> float:
    """Declare a number of a scenario: its default, its unit and a sentence."""
    entry = Entry(unit=unit, about=about, most=most, least=least)
    return field(default=value, metadata={"entry": entry})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A workload and a way of serving it. The defaults are the workload of the article and no way in particular."""

    # What people do.
    daily_users: float = number(40_000, "people a day", "people who use the application on a day")
    uploader_share: float = number(0.3, "share", "of them upload", most=1)
    uploads_each: float = number(1, "images a day", "that each of those uploads")
    reader_share: float = number(0.7, "share", "of them look at images", most=1)
    views_each: float = number(15, "views a day", "that each of those has")
    searches_each: float = number(0, "searches a day", "that each reader makes")
    deleted_share: float = number(0, "share", "of the images of a month are deleted or made anew", most=1)
    days: float = number(30, "days", "in a month", least=1, most=31)
    upload_bytes: float = number(1_500_000, "bytes", "of an original", least=1)
    view_bytes: float = number(75 * 1024, "bytes", "of a picture that is looked at", least=1)

    # What is kept.
    stored_bytes: float = number(230 * 1024, "bytes", "kept of an image, all variants together")
    kept_months: float = number(math.inf, "months", "that an image is kept", most=math.inf, least=1)
    item_bytes: float = number(1024, "bytes", "kept of an image in the database, its search terms too")

    # How an upload is served.
    api_units: float = number(3, "units", "of 512 KiB that the API meters for an upload")
    upload_seconds: float = number(0.3, "seconds", "the upload function takes", most=900)
    upload_mib: float = number(128, "MiB", "of memory the upload function has", most=10_240)
    transform_seconds: float = number(2, "seconds", "the transform function takes", most=900)
    transform_mib: float = number(320, "MiB", "of memory the transform function has", most=10_240)
    puts: float = number(4, "requests", "that put an object, for an upload")
    gets: float = number(1, "requests", "that get an object, for an upload")
    writes: float = number(2, "units", "written to the database for an upload")
    reads: float = number(0.5, "units", "read from the database for an upload")
    publishes: float = number(1, "messages", "published for an upload")
    queue_requests: float = number(0, "requests", "to queues for an upload")
    log_bytes: float = number(614.4, "bytes", "logged by an invocation of a function")

    # How a search is served.
    search_reads: float = number(0, "units", "read from the database for a search")
    search_seconds: float = number(0.05, "seconds", "the API function takes for a search", most=900)

    # How a view is served.
    hit_rate: float = number(0.9, "share", "of the views is answered by the edge", most=1)
    missing_share: float = number(0.01, "share", "of the views asks for what is not there", most=1)
    edge_function: float = number(1, "0 or 1", "a Lambda@Edge function runs on every miss", most=1)
    edge_mib: float = number(128, "MiB", "of memory that function has", most=10_240)
    edge_missing_seconds: float = number(0.15, "seconds", "it takes to answer what is not there", most=30)
    edge_passing_seconds: float = number(0.005, "seconds", "it takes to let an answer pass", most=30)
    viewer_function: float = number(0, "0 or 1", "a CloudFront function runs on every view", most=1)
    purges: float = number(0, "paths", "the edge is told to forget, for a deleted image")

    # What is there in any case.
    alarms: float = number(0, "alarms", "are watched", most=1e6)
    dashboards: float = number(0, "dashboards", "are shown", most=1e6)
    metrics: float = number(0, "metrics", "of our own are kept", most=1e6)
    scheduled_seconds: float = number(0, "seconds", "a month that scheduled functions take")

    # How the bill is read.
    arm: float = number(0, "0 or 1", "functions run on arm64", most=1)
    lambda_free: float = number(1, "0 or 1", "the free tier of Lambda is not used up by others", most=1)
    old_database_prices: float = number(0, "0 or 1", "DynamoDB as before November 2024", most=1)
    decimal_storage: float = number(0, "0 or 1", "a stored GB is 1,000,000,000 bytes", most=1)
    whole_month: float = number(0, "0 or 1", "what comes in a month is stored for all of it, not half", most=1)

    name: str = "yours"
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where a number comes from, by its name; those that are not in here are the defaults of this class."""

    def __post_init__(self) -> None:
        """Raise ``InvalidRequest`` for a number that is none, or out of its bounds."""
        for name, entry in entries().items():
            value = getattr(self, name)
            if math.isnan(value) or not entry.least <= value <= entry.most:
                msg = f"{name} must be a number from {entry.least:g} to {entry.most:g} ({entry.unit}), not {value:g}"
                raise InvalidRequest(msg)
        if self.uploader_share + self.reader_share > 2:  # each is at most the whole
            raise InvalidRequest("uploader_share and reader_share are shares of the daily users, at most 1 each")

    def with_numbers(self, source: str, **numbers: float) -> Scenario:
        """Return the scenario with some numbers changed, which then have this source.

        Raises ``InvalidRequest`` for a name that is no number of it, and for a number out of bounds.
        """
        unknown = numbers.keys() - entries().keys()
        if unknown:
            msg = f"{', '.join(sorted(unknown))}: no such number; there are {', '.join(entries())}"
            raise InvalidRequest(msg)
        sources = dict(self.sources) | dict.fromkeys(numbers, source)
        return dataclasses.replace(self, **numbers, sources=sources)  # type: ignore[arg-type]  # numbers, by name

    def source_of(self, name: str) -> str:
        """Return where a number comes from."""
        return self.sources.get(name, "default")

    def scaled(self, factor: float) -> Scenario:
        """Return the same with so many times the people."""
        source = f"{factor:g} times the scenario's"
        return self.with_numbers(source, daily_users=self.daily_users * factor)

    @property
    def uploads(self) -> float:
        """Images uploaded in a month."""
        return self.daily_users * self.uploader_share * self.uploads_each * self.days

    @property
    def views(self) -> float:
        """Pictures looked at in a month."""
        return self.daily_users * self.reader_share * self.views_each * self.days

    @property
    def searches(self) -> float:
        """Searches in a month."""
        return self.daily_users * self.reader_share * self.searches_each * self.days


def entries() -> dict[str, Entry]:
    """Return every number of a scenario, in its order, with unit and meaning."""
    return {one.name: one.metadata["entry"] for one in dataclasses.fields(Scenario) if "entry" in one.metadata}


ARTICLE = "the article"
READ = "the article, as its total is reached most naturally"
COUNTED = "counted from the article's design"
ASSUMED = "assumed"


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


PRESETS = {"article": _article, "article-corrected": _corrected}
"""Named scenarios, made when asked for."""


def preset(name: str) -> Scenario:
    """Return a named scenario. Raises ``InvalidRequest`` for a name there is not."""
    if name not in PRESETS:
        msg = f"there is no preset {name!r}; there are {', '.join(PRESETS)}"
        raise InvalidRequest(msg)
    return PRESETS[name]()
