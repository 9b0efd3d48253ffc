"""Settings → service, on AWS: the only file here that names adapters."""

from __future__ import annotations

import secrets
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkroom import aws, dynamodb
from darkroom import settings as configuration
from darkroom.access import LOCAL_OWNER, Rate
from darkroom.access.dynamodb import DynamoAccess, DynamoRates, DynamoSecrets
from darkroom.access.keyvaluestore import KeyValueStore, PublishingFunction
from darkroom.access.published import PublishedSecrets, shown
from darkroom.access.signing import signing
from darkroom.bucket.objects import ANSWER_SECONDS, ObjectBucket
from darkroom.bulk import JOB_LIFE
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.edge.answers import Lifetimes
from darkroom.edge.cloudfront import CloudFrontEdge, NoPurges, PurgeQueue
from darkroom.edge.defaults import default_objects, distrust_defaults, shelve_defaults
from darkroom.edge.iiif_delivery import Iiif, IiifRules
from darkroom.edge.pictures import Pictures
from darkroom.edge.pool import Pool
from darkroom.edge.purgelog import NothingPurged
from darkroom.edge.transformations import Demand, TransformationRules, Transformations
from darkroom.edge.window import IiifWindow as EdgeIiifWindow
from darkroom.edge.window import Shown as EdgeShown
from darkroom.edge.window import Window as EdgeWindow
from darkroom.errors import NotFound
from darkroom.events import ResultWanted
from darkroom.events.sqs import SqsQueue
from darkroom.figures.emf import EmfFigures
from darkroom.figures.memory import MemoryFigures
from darkroom.jobs.dynamodb import DynamoJobs
from darkroom.model import OriginalPolicy, State
from darkroom.names import ASSETS, DEFAULTS, archive_key, parse_result_key
from darkroom.ondemand import OnDemand
from darkroom.results.dynamodb import DynamoResults
from darkroom.rules import ages_of, rules_of
from darkroom.service import Service, utc_now
from darkroom.sweep import Sweep
from darkroom.transfer import Collection
from darkroom.transform import Elsewhere
from darkroom.transform.headers import dimensions
from darkroom.transform.jail import Allowance, JailedTransform
from darkroom.transform.recipes import load_recipes
from darkroom.uploads.multipart import MultipartUploads
from darkroom.uploads.presigned import PresignedDownloads, PresignedTickets, connect, where_tickets_lead
from darkroom.verify import Defaults

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from starlette.types import ASGIApp

    from darkroom.access.signing import SigningSecret
    from darkroom.edge import Maker
    from darkroom.figures import Figures as AnyFigures
    from darkroom.model import Image
    from darkroom.settings import CloudSettings
    from darkroom.transform import Transform
    from darkroom.transform.recipes import Recipe

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
SLOW_OBJECT_SECONDS = 900
"""How long an object may be under way between AWS and an operator: 100 MB at one megabit a second."""
STORE_PATIENCE_SECONDS = 10.0
"""How long a reader of a picture by its address waits for tables and buckets."""
RENDER_PATIENCE_SECONDS = 22.0
"""How long for the picture itself: a little longer than one may take to render in that function."""
LOOK_SECONDS = 0.25
"""Between two looks at a picture that another function is making: each is two requests to pay for."""
LIFECYCLE_SLACK = timedelta(days=3)
"""How long after its day S3 may take to remove an object: what is left of it in the ledger goes after that."""
RESULT_TAGS = {"kind": "result"}
"""What the bucket's rule knows results by: their keys have no beginning in common that others have not."""
ORIGINAL_SECONDS = 300
"""The life of an address that an original is had from which is larger."""


Figures = EmfFigures
"""What is counted in a function, by the name that handlers know it under."""


Window = EdgeWindow
"""What answers addresses of transformations, likewise."""


IiifWindow = EdgeIiifWindow
"""What answers those of the IIIF Image API, likewise."""


Shown = EdgeShown
"""An answer of either."""


