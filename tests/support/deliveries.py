"""Delivery over a bucket in memory, driven by hand: what is asked, what is there, and when the store answers."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from darkroom.bucket.objects import ObjectBucket
from darkroom.edge.answers import Picture
from darkroom.edge.delivery import Delivery, DeliveryRules
from darkroom.edge.purgelog import PurgeLog
from darkroom.figures.memory import MemoryFigures
from darkroom.model import Image, Shelved, State
from darkroom.names import asset_key, default_key, moment_of
from darkroom.transform.recipes import DEFAULT_RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from darkroom.bucket import Stat
    from darkroom.transform.recipes import Recipe

ID = "01k3v9m0c4qdhsyx7g6e8rb2tz"
OTHER_ID = "01k3v9m0c4qdhsyx7g6e8rb2v0"
AVIF = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"avif bytes " * 700
JPEG = b"\xff\xd8\xff" + b"jpeg bytes " * 900
PNG = b"\x89PNG\r\n\x1a\n" + b"png bytes"
PACKAGED = Picture("image/png", b"the packaged default image")
BROWSER = "image/avif,image/webp,*/*;q=0.8"


class Bucket(ObjectBucket):
    """A bucket in memory whose reads can be counted, held up and made to fail."""

    def __init__(self) -> None:
        super().__init__(ObjectBucket.memory()._store)
        self.reads: list[str] = []
        self.failure: Exception | None = None
        self.before_read: Callable[[str], None] = lambda _: None
        self.after_read: Callable[[str], None] = lambda _: None

    def open(self, key: str) -> tuple[Stat, BinaryIO]:
        self.reads.append(key)
        self.before_read(key)
        if self.failure is not None:
            raise self.failure
        opened = super().open(key)
        self.after_read(key)
        return opened


@dataclass(frozen=True)
class Response:
    """An answer with its body collected."""

    status: int
    headers: dict[str, str]
    body: bytes


class Gate:
    """Holds up a thread until it is opened, and tells when one has come."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def wait(self, _key: str = "") -> None:
        """Stand before the gate."""
        self.reached.set()
        assert self.opened.wait(10), "nobody opened the gate"


@dataclass
class Edge:
    """One worker's delivery with everything around it. Images are ready when their state is not set."""

    folder: Path
    recipes: Sequence[Recipe] = DEFAULT_RECIPES
    rules: DeliveryRules = field(default_factory=DeliveryRules)
    seconds: float = 1_000.0
    """What the worker's clock says."""

    def __post_init__(self) -> None:
        self.bucket = Bucket()
        self.states: dict[str, State | None] = {ID: State.READY, OTHER_ID: State.READY}
        self.ledger: dict[str, str] = {}
        """The checksum of each of the first image's objects, by name."""
        self.purges = PurgeLog(self.folder / "purges")
        self.figures = MemoryFigures()
        self.runner = asyncio.Runner()
        self.delivery = Delivery(
            self.bucket,
            self.look_up,
            self.purges.reader(),
            self.figures,
            recipes=self.recipes,
            default_picture=PACKAGED,
            rules=self.rules,
            clock=lambda: self.seconds,
        )

    def look_up(self, image_id: str) -> Image | None:
        """Return the image as the catalog would."""
        state = self.states.get(image_id)
        return None if state is None else self.image(image_id, state)

    def image(self, image_id: str, state: State) -> Image:
        """Return an image with the first image's ledger."""
        objects = tuple(Shelved(name=name, checksum=checksum) for name, checksum in self.ledger.items())
        moment = moment_of(image_id)
        return Image(id=image_id, owner="local", state=state, filename="cat.jpg", uploaded_at=moment, objects=objects)

    def shelve(self, variant: str = "medium", extension: str = "jpg", body: bytes = JPEG) -> None:
        """Put a variant of the first image."""
        self.bucket.put(asset_key(ID, variant, extension), body, content_type="application/octet-stream")

    def shelve_default(self, variant: str, extension: str, body: bytes, content_type: str) -> None:
        """Put a default image."""
        self.bucket.put(default_key(variant, extension), body, content_type=content_type)

    async def ask(self, path: str, method: str = "GET", **headers: str) -> Response:
        """Return the answer; in the names of ``headers`` underscores stand for dashes."""
        sent = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await self.delivery.answer(method, path, sent)
        body = b"".join([chunk async for chunk in self.delivery.chunks(answer)])
        names = [name.decode() for name, _ in answer.headers]
        assert len(names) == len(set(names)), f"a header is there twice: {names}"
        return Response(answer.status, {n.decode(): v.decode() for n, v in answer.headers}, body)

    def get(self, path: str, **headers: str) -> Response:
        """Ask from outside the event loop."""
        return self.runner.run(self.ask(path, **headers))

    def head(self, path: str, **headers: str) -> Response:
        """As ``get``, for the headers alone."""
        return self.runner.run(self.ask(path, "HEAD", **headers))

    def close(self) -> None:
        """End the event loop and everything on it."""
        self.delivery.close()
        self.runner.close()
