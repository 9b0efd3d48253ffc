"""The article's workload, replayed against a running service, faster by a factor.

    python bench/load.py [--factor 100] [--seconds 60] [--library 200] [--photos DIR]
    python bench/load.py --find                 # how many times the peak it carries
    python bench/load.py --factor 3 --seconds 600 --soak --cache 16
    python bench/load.py --aws --factor 1       # the AWS stack in the emulator
    python bench/load.py --url http://127.0.0.1:8000 --key KEY

Method. The factor is of the article's peak, which is three times its mean: 14.6 views and 0.417 uploads a second, 35
to 1. Views and uploads come by themselves (Poisson), whether or not earlier ones were answered; a time is from when a
request was due, so that what waits for a connection counts as waiting. A view is of a new image rather (as likely as
one over how many are newer) and of a popular one rather (Zipf, 0.8): 60 % small, 30 % medium, 10 % large, 93 % by
readers that take AVIF, 1 % of what is not there. Every answer is read whole and checked. An upload is a ticket, then
the PUT; it is accepted when that is answered. There are searches too, one for 200 views. Photos are of 12, 8 and 3
megapixels, made like a camera's in what costs time, or those of --photos; each upload is a file of its own by a
comment. A library of images is there before.

Images that are accepted are processed while others are uploaded and looked at; how many are left when the replay
ends, and how long they take, is printed. Processor time and memory (PSS) are those of all processes of the service,
the replay's own apart. Hit rate: deliveries from memory, of all that found a picture, as the service counts them. Of
the emulator all this says how it does, not AWS: there only errors and order are worth something.

Limits of --find: 99 of 100 views within 100 ms, 99 of 100 uploads accepted within 1 s, no error. It goes up by steps.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "infra"))

import pictures
from machine import print_load, print_machine
from replay.expected import Seen, expected_hits
from replay.people import PEAK_UPLOADS, PEAK_VIEWS, Library, Photos
from replay.place import MEBIBYTE, Place, stack, started
from replay.tally import Tally
from replay.wire import Pool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Coming = tuple[str, str, float, Callable[[float], Awaitable[object]]]

READ_LIMIT, UPLOAD_LIMIT = 0.1, 1.0
STEPS = (10, 25, 50, 75, 100, 125, 150, 200, 250, 300, 400)
SEARCHES_A_VIEW = 1 / 200
OUTSTANDING_MAX = 2_000
"""Requests that are due and not answered; what comes beyond is not sent, and an error."""
READERS, UPLOADERS = 64, 16
WORKED = 'darkroom_transform_seconds_sum{outcome="ready"}'
PATIENCE_SECONDS = 30.0
LOOKS, LOOK_SECONDS = 9_000, 0.2
SIZES = ((4000, 3000), (3264, 2448), (2048, 1536))


@dataclass(slots=True)
class Replay:
    """A replay against one place. ``library`` grows as images are accepted."""

    place: Place
    photos: Photos
    library: Library
    chance: random.Random
    tally: Tally = field(default_factory=Tally)
    seen: list[Seen] = field(default_factory=list)
    _reading: Pool = field(init=False)
    _calling: Pool = field(init=False)

    def __post_init__(self) -> None:
        """Make pools, connected to nothing yet."""
        self._reading = Pool(self.place.host, self.place.port, READERS)
        self._calling = Pool(self.place.host, self.place.port, UPLOADERS)

    async def close(self) -> None:
        """Close all connections."""
        await self._reading.close()
        await self._calling.close()

    async def run(self, factor: float, seconds: float, only: str | None) -> float:
        """Replay for so many seconds, and return how long it took until the last one was answered."""
        began = time.perf_counter()
        coming: list[Coming] = [
            ("views", "view", PEAK_VIEWS, self.view),
            ("views", "search", PEAK_VIEWS * SEARCHES_A_VIEW, self.search),
            ("uploads", "upload", PEAK_UPLOADS, self.send),
        ]
        await asyncio.gather(
            *(self._come(factor * rate, seconds, what, do) for kind, what, rate, do in coming if only in {None, kind})
        )
        return time.perf_counter() - began

    async def _come(self, rate: float, seconds: float, what: str, do: Callable[[float], Awaitable[object]]) -> None:
        began = due = time.perf_counter()
        under_way: set[asyncio.Task[None]] = set()
        while (due := due + self.chance.expovariate(rate)) < began + seconds:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            elif len(under_way) % READERS == 0:
                await asyncio.sleep(0)
            if len(under_way) >= OUTSTANDING_MAX:
                self.tally.failed(what, "not sent, too many were not answered")
                continue
            task = asyncio.create_task(self._done(what, do, due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*under_way)

    async def _done(self, what: str, do: Callable[[float], Awaitable[object]], due: float) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await do(due)
        except TimeoutError:
            self.tally.failed(what, f"no answer in {PATIENCE_SECONDS:g} s")
        except (OSError, ValueError) as error:
            self.tally.failed(what, type(error).__name__)

    async def view(self, due: float) -> None:
        """Look at a picture."""
        path, accept = self.library.view()
        answer = await self._reading.ask("GET", path, {"Accept": accept, **self.place.reading})
        took = time.perf_counter() - due
        missing = path.startswith("/i/00000")
        if answer.status != (404 if missing else 200):
            self.tally.failed("view", f"{answer.status} {answer.headers.get('x-default-image', '')}")
        elif not answer.body or not answer.headers["content-type"].startswith("image/"):
            self.tally.failed("view", "no picture")
        else:
            self.tally.took("view", took)
            self.tally.bytes += len(answer.body)
            if not missing:
                self.seen.append(Seen(due, path + answer.headers["content-type"], len(answer.body)))

    async def search(self, due: float) -> None:
        """Ask for a page of the newest images."""
        answer = await self._calling.ask("GET", "/v1/images?limit=50", self.place.calling)
        if answer.status != 200:
            self.tally.failed("search", str(answer.status))
            return
        self.tally.took("search", time.perf_counter() - due)
        for image in reversed(json.loads(answer.body)["items"]):  # what is new can be looked at from now on
            self.library.add(image["id"])

    async def send(self, due: float) -> str | None:
        """Upload a photo by a ticket, and return the id of its image once it is accepted."""
        number = self.chance.randrange(10**9)
        body = self.photos.make(number)
        said = json.dumps({"filename": f"IMG_{number}.jpg", "bytes": len(body), "tags": ["replay"]}).encode()
        told = {"Content-Type": "application/json", **self.place.calling}
        answer = await self._calling.ask("POST", "/v1/uploads", told, said)
        if answer.status != 201:
            self.tally.failed("ticket", f"{answer.status} {answer.body[:80]!r}")
            return None
        self.tally.took("ticket", time.perf_counter() - due)
        ticket = json.loads(answer.body)
        parts = urlsplit(ticket["url"])
        put = await self._calling.ask("PUT", f"{parts.path}?{parts.query}", ticket["headers"], body)
        if put.status != 200:
            self.tally.failed("accepted", f"{put.status} {put.body[:80]!r}")
            return None
        self.tally.took("accepted", time.perf_counter() - due)
        return str(ticket["id"])

    async def fill(self, count: int) -> None:
        """Upload images, and wait until they can be looked at."""
        waiting = []
        for _ in range(count):
            image_id = await self.send(time.perf_counter())
            if image_id is None:
                sys.exit(f"an upload was refused: {self.tally.wrong}")
            waiting.append(image_id)
        for image_id in waiting:
            if not await self.is_ready(image_id):
                sys.exit(f"{image_id} did not become ready")
            self.library.add(image_id)

    async def is_ready(self, image_id: str) -> bool:
        """Wait until an image is ready; tell whether it is."""
        for _ in range(LOOKS):
            answer = await self._calling.ask("GET", f"/v1/images/{image_id}", self.place.calling)
            state = json.loads(answer.body).get("state") if answer.status == 200 else None
            if state in {"ready", "failed"}:
                return bool(state == "ready")
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def figures(self) -> dict[str, float]:
        """Return the figures that the service shows, by name and labels; none where it shows none."""
        if not self.place.has_figures:
            return {}
        answer = await self._calling.ask("GET", "/metrics", self.place.calling)
        pairs = (line.rpartition(" ") for line in answer.body.decode().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    async def queued(self) -> float:
        """Return how many events are to be worked on yet."""
        found = await self.figures()
        return sum(found.get(f'darkroom_queue_events{{state="{state}"}}', 0.0) for state in ("waiting", "leased"))


def main() -> None:
    """Read the command line, start what is asked for, and replay."""
    given = options()
    print_machine()
    with contextlib.ExitStack() as leaving:
        folder = Path(leaving.enter_context(tempfile.TemporaryDirectory(prefix="load-")))
        place = leaving.enter_context(placed(given, folder))
        asyncio.run(measure(place, given))
    print_load()


def options() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description="replay the article's workload, faster by a factor")
    parser.add_argument("--factor", type=float, default=100, help="times the article's peak (default 100)")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--library", type=int, default=200, help="images that are there before (default 200)")
    parser.add_argument("--photos", type=Path, help="a folder of photos; without, some are made")
    parser.add_argument("--only", choices=("views", "uploads"), help="one of the two alone")
    parser.add_argument("--find", action="store_true", help="step by step, to what it does not carry any more")
    parser.add_argument("--drain", type=float, default=120, help="seconds to look on while the rest is processed")
    parser.add_argument("--cache", type=int, default=128, help="MiB of pictures in each process; 128")
    parser.add_argument("--soak", action="store_true", help="print memory every half minute")
    parser.add_argument("--aws", action="store_true", help="the AWS stack in the emulator")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--key", default=os.environ.get("DARKROOM_KEY", ""))
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


@contextlib.contextmanager
def placed(given: argparse.Namespace, folder: Path) -> Iterator[Place]:
    """Yield what is replayed against."""
    if given.url:
        headers = {"Authorization": f"Bearer {given.key}"} if given.key else {}
        yield Place(given.url, calling=headers)
    elif given.aws:
        with stack(folder) as place:
            yield place
    else:
        with started(folder, given.cache * MEBIBYTE) as place:
            yield place


def photos(folder: Path | None) -> Photos:
    """Return what is uploaded."""
    if folder is not None:
        found = [path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix.lower() in {".jpg", ".jpeg"}]
        if not found:
            sys.exit(f"there is no .jpg in {folder}")
        return Photos(tuple(found))
    made = [pictures.photo(width, height, seed=seed) for seed, (width, height) in enumerate(SIZES * 2)]
    return Photos(tuple(pictures.encode(one, "JPEG", quality=90, exif=pictures.camera_exif()) for one in made))


async def measure(place: Place, given: argparse.Namespace) -> None:
    """Fill the library, replay, and print what came of it."""
    chance = random.Random(given.seed)  # noqa: S311 # not a secret
    replay = Replay(place, photos(given.photos), Library(chance), chance)
    sizes = [len(body) for body in replay.photos.bodies]
    print(f"{len(sizes)} photos of {sum(sizes) / len(sizes) / 1e6:.2f} MB on average")
    try:
        began = time.perf_counter()
        await replay.fill(given.library)
        print(f"{given.library} images were there before; it took {time.perf_counter() - began:.0f} s to make them\n")
        if given.find:
            await find(replay, given.seconds, given.only)
        else:
            await once(replay, given.factor, given.seconds, only=given.only, soak=given.soak)
        await drain(replay, given.drain)
    finally:
        await replay.close()


async def once(replay: Replay, factor: float, seconds: float, *, only: str | None = None, soak: bool = False) -> bool:
    """Replay once, print it, and tell whether it was within the limits."""
    replay.tally = Tally()
    replay.seen = []
    place, before = replay.place, await replay.figures()
    cpu, own = place.cpu(), time.process_time()
    watching = asyncio.create_task(watch(replay)) if soak else None
    lasted = await replay.run(factor, seconds, only)
    if watching is not None:
        watching.cancel()
    cpu, own = (place.cpu() - cpu) / lasted, (time.process_time() - own) / lasted
    tally = replay.tally
    print(f"{factor:g} × the article's peak for {seconds:g} s (load average {os.getloadavg()[0]:.1f})")
    print(tally.table(lasted))
    print(
        f"  {tally.bytes / lasted / 1e6:.0f} MB a second to readers; service {cpu:.2f} processors, "
        f"{place.memory():.0f} MiB; the replay itself {own:.2f}"
    )
    after = await replay.figures()
    if after:
        grown = {name: value - before.get(name, 0.0) for name, value in after.items()}
        hot, cold = (
            sum(
                value
                for name, value in grown.items()
                if name.startswith(f'darkroom_deliveries_total{{outcome="{kind}"')
            )
            for kind in ("hot", "cold")
        )
        made = sum(value for name, value in grown.items() if name.startswith("darkroom_transforms_total{"))
        expected = expected_hits(replay.seen, replay.chance, place.hot_bytes)
        print(
            f"  {hot / max(1.0, hot + cold):.1%} of the pictures from memory (the model of darkroom capacity: "
            f"{expected:.1%}); {made / lasted:.2f} images processed a second, {await replay.queued():.0f} wait"
        )
    late = tally.percentile("view", 0.99) > READ_LIMIT or tally.percentile("accepted", 0.99) > UPLOAD_LIMIT
    return not late and not tally.wrong


async def watch(replay: Replay) -> None:
    """Print the memory of the service every half minute."""
    began = time.perf_counter()
    while True:
        held = replay.place.memory()
        print(
            f"  after {time.perf_counter() - began:4.0f} s: {held:6.0f} MiB, {await replay.queued():.0f} wait",
            flush=True,
        )
        await asyncio.sleep(30)


async def drain(replay: Replay, seconds: float) -> None:
    """Print how fast what is left is processed, looking on for so many seconds."""
    left = await replay.queued()
    if not left:
        return
    began, cpu, spent = time.perf_counter(), replay.place.cpu(), (await replay.figures()).get(WORKED, 0.0)
    still = left
    while still and time.perf_counter() - began < seconds:
        await asyncio.sleep(min(0.5, seconds))
        still = await replay.queued()
    took = time.perf_counter() - began
    rate = (left - still) / took
    worked = (await replay.figures()).get(WORKED, 0.0) - spent
    print(
        f"  {left:.0f} images were left: {rate:.2f} a second processed = {rate / PEAK_UPLOADS:.1f} × the article's "
        f"peak of uploads, {rate / PEAK_UPLOADS * 3:.0f} × its mean, so all of them in {left / max(rate, 1e-9):.0f} s; "
        f"{worked / took:.2f} in hand at a time; service {(replay.place.cpu() - cpu) / took:.2f} processors, "
        f"{replay.place.memory():.0f} MiB"
    )


async def find(replay: Replay, seconds: float, only: str | None) -> None:
    """Replay with more and more, until it is too much. What is left to process goes on beside it all the while."""
    carried = 0.0
    for factor in STEPS:
        if not await once(replay, factor, seconds, only=only):
            break
        carried = factor
    print(
        f"\nCarries {carried:g} × the article's peak: 99 of 100 views within {READ_LIMIT * 1000:g} ms and 99 of 100 "
        f"uploads accepted within {UPLOAD_LIMIT:g} s, without an error."
    )


if __name__ == "__main__":
    main()
