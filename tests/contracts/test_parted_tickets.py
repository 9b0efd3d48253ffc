"""What every upload in parts promises, whatever door its tickets lead to."""

from __future__ import annotations

import hashlib
import itertools
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from darkroom.errors import AlreadyExists, Conflict, DarkroomError
from darkroom.names import RANDOM_BYTES, new_id, original_key
from darkroom.uploads import MOST_PARTS, PartedPromise, part_bytes_of
from doors import DOORS, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doors import Door

PART = 65_536
BODY = random.Random(5).randbytes(2 * PART + 12_345)
PIECES = [BODY[at : at + PART] for at in range(0, len(BODY), PART)]
_numbers = itertools.count()


@pytest.fixture(scope="module", params=DOORS)
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    with DOORS[request.param](request) as opened:
        yield opened


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30) as opened:
        yield opened


def begun(
    door: Door, *, sha256: str | None = None, life: timedelta = timedelta(hours=1), length: int = len(BODY)
) -> PartedPromise:
    """Return the promise of an upload of its own that has begun."""
    now = datetime.now(UTC)
    key = original_key(new_id(now, next(_numbers).to_bytes(RANDOM_BYTES)))
    return PartedPromise(
        key=key,
        bytes=length,
        content_type="image/jpeg",
        sha256=sha256,
        expires_at=now + life,
        upload=door.parted.begin(key, "image/jpeg"),
        part_bytes=PART,
    )


def put(door: Door, client: httpx.Client, promised: PartedPromise, number: int, body: bytes) -> httpx.Response:
    ticket = door.parted.issue(promised)[number - 1]
    return client.request(ticket.method, ticket.url, content=body, headers=dict(ticket.headers))


def put_all(door: Door, client: httpx.Client, promised: PartedPromise) -> None:
    for number in (3, 1, 2):
        answer = put(door, client, promised, number, PIECES[number - 1])
        assert answer.is_success, answer.text


def test_parts_in_any_order_become_the_whole_and_are_published_once(door: Door, client: httpx.Client) -> None:
    promised = begun(door)
    put_all(door, client, promised)
    assert door.stored(promised.key) is None
    assert door.published(promised.key) == []
    door.parted.join(promised)
    assert door.stored(promised.key) == BODY
    assert len(door.published(promised.key)) == 1


def test_it_is_told_which_parts_are_there(door: Door, client: httpx.Client) -> None:
    promised = begun(door)
    assert door.parted.received(promised) == ()
    assert put(door, client, promised, 3, PIECES[2]).is_success
    assert door.parted.received(promised) == (3,)
    assert put(door, client, promised, 1, PIECES[0]).is_success
    assert door.parted.received(promised) == (1, 3)
    door.parted.drop(promised.key, promised.upload)
    assert door.parted.received(promised) == ()


def test_the_part_that_was_put_last_counts(door: Door, client: httpx.Client) -> None:
    promised = begun(door)
    assert put(door, client, promised, 2, bytes(PART)).is_success
    put_all(door, client, promised)
    door.parted.join(promised)
    assert door.stored(promised.key) == BODY


def test_nothing_is_completed_while_a_part_is_missing(door: Door, client: httpx.Client) -> None:
    promised = begun(door)
    for number in (1, 3):
        assert put(door, client, promised, number, PIECES[number - 1]).is_success
    with pytest.raises(Conflict, match="2") as refusal:
        door.parted.join(promised)
    assert refusal.value.code == "parts-missing"
    assert door.stored(promised.key) is None
    assert put(door, client, promised, 2, PIECES[1]).is_success
    door.parted.join(promised)
    assert door.stored(promised.key) == BODY


def test_what_is_completed_is_not_completed_again_and_takes_no_more_parts(door: Door, client: httpx.Client) -> None:
    promised = begun(door)
    put_all(door, client, promised)
    door.parted.join(promised)
    with pytest.raises(AlreadyExists):
        door.parted.join(promised)
    door.parted.drop(promised.key, promised.upload)
    with pytest.raises(AlreadyExists):
        door.parted.join(promised)
    answer = put(door, client, promised, 1, bytes(PART))
    assert 400 <= answer.status_code < 500, answer.text
    assert door.stored(promised.key) == BODY
    assert len(set(door.published(promised.key))) == 1


