"""The whole service in memory, driven by hand: time stands still until it is moved, events wait until they are taken.

A process that dies is an exception at a named step: what it would have done after that is not done, and the events it
held come back when their leases have run out.
"""

from __future__ import annotations

import dataclasses
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pictures
from clock import Clock
from darkroom import ledger, names
from darkroom.bucket.notifying import NotifyingBucket
from darkroom.bucket.objects import ObjectBucket
from darkroom.catalog.memory import MemoryCatalog
from darkroom.events import backoff
from darkroom.events.memory import MemoryQueue
from darkroom.figures.memory import MemoryFigures
from darkroom.jobs.memory import MemoryJobs
from darkroom.model import Format, Image, OriginalPolicy, State
from darkroom.results.memory import MemoryResults
from darkroom.service import Rules, Service
from darkroom.transform.headers import dimensions
from darkroom.transform.inline import InlineTransform
from darkroom.transform.recipes import Fit, Recipe
from darkroom.uploads.signed import SignedTickets
from darkroom.uploads.staged import StagedParts

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.steps import Step

OWNER = "local"
LEASE_SECONDS = 10.0
ATTEMPTS = 5
QUALITY = {Format.JPEG: 50, Format.WEBP: 50}
CARD = Recipe(name="card", width=24, height=16, fit=Fit.COVER, formats=(Format.WEBP, Format.JPEG), quality=QUALITY)
SMALL = Recipe(name="small", width=16, height=16, formats=(Format.JPEG,), quality=QUALITY)
RECIPES = (CARD, SMALL)
"""Quick to make; one of them is cropped by the focus."""
PICTURE = pictures.jpeg(40, 30)


class Killed(BaseException):
    """The process died here."""


class Purged:
    """``Purges`` that writes down what it is told, and an edge far away that does."""

    def __init__(self) -> None:
        self.told: list[tuple[str, tuple[str, ...]]] = []

    def purge(self, image_id: str, names: tuple[str, ...] = ()) -> None:
        self.told.append((image_id, names))

    forget = purge


