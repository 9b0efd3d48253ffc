"""Settings → the parts of the one-machine deployment. The only place that names the adapters."""

from __future__ import annotations

import logging
import secrets
import shlex
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from darkroom import settings as configuration
from darkroom.access import LOCAL_OWNER, Rate
from darkroom.access.shared import SharedRates
from darkroom.access.signing import signing
from darkroom.access.sqlite import SqliteAccess, SqliteSecrets
from darkroom.bucket.leftovers import FolderLeftovers
from darkroom.bucket.notifying import NotifyingBucket
from darkroom.bucket.objects import FolderBucket, ObjectBucket
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.edge.answers import Lifetimes
from darkroom.edge.defaults import default_objects, distrust_defaults, packaged, shelve_defaults
from darkroom.edge.delivery import Delivery, DeliveryRules
from darkroom.edge.hook import CommandEdge, HttpEdge, QueuedPurges, RestingEdge
from darkroom.edge.iiif_delivery import IiifRules
from darkroom.edge.purgelog import PurgeLog
from darkroom.edge.transformations import Demand, TransformationRules
from darkroom.embedded.counter import Counter, SocketMaker
from darkroom.embedded.door import UploadDoor
from darkroom.embedded.layout import Layout
from darkroom.embedded.logs import start_logging
from darkroom.embedded.metrics import serve_metrics
from darkroom.embedded.processor import Pace, Processor
from darkroom.embedded.retention import Retention
from darkroom.embedded.sweeper import Sweeper
from darkroom.errors import BadConfiguration, RenderFailed, StorageFull
from darkroom.events import ResultWanted
from darkroom.events.sqlite import SqliteQueue
from darkroom.figures import queue_readings
from darkroom.figures.prometheus import PrometheusFigures, empty
from darkroom.http.app import ApiOptions, create_api, front
from darkroom.http.delivery import DeliveryApp
from darkroom.http.reception import Reception
from darkroom.http.signing import Signer
from darkroom.inparts import InParts
from darkroom.jobs.sqlite import SqliteJobs
from darkroom.names import UPLOAD_PREFIX
from darkroom.ondemand import OnDemand
from darkroom.results.sqlite import SqliteResults
from darkroom.rules import ages_of, rules_of
from darkroom.service import Service, utc_now
from darkroom.sqlite import Database, Engine, copy, data_format, engine
from darkroom.sweep import Ages, Sweep
from darkroom.transfer import Collection
from darkroom.transform import Elsewhere, Order, sandbox
from darkroom.transform.headers import dimensions
from darkroom.transform.jail import Allowance, JailedTransform
from darkroom.transform.libraries import Library, libraries
from darkroom.transform.obstacles import obstacles
from darkroom.transform.recipes import load_recipes
from darkroom.transform.sandbox import LAYERS, landlock_version
from darkroom.uploads.signed import SignedTickets
from darkroom.uploads.staged import StagedParts
from darkroom.verify import Defaults
from darkroom.web.rendering import Renderer
from darkroom.web.session import SignedIn
from darkroom.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from starlette.types import ASGIApp

    from darkroom.access import Access
    from darkroom.access.signing import Secrets
    from darkroom.bucket import Bucket
    from darkroom.edge import FarEdge, Maker
    from darkroom.settings import Settings
    from darkroom.transform import Transform

log = logging.getLogger("darkroom.start")


def prepare(settings: Settings) -> None:
    """Make everything that has to be there before the first process is started, and check what can be checked.

    Raises ``BadConfiguration``, ``Unavailable`` for data of another release.
    """
    layout = Layout(settings.data)
    empty(layout.figures)
    layout.rates.unlink(missing_ok=True)  # its moments are those of a clock that begins anew with the machine
    with _in_spite_of_a_full_disk():
        service(settings).check()
    access(settings).list()
    with _in_spite_of_a_full_disk():
        signing(secrets_of(settings), LOCAL_OWNER)


@contextmanager
def _in_spite_of_a_full_disk() -> Iterator[None]:
    """Start all the same: what is there can be delivered, and deleted to make room."""
    try:
        yield
    except StorageFull as error:
        log.warning("disk full", extra={"reason": error.detail})


def access(settings: Settings) -> SqliteAccess:
    """Return the keys."""
    return SqliteAccess(Layout(settings.data).access, utc_now)


def secrets_of(settings: Settings) -> SqliteSecrets:
    """Return what addresses are signed with."""
    return SqliteSecrets(Layout(settings.data).access, utc_now)


