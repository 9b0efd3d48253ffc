"""What every keeper of rates promises: never more than allowed, and the right time to come back."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.access import NANOSECONDS, Rate
from darkroom.access.dynamodb import DynamoRates
from darkroom.access.memory import MemoryRates
from darkroom.access.shared import SharedRates
from darkroom.errors import Unavailable
from tables import tables_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.access import Rates
    from emulator import Emulator
    from tables import Tables

WORKER = Path(__file__).parents[1] / "support" / "rates_worker.py"
KINDS = ("memory", "shared", "dynamodb")
HOURS_SINCE_BOOT = 5 * 3600 * NANOSECONDS


class Clock:
    """Counts nanoseconds, and stands still until it is told to move."""

    def __init__(self) -> None:
        self.now = HOURS_SINCE_BOOT

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += round(seconds * NANOSECONDS)


TABLES: list[Tables | None] = [None]


@pytest.fixture(autouse=True, scope="module")
def aws(emulator: Emulator) -> Iterator[None]:
    """Have tables to keep rates in, wherever a test does so."""
    with tables_in(emulator) as TABLES[0]:
        yield


@contextmanager
def opened(kind: str, clock: Clock) -> Iterator[Rates]:
    """Give new rates, all buckets full."""
    if kind == "memory":
        yield MemoryRates(clock)
        return
    if kind == "dynamodb":
        tables = TABLES[0]
        assert tables is not None
        with closing(DynamoRates(tables.client, tables.make(), clock)) as on_table:
            yield on_table
        return
    with tempfile.TemporaryDirectory() as folder:
        yield SharedRates(Path(folder) / "rates", clock)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=KINDS)
def rates(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Rates]:
    with opened(request.param, clock) as it:
        yield it


def allowed(rates: Rates, key_id: str, rate: Rate, *, times: int) -> int:
    """Call so often at once; return how often it was allowed."""
    return sum(rates.take(key_id, rate) == 0 for _ in range(times))


def test_a_burst_is_allowed_and_not_one_more(rates: Rates) -> None:
    assert allowed(rates, "key", Rate(2, 5), times=20) == 5


def test_it_fills_up_again_at_its_rate_and_no_further_than_a_burst(rates: Rates, clock: Clock) -> None:
    rate = Rate(2, 5)
    allowed(rates, "key", rate, times=5)
    for seconds, more in ((0.499, 0), (0.001, 1), (0.5, 1), (1.0, 2), (2.5, 5), (1000, 5)):
        clock.advance(seconds)
        assert allowed(rates, "key", rate, times=10) == more, seconds


def test_it_says_when_to_come_back(rates: Rates, clock: Clock) -> None:
    rate = Rate(0.5, 3)
    allowed(rates, "key", rate, times=3)
    assert rates.take("key", rate) == 2
    clock.advance(0.75)
    assert rates.take("key", rate) == 1.25
    clock.advance(1.2499)
    assert rates.take("key", rate) > 0
    clock.advance(0.0001)
    assert rates.take("key", rate) == 0
    assert rates.take("key", rate) == 2


def test_asking_in_vain_costs_nothing(rates: Rates, clock: Clock) -> None:
    rate = Rate(1, 1)
    rates.take("key", rate)
    for _ in range(100):
        assert rates.take("key", rate) > 0
    clock.advance(1)
    assert rates.take("key", rate) == 0


def test_keys_do_not_share_a_bucket(rates: Rates) -> None:
    rate = Rate(1, 2)
    assert [allowed(rates, f"key {number}", rate, times=5) for number in range(50)] == [2] * 50


def test_each_key_may_have_a_rate_of_its_own(rates: Rates, clock: Clock) -> None:
    slow, fast = Rate(0.001, 1), Rate(1000, 100)
    assert (allowed(rates, "slow", slow, times=200), allowed(rates, "fast", fast, times=200)) == (1, 100)
    clock.advance(0.05)
    assert (allowed(rates, "slow", slow, times=200), allowed(rates, "fast", fast, times=200)) == (0, 50)


@pytest.mark.parametrize("per_second", [1 / 3, 3, 7, 0.3, 999_999.0])
def test_rounding_allows_no_more(rates: Rates, clock: Clock, per_second: float) -> None:
    rate = Rate(per_second, 1)
    total = allowed(rates, "key", rate, times=2)
    steps, step = 300, 1.05 / per_second / 7
    for _ in range(steps):
        clock.advance(step)
        total += allowed(rates, "key", rate, times=3)
    elapsed = (clock.now - HOURS_SINCE_BOOT) / NANOSECONDS
    assert 0.9 * per_second * elapsed <= total <= 1 + per_second * elapsed


RATES = st.builds(Rate, st.sampled_from((0.1, 1 / 3, 1.0, 2.5, 30.0, 1000.0)), st.sampled_from((1, 2, 5, 40)))


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=60)
@given(
    by_key=st.lists(RATES, min_size=1, max_size=3),
    calls=st.lists(st.tuples(st.integers(0, 2), st.sampled_from((0, 0, 1, 10**6, 10**8, 10**9, 3 * 10**9)))),
)
def test_it_is_a_token_bucket_to_the_nanosecond(kind: str, by_key: list[Rate], calls: list[tuple[int, int]]) -> None:
    clock = Clock()
    buckets = [Bucket(rate, clock.now) for rate in by_key]
    with opened(kind, clock) as rates:
        for number, pause in calls:
            clock.now += pause
            bucket = buckets[number % len(buckets)]
            wait = rates.take(f"key {number % len(buckets)}", bucket.rate)
            assert math.isclose(wait * NANOSECONDS, bucket.take(clock.now), abs_tol=0.5)


class Bucket:
    """The oracle: a level that rises with time and is counted in nanoseconds worth of tokens."""

    def __init__(self, rate: Rate, now: int) -> None:
        self.rate = rate
        self._token = math.ceil(NANOSECONDS / rate.per_second)
        self._level = rate.burst * self._token
        self._at = now

    def take(self, now: int) -> int:
        """Take a token and return 0, or return the nanoseconds until there will be one."""
        self._level = min(self.rate.burst * self._token, self._level + now - self._at)
        self._at = now
        if self._level < self._token:
            return self._token - self._level
        self._level -= self._token
        return 0


def test_threads_share_a_bucket(rates: Rates) -> None:
    rate = Rate(0.001, 100)
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: allowed(rates, "key", rate, times=50), range(8))) == 100


# ------------------------------------------------------------------ between processes


def in_processes(count: int, *arguments: object) -> list[list[int]]:
    """Run so many workers at once; return what each key was allowed, a list for each worker."""
    workers = [
        subprocess.Popen(
            [sys.executable, str(WORKER), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "open\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write("\n")
            worker.stdin.flush()
        return [[int(word) for word in worker.communicate(timeout=60)[0].split()] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_four_processes_share_every_bucket_exactly(tmp_path: Path) -> None:
    keys = [f"key {number}" for number in range(7)]
    given = (tmp_path / "rates", 10, 230)
    first = in_processes(4, *given, "standing", HOURS_SINCE_BOOT, 200, *keys)
    assert [sum(each) for each in zip(*first, strict=True)] == [230] * 7
    assert sum(sum(each) > 0 for each in first) > 1, "more than one process was at it"
    later = in_processes(4, *given, "standing", HOURS_SINCE_BOOT + 3 * NANOSECONDS, 200, *keys)
    assert [sum(each) for each in zip(*later, strict=True)] == [30] * 7


def test_four_processes_by_the_machine_s_clock(tmp_path: Path) -> None:
    began = time.monotonic()
    told = in_processes(4, tmp_path / "rates", 40, 10, "running", 1.0, "key")
    elapsed = time.monotonic() - began
    assert 10 + 40 * 0.8 <= sum(each[0] for each in told) <= 10 + 40 * elapsed


# ------------------------------------------------------------------ more keys than there is room for


def test_when_the_room_is_too_small_none_is_allowed_more(tmp_path: Path) -> None:
    clock = Clock()
    rates = SharedRates(tmp_path / "rates", clock, rows=2, slots=3)
    rate = Rate(1, 4)
    total: Counter[str] = Counter()
    for second in range(30):
        for number in range(40):
            total[f"key {(number * 7 + second) % 40}"] += allowed(
                rates, f"key {(number * 7 + second) % 40}", rate, times=5
            )
        clock.advance(1)
        assert max(total.values()) <= 4 + second
    assert sum(total.values()) >= 6 * 4, "what room there is is used"
    clock.advance(10)
    assert allowed(rates, "key 1", rate, times=10) == 4


def test_a_file_that_was_cut_short_counts_as_full_buckets(tmp_path: Path) -> None:
    rates = SharedRates(tmp_path / "rates", Clock())
    rate = Rate(1, 2)
    allowed(rates, "key", rate, times=2)
    (tmp_path / "rates").write_bytes(b"")
    assert allowed(rates, "key", rate, times=5) == 2


def test_a_file_that_is_gone_is_said(tmp_path: Path) -> None:
    rates = SharedRates(tmp_path / "rates", Clock())
    (tmp_path / "rates").unlink()
    with pytest.raises(Unavailable, match="counted"):
        rates.take("key", Rate(1, 2))


def test_counting_is_cheap(tmp_path: Path) -> None:
    rates = SharedRates(tmp_path / "rates", time.monotonic_ns)
    rate = Rate(1e6, 10**6)
    began = time.process_time()
    for _ in range(1000):
        rates.take("key", rate)
    assert (time.process_time() - began) / 1000 < 50e-6
