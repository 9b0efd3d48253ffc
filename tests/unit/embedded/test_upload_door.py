"""What the upload door adds to the promises of a ticket: clear problems, patience with an end."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import socket
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

import pictures
from darkroom import figures as f
from darkroom.bucket.objects import FolderBucket
from darkroom.embedded.door import UploadDoor
from darkroom.errors import AlreadyExists, NotFound, StorageFull
from darkroom.figures.memory import MemoryFigures
from darkroom.http.reception import Reception
from darkroom.names import RANDOM_BYTES, new_id, original_key
from darkroom.service import utc_now
from darkroom.uploads import PartedPromise, Promise
from darkroom.uploads.signed import SignedTickets
from darkroom.uploads.staged import STAGED, StagedParts
from door_process import RunningDoor, running_door
from door_server import IDLE_SECONDS, MOST_AT_A_TIME

if TYPE_CHECKING:
    from collections.abc import Iterator, MutableMapping
    from pathlib import Path
    from typing import Any

    from darkroom.bucket import Stat
    from darkroom.uploads import Ticket

BODY = pictures.jpeg()
JPEG = "image/jpeg"
MEGABYTE = 1_000_000
SECRET = bytes(range(32))
SHOP, STRANGER = "https://shop.example", "https://stranger.example"
TICKETS = SignedTickets(SECRET, "http://door.example", utc_now)
_numbers = itertools.count()


def promise(*, length: int = len(BODY), sha256: str | None = None, life: timedelta = timedelta(minutes=5)) -> Promise:
    """Return a promise for an image of its own."""
    now = datetime.now(UTC)
    key = original_key(new_id(now, next(_numbers).to_bytes(RANDOM_BYTES)))
    return Promise(key=key, bytes=length, content_type=JPEG, sha256=sha256, expires_at=now + life)


class House:
    """A door in this process, with what lies behind it."""

    def __init__(self, folder: Path) -> None:
        self.incoming = folder / "incoming"
        self.incoming.mkdir()
        self.bucket = FolderBucket(folder / "bucket")
        self.figures = MemoryFigures()
        reception = Reception(self.incoming, limit=10**9, idle_seconds=10, minimum_rate=1, most_at_a_time=2)
        self.admits: Exception | None = None
        parts = StagedParts(self.bucket, TICKETS.issue_parts, self.incoming)
        self.door = UploadDoor(TICKETS, self.bucket, parts, self._admit, reception, self.figures)

    def _admit(self, _image_id: str) -> None:
        if self.admits is not None:
            raise self.admits

    def ask(
        self, url: str, method: str = "PUT", body: bytes | Iterator[bytes] = BODY, **headers: str
    ) -> httpx.Response:
        """Send one request; a header's name is written with underscores."""
        fields = {name.replace("_", "-"): value for name, value in ({"content_type": JPEG} | headers).items()}

        async def asking() -> httpx.Response:
            async def parts() -> Any:
                for part in body:
                    yield part

            content = body if isinstance(body, bytes) else parts()
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self.door)) as client:
                return await client.request(method, url, content=content, headers=fields)

        return asyncio.run(asking())

    def put(self, promised: Promise, body: bytes = BODY, **headers: str) -> httpx.Response:
        """Use the ticket for a promise."""
        return self.ask(TICKETS.issue(promised).url, body=body, **headers)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was kept of anything."""
        return not list(self.incoming.iterdir()) and not list(self.bucket.list(""))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert len(problem["detail"]) > 20


def test_a_good_upload_is_answered_with_the_tag_of_the_object(house: House) -> None:
    promised = promise(sha256=hashlib.sha256(BODY).hexdigest())
    answer = house.put(promised)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == f'"{house.bucket.stat(promised.key).etag}"'
    assert list(house.incoming.iterdir()) == []
    assert house.figures.total(f.RECEIVED_BYTES, door="ticket") == len(BODY)


def test_each_refusal_has_its_code(house: House) -> None:
    url = TICKETS.issue(promise()).url
    assert_problem(house.ask(url, body=iter([BODY])), 411, "length-required")
    assert_problem(house.ask(url, body=BODY + b"!"), 422, "invalid-request")
    assert_problem(house.ask(url, content_type="image/png"), 422, "invalid-request")
    assert_problem(house.ask(url.replace("bytes=", "bytes=1")), 403, "bad-signature")
    assert_problem(house.ask("http://door.example/upload/"), 404, "not-found")
    assert_problem(house.put(promise(life=timedelta(seconds=-1))), 403, "expired")
    assert_problem(house.put(promise(sha256="ab" * 32)), 422, "checksum-mismatch")
    answer = house.ask(url, "POST")
    assert_problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "PUT, OPTIONS"
    assert house.is_empty


def test_a_part_is_kept_until_all_are_there_and_may_be_put_again(house: House) -> None:
    url = part_urls()[1]
    for body in (b"x" * PART, BODY[PART : 2 * PART]):
        assert house.ask(url, body=body, content_type="").status_code == 200
    (kept,) = house.bucket.list("")
    assert kept.key.startswith("parts/")
    assert house.bucket.get(kept.key).body == BODY[PART : 2 * PART]
    assert list(house.incoming.iterdir()) == []


def test_each_refusal_of_a_part_has_its_code(house: House) -> None:
    first, second = part_urls()[:2]
    body = BODY[:PART]
    assert_problem(house.ask(first, body=iter([body])), 411, "length-required")
    assert_problem(house.ask(first, body=body + b"!"), 422, "invalid-request")
    assert_problem(house.ask(first, body=body[:-1]), 422, "invalid-request")
    assert_problem(house.ask(first, body=iter([body[:-1]]), content_length=str(PART)), 422, "invalid-request")
    assert_problem(house.ask(first.replace("/1?", "/2?"), body=body), 403, "bad-signature")
    assert_problem(house.ask(first.replace("/1?", "/999?"), body=body), 403, "bad-signature")
    for name in ("/0?", "/01?", "/x?", "/1/1?", "/123456?"):
        assert_problem(house.ask(first.replace("/1?", name), body=body), 404, "not-found")
    assert_problem(house.ask(part_urls(life=timedelta(seconds=-1))[0], body=body), 403, "expired")
    assert_problem(house.ask(second, "POST"), 405, "method-not-allowed")
    house.admits = AlreadyExists("this upload is complete")
    assert_problem(house.ask(first, body=body), 412, "conflict")
    house.admits = NotFound("this upload was deleted")
    assert_problem(house.ask(first, body=body), 404, "not-found")
    assert house.is_empty


def test_a_part_of_what_is_deleted_while_it_comes_does_not_stay(house: House) -> None:
    def body() -> Iterator[bytes]:
        yield BODY[:100]
        house.admits = NotFound("this upload was deleted")
        yield BODY[100:PART]

    assert_problem(house.ask(part_urls()[0], body=body(), content_length=str(PART)), 404, "not-found")
    assert house.is_empty


PART = 400


def part_urls(*, life: timedelta = timedelta(minutes=5)) -> list[str]:
    """Return where the parts of an upload of its own go."""
    whole = promise(life=life)
    parted = PartedPromise(
        key=whole.key,
        bytes=len(BODY),
        content_type=JPEG,
        sha256=None,
        expires_at=whole.expires_at,
        upload=STAGED,
        part_bytes=PART,
    )
    return [ticket.url for ticket in TICKETS.issue_parts(parted)]


def test_a_used_ticket_is_a_conflict(house: House) -> None:
    promised = promise()
    house.put(promised)
    assert_problem(house.put(promised), 412, "conflict")
    assert list(house.incoming.iterdir()) == []


def test_no_byte_is_read_before_the_ticket_was_checked(house: House) -> None:
    statuses = []

    async def receive() -> MutableMapping[str, Any]:
        raise AssertionError

    async def send(message: MutableMapping[str, Any]) -> None:
        statuses.append(message.get("status"))

    query = urlsplit(TICKETS.issue(promise()).url).query.encode()
    scope = {"type": "http", "method": "PUT", "path": f"/upload/{'0' * 26}", "query_string": query, "headers": []}
    asyncio.run(house.door(scope, receive, send))
    assert statuses[0] == 403


def test_fewer_bytes_than_their_length_said_are_refused(house: House) -> None:
    promised = promise()
    answer = house.ask(TICKETS.issue(promised).url, body=iter([BODY[:-1]]), content_length=str(len(BODY)))
    assert_problem(answer, 422, "invalid-request")
    assert house.is_empty


def test_more_bytes_than_their_length_said_are_refused(house: House) -> None:
    promised = promise()
    answer = house.ask(TICKETS.issue(promised).url, body=iter([BODY, b"!"]), content_length=str(len(BODY)))
    assert_problem(answer, 413, "too-large")
    assert house.is_empty


def test_a_full_disk_is_said_so_and_keeps_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> Stat:
        raise StorageFull("there is no room left; free some and send it again")

    monkeypatch.setattr(house.bucket, "put", full)
    assert_problem(house.put(promise()), 507, "storage-full")
    assert house.is_empty


# ---------------------------------------------------------------- against a server: patience, and connections that end


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDoor]:
    with running_door(tmp_path_factory.mktemp("running-door")) as door:
        yield door


def head_of(ticket: Ticket, length: int) -> bytes:
    parts = urlsplit(ticket.url)
    return (
        f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: {JPEG}\r\nContent-Length: {length}\r\n\r\n"
    ).encode()


def connect(door: RunningDoor) -> socket.socket:
    return socket.create_connection((door.host, door.port), timeout=20)


def status_in(connection: socket.socket) -> int:
    return int(connection.recv(65536).split(b" ", 2)[1])


def wait_until_nothing_is_half_received(door: RunningDoor) -> None:
    until = time.monotonic() + 10
    while door.half_received():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_silence_is_ended_and_keeps_nothing(running: RunningDoor) -> None:
    promised = promise(length=MEGABYTE)
    began = time.monotonic()
    with connect(running) as connection:
        connection.sendall(head_of(running.tickets.issue(promised), MEGABYTE) + BODY)
        assert status_in(connection) == 408
    assert time.monotonic() - began < IDLE_SECONDS + 5
    assert running.stored(promised.key) is None
    wait_until_nothing_is_half_received(running)


def test_dripping_is_ended_and_keeps_nothing(running: RunningDoor) -> None:
    promised = promise(length=MEGABYTE)
    began = time.monotonic()
    with connect(running) as connection:
        connection.sendall(head_of(running.tickets.issue(promised), MEGABYTE))
        connection.settimeout(0.05)
        status = None
        while status is None:
            assert time.monotonic() - began < IDLE_SECONDS + 5
            connection.sendall(b"x" * 100)
            try:
                status = status_in(connection)
            except TimeoutError:
                continue
    assert status == 408
    assert running.stored(promised.key) is None
    wait_until_nothing_is_half_received(running)


def test_a_broken_off_upload_is_cleared_away_at_once(running: RunningDoor) -> None:
    promised = promise(length=10 * MEGABYTE)
    with connect(running) as connection:
        connection.sendall(head_of(running.tickets.issue(promised), 10 * MEGABYTE) + b"x" * MEGABYTE)
        until = time.monotonic() + 10
        while not running.half_received():
            assert time.monotonic() < until
            time.sleep(0.02)
    wait_until_nothing_is_half_received(running)
    assert running.stored(promised.key) is None


def test_a_hundred_who_wait_are_told_to_come_back_and_then_all_goes_on(running: RunningDoor) -> None:
    with ExitStack() as open_connections:
        waiting = [open_connections.enter_context(connect(running)) for _ in range(100)]
        for connection in waiting:
            connection.sendall(head_of(running.tickets.issue(promise()), len(BODY)))
        statuses = [status_in(connection) for connection in waiting]
    assert sorted(set(statuses)) == [408, 503]
    assert statuses.count(408) == MOST_AT_A_TIME
    answer = httpx.put(running.tickets.issue(promise()).url, content=BODY, headers={"Content-Type": JPEG})
    assert answer.status_code == 200


def test_too_many_at_a_time_are_told_when_to_come_back(running: RunningDoor) -> None:
    with ExitStack() as open_connections:
        for _ in range(MOST_AT_A_TIME):
            connection = open_connections.enter_context(connect(running))
            connection.sendall(head_of(running.tickets.issue(promise()), len(BODY)))
        time.sleep(0.2)
        answer = httpx.put(running.tickets.issue(promise()).url, content=BODY, headers={"Content-Type": JPEG})
    assert_problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0


def test_a_client_that_is_still_sending_hears_why_it_was_refused(running: RunningDoor) -> None:
    expired = promise(length=20 * MEGABYTE, life=timedelta(seconds=-1))
    with connect(running) as connection:
        connection.sendall(head_of(running.tickets.issue(expired), 20 * MEGABYTE))
        for _ in range(20):
            connection.sendall(b"x" * MEGABYTE)
            time.sleep(0.005)
        assert status_in(connection) == 403