def service(settings: Settings, transform: Transform | None = None) -> Service:
    """Return the service; without ``transform`` it answers people but cannot work on events."""
    layout = Layout(settings.data)
    queue = SqliteQueue(layout.queue, utc_now)
    uploads = NotifyingBucket(ObjectBucket.folder(layout.uploads, reserve=settings.reserve_bytes), queue)
    near, far_edge = PurgeLog(layout.purges), _far_edge(settings)
    return Service(
        catalog=SqliteCatalog(layout.catalog, kinds=settings.kinds),
        uploads=uploads,
        assets=ObjectBucket.folder(layout.assets, reserve=settings.reserve_bytes),
        tickets=_tickets(settings),
        parted=staged_parts(settings, uploads),
        queue=queue,
        transform=transform or Elsewhere(),
        inspect=dimensions,
        purges=near if far_edge is None else QueuedPurges(near, queue),
        jobs=SqliteJobs(layout.jobs, utc_now),
        results=SqliteResults(layout.results, utc_now),
        far_edge=far_edge,
        figures=PrometheusFigures(layout.figures),
        recipes=load_recipes(settings.recipes),
        rules=rules_of(settings),
        clock=utc_now,
        randomness=secrets.token_bytes,
    )


def close(parts: Service) -> None:
    """Let go of what ``service`` has opened in this thread."""
    assert isinstance(parts.catalog, SqliteCatalog)
    assert isinstance(parts.queue, SqliteQueue)
    assert isinstance(parts.results, SqliteResults)
    assert isinstance(parts.jobs, SqliteJobs)
    assert isinstance(parts.figures, PrometheusFigures)
    parts.catalog.close()
    parts.queue.close()
    parts.results.close()
    parts.jobs.close()
    parts.figures.close()


def _far_edge(settings: Settings) -> FarEdge | None:
    if settings.purge_url:
        return RestingEdge(HttpEdge(settings.purge_url, host=settings.purge_host))
    if settings.purge_command:
        environment = configuration.clean_environment()
        return RestingEdge(CommandEdge(shlex.split(settings.purge_command), environment=environment))
    return None


def ages(settings: Settings) -> Ages:
    """Return how old something has to be before it is called left behind."""
    # A render may wait for a free process as long as for its result.
    longest_try = 2 * settings.render_seconds + Pace().lease
    return ages_of(settings, idle_seconds=settings.idle_seconds, longest_try=longest_try)


def sweep(settings: Settings, parts: Service) -> Sweep:
    """Return what finds and sets right what was left behind."""
    leftovers = FolderLeftovers(settings.data, ("uploads/put#*", "assets/put#*", "incoming/**/*"))
    return Sweep(parts, ages(settings), defaults=defaults(parts).objects, leftovers=leftovers)


def defaults(parts: Service) -> Defaults:
    """Return the default images, as far as they are looked after like all others."""
    return Defaults(partial(default_objects, parts.assets), partial(distrust_defaults, parts.assets))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What the service keeps, as it lies in a data folder: for commands that work on one, served meanwhile or not."""

    catalog: SqliteCatalog
    uploads: FolderBucket
    """Nobody is told of what is put here."""
    assets: FolderBucket
    queue: SqliteQueue

    def close(self) -> None:
        """Close this thread's connections."""
        self.catalog.close()
        self.queue.close()


def stores(layout: Layout) -> Stores:
    """Open what lies in a data folder, making what is missing. Raises ``Unavailable`` for data of another release."""
    return Stores(
        catalog=SqliteCatalog(layout.catalog),
        uploads=ObjectBucket.folder(layout.uploads),
        assets=ObjectBucket.folder(layout.assets),
        queue=SqliteQueue(layout.queue, utc_now),
    )


def collection(parts: Service, layout: Layout) -> Collection:
    """Return what exports are made of and imports brought into."""
    return Collection(
        catalog=parts.catalog,
        uploads=ObjectBucket.folder(layout.uploads),
        assets=parts.assets,
        queue=parts.queue,
        purges=parts.purges,
    )


