"""Settings → service, on AWS: the only file here that names adapters."""

from __future__ import annotations

import secrets
import tempfile
import time
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkroom import aws, dynamodb
from darkroom import settings as configuration
from darkroom.access import Rate
from darkroom.access.dynamodb import DynamoAccess, DynamoRates
from darkroom.bucket.objects import ObjectBucket
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.edge.answers import Lifetimes
from darkroom.edge.cloudfront import CloudFrontEdge, NoPurges, PurgeQueue
from darkroom.edge.defaults import default_objects, shelve_defaults
from darkroom.events.sqs import SqsQueue
from darkroom.figures.emf import EmfFigures
from darkroom.names import DEFAULTS
from darkroom.rules import ages_of, rules_of
from darkroom.service import Service, utc_now
from darkroom.sweep import Sweep
from darkroom.transform import Elsewhere
from darkroom.transform.headers import dimensions
from darkroom.transform.jail import Allowance, JailedTransform
from darkroom.transform.recipes import load_recipes
from darkroom.uploads.presigned import PresignedDownloads, PresignedTickets, connect

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from starlette.types import ASGIApp

    from darkroom.settings import CloudSettings
    from darkroom.transform import Transform

VISIBILITY_SECONDS = 1800
"""How long a message is out with a function that has died, as ``infra/template.yaml`` says: six times its timeout."""
IDLE_SECONDS = 20.0
"""How long S3 waits for an upload that is silent."""
SPARE_BYTES = 320 * 1024 * 1024
"""What a function takes of its memory besides a picture that is being decoded."""
POLL_SECONDS = 0.25
"""Between two looks at an image that somebody waits for: each is a request to pay for."""
LARGEST_ANSWER_BYTES = 4 * 1024 * 1024
"""What a function answers by itself: with what base 64 adds, under the six megabytes that Lambda lets it."""
ORIGINAL_SECONDS = 300
"""The life of an address that an original is had from which is larger."""


Figures = EmfFigures
"""What is counted in a function, by the name that handlers know it under."""


def figures() -> Figures:
    """Return what is counted in one function, to be written down at the end of each invocation."""
    return EmfFigures()


def service(settings: CloudSettings, counted: Figures, transform: Transform | None = None) -> Service:
    """Return the service; without ``transform`` it answers people but cannot work on events."""
    queue = queue_of(settings)
    purges = PurgeQueue(purge_queue_of(settings)) if settings.purge_queue_url else NoPurges()
    uploads = settings.given("uploads_bucket")
    return Service(
        catalog=DynamoCatalog(_dynamodb(), settings.given("table")),
        uploads=_bucket(uploads),
        assets=_assets(settings),
        tickets=PresignedTickets(_s3(), uploads, utc_now),
        queue=queue,
        transform=transform or Elsewhere(),
        inspect=dimensions,
        purges=purges,
        figures=counted,
        recipes=load_recipes(settings.recipes),
        rules=rules_of(settings),
        clock=utc_now,
        randomness=secrets.token_bytes,
    )


def queue_of(settings: CloudSettings) -> SqsQueue:
    """Return the queue of events."""
    return SqsQueue(_sqs(), settings.given("events_queue_url"), settings.failed_queue_url)


def purge_queue_of(settings: CloudSettings) -> SqsQueue:
    """Return the queue of what the edge has to forget."""
    return SqsQueue(_sqs(), settings.given("purge_queue_url"))


def edge(settings: CloudSettings) -> CloudFrontEdge:
    """Return the distribution that has to be told of purges."""
    client = aws.client("cloudfront", endpoint=configuration.aws_endpoint("cloudfront"))
    return CloudFrontEdge(client, settings.given("distribution_id"))


def jail(settings: CloudSettings) -> JailedTransform:
    """Start what decodes: processes that know nothing of the function's environment, and so not its credentials."""
    memory = settings.render_memory_bytes
    given = configuration.lambda_memory_bytes()
    if given is not None:  # else it is Lambda that ends the function, and not the jail that ends a process
        memory = min(memory, given - SPARE_BYTES)
    allowance = Allowance(
        seconds=settings.render_seconds,
        cpu_seconds=int(2 * settings.render_seconds),
        memory_bytes=memory,
        images=settings.render_recycle,
    )
    return JailedTransform(1, allowance=allowance)


