from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from clock import Clock
from darkroom.access import NANOSECONDS, Rate, Scope
from darkroom.access.memory import MemoryAccess, MemoryRates
from darkroom.errors import Forbidden, RateLimited, Unauthorized
from darkroom.http.authority import Authority

if TYPE_CHECKING:
    from darkroom.access import Caller

READ = frozenset({Scope.READ})


class Door:
    """An authority with keys in memory, and a clock to move on."""

    def __init__(self, rate: Rate | None, *, keys: bool = True) -> None:
        self.now = 0
        self.access = MemoryAccess(Clock())
        self._authority = Authority(self.access if keys else None, MemoryRates(lambda: self.now), rate)

    def ask(self, key: str, scope: Scope = Scope.READ) -> Caller:
        headers = [(b"authorization", f"Bearer {key}".encode())]
        return self._authority.needs(scope)(Request({"type": "http", "headers": headers, "state": {}}))


def test_a_key_that_asks_too_often_is_told_for_how_long_to_wait() -> None:
    door = Door(Rate(0.4, 3))
    _, key = door.access.add("alice", "", READ)
    for _ in range(3):
        door.ask(key)
    with pytest.raises(RateLimited, match=r"0.4 requests a second, 3 at once; try again in 3 s") as refused:
        door.ask(key)
    assert refused.value.retry_after == 3, "2.5 seconds, rounded up"
    door.now = 3 * NANOSECONDS
    assert door.ask(key).owner == "alice"
    with pytest.raises(RateLimited):
        door.ask(key)


def test_a_key_s_own_rate_goes_before_that_of_all() -> None:
    door = Door(Rate(1, 2))
    _, key = door.access.add("alice", "", READ, rate=Rate(1, 4))
    for _ in range(4):
        door.ask(key)
    with pytest.raises(RateLimited):
        door.ask(key)


def test_without_a_rate_a_key_may_ask_as_often_as_it_likes() -> None:
    door = Door(None)
    _, key = door.access.add("alice", "", READ)
    for _ in range(1000):
        door.ask(key)


def test_while_keys_are_off_nobody_is_counted() -> None:
    door = Door(Rate(0.001, 1), keys=False)
    for _ in range(10):
        door.ask("")


def test_what_a_key_may_not_do_counts_too() -> None:
    door = Door(Rate(1, 2))
    _, key = door.access.add("alice", "", READ)
    for _ in range(2):
        with pytest.raises(Forbidden):
            door.ask(key, Scope.WRITE)
    with pytest.raises(RateLimited):
        door.ask(key, Scope.WRITE)


def test_who_only_knows_a_key_s_id_takes_nothing_from_it() -> None:
    door = Door(Rate(1, 1))
    _, key = door.access.add("alice", "", READ)
    for _ in range(50):
        with pytest.raises(Unauthorized):
            door.ask(key[:-1] + ("A" if key[-1] != "A" else "B"))
    door.ask(key)