def copy_databases(layout: Layout, to: Layout) -> SqliteCatalog:
    """Copy the databases, each as it is at one moment, the catalog last; return the copy of the catalog.

    Raises ``Unavailable`` when one is missing or damaged, ``BadConfiguration`` for data of an earlier release: whoever
    opens those brings them up to this one.
    """
    pairs = ((layout.queue, to.queue), (layout.access, to.access), (layout.catalog, to.catalog))
    for path, copied in pairs:
        copy(path, copied)
    before = [data_format(copied) for _, copied in pairs]
    SqliteQueue(to.queue, utc_now).close()
    SqliteAccess(to.access, utc_now).close()
    catalog = SqliteCatalog(to.catalog)
    if before != [data_format(copied) for _, copied in pairs]:
        catalog.close()
        msg = f"{layout.root} is of an earlier release; back it up with that one, or start this one on it first"
        raise BadConfiguration(msg)
    return catalog


def _tickets(settings: Settings) -> SignedTickets:
    return SignedTickets(Layout(settings.data).secret("tickets"), settings.base_url, utc_now)


def staged_parts(settings: Settings, uploads: Bucket) -> StagedParts:
    """Return where the parts of long uploads wait, and are made one original."""
    incoming = Layout(settings.data).incoming
    return StagedParts(uploads, _tickets(settings).issue_parts, incoming, reserve=settings.reserve_bytes)


def http_app() -> ASGIApp:
    """Return what each HTTP worker serves, as its environment says."""
    settings = configuration.load()
    start_logging(settings.log_level)
    maker = SocketMaker(Layout(settings.data).counter)
    return application(settings, service(settings), access(settings), secrets_of(settings), maker)


def application(settings: Settings, parts: Service, keys: Access, signers: Secrets, maker: Maker) -> ASGIApp:
    """Return delivery, the upload door and the API as one ASGI app."""
    layout = Layout(settings.data)
    rates = SharedRates(layout.rates, time.monotonic_ns)
    delivery = Delivery(
        parts.assets,
        parts.delivered,
        PurgeLog(layout.purges).reader(),
        parts.figures,
        recipes=parts.recipes,
        default_picture=packaged(),
        rules=DeliveryRules(
            lifetimes=Lifetimes(
                browser=settings.browser_seconds, edge=settings.edge_seconds, miss=settings.miss_seconds
            ),
            hot_cache_bytes=settings.hot_cache_bytes,
            iiif=_iiif_rules(settings, rates),
        ),
        demand=Demand(
            results=parts.results,
            maker=maker,
            promise=partial(_promise, parts),
            secrets=signers.list,
            image=parts.catalog.get,
            rules=TransformationRules(
                widths=settings.srcset_widths,
                unsigned=settings.unsigned,
                avif_budget=settings.avif_budget_seconds,
            ),
        ),
    )
    reception = Reception(
        layout.incoming,
        limit=settings.max_post_bytes,
        idle_seconds=settings.idle_seconds,
        minimum_rate=settings.minimum_upload_rate,
        most_at_a_time=settings.max_simultaneous_uploads,
        reserve=settings.reserve_bytes,
    )
    options = ApiOptions(
        keys=settings.keys,
        allowed_origins=settings.allowed_origins,
        base_url=settings.base_url,
        delivery_url=settings.delivery_url,
        rate=Rate(settings.key_rate, settings.key_burst) if settings.key_rate else None,
        exposition=lambda: exposition(parts),
        srcset_widths=settings.srcset_widths,
    )
    site = Site(
        service=parts,
        access=keys if settings.keys else None,
        renderer=Renderer(settings.base_url, settings.delivery_url),
        reception=reception,
        signer=Signer(signers, parts.clock, settings.srcset_widths),
        counted=partial(_counted, parts),
    )
    assert isinstance(parts.parted, StagedParts)
    door = UploadDoor(_tickets(settings), parts.uploads, parts.parted, InParts(parts).admit, reception, parts.figures)
    api = create_api(
        parts,
        keys,
        signers,
        rates,
        reception,
        options,
        pages=site.routes,
        on_stop=delivery.close,
    )
    return DeliveryApp(delivery, front(SignedIn(api, settings.base_url), {UPLOAD_PREFIX: door}, options, parts.figures))


def _counted(parts: Service) -> str:
    return exposition(parts)[0].decode()


def _iiif_rules(settings: Settings, rates: SharedRates) -> IiifRules:
    rate = Rate(settings.iiif_rate, settings.iiif_burst) if settings.iiif_rate else None
    return IiifRules(
        owners=frozenset(settings.iiif_owners),
        base_url=settings.delivery_url,
        take=lambda owner: 0.0 if rate is None else rates.take(f"iiif {owner}", rate),
    )


def _promise(parts: Service, image_id: str, options: str, extension: str) -> None:
    parts.queue.publish(ResultWanted(image_id=image_id, options=options, extension=extension))


