"""Many people at work on a service at once, each remembering exactly what it was promised, through every crash.

A promise is an answer that arrived whole. What got no answer may have happened or not, and is remembered as that.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

import studio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

    from studio import Focus, Look, Sample, Studio

UNSETTLED_MAX = 5
"""How many images of a person may be on their way at a time: what the queue holds is bounded by that."""
RENDITIONS_MAX = 2
WIDTHS = (20, 33)
"""Of the pictures that are asked for on demand: smaller than any sample."""
UNSIGNED_SIZES = ",".join(f"{width}x0" for width in WIDTHS)
"""What the service has to be told for people to see pictures of these widths without a signature."""
MISS_SECONDS = 1.2
"""More than a worker believes that a picture is missing."""


@dataclass
class Memory:
    """What a person knows of one upload. ``titles`` and ``foci`` are what the image may have now."""

    filename: str
    sample: Sample
    key: str | None
    id: str | None = None
    taken: bool = False
    """Whether it was promised that the bytes are kept."""
    completing: bool = False
    """Whether an upload in parts was asked to be completed."""
    refused: bool = False
    titles: set[str | None] = field(default_factory=lambda: {None})
    foci: set[Focus] = field(default_factory=lambda: {None})
    foci_ever: set[Focus] = field(default_factory=lambda: {None})
    doubtful: bool = False
    """Whether something that renders anew was asked without an answer: only a sweep may end what that began."""
    renditions: int = 0
    """How often it was asked to be made anew from what was made of it."""
    was_ready: bool = False
    settled: bool = False
    removal: Literal["none", "asked", "promised"] = "none"

    @contextmanager
    def in_doubt(self) -> Iterator[None]:
        """Ask for something; when there is no answer, nobody knows how far it came."""
        try:
            yield
        except httpx.TransportError:
            self.doubtful = True
            raise


class Load:
    """The people. They wait while the service is ``shut``, and find fault in ``faults`` with what must not be."""

    def __init__(self, url: str, studio_: Studio, *, seed: str, policy: str, people: int = 4) -> None:
        self.url = url
        self.studio = studio_
        self.policy = policy
        self.memories: list[Memory] = []
        self.faults: list[str] = []
        self.tally: Counter[str] = Counter()
        self._open = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=_Person(self, f"{seed}-{number}").live, name=f"person-{number}")
            for number in range(people)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def open(self) -> None:
        """The service answers again."""
        self._open.set()

    def shut(self) -> None:
        """The service is about to answer no more."""
        self._open.clear()

    def stop(self) -> None:
        """Have everybody finish what they are at."""
        self._stopping.set()
        self._open.set()
        for thread in self._threads:
            thread.join()

    def goes_on(self) -> bool:
        """Wait for the service; tell whether there is still something to do."""
        self._open.wait()
        return not self._stopping.is_set()

    def remember(self, memory: Memory) -> None:
        with self._lock:
            self.memories.append(memory)

    def all(self) -> list[Memory]:
        with self._lock:
            return list(self.memories)

    def count(self, what: str) -> None:
        with self._lock:
            self.tally[what] += 1

    def fault(self, sentence: str) -> None:
        with self._lock:
            self.faults.append(sentence)

    def looks(self, memory: Memory) -> list[Look]:
        """Return how the image may look."""
        return self.studio.looks(memory.sample, sorted(memory.foci_ever, key=repr), memory.renditions)


class _Person:
    """Does one thing after the other, by chance, but the same chances for the same seed."""

    def __init__(self, load: Load, seed: str) -> None:
        self._load = load
        self._seed = seed
        self._random = random.Random(seed)
        self._own: list[Memory] = []
        self._again: list[Callable[[], None]] = []
        self._count = 0
        self._client = httpx.Client(base_url=load.url, trust_env=False, timeout=30)

    def live(self) -> None:
        things: dict[Callable[[], None], int] = {
            self._post: 40,
            self._open_ticket: 25,
            self._look: 15,
            self._change_title: 8,
            self._change_focus: 3,
            self._reprocess: 3,
            self._delete: 4,
            self._view: 30,
            self._view_on_demand: 10,
            self._search: 6,
            self._fetch_original: 4,
        }
        with self._client:
            while self._load.goes_on():
                if self._again and self._random.random() < 0.5:
                    thing = self._again.pop(0)
                else:
                    thing = self._random.choices(list(things), list(things.values()))[0]
                try:
                    thing()
                except httpx.TransportError:
                    self._load.count("no answer")
                    time.sleep(0.02)
                except Exception as error:  # noqa: BLE001  # a mistake of a test must be seen, not end its thread
                    self._load.fault(f"{type(error).__name__} in {thing}: {error}")

    # ------------------------------------------------------------------ upload

    def _begin(self, samples: list[Sample]) -> Memory | None:
        if sum(not memory.settled and memory.taken for memory in self._own) >= UNSETTLED_MAX:
            self._look()
            return None
        self._count += 1
        name = f"{self._seed}-{self._count}"
        memory = Memory(f"{name}.jpg", self._random.choice(samples), name if self._random.random() < 0.6 else None)
        self._load.remember(memory)
        self._own.append(memory)
        return memory

    def _post(self) -> None:
        memory = self._begin(list(studio.SAMPLES))
        if memory is not None:
            self._send(memory, wait=self._random.random() < 0.2)

    def _send(self, memory: Memory, *, wait: bool) -> None:
        headers = {"idempotency-key": memory.key} if memory.key else {}
        if wait:
            headers["prefer"] = "wait=2"
        try:
            answer = self._client.post(
                "/v1/images", files={"file": (memory.filename, memory.sample.body)}, headers=headers
            )
        except httpx.TransportError:
            if memory.key and self._random.random() < 0.8:
                self._again.append(lambda: self._send(memory, wait=False))
            raise
        if not memory.sample.is_recognised:
            memory.refused = True
            self._expect(answer, {415})
        elif self._expect(answer, {201, 202}):
            self._identify(memory, answer.json()["id"])
            memory.taken = True
            self._load.count("taken")

    def _open_ticket(self) -> None:
        memory = self._begin(list(studio.SAMPLES))
        if memory is not None:
            self._ask_for_ticket(memory)

    def _ask_for_ticket(self, memory: Memory) -> None:
        said = {"filename": memory.filename, "bytes": len(memory.sample.body)}
        if self._random.random() < 0.5:
            said["sha256"] = studio.sha256(memory.sample.body)
        headers = {"idempotency-key": memory.key} if memory.key else {}
        self._request_ticket(memory, said, headers)

    def _request_ticket(self, memory: Memory, said: dict[str, Any], headers: dict[str, str]) -> None:
        try:
            answer = self._client.post("/v1/uploads", json=said, headers=headers)
        except httpx.TransportError:
            if memory.key:
                self._again.append(lambda: self._request_ticket(memory, said, headers))
            raise
        # 412: the upload that the key stands for was completed, by a completion that got no answer.
        if self._expect(answer, {201, 412} if memory.completing else {201}) and answer.status_code == 201:
            ticket = answer.json()
            self._identify(memory, ticket["id"])
            if "parts" in ticket:
                self._put_parts(memory, ticket)
            elif self._random.random() < 0.9:
                self._put(memory, ticket)
            else:
                self._load.count("ticket never used")

    def _put(self, memory: Memory, ticket: dict[str, Any]) -> None:
        try:
            answer = self._client.put(ticket["url"], content=memory.sample.body, headers=ticket["headers"])
        except httpx.TransportError:
            if self._random.random() < 0.8:
                self._again.append(lambda: self._put(memory, ticket))
            raise
        # 412: a put that got no answer was taken all the same.
        if self._expect(answer, {200, 412}):
            memory.taken = True
            self._load.count("taken")
            if self._random.random() < 0.15:
                self._again.append(lambda: self._replay(memory, ticket))

    def _put_parts(self, memory: Memory, ticket: dict[str, Any]) -> None:
        """Put the parts that are missing, in any order, and complete the upload; now and then give it up on the way."""
        size, numbers = ticket["part_bytes"], list(range(1, len(ticket["parts"]) + 1))
        self._random.shuffle(numbers)
        try:
            for number in numbers:
                if number in ticket["received"] and self._random.random() < 0.9:
                    continue
                if self._random.random() < 0.05:
                    self._load.count("uploads in parts given up")
                    return
                part, body = ticket["parts"][number - 1], memory.sample.body[(number - 1) * size : number * size]
                self._expect(self._client.put(part["url"], content=body), {200, 412} if memory.completing else {200})
            memory.completing = True
            answer = self._client.post(ticket["complete_url"])
        except httpx.TransportError:
            if self._random.random() < 0.8:
                self._again.append(lambda: self._go_on(memory, ticket))
            raise
        if self._expect(answer, {200}):
            memory.taken = True
            self._load.count("taken in parts")
            self._load.count("taken")
            if self._random.random() < 0.15:
                self._again.append(lambda: self._replay_part(memory, ticket))

    def _go_on(self, memory: Memory, ticket: dict[str, Any]) -> None:
        """Ask which parts are there, and go on with the others: what was answered once must be among them."""
        answer = self._client.get(ticket["resume_url"])
        self._load.count("uploads in parts gone on with")
        # 412: a completion that got no answer came about all the same.
        if self._expect(answer, {200, 412} if memory.completing else {200}):
            if answer.status_code == 412:
                memory.taken = True
            else:
                self._put_parts(memory, answer.json())

    def _replay_part(self, memory: Memory, ticket: dict[str, Any]) -> None:
        """Put a part again of what is complete: refused, and nothing changes; completing again does no harm."""
        body = bytes(ticket["part_bytes"])
        self._expect(self._client.put(ticket["parts"][0]["url"], content=body), {404, 412})
        self._expect(self._client.post(ticket["complete_url"]), {200, 404})
        self._load.count("parts replayed")

    def _replay(self, memory: Memory, ticket: dict[str, Any]) -> None:
        """Use a ticket again, for other bytes if it binds no checksum: whatever is answered, nothing may change."""
        other = studio.SAMPLES[0].body.ljust(len(memory.sample.body), b"\0")[: len(memory.sample.body)]
        answer = self._client.put(ticket["url"], content=other, headers=ticket["headers"])
        self._expect(answer, {200, 412, 422})
        self._load.count("ticket replayed")

    def _identify(self, memory: Memory, image_id: str) -> None:
        if memory.id not in {None, image_id}:
            self._load.fault(f"{memory.filename} was {memory.id} and is {image_id} by the same Idempotency-Key")
        memory.id = image_id

    # ------------------------------------------------------------------ change

    def _one(self) -> Memory | None:
        """Return an image of this person's own that was taken and not deleted."""
        living = [memory for memory in self._own if memory.taken and memory.removal == "none"]
        return self._random.choice(living[-30:]) if living else None

    def _change_title(self) -> None:
        memory = self._one()
        if memory is None:
            return
        self._count += 1
        title = f"title {self._count}"
        memory.titles.add(title)
        if self._expect(self._client.patch(f"/v1/images/{memory.id}", json={"title": title}), {200}):
            memory.titles = {title}
            self._load.count("titles changed")

    def _change_focus(self) -> None:
        memory = self._one()
        if memory is None:
            return
        focus = self._random.choice(studio.FOCI)
        memory.foci.add(focus)
        memory.foci_ever.add(focus)
        memory.settled = False
        with memory.in_doubt():
            answer = self._client.patch(f"/v1/images/{memory.id}", json={"focus": focus})
        if self._expect(answer, {200}):
            memory.foci = {focus}
            self._load.count("focus changed")

    def _reprocess(self) -> None:
        memory = self._one()
        if memory is None or memory.renditions >= RENDITIONS_MAX:
            return
        memory.settled = False
        parameters = {}
        if self._load.policy == "delete":
            parameters = {"from": "rendition"}
            memory.renditions += 1
        with memory.in_doubt():
            answer = self._client.post(f"/v1/images/{memory.id}/reprocess", params=parameters)
        # 404: the event of a ticket's upload has not been worked on; 409: failed without an original or rendition;
        # 412: the processor wrote in between.
        if self._expect(answer, {202, 404, 409, 412}):
            self._load.count(f"reprocess {answer.status_code}")

    def _delete(self) -> None:
        memory = self._one()
        if memory is not None:
            memory.removal = "asked"
            self._remove(memory, {204})

    def _remove(self, memory: Memory, expected: set[int]) -> None:
        try:
            answer = self._client.delete(f"/v1/images/{memory.id}")
        except httpx.TransportError:
            if self._random.random() < 0.7:
                self._again.append(lambda: self._remove(memory, {204, 404}))
            raise
        if self._expect(answer, expected):
            memory.removal = "promised"
            self._load.count("deleted")

    # ------------------------------------------------------------------ look

    def _look(self) -> None:
        """Look at one image of this person's own."""
        unsettled = [memory for memory in self._own if memory.taken and not memory.settled]
        memory = self._random.choice(unsettled or self._own or [None])
        if memory is None or memory.id is None or memory.removal == "asked":
            return
        answer = self._client.get(f"/v1/images/{memory.id}")
        if memory.removal == "promised":
            self._expect(answer, {404})
            memory.settled = True
        elif self._expect(answer, {200}):
            self._judge(memory, answer.json())

    def _judge(self, memory: Memory, image: dict[str, Any]) -> None:
        if image["filename"] != memory.filename:
            self._load.fault(f"{memory.filename} is called {image['filename']}")
        if image["title"] not in memory.titles:
            self._load.fault(f"{memory.filename} has title {image['title']!r}, not one of {memory.titles}")
        if image["state"] == "ready":
            if memory.sample.code is not None:
                self._load.fault(f"{memory.filename} is ready, and is {memory.sample.name}")
            memory.was_ready = memory.settled = True
        if image["state"] == "failed":
            self._load.count(f"failed {image['error']['code']}")
            if image["error"]["code"] not in {memory.sample.code, "gave-up"}:
                self._load.fault(f"{memory.filename}, {memory.sample.name}, failed: {image['error']}")
            memory.settled = True

    def _view(self) -> None:
        """Look at a picture of anybody's."""
        memories = [memory for memory in self._load.all() if memory.id is not None]
        if not memories:
            return
        memory = self._random.choice(memories[-100:])
        name = self._random.choice(("large.webp", "large.jpg", "small.jpg"))
        removal = memory.removal
        must_be_there = memory.was_ready and removal == "none"
        path = f"/i/{memory.id}/{name}"
        answer = self._client.get(path)
        if answer.status_code == 404 and must_be_there:  # a worker may have believed just before that it is missing
            time.sleep(MISS_SECONDS)
            answer = self._client.get(path)
            must_be_there = memory.removal == "none"
        self._load.count(f"views {answer.status_code}")
        if answer.status_code == 200:
            if removal == "promised":
                self._load.fault(f"{path} of {memory.filename} is served after its delete")
            if memory.sample.code is not None:
                self._load.fault(f"{path} of {memory.filename} is served, made of {memory.sample.name}")
            elif studio.sha256(answer.content) not in {look[name] for look in self._load.looks(memory)}:
                self._load.fault(f"{path} of {memory.filename} is served with bytes that nobody made")
        elif answer.status_code != 404 or must_be_there:
            self._load.fault(f"{path} of {memory.filename} answers {answer.status_code}, and it was ready")

    def _view_on_demand(self) -> None:
        """Look at a picture of anybody's in a size that is made when it is asked for."""
        memories = [memory for memory in self._load.all() if memory.id is not None]
        if not memories:
            return
        memory, width = self._random.choice(memories[-100:]), self._random.choice(WIDTHS)
        removal = memory.removal
        path = f"/i/{memory.id}/t/width={width}/u.jpg"
        answer = self._client.get(path)
        self._load.count(f"on demand {answer.status_code}")
        if answer.status_code == 200:
            if removal == "promised":
                self._load.fault(f"{path} of {memory.filename} is served after its delete")
            if memory.sample.code is not None or studio.width_of(answer.content) != width:
                self._load.fault(f"{path} of {memory.filename}, {memory.sample.name}, is served, {answer.headers}")
        elif answer.status_code not in {404, 503}:
            self._load.fault(f"{path} of {memory.filename} answers {answer.status_code}: {answer.text[:300]}")

    def _search(self) -> None:
        gone = {memory.id for memory in self._load.all() if memory.removal == "promised"}
        answer = self._client.get("/v1/images", params={"limit": self._random.choice((5, 50))})
        if not self._expect(answer, {200}):
            return
        for image in answer.json()["items"]:
            if image["state"] != "ready" or len(image["variants"]) != 3:
                self._load.fault(f"a search finds {image['filename']}, {image['state']}: {image['variants']}")
            if image["id"] in gone:
                self._load.fault(f"a search finds {image['filename']} after its delete")
        self._load.count("searches")

    def _fetch_original(self) -> None:
        memory = self._one()
        if memory is None or not memory.was_ready:
            return
        answer = self._client.get(f"/v1/images/{memory.id}/original")
        expected = {409} if self._load.policy == "delete" else {200}
        if memory.renditions:
            expected = {409, 200}
        elif self._expect(answer, expected) and answer.status_code == 200 and answer.content != memory.sample.body:
            self._load.fault(f"the original of {memory.filename} is not what was sent")

    def _expect(self, answer: httpx.Response, expected: set[int]) -> bool:
        if answer.status_code in expected:
            return True
        request = answer.request
        self._load.count(f"unexpected {answer.status_code}")
        self._load.fault(f"{request.method} {request.url.path} answers {answer.status_code}: {answer.text[:300]}")
        return False
