"""What every ticket promises, whatever door it leads to. Each ticket is used by a real client at a real server."""

from __future__ import annotations

import hashlib
import itertools
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

import pictures
from darkroom.names import RANDOM_BYTES, new_id, original_key
from darkroom.uploads import Promise
from doors import DOORS, ORIGIN, STRANGER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.uploads import Ticket
    from doors import Door


@pytest.fixture(scope="module", params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    with DOORS[request.param](request) as opened:
        yield opened


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30) as opened:
        yield opened


BODY = pictures.jpeg()
OTHER = bytes(reversed(BODY))
JPEG = "image/jpeg"
_numbers = itertools.count()


def promise(
    *,
    length: int = len(BODY),
    content_type: str = JPEG,
    sha256: str | None = None,
    life: timedelta = timedelta(minutes=5),
) -> Promise:
    """Return a promise for an image of its own."""
    now = datetime.now(UTC)
    image_id = new_id(now, next(_numbers).to_bytes(RANDOM_BYTES))
    return Promise(
        key=original_key(image_id), bytes=length, content_type=content_type, sha256=sha256, expires_at=now + life
    )


def put(client: httpx.Client, ticket: Ticket, body: bytes = BODY) -> httpx.Response:
    return client.request(ticket.method, ticket.url, content=body, headers=dict(ticket.headers))


def assert_refused(door: Door, answer: httpx.Response, key: str) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    assert door.stored(key) is None
    assert door.published(key) == []


def test_what_was_promised_is_stored_and_published_when_it_is_answered(door: Door, client: httpx.Client) -> None:
    promised = promise()
    answer = put(client, door.tickets.issue(promised))
    assert answer.is_success, answer.text
    assert door.stored(promised.key) == BODY
    assert door.published(promised.key) == [answer.headers["etag"].strip('"')]


def test_a_ticket_says_when_it_ends(door: Door) -> None:
    promised = promise()
    ticket = door.tickets.issue(promised)
    assert promised.expires_at - timedelta(seconds=1) < ticket.expires_at <= promised.expires_at


