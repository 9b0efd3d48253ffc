"""A signed ticket is what was issued, to the letter, until it ends."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clock import Clock
from darkroom.errors import BadSignature, Expired
from darkroom.names import original_key
from darkroom.uploads import Promise, Ticket
from darkroom.uploads.signed import SignedTickets

ID = "01k9w0c6n8e8m5f4q2v7x3y1za"
OTHER_ID = "01k9w0c6n8e8m5f4q2v7x3y1zb"
SECRET = bytes(range(32))
CLOCK = Clock()
PROMISE = Promise(
    key=original_key(ID),
    bytes=1_957_448,
    content_type="image/jpeg",
    sha256="ab" * 32,
    expires_at=CLOCK.now.replace(microsecond=0) + timedelta(minutes=15),
)
TICKETS = SignedTickets(SECRET, "https://images.example", CLOCK)


def query_of(ticket: Ticket) -> bytes:
    return urlsplit(ticket.url).query.encode()


QUERY = query_of(TICKETS.issue(PROMISE))


def test_a_ticket_is_an_address_at_the_door_and_the_headers_to_send() -> None:
    ticket = TICKETS.issue(PROMISE)
    assert ticket.method == "PUT"
    assert ticket.url.startswith(f"https://images.example/upload/{ID}?bytes=1957448&")
    assert dict(ticket.headers) == {"Content-Type": "image/jpeg"}
    assert ticket.expires_at == PROMISE.expires_at


def test_the_same_promise_gives_the_same_ticket() -> None:
    assert TICKETS.issue(PROMISE) == TICKETS.issue(PROMISE)


@given(
    st.integers(1, 2**40),
    st.from_regex(r"[a-z0-9!#$&^_.+-]{1,50}/[a-z0-9!#$&^_.+-]{1,50}", fullmatch=True),
    st.none() | st.binary(min_size=32, max_size=32).map(bytes.hex),
    st.datetimes(datetime(2026, 11, 24), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 # hypothesis adds the zone
)
def test_what_was_promised_comes_out_of_the_ticket(
    length: int, content_type: str, sha256: str | None, expires_at: datetime
) -> None:
    promised = Promise(
        key=original_key(ID), bytes=length, content_type=content_type, sha256=sha256, expires_at=expires_at
    )
    ticket = TICKETS.issue(promised)
    expected = dataclasses.replace(promised, expires_at=expires_at.replace(microsecond=0))
    assert TICKETS.verify(ID, query_of(ticket)) == expected
    assert ticket.expires_at == expected.expires_at


def test_any_server_with_the_secret_knows_a_ticket_and_no_other_does() -> None:
    twin, stranger = (SignedTickets(secret, "http://elsewhere", CLOCK) for secret in (SECRET, bytes(32)))
    assert twin.verify(ID, QUERY) == PROMISE
    with pytest.raises(BadSignature):
        stranger.verify(ID, QUERY)


@given(st.integers(0, len(QUERY) - 1), st.integers(1, 255))
def test_a_byte_changed_anywhere_is_noticed(at: int, change: int) -> None:
    changed = bytearray(QUERY)
    changed[at] ^= change
    with pytest.raises(BadSignature):
        TICKETS.verify(ID, bytes(changed))


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"&signature=",
        QUERY[:-1],
        QUERY + b"=",
        QUERY + b"&bytes=1957448",
        b"bytes=1957448&" + QUERY,
        b"&" + QUERY,
        QUERY.replace(b"%2F", b"/"),
        QUERY.replace(b"%2F", b"%2f"),
        QUERY.replace(b"bytes=", b"bytes=0"),
        QUERY.replace(b"bytes=", b"bytes=%31&bytes="),
        QUERY.replace(b"&sha256=" + b"ab" * 32, b""),
        QUERY + b"&signature=" + QUERY.rpartition(b"=")[2],
        b"&".join(reversed(QUERY.split(b"&"))),
        QUERY + b"#" + b"x" * 5_000,
        b"x" * 10_000_000,
    ],
)
def test_what_was_not_issued_is_no_ticket(query: bytes) -> None:
    with pytest.raises(BadSignature):
        TICKETS.verify(ID, query)


@given(st.text(max_size=60), st.binary(max_size=300))
def test_any_text_is_answered(image_id: str, query: bytes) -> None:
    with pytest.raises(BadSignature):
        TICKETS.verify(image_id, query)


@pytest.mark.parametrize("image_id", [OTHER_ID, ID.upper(), f"{ID}\n", f"\n{ID}", f"{ID}/", f"../{ID}", "\ud800", ""])
def test_a_ticket_is_for_one_image(image_id: str) -> None:
    with pytest.raises(BadSignature):
        TICKETS.verify(image_id, QUERY)


def test_a_ticket_ends_at_its_second() -> None:
    clock = Clock()
    tickets = SignedTickets(SECRET, "", clock)
    clock.now = PROMISE.expires_at - timedelta(milliseconds=1)
    assert tickets.verify(ID, QUERY) == PROMISE
    clock.now = PROMISE.expires_at
    with pytest.raises(Expired):
        tickets.verify(ID, QUERY)


def test_an_altered_ticket_is_no_ticket_even_when_it_has_expired() -> None:
    clock = Clock()
    clock.now = PROMISE.expires_at + timedelta(days=1)
    with pytest.raises(BadSignature):
        SignedTickets(SECRET, "", clock).verify(ID, QUERY.replace(b"bytes=1", b"bytes=2"))


@pytest.mark.parametrize(
    "change",
    [
        {"key": "archive/" + ID},
        {"key": "originals/../" + ID},
        {"bytes": 0},
        {"bytes": -1},
        {"content_type": "image"},
        {"content_type": "image/jpeg\r\nX: y"},
        {"content_type": "image/jpeg; q=1"},
        {"sha256": "AB" * 32},
        {"sha256": "ab"},
    ],
)
def test_a_promise_that_no_door_could_keep_is_a_mistake_of_ours(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"no ticket|no SHA-256"):
        TICKETS.issue(dataclasses.replace(PROMISE, **change))  # type: ignore[arg-type]  # the point of the test


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        SignedTickets(SECRET[:31], "", CLOCK)
