"""The bill of one month, line by line: how much of what, how much of it free, and what the rest costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.cost.prices import GIB
from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.cost.prices import Prices
    from darkroom.cost.scenario import Scenario

LONGEST_MONTHS = 1200
LISTED = 1_000
"""Keys that one request to list a bucket returns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a bill. ``dollars`` are US dollars before tax; ``free`` of the ``quantity`` units cost nothing."""

    service: str
    item: str
    price: str
    quantity: float
    unit: str
    free: float
    dollars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """The bill of month ``month`` (the first is 1) after the service began."""

    month: int
    lines: tuple[Line, ...]

    @property
    def total(self) -> float:
        """US dollars before tax."""
        return sum(line.dollars for line in self.lines)

    def by_service(self) -> dict[str, float]:
        """Return the sum of each service, in the order of the lines."""
        sums: dict[str, float] = {}
        for line in self.lines:
            sums[line.service] = sums.get(line.service, 0.0) + line.dollars
        return sums


def bill(scenario: Scenario, prices: Prices, month: int) -> Bill:
    """Return the bill of a month. Raises ``InvalidRequest`` for no month, ``BadConfiguration`` for a missing price."""
    if not 1 <= month <= LONGEST_MONTHS:
        msg = f"month must be 1 to {LONGEST_MONTHS}"
        raise InvalidRequest(msg)
    lines = []
    for service, item, key, quantity in _usage(scenario, month):
        price = prices[key]
        is_compute = key.startswith("lambda.")
        free, dollars = price.dollars(quantity, free_tier=bool(scenario.lambda_free) or not is_compute)
        lines.append(
            Line(service=service, item=item, price=key, quantity=quantity, unit=price.unit, free=free, dollars=dollars)
        )
    return Bill(month=month, lines=tuple(lines))


def bills(scenario: Scenario, prices: Prices, months: int) -> tuple[Bill, ...]:
    """Return the bills of the first ``months`` months."""
    return tuple(bill(scenario, prices, month) for month in range(1, months + 1))


def images_kept(scenario: Scenario, month: int) -> float:
    """Return how many images are there at the end of a month."""
    return scenario.uploads * (1 - scenario.deleted_share) * min(month, scenario.kept_months)


def _usage(it: Scenario, month: int) -> Iterator[tuple[str, str, str, float]]:
    """Yield service, item, key of the price and quantity."""
    uploads, views, searches = it.uploads, it.views, it.searches
    misses = views * (1 - it.hit_rate)
    missing = min(views * it.missing_share, misses)  # what is not there is hardly ever kept by the edge
    deleted = uploads * it.deleted_share
    kept = max(0.0, images_kept(it, month) - uploads / 2)  # on average over the month

    yield "API Gateway", "uploads", "api.unit", uploads * it.api_units
    if searches:
        yield "API Gateway", "searches", "api.unit", searches

    sweeping = it.sweeps * kept * _objects(it) / it.swept_rate
    seconds = (uploads * it.upload_seconds + searches * it.search_seconds + sweeping) * it.upload_mib / 1024
    transform = uploads * it.transform_seconds * it.transform_mib / 1024
    renders = (it.made * it.render_seconds + it.answered * it.answer_seconds) * it.render_mib / 1024
    yield "Lambda", "compute", "lambda.arm" if it.arm else "lambda.x86", seconds + transform + renders
    yield "Lambda", "requests", "lambda.request", _invocations(it) + it.sweeps
    if it.edge_function:
        passing = (misses - missing) * it.edge_passing_seconds
        answered = missing * it.edge_missing_seconds
        yield "Lambda@Edge", "compute", "edge.duration", (passing + answered) * it.edge_mib / 1024
        yield "Lambda@Edge", "requests", "edge.request", misses

    yield "S3 requests", "put", "s3.put", uploads * it.puts
    yield "S3 requests", "get", "s3.get", uploads * it.gets + misses
    if it.sweeps:
        yield "S3 requests", "sweeps", "s3.put", it.sweeps * max(1.0, kept * _objects(it) / LISTED)
    if it.originals_kept:
        yield "S3 storage", "originals", "s3.storage", _stored(it, month, it.upload_bytes)
    yield "S3 storage", "variants", "s3.storage", _stored(it, month, it.stored_bytes)
    yield from _by_address(it, month)

    yield (
        "DynamoDB",
        "writes",
        "dynamodb.write.2024" if it.old_database_prices else "dynamodb.write",
        uploads * it.writes + deleted * it.deleted_writes,
    )
    reads = uploads * it.reads + searches * it.search_reads
    yield "DynamoDB", "reads", "dynamodb.read.2024" if it.old_database_prices else "dynamodb.read", reads
    if it.sweeps:
        yield "DynamoDB", "sweeps", "dynamodb.read", it.sweeps * kept * it.sweep_reads
    items = images_kept(it, month) * it.item_bytes / GIB
    yield "DynamoDB", "storage", "dynamodb.storage", items
    if it.backups:
        yield "DynamoDB", "backups", "dynamodb.backup", items

    yield "SNS and SQS", "published", "sns.publish", uploads * it.publishes
    if it.queue_requests or it.idle_requests:
        yield "SNS and SQS", "queues", "sqs.request", uploads * it.queue_requests + it.idle_requests
    yield from _watching(it)
    yield from _delivery(it)


def _delivery(it: Scenario) -> Iterator[tuple[str, str, str, float]]:
    """Yield what the edge comes to, as ``_usage`` does."""
    yield "CloudFront bytes", "to readers", "cloudfront.egress", it.views * it.view_bytes / GIB
    yield "CloudFront requests", "from readers", "cloudfront.request", it.views
    if it.viewer_function:
        # One before the cache for all; for a picture by its address one more, which sees the answer.
        yield "CloudFront requests", "functions", "cloudfront.function", it.views + it.addressed
    if it.addressed:
        yield "CloudFront requests", "secrets read", "cloudfront.store.read", it.addressed
    if it.store_requests:
        yield "CloudFront requests", "secrets kept", "cloudfront.store.request", it.store_requests
    if it.purges:
        yield "CloudFront requests", "purges", "cloudfront.invalidation", it.uploads * it.deleted_share * it.purges


def _by_address(it: Scenario, month: int) -> Iterator[tuple[str, str, str, float]]:
    """Yield what stores are asked for on account of pictures that are made by their addresses, as ``_usage`` does."""
    if not it.made:  # then there are none to answer with either
        return
    yield "S3 requests", "results put", "s3.put", it.made
    yield "S3 requests", "results got", "s3.get", it.made * it.render_gets
    # What comes in a month is there for half of it, and no longer than its days.
    months = month - (0 if it.whole_month else 0.5)
    kept = it.made * (min(months, it.result_days / it.days) if it.result_days else months)
    yield "S3 storage", "results", "s3.storage", kept * it.result_bytes / (1e9 if it.decimal_storage else GIB)
    yield "S3 storage", "results' tags", "s3.tag", kept
    yield "DynamoDB", "results written", "dynamodb.write", it.made * it.render_writes
    yield "DynamoDB", "results read", "dynamodb.read", it.made * it.render_reads + it.answered * it.answer_reads


def _invocations(it: Scenario) -> float:
    """Return how often functions run that log, but for sweeps."""
    return (it.calls + 1) * it.uploads + it.searches + it.made + it.answered


def _watching(it: Scenario) -> Iterator[tuple[str, str, str, float]]:
    """Yield what logs, alarms and metrics come to, as ``_usage`` does."""
    yield "CloudWatch", "logs", "logs.ingest", _invocations(it) * it.log_bytes / GIB
    for item, key, count in (
        ("alarms", "cloudwatch.alarm", it.alarms),
        ("dashboards", "cloudwatch.dashboard", it.dashboards),
        ("metrics", "cloudwatch.metric", it.metrics),
    ):
        if count:
            yield "CloudWatch", item, key, count


def _objects(it: Scenario) -> float:
    """Return how many objects of an image there are: all that are put but the original."""
    return max(0.0, it.puts - 1)


def _stored(it: Scenario, month: int, each: float) -> float:
    """Return the GB-months of ``each`` bytes of every image: a month's are there for half of it, unless otherwise."""
    months = min(month, it.kept_months) - (0 if it.whole_month else 0.5)
    kept = it.uploads * (1 - it.deleted_share) * months
    return kept * each / (1e9 if it.decimal_storage else GIB)