def make_defaults(settings: CloudSettings, parts: Service) -> bool:
    """Make the default images, unless they are there; tell whether they were made."""
    return shelve_defaults(parts.assets, parts.transform, parts.recipes, settings.default_image)


def sweep(settings: CloudSettings, parts: Service) -> Sweep:
    """Return what finds and sets right what was left behind."""
    ages = ages_of(settings, idle_seconds=IDLE_SECONDS, longest_try=VISIBILITY_SECONDS)
    return Sweep(parts, ages, defaults=partial(default_objects, parts.assets))


def application(settings: CloudSettings, parts: Service) -> ASGIApp:
    """Return the API as an ASGI app. Pictures are delivered by CloudFront, files go straight to S3."""
    from darkroom.http.app import ApiOptions, create_api, front  # noqa: PLC0415 # half a second, for one function only
    from darkroom.http.reception import Reception  # noqa: PLC0415 # likewise

    reception = Reception(
        Path(tempfile.gettempdir()),
        limit=settings.max_post_bytes,
        idle_seconds=IDLE_SECONDS,
        minimum_rate=settings.minimum_upload_rate,
        most_at_a_time=1,  # a function has one request at a time, and its body is there as a whole
    )
    downloads = PresignedDownloads(
        _s3(),
        settings.given("uploads_bucket"),
        life=timedelta(seconds=ORIGINAL_SECONDS),
        from_bytes=LARGEST_ANSWER_BYTES,
    )
    options = ApiOptions(
        keys=True,
        allowed_origins=settings.allowed_origins,
        delivery_url=settings.delivery_url,
        rate=Rate(settings.key_rate, settings.key_burst) if settings.key_rate else None,
        srcset_widths=settings.srcset_widths,
        poll_seconds=POLL_SECONDS,
        original_elsewhere=downloads.address,
    )
    keys = settings.given("keys_table")
    access = DynamoAccess(_dynamodb(), keys, utc_now)
    rates = DynamoRates(_dynamodb(), keys, time.time_ns)
    return front(create_api(parts, access, None, rates, reception, options), {}, options, parts.figures)


def clients(region: str, *, longest_call_seconds: float) -> Callable[[str], Any]:
    """Return what makes a client of a service for who deploys, one of each."""

    @cache
    def client(service: str) -> Any:  # noqa: ANN401 # botocore has no types
        endpoint = configuration.aws_endpoint(service)
        return aws.client(service, endpoint=endpoint, region_name=region, read_timeout=longest_call_seconds)

    return client


def answered(what: str) -> AbstractContextManager[None]:
    """Raise ``Unavailable`` where ``what``, a service of AWS, does not answer, or does not do as it is told."""
    return aws.answered(what)


def access(client: Any, table: str) -> DynamoAccess:  # noqa: ANN401 # botocore has no types
    """Return the keys in ``table``, for who deploys."""
    return DynamoAccess(client, table, utc_now)


def _bucket(name: str) -> ObjectBucket:
    return ObjectBucket.s3(name, endpoint=configuration.aws_endpoint("s3"))


def _assets(settings: CloudSettings) -> ObjectBucket:
    lifetimes = Lifetimes(browser=settings.browser_seconds, edge=settings.edge_seconds, miss=settings.miss_seconds)

    def cache_control(key: str) -> str:
        return lifetimes.of_a_default if key.startswith(DEFAULTS) else lifetimes.of_a_picture

    return ObjectBucket.s3(
        settings.given("assets_bucket"), endpoint=configuration.aws_endpoint("s3"), cache_control=cache_control
    )


@cache
def _s3() -> Any:  # noqa: ANN401 # botocore has no types
    return connect(endpoint=configuration.aws_endpoint("s3"))


@cache
def _sqs() -> Any:  # noqa: ANN401 # likewise
    return aws.client("sqs", endpoint=configuration.aws_endpoint("sqs"))


@cache
def _dynamodb() -> Any:  # noqa: ANN401 # likewise
    return dynamodb.connect(endpoint=configuration.aws_endpoint("dynamodb"))
