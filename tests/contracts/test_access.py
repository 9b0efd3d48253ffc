"""What every keeper of API keys promises, whatever keeps them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.access import Caller, Rate, Scope, split_key
from darkroom.access.dynamodb import DynamoAccess
from darkroom.access.memory import MemoryAccess
from darkroom.access.sqlite import SqliteAccess
from darkroom.errors import InvalidRequest
from tables import tables_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from darkroom.access import Access
    from emulator import Emulator
    from tables import Tables

ALL = frozenset(Scope)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def tables(emulator: Emulator) -> Iterator[Tables]:
    with tables_in(emulator) as it:
        yield it


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def access(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Access]:
    if request.param == "memory":
        yield MemoryAccess(clock)
    elif request.param == "dynamodb":
        tables = request.getfixturevalue("tables")
        with closing(DynamoAccess(tables.client, tables.make(), clock)) as on_table:
            yield on_table
    else:
        durable = SqliteAccess(tmp_path / "access.sqlite", clock)
        yield durable
        durable.close()


def test_a_key_says_whose_it_is_and_what_it_may_do(access: Access) -> None:
    key, text = access.add("alice", "her laptop", frozenset({Scope.READ, Scope.WRITE}))
    assert access.identify(text) == Caller(owner="alice", scopes=frozenset({Scope.READ, Scope.WRITE}), key_id=key.id)


def test_a_key_may_have_a_rate_of_its_own(access: Access) -> None:
    key, text = access.add("alice", "", ALL, rate=Rate(2.5, 7))
    _, without = access.add("alice", "", ALL)
    assert access.identify(text) == Caller(owner="alice", scopes=ALL, key_id=key.id, rate=Rate(2.5, 7))
    assert [caller and caller.rate for caller in map(access.identify, (text, without))] == [Rate(2.5, 7), None]
    assert [listed.rate for listed in access.list()] == [Rate(2.5, 7), None]
    assert key.rate == Rate(2.5, 7)


@pytest.mark.parametrize(
    ("per_second", "burst"), [(0.0, 1), (-1.0, 1), (0.0009, 1), (1e7, 1), (float("nan"), 1), (1.0, 0), (1.0, 10**7)]
)
def test_a_rate_out_of_bounds_is_none(per_second: float, burst: int) -> None:
    with pytest.raises(InvalidRequest, match="a rate is"):
        Rate(per_second, burst)


def test_each_key_is_its_own(access: Access) -> None:
    alices, text_of_alice = access.add("alice", "", frozenset({Scope.READ}))
    bobs, text_of_bob = access.add("bob", "", frozenset({Scope.ADMIN}))
    assert alices.id != bobs.id
    assert [caller and caller.owner for caller in map(access.identify, (text_of_alice, text_of_bob))] == [
        "alice",
        "bob",
    ]


def test_the_text_has_a_short_public_id_and_a_long_secret(access: Access) -> None:
    key, text = access.add("alice", "", ALL)
    assert re.fullmatch(r"dk_[a-z2-7]{12}_[A-Za-z0-9_-]{43}", text)
    parts = split_key(text)
    assert parts is not None
    assert parts[0] == key.id
    assert parts[1] not in repr(key)


def test_secrets_are_never_the_same_twice(access: Access) -> None:
    made = [split_key(access.add("alice", "", ALL)[1]) for _ in range(50)]
    assert len({parts[0] for parts in made if parts}) == 50
    assert len({parts[1] for parts in made if parts}) == 50


def test_nobody_is_known_by_a_text_that_is_not_quite_the_key(access: Access) -> None:
    _, text = access.add("alice", "", ALL)
    other, other_text = access.add("bob", "", ALL)
    last = "A" if text[-1] != "A" else "B"
    parts = split_key(other_text)
    assert parts is not None
    wrong = [
        text[:-1],
        text[:-1] + last,
        text + "A",
        text.upper(),
        " " + text,
        text + "\n",
        text.replace("dk_", "", 1),
        text.replace("dk_", "dk__", 1),
        f"dk_{other.id}_{(split_key(text) or ('', ''))[1]}",
        f"dk_{'a' * 12}_{parts[1]}",
        f"dk_{other.id}_",
        f"dk__{parts[1]}",
    ]
    assert [access.identify(attempt) for attempt in wrong] == [None] * len(wrong)


@pytest.mark.parametrize(
    "text",
    ["", "_", "dk", "dk__", "dk_a_b", "\x00", "dk_\x00_\x00", "dk_\ud800_\udfff", "dk_é_ü", "dk_a_" + "b" * 1_000_000],
    ids=lambda text: ascii(text[:20]),
)
def test_any_text_may_be_asked_about(access: Access, text: str) -> None:
    access.add("alice", "", ALL)
    assert access.identify(text) is None


def test_a_revoked_key_is_unknown_and_no_other_is(access: Access) -> None:
    key, text = access.add("alice", "", ALL)
    kept, kept_text = access.add("alice", "", ALL)
    assert access.revoke(key.id)
    assert access.identify(text) is None
    assert access.identify(kept_text) is not None
    assert access.list() == [kept]


@pytest.mark.parametrize("key_id", ["aaaaaaaaaaaa", "", "\x00", "\ud800", "a' OR '1'='1"])
def test_revoking_what_is_not_there_says_so(access: Access, key_id: str) -> None:
    key, _ = access.add("alice", "", ALL)
    assert not access.revoke(key_id)
    assert access.list() == [key]
    assert access.revoke(key.id)
    assert not access.revoke(key.id)


def test_keys_are_listed_oldest_first_as_they_were_made(access: Access, clock: Clock) -> None:
    keys = []
    for owner in ("zoe", "alice", "bob"):
        key, _ = access.add(owner, f"of {owner}", frozenset({Scope.READ}))
        keys.append(key)
        clock.advance(0.000001)
    keys.append(access.add("carol", "the same moment", ALL)[0])
    keys.append(access.add("abel", "the same moment", ALL)[0])
    assert access.list() == keys
    assert keys[0].created_at == Clock().now
    assert keys[0].name == "of zoe"


def test_a_name_is_one_clean_line(access: Access) -> None:
    key, _ = access.add("alice", "  her\u202e lap\x00top\r\ne\u0301  ", ALL)
    assert key.name == "her laptop\u00e9"
    assert access.list() == [key]
    assert access.add("alice", "", ALL)[0].name == ""


@pytest.mark.parametrize(
    ("owner", "name", "scopes", "named"),
    [
        ("", "", ALL, "owner"),
        ("Alice", "", ALL, "owner"),
        ("a" * 65, "", ALL, "owner"),
        ("alice/bob", "", ALL, "owner"),
        ("alice", "n" * 101, ALL, "name"),
        ("alice", "", frozenset[Scope](), "scopes"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_by_name(
    access: Access, owner: str, name: str, scopes: frozenset[Scope], named: str
) -> None:
    with pytest.raises(InvalidRequest, match=named):
        access.add(owner, name, scopes)
    assert access.list() == []


def test_keys_may_be_made_from_many_threads(access: Access) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda number: access.add(f"owner-{number}", "", ALL), range(40)))
    callers = [access.identify(text) for _, text in made]
    assert [caller and caller.owner for caller in callers] == [f"owner-{number}" for number in range(40)]
    assert len(access.list()) == 40
