"""What every ledger of results promises, whatever keeps it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.results import Result
from darkroom.results.dynamodb import DynamoResults
from darkroom.results.memory import MemoryResults
from darkroom.results.sqlite import SqliteResults
from tables import tables_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.results import Results
    from emulator import Emulator
    from tables import Tables

WORKER = Path(__file__).parents[1] / "support" / "results_worker.py"
IMAGE, OTHER = "01k0000000000000000000000a", "01k0000000000000000000000b"
NAME = "t/width=640,height=480,fit=cover,gravity=0.25:0.5.avif"
MADE = Result(image_id=IMAGE, name=NAME, checksum="checksum-of-it", stamp="1 None", kept_size="1920x1440")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def tables(emulator: Emulator) -> Iterator[Tables]:
    with tables_in(emulator) as it:
        yield it


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def results(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Results]:
    if request.param == "memory":
        yield MemoryResults(clock)
    elif request.param == "dynamodb":
        tables = request.getfixturevalue("tables")
        with closing(DynamoResults(tables.client, tables.make(), clock)) as on_table:
            yield on_table
    else:
        durable = SqliteResults(tmp_path / "results.sqlite3", clock)
        yield durable
        durable.close()


def made(results: Results, result: Result = MADE) -> None:
    receipt = results.claim(result.image_id, result.name, 60)
    assert receipt is not None
    assert results.commit(receipt, result)


def test_a_result_is_there_once_it_is_finished(results):
    assert results.find(IMAGE, NAME) is None
    assert not results.owns(IMAGE, NAME)
    receipt = results.claim(IMAGE, NAME, 60)
    assert results.find(IMAGE, NAME) is None
    assert results.owns(IMAGE, NAME)
    assert results.commit(receipt, MADE)
    assert results.find(IMAGE, NAME) == MADE
    assert results.find(OTHER, NAME) is None


def test_all_that_is_finished_of_an_image_is_listed_and_is_not_used_by_that(results, clock):
    other = Result(image_id=IMAGE, name="t/width=5.jpg", checksum="another")
    made(results, MADE)
    made(results, other)
    made(results, Result(image_id=OTHER, name=NAME, checksum="of the other"))
    results.claim(IMAGE, "t/width=6.jpg", 60)
    clock.advance(86_400)
    assert list(results.finished(IMAGE)) == [other, MADE]
    assert (IMAGE, NAME) in results.unused(clock(), 10)
    results.void(IMAGE)
    assert list(results.finished(IMAGE)) == []


def test_one_makes_it_and_another_only_once_that_ones_time_is_over(results, clock):
    first = results.claim(IMAGE, NAME, 60)
    assert results.claim(IMAGE, NAME, 60) is None
    clock.advance(59)
    assert results.claim(IMAGE, NAME, 60) is None
    clock.advance(1)
    second = results.claim(IMAGE, NAME, 60)
    assert second is not None
    assert not results.commit(first, MADE)
    assert results.find(IMAGE, NAME) is None
    assert results.commit(second, MADE)
    assert results.claim(IMAGE, NAME, 60) is None


def test_of_a_hundred_who_ask_at_once_one_makes_it(results):
    with ThreadPoolExecutor(100) as pool:
        claims = list(pool.map(lambda _: results.claim(IMAGE, NAME, 60), range(100)))
    assert len([claim for claim in claims if claim]) == 1


def test_of_many_processes_one_makes_it(tmp_path):
    path = tmp_path / "results.sqlite3"
    SqliteResults(path, Clock()).close()
    count = 40
    workers = [
        subprocess.Popen([sys.executable, str(WORKER), str(path), str(count)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    claimed = [int(line) for worker in workers for line in worker.communicate(timeout=60)[0].split()]
    assert sorted(claimed) == list(range(count))


def test_what_is_given_back_can_be_claimed_at_once(results):
    receipt = results.claim(IMAGE, NAME, 60)
    results.release("another", IMAGE, NAME)
    assert results.claim(IMAGE, NAME, 60) is None
    results.release(receipt, IMAGE, NAME)
    results.release(receipt, IMAGE, NAME)
    assert not results.owns(IMAGE, NAME)
    assert results.claim(IMAGE, NAME, 60) is not None


def test_a_finished_result_is_not_given_back_by_an_old_receipt(results):
    receipt = results.claim(IMAGE, NAME, 60)
    results.commit(receipt, MADE)
    results.release(receipt, IMAGE, NAME)
    assert results.find(IMAGE, NAME) == MADE


def test_what_is_damaged_is_made_anew_by_one(results):
    made(results)
    assert results.claim(IMAGE, NAME, 60, damaged="another-checksum") is None
    receipt = results.claim(IMAGE, NAME, 60, damaged=MADE.checksum)
    assert receipt is not None
    assert results.find(IMAGE, NAME) is None
    assert results.claim(IMAGE, NAME, 60, damaged=MADE.checksum) is None
    assert results.commit(receipt, MADE)


def test_void_ends_what_is_finished_and_what_is_being_made(results):
    made(results)
    other = results.claim(IMAGE, "t/width=5.jpg", 60)
    kept = Result(image_id=OTHER, name=NAME, checksum="of the other")
    made(results, kept)
    assert set(results.void(IMAGE)) == {NAME, "t/width=5.jpg"}
    assert results.find(IMAGE, NAME) is None
    assert not results.commit(other, Result(image_id=IMAGE, name="t/width=5.jpg", checksum="late"))
    assert set(results.void(IMAGE)) == {NAME, "t/width=5.jpg"}, "their objects can be removed again"
    assert results.find(OTHER, NAME) == kept
    assert results.claim(IMAGE, NAME, 60) is not None
    assert results.void("01k0000000000000000000000c") == ()


def test_what_nobody_uses_goes_and_what_is_used_stays(results, clock):
    used = Result(image_id=IMAGE, name="t/width=1.jpg", checksum="used")
    unused = Result(image_id=IMAGE, name="t/width=2.jpg", checksum="unused")
    made(results, used)
    made(results, unused)
    clock.advance(86_400)
    results.find(IMAGE, used.name)
    being_made = results.claim(OTHER, NAME, 10 * 86_400)
    before = clock() - timedelta(hours=2)
    assert list(results.unused(before, 10)) == [(IMAGE, unused.name)]
    results.forget(IMAGE, used.name, before)
    results.forget(IMAGE, unused.name, before)
    assert results.find(IMAGE, used.name) == used
    assert not results.owns(IMAGE, unused.name)
    clock.advance(5 * 86_400)
    assert list(results.unused(clock(), 10)) == [(IMAGE, used.name)]
    assert results.commit(being_made, Result(image_id=OTHER, name=NAME, checksum="in time"))


def test_claims_of_those_who_are_gone_can_be_ended(tmp_path, clock):
    results = SqliteResults(tmp_path / "results.sqlite3", clock)
    lost = results.claim(IMAGE, NAME, 60)
    results.end_claims()
    assert results.claim(IMAGE, NAME, 60) is not None
    assert not results.commit(lost, MADE)
    results.close()


def test_the_longest_unused_come_first_and_no_more_than_asked_for(results, clock):
    for number in range(5):
        made(results, Result(image_id=IMAGE, name=f"t/width={number}.jpg", checksum="x"))
        clock.advance(10)
    assert [name for _, name in results.unused(clock(), 3)] == [f"t/width={n}.jpg" for n in range(3)]
