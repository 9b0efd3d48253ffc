"""What every part is asked for at a scale, what it may be asked for, and what moves that. Each bound has its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from darkroom.capacity.assumptions import Assumptions
    from darkroom.capacity.backlog import Backlog
    from darkroom.capacity.edge import Edge
    from darkroom.capacity.heat import Heat
    from darkroom.cost.scenario import Scenario

DAY = 86_400.0
GIGABIT = 1e9 / 8

CDN_REQUESTS, CDN_GIGABITS = 250_000.0, 150.0
WILDCARDS = 15.0
API_REQUESTS = 10_000.0
BUCKET_PUTS, BUCKET_GETS = 3_500.0, 5_500.0
KEY_UNITS = 1_000.0
NEW_TABLE_UNITS, TABLE_UNITS = 4_000.0, 40_000.0
KNOWN_TWICE = 2
PUBLISHED = 1_500.0
OLDEST_SECONDS = 900.0

_CLOUDFRONT = "CloudFront's quotas, default"
_DYNAMODB = "DynamoDB's quotas and best practices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one part is asked for and what it may be asked for; ``moves`` says what changes the bound.

    ``noticed`` says whether uploaders or readers notice at once when it breaks.
    """

    name: str
    asked: float
    bound: float
    unit: str
    source: str
    moves: str
    noticed: bool = True

    @property
    def ratio(self) -> float:
        """What is asked for over what may be; above 1 it breaks."""
        return self.asked / self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What comes in a second at this scale."""

    uploads: float
    burst: float
    views: float
    peak_views: float
    calls: float

    @classmethod
    def of(cls, scenario: Scenario, assumed: Assumptions) -> Load:
        """Return what comes of a workload: mean uploads and views, both at their most, and API calls at their most."""
        seconds = scenario.days * DAY
        uploads, views = scenario.uploads / seconds, scenario.views / seconds
        burst = uploads * max(assumed.burst, assumed.peak)
        searches = scenario.searches / seconds * assumed.peak
        return cls(
            uploads=uploads,
            burst=burst,
            views=views,
            peak_views=views * assumed.peak,
            calls=burst * assumed.calls + searches,
        )


def rendering(scenario: Scenario, uploads: float) -> float:
    """Return how many functions render at a time on average where so many uploads come a second (Little's law)."""
    return uploads * scenario.transform_seconds


def making(scenario: Scenario, views: float) -> float:
    """Return how many functions make pictures by their addresses, or answer with them, where so many views come."""
    share = views / scenario.views if scenario.views else 0.0
    return share * (scenario.made * scenario.render_seconds + scenario.answered * scenario.answer_seconds)


def parts(  # everything that was found out
    scenario: Scenario,
    assumed: Assumptions,
    *,
    edge: Edge,
    backlog: Backlog,
    hot: Sequence[Heat],
    kept: float,
) -> tuple[Part, ...]:
    """Return all parts, the nearest to its bound first. ``kept`` is how many images there are."""
    found = [
        *_edge(scenario, assumed),
        *_functions(scenario, assumed, backlog),
        *_stores(scenario, assumed, edge, hot),
        *_upkeep(scenario, assumed, kept),
    ]
    return tuple(sorted(found, key=lambda part: -part.ratio))


def _edge(scenario: Scenario, assumed: Assumptions) -> Iterator[Part]:
    load = Load.of(scenario, assumed)
    yield Part(
        name="requests of the distribution",
        asked=load.peak_views,
        bound=CDN_REQUESTS,
        unit="a second",
        source=_CLOUDFRONT,
        moves="ask AWS for more; or a distribution for each group of owners, by ASSETS_URL of a stack of their own",
    )
    yield Part(
        name="bytes of the distribution",
        asked=load.peak_views * scenario.view_bytes / GIGABIT,
        bound=CDN_GIGABITS,
        unit="Gbit a second",
        source=_CLOUDFRONT,
        moves="ask AWS for more; smaller pictures (recipes); browsers keeping them longer (BROWSER_SECONDS)",
    )


def _functions(scenario: Scenario, assumed: Assumptions, backlog: Backlog) -> Iterator[Part]:
    load = Load.of(scenario, assumed)
    yield Part(
        name="API calls let through",
        asked=load.calls,
        bound=assumed.api_rate,
        unit="a second",
        source="ApiRate of infra/template.yaml",
        moves="parameter ApiRate (and ApiBurst)",
    )
    yield Part(
        name="API calls of the account",
        asked=load.calls,
        bound=API_REQUESTS,
        unit="a second",
        source="API Gateway's quotas, default",
        moves="ask AWS for more; or a list of tickets in one call, which the API does not have",
    )
    rendered = min(rendering(scenario, load.burst), assumed.transforms)
    yield Part(
        name="functions at a time",
        asked=load.calls * assumed.call_seconds + rendered + making(scenario, load.peak_views),
        bound=assumed.account,
        unit="functions",
        source="Lambda's quotas, default",
        moves="ask AWS for more concurrency; Transforms and RenderConcurrency keep rendering from taking it all",
    )
    yield Part(
        name="functions that render",
        asked=rendering(scenario, load.uploads),
        bound=assumed.transforms,
        unit="functions, on average over the day",
        source="Transforms of infra/template.yaml (prod)",
        moves="Transforms up to 1,000, Lambda's most for one queue; beyond, several queues; fewer eager formats",
    )
    yield Part(
        name="oldest upload in the queue",
        asked=backlog.oldest_seconds,
        bound=OLDEST_SECONDS,
        unit="seconds",
        source="OldestEventAlarm of infra/template.yaml",
        moves="Transforms; fewer eager formats",
    )
    yield Part(
        name="arrivals published",
        asked=load.burst,
        bound=PUBLISHED,
        unit="a second",
        source="SNS's quotas for this region, from memory, not looked up",
        moves="ask AWS for more; or S3 straight to SQS, which has no such bound",
    )


def _stores(scenario: Scenario, assumed: Assumptions, edge: Edge, hot: Sequence[Heat]) -> Iterator[Part]:
    load = Load.of(scenario, assumed)
    prefix = "S3's performance guidelines: a prefix is divided over minutes, and ids begin with the time"
    keys = "a key of the assets that begins with a part by hash: a new layout, because the key is the address"
    yield Part(
        name="puts of new variants, side by side in the bucket",
        asked=load.burst * max(0.0, scenario.puts - 1),
        bound=BUCKET_PUTS,
        unit="a second",
        source=prefix,
        moves=f"fewer eager objects (recipes); {keys}",
    )
    yield Part(
        name="gets of new variants, side by side in the bucket",
        asked=load.peak_views * (edge.young + min(scenario.missing_share, edge.origin)),
        bound=BUCKET_GETS,
        unit="a second",
        source=prefix,
        moves=f"Origin Shield in front of the bucket; {keys}",
    )
    moves = {
        COUNTERS: "a counter for each shard, without exact quotas (decision 025); or several owners",
        TAGS: "fewer tags an image; or a list for each shard, added up when it is asked for: not there",
        ENTRIES: "DynamoCatalog.spread(owner, shards) (decision 025)",
        IMAGES: "more than 64 keys for images, which is a constant of the layout (decision 024)",
    }
    for one in hot:
        yield Part(
            name=one.kind,
            asked=one.hottest,
            bound=KEY_UNITS,
            unit="units a second on the hottest key",
            source=_DYNAMODB,
            moves=moves[one.kind],
        )
    if scenario.made:
        yield Part(
            name="pictures by addresses entered as used",
            asked=load.peak_views * scenario.made_share,
            bound=KEY_UNITS,
            unit="units a second on one key",
            source=_DYNAMODB,
            moves="fewer sizes; a key for each part by hash in results/dynamodb.py, which has one for all",
        )
    units = load.burst * scenario.writes
    yield Part(
        name="units of a burst, over what the table knows",
        asked=units,
        bound=max(NEW_TABLE_UNITS, KNOWN_TWICE * load.uploads * assumed.peak * scenario.writes),
        unit="units a second",
        source=f"{_DYNAMODB}: a new table begins with 4,000, and takes twice its largest peak so far at once",
        moves="warm throughput of the table, set before; what is refused is tried again for some seconds",
    )
    yield Part(
        name="units written to a table",
        asked=units,
        bound=TABLE_UNITS,
        unit="units a second",
        source=_DYNAMODB,
        moves="ask AWS for more; fewer search terms",
    )


def _upkeep(scenario: Scenario, assumed: Assumptions, kept: float) -> Iterator[Part]:
    load = Load.of(scenario, assumed)
    yield Part(
        name="images purged",
        asked=load.uploads * assumed.purged_share,
        bound=WILDCARDS / assumed.purge_seconds,
        unit="a second, on average over the day",
        source="CloudFront's quotas on invalidations: 15 paths with a wildcard at a time",
        moves="exact paths in place of one with a wildcard (3,000 at a time, each to be paid); or Purge=lapse",
    )
    yield Part(
        name="objects of one sweep",
        asked=kept * max(0.0, scenario.puts - 1),
        bound=assumed.swept * assumed.sweep_seconds,
        unit="objects",
        source="Timeout of SweepFunction: what one sweep does not come to, the next does not either",
        moves="a sweep that goes on where the last one ended: not there; or darkroom sweep --stage, from a machine",
        noticed=False,
    )


COUNTERS = "the largest owner's counters"
TAGS = "the largest owner's list of tags"
ENTRIES = "the largest owner's search entries"
IMAGES = "items of images"