@dataclass
class Room:
    """One service; ``step`` is called at every step it reaches."""

    originals: OriginalPolicy = OriginalPolicy.DELETE
    recipes: tuple[Recipe, ...] = RECIPES
    step: Callable[[Step], None] = lambda _: None
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.queue = MemoryQueue(self.clock)
        self.catalog = MemoryCatalog()
        self.uploads = ObjectBucket.memory()
        self.assets = ObjectBucket.memory()
        self.purged = Purged()
        self.figures = MemoryFigures()
        self.results = MemoryResults(self.clock)
        self._made = 0
        uploads = NotifyingBucket(self.uploads, self.queue)
        tickets = SignedTickets(bytes(32), "http://127.0.0.1", self.clock)
        self.parts = StagedParts(uploads, tickets.issue_parts, Path(tempfile.gettempdir()))
        self.service = Service(
            catalog=self.catalog,
            uploads=uploads,
            assets=self.assets,
            tickets=tickets,
            parted=self.parts,
            queue=self.queue,
            jobs=MemoryJobs(self.clock),
            transform=InlineTransform(),
            inspect=dimensions,
            purges=self.purged,
            far_edge=self.purged,
            figures=self.figures,
            results=self.results,
            recipes=self.recipes,
            rules=Rules(originals=self.originals),
            clock=self.clock,
            randomness=self._randomness,
            reached=self._reached,
        )

    def _randomness(self, count: int) -> bytes:
        self._made += 1
        return self._made.to_bytes(count)

    def _reached(self, step: Step) -> None:
        self.step(step)

    # ------------------------------------------------------------------ what people do

    def receive(self, body: bytes = PICTURE, *, sha256: str | None = None, key: str | None = None) -> Image:
        """Upload through the small door."""
        upload = self.service.upload(filename="cat.jpg", length=len(body), sha256=sha256)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "body"
            path.write_bytes(body)
            return self.service.receive(OWNER, upload, path, idempotency_key=key)

    def open_upload(self, body: bytes = PICTURE, *, sha256: str | None = None) -> Image:
        """Open an upload by ticket."""
        upload = self.service.upload(filename="cat.jpg", length=len(body), sha256=sha256)
        return self.service.open_upload(OWNER, upload)[0]

    def send(self, image: Image, body: bytes = PICTURE) -> None:
        """Do what the door does with the bytes of a ticket."""
        key = names.original_key(image.id)
        self.service.uploads.put(key, body, content_type="image/jpeg", create_only=True)

    def ready(self, body: bytes = PICTURE) -> Image:
        """Upload and render."""
        image = self.receive(body)
        self.work()
        found = self.get(image)
        assert found is not None
        assert found.state is State.READY, found.error
        return found

    def get(self, image: Image) -> Image | None:
        """Return the image as it is now."""
        return self.catalog.get(image.id)

    # ------------------------------------------------------------------ what the processor does

    def work(self) -> None:
        """Work on all events that are due, each to its end."""
        while leases := self.queue.lease(1, LEASE_SECONDS):
            (lease,) = leases
            try:
                self.service.handle(lease.event)
            except Exception as error:  # noqa: BLE001 # as the processor does
                if lease.attempt < ATTEMPTS:
                    self.queue.retry(lease, backoff(lease.attempt))
                else:
                    self.service.give_up(lease.event, repr(error))
                    self.queue.bury(lease, repr(error))
            else:
                self.queue.settle(lease)

    def settle(self) -> None:
        """Let time pass and work until there is no event left; a process that dies is started again."""
        for _ in range(100):
            try:
                self.work()
            except Killed:
                self.step = lambda _: None
            depth = self.queue.depth()
            if not depth.waiting and not depth.leased:
                return
            self.clock.advance(LEASE_SECONDS)
        msg = "there is no end of events"
        raise AssertionError(msg)

    # ------------------------------------------------------------------ what there is

    def objects(self) -> dict[str, bytes]:
        """Return everything in the assets bucket."""
        return {stat.key: self.assets.get(stat.key).body for stat in self.assets.list("")}

    def kept(self) -> list[str]:
        """Return the keys in the upload bucket."""
        return [stat.key for stat in self.uploads.list("")]

    def differences(self) -> list[str]:
        """Compare ledgers and buckets, object by object, to the byte; independent of what does so in the product."""
        objects = {key: body for key, body in self.objects().items() if not key.startswith("default/")}
        originals = set(self.kept())
        found = []
        for image in self.catalog.walk("", 500):
            if image.state is State.DELETED:
                continue
            for one in image.objects:
                key = names.asset_prefix(image.id) + one.name
                body = objects.pop(key, None)
                if one.checksum is not None and (body is None or ledger.checksum(body) != one.checksum):
                    found.append(f"{key} is {'missing' if body is None else 'other'} ({image.state})")
            if image.original.value == "kept" and image.state is not State.AWAITING:
                mine = {names.original_key(image.id), names.archive_key(image.id)} & originals
                originals -= mine
                if len(mine) != 1:
                    found.append(f"{image.id} has {len(mine)} originals ({image.state})")
        return [*found, *(f"nobody owns {key}" for key in sorted(originals | objects.keys()))]

    def replaced(self, **fields: object) -> None:
        """Go on with other parts: ``recipes`` say."""
        self.service = dataclasses.replace(self.service, **fields)  # type: ignore[arg-type] # the test knows them


def killing_at(wanted: Step, nth: int = 1) -> Callable[[Step], None]:
    """Return what dies when ``wanted`` is reached the ``nth`` time."""
    seen = 0

    def step(reached: Step) -> None:
        nonlocal seen
        seen += reached is wanted
        if reached is wanted and seen == nth:
            raise Killed(reached)

    return step


def killing_after(count: int) -> Callable[[Step], None]:
    """Return what dies at the step after ``count`` others."""
    left = count

    def step(reached: Step) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed(reached)

    return step