def figures() -> Figures:
    """Return what is counted in one function, to be written down at the end of each invocation."""
    return EmfFigures()


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Where the services of AWS are, and who asks them: left away, as the environment of a function says."""

    region: str | None = None
    credentials: Callable[[], aws.Credentials] | None = None
    """For the buckets, whose library knows nothing of profiles and sign-ins."""
    object_seconds: float = ANSWER_SECONDS
    """How long one object may be under way."""

    @cached_property
    def s3(self) -> Any:  # noqa: ANN401 # botocore has no types
        """The client that signs."""
        return connect(endpoint=configuration.aws_endpoint("s3"), region=self.region)

    @cached_property
    def sqs(self) -> Any:  # noqa: ANN401 # likewise
        """The client of queues."""
        return aws.client("sqs", endpoint=configuration.aws_endpoint("sqs"), region_name=self.region)

    @cached_property
    def dynamodb(self) -> Any:  # noqa: ANN401 # likewise
        """The client of tables."""
        return dynamodb.connect(endpoint=configuration.aws_endpoint("dynamodb"), region=self.region)


FUNCTION = Reach()


def service(settings: CloudSettings, counted: Figures, transform: Transform | None = None) -> Service:
    """Return the service; without ``transform`` it answers people but cannot work on events."""
    return _service(settings, counted, transform or Elsewhere(), load_recipes(settings.recipes), FUNCTION)


def by_hand(settings: CloudSettings, region: str) -> Service:
    """Return the service as an operator's command works on it, on any machine. Let go of it by ``close``.

    The recipes are in the stage's packages only. Without them nothing new is promised of an image that is to be made
    anew; whoever makes it promises what it makes.
    """
    reach = Reach(region=region, credentials=aws.credentials(), object_seconds=SLOW_OBJECT_SECONDS)
    return _service(settings, MemoryFigures(), Elsewhere(), (), reach)


def close(parts: Service) -> None:
    """End what ``by_hand`` has begun."""
    assert isinstance(parts.catalog, DynamoCatalog)
    assert isinstance(parts.queue, SqsQueue)
    assert isinstance(parts.results, DynamoResults)
    assert isinstance(parts.jobs, DynamoJobs)
    parts.catalog.close()
    parts.jobs.close()
    parts.queue.let_go()
    parts.results.close()


def _service(
    settings: CloudSettings, counted: AnyFigures, transform: Transform, recipes: tuple[Recipe, ...], reach: Reach
) -> Service:
    purges = PurgeQueue(purge_queue_of(settings, reach)) if settings.purge_queue_url else NoPurges()
    uploads = settings.given("uploads_bucket")
    return Service(
        catalog=DynamoCatalog(reach.dynamodb, settings.given("table"), kinds=settings.kinds),
        uploads=_bucket(uploads, reach),
        assets=_assets(settings, reach),
        tickets=PresignedTickets(reach.s3, uploads, utc_now),
        parted=MultipartUploads(reach.s3, uploads, utc_now),
        queue=queue_of(settings, reach),
        jobs=DynamoJobs(reach.dynamodb, settings.given("table"), life=JOB_LIFE),
        transform=transform,
        inspect=dimensions,
        purges=purges,
        results=DynamoResults(reach.dynamodb, settings.given("results_table"), utc_now),
        figures=counted,
        recipes=recipes,
        rules=rules_of(settings),
        clock=utc_now,
        randomness=secrets.token_bytes,
    )


def queue_of(settings: CloudSettings, reach: Reach = FUNCTION) -> SqsQueue:
    """Return the queue of events."""
    return SqsQueue(reach.sqs, settings.given("events_queue_url"), settings.failed_queue_url)


def purge_queue_of(settings: CloudSettings, reach: Reach = FUNCTION) -> SqsQueue:
    """Return the queue of what the edge has to forget."""
    return SqsQueue(reach.sqs, settings.given("purge_queue_url"))


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


def forget_results(settings: CloudSettings, parts: Service) -> int:
    """Take out of the ledger what the bucket has removed by its rule, and return how much that was.

    No edge is told: as long as an image is what it was, so are the copies of what was made of it.
    """
    if not settings.result_days:
        return 0
    before = utc_now() - timedelta(days=settings.result_days) - LIFECYCLE_SLACK
    return OnDemand(replace(parts, purges=NoPurges())).forget_unused(before)


def defaults(parts: Service, make: Callable[[], None]) -> Defaults:
    """Return the default images, as far as they are looked after like all others; ``make`` has them made where not."""

    def distrust() -> None:
        distrust_defaults(parts.assets)
        make()

    return Defaults(partial(default_objects, parts.assets), distrust)


def collection(settings: CloudSettings, parts: Service) -> Collection:
    """Return what exports are made of and imports brought into.

    What is put where originals arrive is an arrival to S3, and unless originals are kept the bucket removes it in
    time. So an original that there is nothing to do about goes to the archive.
    """

    def goes_to_the_archive(image: Image) -> bool:
        if image.state is State.READY and settings.originals is OriginalPolicy.KEEP:
            try:  # beside one in the archive, what arrives is taken for an upload replayed, and removed
                parts.uploads.stat(archive_key(image.id))
            except NotFound:
                return False
        return image.state in {State.READY, State.FAILED}

    return Collection(
        catalog=parts.catalog,
        uploads=parts.uploads,
        assets=parts.assets,
        queue=parts.queue,
        purges=parts.purges,
        goes_to_the_archive=goes_to_the_archive,
    )


def application(settings: CloudSettings, parts: Service) -> ASGIApp:
    """Return pages and API as an ASGI app. Pictures are delivered by CloudFront, files go straight to S3."""
    from darkroom.http.app import ApiOptions, create_api, front  # noqa: PLC0415 # half a second, for one function only
    from darkroom.http.reception import Reception  # noqa: PLC0415 # likewise
    from darkroom.http.signing import Signer  # noqa: PLC0415 # likewise
    from darkroom.web.rendering import Renderer  # noqa: PLC0415 # likewise
    from darkroom.web.session import SignedIn  # noqa: PLC0415 # likewise
    from darkroom.web.site import Site  # noqa: PLC0415 # likewise

    reception = Reception(
        Path(tempfile.gettempdir()),
        limit=settings.max_post_bytes,
        idle_seconds=IDLE_SECONDS,
        minimum_rate=settings.minimum_upload_rate,
        most_at_a_time=1,  # a function has one request at a time, and its body is there as a whole
    )
    uploads = settings.given("uploads_bucket")
    downloads = PresignedDownloads(
        FUNCTION.s3,
        uploads,
        life=timedelta(seconds=ORIGINAL_SECONDS),
        from_bytes=LARGEST_ANSWER_BYTES,
    )
    options = ApiOptions(
        keys=True,
        allowed_origins=settings.allowed_origins,
        base_url=settings.base_url,
        delivery_url=settings.delivery_url,
        rate=Rate(settings.key_rate, settings.key_burst) if settings.key_rate else None,
        srcset_widths=settings.srcset_widths,
        poll_seconds=POLL_SECONDS,
        original_elsewhere=downloads.address,
    )
    keys = settings.given("keys_table")
    access = DynamoAccess(FUNCTION.dynamodb, keys, utc_now)
    rates = DynamoRates(FUNCTION.dynamodb, keys, time.time_ns)
    function = aws.client("lambda", endpoint=configuration.aws_endpoint("lambda"), read_timeout=25)
    signers = PublishedSecrets(_secrets(settings), PublishingFunction(function, settings.given("secrets_function")))
    site = Site(
        service=parts,
        access=access,
        renderer=Renderer(settings.base_url, settings.delivery_url, where_tickets_lead(FUNCTION.s3, uploads)),
        reception=reception,
        signer=Signer(signers, parts.clock, settings.srcset_widths),
        counted=None,
        elsewhere="More is on the stack's dashboard in CloudWatch.",
    )
    api = create_api(parts, access, signers, rates, reception, options, pages=site.routes)
    return front(SignedIn(api, settings.base_url), {}, options, parts.figures)


def _secrets(settings: CloudSettings) -> DynamoSecrets:
    return DynamoSecrets(FUNCTION.dynamodb, settings.given("secrets_table"), utc_now)


def publish_secrets(settings: CloudSettings) -> None:
    """Have CloudFront's functions know what secrets and unsigned sizes there are, and no others.

    Raises ``Unavailable``.
    """
    endpoint = configuration.aws_endpoint("cloudfront-keyvaluestore")
    store = KeyValueStore(aws.client("cloudfront-keyvaluestore", endpoint=endpoint), settings.given("secrets_store"))
    secrets_ = _secrets(settings)
    store.bring_to(lambda: shown(secrets_.list(), settings.unsigned))


def window(settings: CloudSettings, parts: Service, maker: Maker) -> Window:
    """Return what answers addresses, as on one machine, but that it keeps nothing: CloudFront and the bucket do."""
    return Window(
        _transformations(settings, parts, maker, Pool(STORE_PATIENCE_SECONDS)),
        _secrets(settings).list,
        widths=settings.srcset_widths,
        largest=LARGEST_ANSWER_BYTES,
    )


def iiif_window(settings: CloudSettings, parts: Service, maker: Maker) -> IiifWindow:
    """Return what answers by the IIIF Image API, likewise; what is made is counted for each owner, over all functions.

    Not in the table of keys: these functions decode strangers' files.
    """
    pool = Pool(STORE_PATIENCE_SECONDS)
    rate = Rate(settings.iiif_rate, settings.iiif_burst) if settings.iiif_rate else None
    rates = DynamoRates(FUNCTION.dynamodb, settings.given("results_table"), time.time_ns)
    rules = IiifRules(
        owners=frozenset(settings.iiif_owners),
        base_url=settings.given("iiif_url").rstrip("/"),
        take=lambda owner: 0.0 if rate is None else rates.take(f"iiif {owner}", rate),
    )
    transformations = _transformations(settings, parts, maker, pool)
    return IiifWindow(
        Iiif(transformations, pool, parts.catalog.get, rules, _lifetimes(settings)),
        _secrets(settings).list,
        delivery_url=settings.delivery_url,
        largest=LARGEST_ANSWER_BYTES,
    )


def _transformations(settings: CloudSettings, parts: Service, maker: Maker, pool: Pool) -> Transformations:
    lifetimes = _lifetimes(settings)
    pictures = Pictures(
        parts.assets,
        parts.delivered,
        NothingPurged(),
        pool,
        parts.figures,
        lifetimes=lifetimes,
        hot_cache_bytes=0,
        results=parts.results,
    )
    demand = Demand(
        results=parts.results,
        maker=maker,
        promise=partial(promise, parts),
        secrets=_secrets(settings).list,
        image=parts.catalog.get,
        rules=TransformationRules(
            widths=settings.srcset_widths,
            unsigned=settings.unsigned,
            avif_budget=settings.avif_budget_seconds,
            patience_seconds=RENDER_PATIENCE_SECONDS,
        ),
    )
    return Transformations(pictures, pool, demand, lifetimes)


def on_demand(parts: Service) -> OnDemand:
    """Return what makes pictures that somebody waits for."""
    return OnDemand(parts, look_seconds=LOOK_SECONDS)


def promise(parts: Service, image_id: str, options: str, extension: str) -> None:
    """Have a picture made by and by, by the transform function."""
    parts.queue.publish(ResultWanted(image_id=image_id, options=options, extension=extension))


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


def first_secret(client: Any, table: str, owner: str = LOCAL_OWNER) -> SigningSecret:  # noqa: ANN401 # likewise
    """Return what an owner's addresses are signed with, made now if there is none; for who deploys."""
    return signing(DynamoSecrets(client, table, utc_now), owner)


def _bucket(
    name: str,
    reach: Reach,
    cache_control: Callable[[str], str] | None = None,
    tags: Callable[[str], dict[str, str]] = lambda _: {},
) -> ObjectBucket:
    return ObjectBucket.s3(
        name,
        endpoint=configuration.aws_endpoint("s3"),
        region=reach.region,
        credentials=reach.credentials,
        answer_seconds=reach.object_seconds,
        cache_control=cache_control,
        tags=tags,
    )


def _lifetimes(settings: CloudSettings) -> Lifetimes:
    return Lifetimes(browser=settings.browser_seconds, edge=settings.edge_seconds, miss=settings.miss_seconds)


def _assets(settings: CloudSettings, reach: Reach) -> ObjectBucket:
    lifetimes = _lifetimes(settings)

    def cache_control(key: str) -> str:
        return lifetimes.of_a_default if key.startswith(DEFAULTS) else lifetimes.of_a_picture

    def tags(key: str) -> dict[str, str]:
        return RESULT_TAGS if key.startswith(ASSETS) and parse_result_key(key) else {}

    return _bucket(settings.given("assets_bucket"), reach, cache_control, tags)