def test_a_large_file_goes_through(door: Door, client: httpx.Client) -> None:
    large = BODY * (6_000_000 // len(BODY))
    promised = promise(length=len(large), sha256=hashlib.sha256(large).hexdigest())
    assert put(client, door.tickets.issue(promised), large).is_success
    assert door.stored(promised.key) == large


def test_the_same_promise_gives_a_ticket_to_the_same_object(door: Door, client: httpx.Client) -> None:
    promised = promise()
    first, second = door.tickets.issue(promised), door.tickets.issue(promised)
    assert put(client, first).is_success
    assert put(client, second).status_code == 412
    assert door.stored(promised.key) == BODY


@pytest.mark.parametrize("body", [BODY + b"!", BODY[:-1], b"", BODY * 1000], ids=["longer", "shorter", "empty", "vast"])
def test_another_length_is_refused(door: Door, client: httpx.Client, body: bytes) -> None:
    promised = promise()
    assert_refused(door, put(client, door.tickets.issue(promised), body), promised.key)


@pytest.mark.parametrize(
    "content_type", ["image/png", "text/html", "image/jpeg; charset=utf-8", "image/jpeg, text/html", ""]
)
def test_another_type_is_refused(door: Door, client: httpx.Client, content_type: str) -> None:
    promised = promise()
    answer = client.put(door.tickets.issue(promised).url, content=BODY, headers={"Content-Type": content_type})
    assert_refused(door, answer, promised.key)


def test_no_type_is_refused(door: Door, client: httpx.Client) -> None:
    promised = promise()
    ticket = door.tickets.issue(promised)
    assert_refused(door, client.request(ticket.method, ticket.url, content=BODY), promised.key)


@pytest.mark.parametrize("method", ["POST", "PATCH", "GET", "DELETE"])
def test_another_method_is_refused(door: Door, client: httpx.Client, method: str) -> None:
    promised = promise()
    ticket = door.tickets.issue(promised)
    answer = client.request(method, ticket.url, content=BODY, headers=dict(ticket.headers))
    assert_refused(door, answer, promised.key)


def test_a_ticket_for_one_object_does_not_open_another(door: Door, client: httpx.Client) -> None:
    mine, theirs = promise(), promise()
    url = door.tickets.issue(mine).url.replace(mine.key.rpartition("/")[2], theirs.key.rpartition("/")[2])
    answer = client.put(url, content=BODY, headers={"Content-Type": JPEG})
    assert_refused(door, answer, mine.key)
    assert_refused(door, answer, theirs.key)


def altered(url: str) -> Iterator[str]:
    """Yield the url with every part of its query changed, left away and doubled, and with parts that it had not."""
    base, _, query = url.partition("?")
    parts = query.split("&")
    for at, part in enumerate(parts):
        before, after = parts[:at], parts[at + 1 :]
        name, _, value = part.partition("=")
        swapped = value[:-1] + ("1" if value[-1:] != "1" else "2")
        for changed in ([], [part, part], [f"{name}={swapped}"], [f"{name}="], [name], [f"{name}={value}0"]):
            yield f"{base}?{'&'.join([*before, *changed, *after])}"
        yield f"{base}?{'&'.join([*parts, f'{name}={swapped}'])}"
    yield f"{base}?{query}&more=1"
    yield base


def test_an_altered_ticket_is_refused(door: Door, client: httpx.Client) -> None:
    promised = promise(sha256=hashlib.sha256(BODY).hexdigest())
    ticket = door.tickets.issue(promised)
    for url in altered(ticket.url):
        if door.checks(url):
            answer = client.put(url, content=BODY, headers=dict(ticket.headers))
            assert 400 <= answer.status_code < 500, url
    assert door.stored(promised.key) is None
    assert put(client, ticket).is_success


def test_an_expired_ticket_is_refused(door: Door, client: httpx.Client) -> None:
    promised = promise(life=timedelta(seconds=-1))
    assert_refused(door, put(client, door.tickets.issue(promised)), promised.key)


def test_bytes_with_another_checksum_are_refused(door: Door, client: httpx.Client) -> None:
    promised = promise(sha256=hashlib.sha256(BODY).hexdigest())
    ticket = door.tickets.issue(promised)
    assert_refused(door, put(client, ticket, OTHER), promised.key)
    assert put(client, ticket, BODY).is_success
    assert door.stored(promised.key) == BODY


def test_a_used_ticket_is_refused_and_changes_nothing(door: Door, client: httpx.Client) -> None:
    promised = promise()
    ticket = door.tickets.issue(promised)
    first = put(client, ticket)
    for body in (BODY, OTHER):
        assert put(client, ticket, body).status_code == 412
    assert door.stored(promised.key) == BODY
    assert set(door.published(promised.key)) == {first.headers["etag"].strip('"')}


def test_of_many_who_use_a_ticket_at_once_one_succeeds(door: Door, client: httpx.Client) -> None:
    promised = promise()
    ticket = door.tickets.issue(promised)
    bodies = [bytes([number]) * len(BODY) for number in range(4)]
    with ThreadPoolExecutor(len(bodies)) as pool:
        answers = list(pool.map(lambda body: put(client, ticket, body), bodies))
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    winner = next(body for body, answer in zip(bodies, answers, strict=True) if answer.is_success)
    assert door.stored(promised.key) == winner


def test_a_body_without_a_length_is_refused(door: Door, client: httpx.Client) -> None:
    promised = promise()
    ticket = door.tickets.issue(promised)
    answer = client.put(ticket.url, content=iter([BODY[:100], BODY[100:]]), headers=dict(ticket.headers))
    assert_refused(door, answer, promised.key)


def test_an_upload_that_breaks_off_stores_nothing_and_may_be_repeated(door: Door, client: httpx.Client) -> None:
    promised = promise()
    ticket = door.tickets.issue(promised)
    parts = urlsplit(ticket.url)
    head = (
        f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: {JPEG}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(head.encode() + BODY[:100])
        time.sleep(0.2)
    time.sleep(0.3)
    assert door.stored(promised.key) is None
    assert put(client, ticket).is_success
    assert door.stored(promised.key) == BODY


def test_a_page_of_an_allowed_origin_may_use_a_ticket_and_no_other(door: Door, client: httpx.Client) -> None:
    ticket = door.tickets.issue(promise(sha256=hashlib.sha256(BODY).hexdigest()))
    asked = {
        "Access-Control-Request-Method": ticket.method,
        "Access-Control-Request-Headers": ",".join(sorted(name.lower() for name in ticket.headers)),
    }
    allowed = client.options(ticket.url, headers={"Origin": ORIGIN, **asked})
    assert allowed.is_success
    assert allowed.headers["access-control-allow-origin"] in {ORIGIN, "*"}
    assert "PUT" in allowed.headers["access-control-allow-methods"]
    may_send = allowed.headers["access-control-allow-headers"].lower()
    assert may_send == "*" or all(name.lower() in may_send for name in ticket.headers)
    answer = client.put(ticket.url, content=BODY, headers={"Origin": ORIGIN, **ticket.headers})
    assert answer.is_success
    assert answer.headers["access-control-allow-origin"] in {ORIGIN, "*"}
    stranger = client.options(ticket.url, headers={"Origin": STRANGER, **asked})
    assert "access-control-allow-origin" not in stranger.headers
