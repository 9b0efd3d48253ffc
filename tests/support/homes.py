"""A data folder, and the service on it within this process: what lies on the disk is real, work is done when told."""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import Any

import pictures
from darkroom import ledger, names
from darkroom.access import Scope
from darkroom.access.sqlite import SqliteAccess
from darkroom.bucket.notifying import NotifyingBucket
from darkroom.edge.purgelog import PurgeLog
from darkroom.embedded import wire
from darkroom.embedded.layout import Layout
from darkroom.events import backoff
from darkroom.figures.memory import MemoryFigures
from darkroom.jobs.sqlite import SqliteJobs
from darkroom.model import Facts, Format, Image, Original, OriginalPolicy, Shelved, Source, State
from darkroom.results.sqlite import SqliteResults
from darkroom.service import Rules, Service, utc_now
from darkroom.transform.headers import dimensions
from darkroom.transform.inline import InlineTransform
from darkroom.uploads.signed import SignedTickets
from darkroom.uploads.staged import StagedParts
from rooms import ATTEMPTS, LEASE_SECONDS, OWNER, PICTURE, RECIPES

BROKEN = pictures.jpeg(200, 150)[:1500]


class Home:
    """The service on ``folder``. Call ``close`` in the end."""

    def __init__(self, folder: Path, *, originals: OriginalPolicy = OriginalPolicy.KEEP) -> None:
        self.layout = Layout(folder)
        self.layout.prepare()
        self.access = SqliteAccess(self.layout.access, utc_now)
        self.stores = wire.stores(self.layout)
        uploads = NotifyingBucket(self.stores.uploads, self.stores.queue)
        tickets = SignedTickets(self.layout.secret("tickets"), "http://127.0.0.1", utc_now)
        self.service = Service(
            catalog=self.stores.catalog,
            uploads=uploads,
            assets=self.stores.assets,
            tickets=tickets,
            parted=StagedParts(uploads, tickets.issue_parts, self.layout.incoming),
            queue=self.stores.queue,
            jobs=SqliteJobs(self.layout.jobs, utc_now),
            transform=InlineTransform(),
            inspect=dimensions,
            purges=PurgeLog(self.layout.purges),
            figures=MemoryFigures(),
            results=SqliteResults(self.layout.results, utc_now),
            recipes=RECIPES,
            rules=Rules(originals=originals),
            clock=utc_now,
            randomness=secrets.token_bytes,
        )
        self.access.list()

    def close(self) -> None:
        self.access.close()
        self.stores.close()

    # ------------------------------------------------------------------ what people do

    def receive(self, body: bytes = PICTURE, *, owner: str = OWNER, filename: str = "cat.jpg", **said: Any) -> Image:
        """Upload through the small door; nothing is rendered yet."""
        upload = self.service.upload(filename=filename, length=len(body), **said)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "body"
            path.write_bytes(body)
            return self.service.receive(owner, upload, path)

    def open_upload(self, body: bytes = PICTURE) -> Image:
        return self.service.open_upload(OWNER, self.service.upload(filename="late.jpg", length=len(body)))[0]

    def ready(self, body: bytes = PICTURE, **said: Any) -> Image:
        """Upload, and work until it is ready."""
        image = self.receive(body, **said)
        self.work()
        found = self.now(image)
        assert found is not None
        assert found.state is State.READY
        return found

    def key(self, name: str = "mine") -> str:
        return self.access.add(OWNER, name, frozenset(Scope))[1]

    def now(self, image: Image) -> Image | None:
        return self.service.catalog.get(image.id)

    # ------------------------------------------------------------------ what the processor does

    def work(self) -> None:
        """Work on all events that are due."""
        queue = self.stores.queue
        while leases := queue.lease(1, LEASE_SECONDS):
            (lease,) = leases
            try:
                self.service.handle(lease.event)
            except Exception as error:  # noqa: BLE001 # as the processor does
                if lease.attempt < ATTEMPTS:
                    queue.retry(lease, backoff(lease.attempt))
                else:
                    self.service.give_up(lease.event, repr(error))
                    queue.bury(lease, repr(error))
            else:
                queue.settle(lease)

    # ------------------------------------------------------------------ what there is

    def images(self) -> dict[str, Image]:
        found: list[Image] = []
        while page := self.service.catalog.walk(found[-1].id if found else "", 500):
            found += page
        return {image.id: image for image in found}

    def objects(self) -> dict[str, bytes]:
        """Return the bytes of every object by its path under the data folder, without the default images."""
        return {
            str(path.relative_to(self.layout.root)): path.read_bytes()
            for bucket in (self.layout.uploads, self.layout.assets)
            for path in sorted(bucket.rglob("*"))
            if path.is_file() and path.relative_to(bucket).parts[0] != "default"
        }

    def differences(self) -> list[str]:
        """Compare catalog and buckets to the byte; independent of what does so in the product."""
        objects = self.objects()
        found = []
        for image in self.images().values():
            kept = [
                objects.pop(f"uploads/{key}")
                for key in (names.original_key(image.id), names.archive_key(image.id))
                if f"uploads/{key}" in objects
            ]
            should = image.original is Original.KEPT or image.from_rendition
            if len(kept) != should and image.state is not State.AWAITING:
                found.append(f"{image.id} has {len(kept)} originals ({image.state})")
            for one in image.objects:
                body = objects.pop(f"assets/{names.asset_prefix(image.id)}{one.name}", None)
                is_sure = one.checksum is not None and image.state is not State.DELETED
                if is_sure and (body is None or ledger.checksum(body) != one.checksum):
                    found.append(f"{one.name} of {image.id} is {'missing' if body is None else 'other'}")
                if body is not None and image.state is State.DELETED:
                    found.append(f"{one.name} of {image.id} is there, and it is deleted")
        return [*found, *(f"nobody owns {key}" for key in objects)]

    # ------------------------------------------------------------------ what was never rendered

    def fill(self, count: int, *, objects: int = 3, size: int = 2_000, seed: int = 0) -> list[Image]:
        """Put ready images there, with so many objects each, quicker than by rendering; bytes by chance."""
        made = []
        for number in range(count):
            image_id = names.new_id(self.service.clock(), self.service.randomness(names.RANDOM_BYTES))
            bodies = {f"v{n}.jpg": f"{seed} {number} {n} ".encode().ljust(size, b".") for n in range(objects)}
            for name, body in bodies.items():
                path = self.layout.assets / names.asset_prefix(image_id) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            image = Image(
                id=image_id,
                owner=OWNER,
                state=State.READY,
                filename=f"{number}.jpg",
                uploaded_at=names.moment_of(image_id),
                original=Original.DELETED,
                facts=Facts(
                    source=Source(
                        format=Format.JPEG, width=4, height=3, bytes=5, sha256="ab" * 32, has_alpha=False, frames=1
                    ),
                    placeholder="",
                    color="#000000",
                ),
                objects=tuple(Shelved(name=name, checksum=ledger.checksum(body)) for name, body in bodies.items()),
            )
            made.append(self.service.catalog.create(image))
        return made