def native_libraries() -> tuple[Library, ...]:
    """Return the libraries that are shown strangers' bytes, and how old they are."""
    return libraries()


def database_engine() -> Engine:
    """Return what SQLite is here."""
    return engine()


def try_database(path: Path) -> None:
    """Make a database and write to it as all others are. Raises ``Unavailable``, ``StorageFull``."""
    database = Database(path, "CREATE TABLE trials (number INTEGER)", version=1)
    with database.write() as connection:
        connection.execute("INSERT INTO trials VALUES (1)")
    database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class JailTrial:
    """The layers there are and what each takes away, those that hold here, why others do not, and how long it took."""

    layers: Mapping[str, str]
    active: tuple[str, ...]
    obstacles: Mapping[str, str]
    landlock: int | None
    """How much the kernel's Landlock knows: TCP ports from 4 on, signals and local sockets from 6 on."""
    seconds: float


def hide_memory() -> None:
    """Close the memory and the environment of this process, and of those it forks, to others of the same user."""
    with suppress(OSError):
        sandbox.hide_memory()


def try_jail(settings: Settings) -> JailTrial:
    """Have a picture rendered in a jail of one process. Raises ``BadConfiguration``, ``Unavailable``, ``Refused``."""
    jail = JailedTransform(1, allowance=_allowance(settings))
    try:
        began = time.perf_counter()
        with tempfile.TemporaryFile() as original:
            original.write(packaged().body)
            original.flush()
            jail.render(original, Order(recipes=load_recipes(None)))
        seconds = time.perf_counter() - began
        active = jail.active_layers()
        return JailTrial(
            layers=LAYERS,
            active=active,
            obstacles=obstacles(),
            landlock=landlock_version() if "landlock" in active else None,
            seconds=seconds,
        )
    finally:
        jail.close()


def exposition(parts: Service) -> tuple[bytes, str]:
    """Return body and content type of ``/metrics``, summed over all processes."""
    assert isinstance(parts.figures, PrometheusFigures)
    return parts.figures.exposition(queue_readings(parts.queue.depth()))


def processor(settings: Settings) -> Processor:
    """Return what works on events, its jail started. Raises ``BadConfiguration`` when the jail is not as asked."""
    # As many as there are threads that render, of events and of the counter: so neither ever waits for the other.
    workers = settings.processors + settings.result_processors
    jail = JailedTransform(workers, allowance=_allowance(settings), required=frozenset(settings.jail_layers))
    log.info("jail", extra={"layers": list(jail.active_layers()), "workers": workers})
    parts = service(settings, jail)
    if settings.metrics_port:
        serve_metrics(settings.metrics_port, lambda: exposition(parts))
    _make_defaults(settings, parts, jail)
    chores = [_counter(settings, parts).run]
    if settings.result_days:
        chores.append(Retention(OnDemand(parts).forget_unused, days=settings.result_days, clock=utc_now).run)
    if settings.sweep_seconds:
        chores.append(Sweeper(sweep(settings, parts), parts.figures, every_seconds=settings.sweep_seconds).run)
    assert isinstance(parts.queue, SqliteQueue)
    return Processor(parts, parts.queue, threads=settings.processors, attempts=settings.attempts, chores=tuple(chores))


def _counter(settings: Settings, parts: Service) -> Counter:
    """Return where pictures on demand are made: by this process alone, so whoever claimed one before is gone."""
    assert isinstance(parts.results, SqliteResults)
    parts.results.end_claims()
    return Counter(
        Layout(settings.data).counter,
        OnDemand(parts).make,
        threads=settings.result_processors,
        most_waiting=settings.result_queue,
    )


def _allowance(settings: Settings) -> Allowance:
    return Allowance(
        seconds=settings.render_seconds,
        cpu_seconds=int(2 * settings.render_seconds),
        memory_bytes=settings.render_memory_bytes,
        images=settings.render_recycle,
    )


def _make_defaults(settings: Settings, parts: Service, jail: JailedTransform) -> None:
    try:
        with _in_spite_of_a_full_disk():
            shelve_defaults(parts.assets, jail, parts.recipes, settings.default_image)
    except RenderFailed as error:
        if settings.default_image is not None:
            msg = f"DARKROOM_DEFAULT_IMAGE: {settings.default_image}: {error.detail}"
            raise BadConfiguration(msg) from error
        # The one that comes with the service is shown as it is, until a start on a less busy machine.
        log.warning("default images not made", extra={"reason": error.detail})