def test_of_many_who_complete_at_once_one_makes_the_object(door: Door, client: httpx.Client) -> None:
    promised = begun(door)
    put_all(door, client, promised)

    def join(_: int) -> str:
        try:
            door.parted.join(promised)
        except AlreadyExists:
            return "there"
        except DarkroomError as error:
            return repr(error)
        return "made"

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(join, range(4)))
    assert set(told) <= {"made", "there"}, told
    assert "made" in told
    assert door.stored(promised.key) == BODY
    assert len(set(door.published(promised.key))) == 1


def test_a_whole_of_the_promised_checksum_is_completed(door: Door, client: httpx.Client) -> None:
    """Another one is refused by our own door; S3 knows none, and what came is compared where it is processed."""
    right = begun(door, sha256=hashlib.sha256(BODY).hexdigest())
    put_all(door, client, right)
    door.parted.join(right)
    assert door.stored(right.key) == BODY


@pytest.mark.parametrize("change", ["longer", "shorter", "empty", "that of another part"])
def test_a_part_of_another_length_is_refused(door: Door, client: httpx.Client, change: str) -> None:
    promised = begun(door)
    body = {"longer": PIECES[0] + b"!", "shorter": PIECES[0][:-1], "empty": b"", "that of another part": PIECES[2]}
    answer = put(door, client, promised, 1, body[change])
    assert 400 <= answer.status_code < 500, answer.text
    assert door.parted.received(promised) == ()


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_another_method_is_refused(door: Door, client: httpx.Client, method: str) -> None:
    promised = begun(door)
    url = door.parted.issue(promised)[0].url
    assert 400 <= client.request(method, url, content=PIECES[0]).status_code < 500
    assert door.parted.received(promised) == ()


def test_a_ticket_is_for_its_part_and_its_object_only(door: Door, client: httpx.Client) -> None:
    mine, theirs = begun(door), begun(door)
    first, second = (ticket.url for ticket in door.parted.issue(mine)[:2])
    path, _, query = first.partition("?")
    changed = [
        f"{second.partition('?')[0]}?{query}" if second.partition("?")[0] != path else None,
        first.replace("partNumber=1", "partNumber=2") if "partNumber=1" in first else None,
        first.replace(mine.key.rpartition("/")[2], theirs.key.rpartition("/")[2]),
        first + "0",
    ]
    for url in filter(None, changed):
        answer = client.put(url, content=PIECES[0])
        assert 400 <= answer.status_code < 500, url
    assert door.parted.received(mine) == ()
    assert door.parted.received(theirs) == ()


def test_an_expired_ticket_is_refused(door: Door, client: httpx.Client) -> None:
    promised = begun(door, life=timedelta(seconds=-1))
    assert 400 <= put(door, client, promised, 1, PIECES[0]).status_code < 500
    assert door.parted.received(promised) == ()


def test_what_is_dropped_is_gone_and_dropping_again_is_no_error(door: Door, client: httpx.Client) -> None:
    promised = begun(door)
    put_all(door, client, promised)
    for _ in range(2):
        door.parted.drop(promised.key, promised.upload)
    with pytest.raises(DarkroomError) as refusal:
        door.parted.join(promised)
    assert refusal.value.code in {"parts-missing", "expired"}
    assert door.stored(promised.key) is None


def test_a_page_of_an_allowed_origin_may_put_a_part(door: Door, client: httpx.Client) -> None:
    promised = begun(door)
    ticket = door.parted.issue(promised)[0]
    asked = client.options(ticket.url, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "PUT"})
    assert asked.headers["access-control-allow-origin"] in {ORIGIN, "*"}
    answer = client.put(ticket.url, content=PIECES[0], headers={"Origin": ORIGIN})
    assert answer.is_success
    assert answer.headers["access-control-allow-origin"] in {ORIGIN, "*"}


def test_a_very_long_file_has_longer_parts_not_more() -> None:
    assert part_bytes_of(100, PART) == PART
    length = MOST_PARTS * PART + 1
    assert part_bytes_of(length, PART) == PART + 1
    now = datetime.now(UTC)
    promised = PartedPromise(
        key="k", bytes=length, content_type="", sha256=None, expires_at=now, upload="", part_bytes=PART + 1
    )
    assert len(promised.lengths) <= MOST_PARTS
    assert sum(promised.lengths) == length
