"""The figures of a service of several processes, as Prometheus fetches them."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from darkroom.events import Depth
from darkroom.figures import DELIVERED_BYTES, DELIVERIES, REQUEST_SECONDS, REQUESTS, queue_readings
from darkroom.figures.prometheus import PrometheusFigures, empty
from expositions import samples, total

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Delivers as many bytes as each line it is sent says, and answers when they are counted.
WORKER = """
import os, sys, pathlib
from darkroom.figures import DELIVERED_BYTES, REQUEST_SECONDS
from darkroom.figures.prometheus import PrometheusFigures
figures = PrometheusFigures(pathlib.Path(sys.argv[1]))
for line in sys.stdin:
    figures.add(DELIVERED_BYTES, int(line))
    figures.time(REQUEST_SECONDS, 0.02, route=f"/{os.getpid()}")
    print("counted", flush=True)
"""
DELIVERED = "darkroom_delivered_bytes_total"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "figures"


@pytest.fixture
def figures(folder: Path) -> Iterator[PrometheusFigures]:
    opened = PrometheusFigures(folder)
    yield opened
    opened.close()


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    workers: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        workers.append(
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
        return workers[-1]

    yield begin
    for worker in workers:
        worker.kill()
        worker.communicate()


def deliver(worker: subprocess.Popen[str], size: int) -> None:
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write(f"{size}\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "counted\n"


def test_the_text_is_what_prometheus_reads(figures: PrometheusFigures) -> None:
    figures.add(DELIVERIES, outcome="hot", status="200")
    body, content_type = figures.exposition()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    lines = body.decode().splitlines()
    assert "# TYPE darkroom_deliveries_total counter" in lines
    assert "# HELP darkroom_delivered_bytes_total Bytes of bodies delivered under /i/ and /iiif/." in lines
    assert 'darkroom_deliveries_total{outcome="hot",status="200"} 1.0' in lines


def test_what_has_no_labels_is_shown_as_zero_before_anything_happens(figures: PrometheusFigures) -> None:
    assert samples(figures.exposition()[0])[DELIVERED, frozenset()] == 0.0


def test_durations_fall_into_the_bucket_whose_bound_they_do_not_pass(figures: PrometheusFigures) -> None:
    for seconds in (0.005, 0.0050001, 0.3, 99.0):
        figures.time(REQUEST_SECONDS, seconds, route="/v1/images")
    shown = samples(figures.exposition()[0])

    def up_to(bound: str) -> float:
        return shown["darkroom_request_seconds_bucket", frozenset({("route", "/v1/images"), ("le", bound)})]

    assert [up_to(bound) for bound in ("0.005", "0.01", "0.25", "0.5", "25.0", "+Inf")] == [1, 2, 2, 3, 3, 4]
    assert shown["darkroom_request_seconds_count", frozenset({("route", "/v1/images")})] == 4


def test_the_queue_is_shown_as_it_is_at_that_moment(figures: PrometheusFigures) -> None:
    body, _ = figures.exposition(queue_readings(Depth(waiting=3, leased=2, buried=1, oldest_seconds=4.5)))
    assert total(body, "darkroom_queue_events", state="waiting") == 3
    assert total(body, "darkroom_queue_events", state="leased") == 2
    assert total(body, "darkroom_queue_events", state="buried") == 1
    assert total(body, "darkroom_queue_oldest_seconds") == 4.5
    assert "# TYPE darkroom_queue_events gauge" in body.decode().splitlines()
    assert total(figures.exposition()[0], "darkroom_queue_events") == 0
    unknown, _ = figures.exposition(queue_readings(Depth(waiting=3, leased=2, buried=1, oldest_seconds=None)))
    assert "darkroom_queue_oldest_seconds" not in unknown.decode()


def test_it_is_told_since_when_is_counted(tmp_path: Path) -> None:
    before = time.time()
    empty(tmp_path / "figures")
    figures = PrometheusFigures(tmp_path / "figures")
    since = total(figures.exposition()[0], "darkroom_start_time_seconds")
    assert before - 1 <= since <= time.time()
    figures.close()


def test_several_processes_are_summed(figures: PrometheusFigures, start: Callable[[], subprocess.Popen[str]]) -> None:
    first, second = start(), start()
    figures.add(DELIVERED_BYTES, 1)
    deliver(first, 10)
    deliver(second, 100)
    deliver(first, 1000)
    body, _ = figures.exposition()
    assert total(body, DELIVERED) == 1111
    assert total(body, "darkroom_request_seconds_count") == 3
    assert total(body, "darkroom_request_seconds_bucket", le="0.025") == 3


def test_a_worker_that_dies_leaves_its_count_and_the_next_takes_its_place(
    figures: PrometheusFigures, folder: Path, start: Callable[[], subprocess.Popen[str]]
) -> None:
    sizes = set()
    for number in range(1, 4):
        worker = start()
        deliver(worker, 10)
        assert total(figures.exposition()[0], DELIVERED) == 10 * number
        worker.kill()
        worker.wait()
        assert total(figures.exposition()[0], DELIVERED) == 10 * number
        sizes.add(sum(path.stat().st_size for path in folder.iterdir()))
    assert len(sizes) == 1


def test_a_child_and_its_parent_both_count_after_a_fork(folder: Path) -> None:
    program = """
import os, sys, pathlib
from darkroom.figures import DELIVERED_BYTES
from darkroom.figures.prometheus import PrometheusFigures
figures = PrometheusFigures(pathlib.Path(sys.argv[1]))
figures.add(DELIVERED_BYTES, 1)
child = os.fork()
for _ in range(20000):
    figures.add(DELIVERED_BYTES, 10)
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
figures.add(DELIVERED_BYTES, 1)
sys.stdout.buffer.write(figures.exposition()[0])
"""
    body = subprocess.run([sys.executable, "-c", program, str(folder)], check=True, capture_output=True).stdout
    assert total(body, DELIVERED) == 400_002


def test_a_new_start_counts_from_zero_and_touches_nothing_else(folder: Path) -> None:
    before = PrometheusFigures(folder)
    before.add(DELIVERED_BYTES, 5)
    before.add(REQUESTS, method="GET", route="/", status="200")
    before.close()
    (folder / "note.txt").write_text("mine")
    empty(folder)
    after = PrometheusFigures(folder)
    body, _ = after.exposition()
    after.close()
    assert total(body, DELIVERED) == 0
    assert total(body, "darkroom_requests_total") == 0
    assert (folder / "note.txt").read_text() == "mine"


def test_a_folder_that_is_not_there_is_empty_already(folder: Path) -> None:
    empty(folder)


def test_a_number_that_does_not_fit_is_left_out_and_harms_nobody(figures: PrometheusFigures) -> None:
    figures.add(REQUESTS, method="GET")
    figures.add(DELIVERED_BYTES, image="01k")
    for number in (-1.0, math.nan, math.inf):
        figures.add(DELIVERED_BYTES, number)
        figures.time(REQUEST_SECONDS, number, route="/")
    body, _ = figures.exposition()
    assert total(body, DELIVERED) == 0
    assert total(body, "darkroom_requests_total") == 0
    assert total(body, "darkroom_request_seconds_count") == 0


def test_a_stranger_who_makes_up_labels_fills_no_disk_and_stops_no_other_figure(
    figures: PrometheusFigures, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    figures.add(REQUESTS, method="GET", route="/known", status="200")
    size = sum(path.stat().st_size for path in folder.iterdir())
    with caplog.at_level(logging.WARNING):
        for number in range(3000):
            figures.add(REQUESTS, method=f"M{number}", route="/" * 50, status="405")
            figures.time(REQUEST_SECONDS, 0.1, route=f"/{number}")
    figures.add(REQUESTS, method="GET", route="/known", status="200")
    figures.add(DELIVERED_BYTES, 7)
    body, _ = figures.exposition()
    assert total(body, "darkroom_requests_total", route="/known") == 2
    assert total(body, DELIVERED) == 7
    assert 100 < total(body, "darkroom_requests_total", status="405") < 3000
    assert sum(path.stat().st_size for path in folder.iterdir()) == size
    assert len(caplog.records) == 2


def test_a_process_without_files_serves_on_uncounted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "0.lock").mkdir(parents=True)
    figures = PrometheusFigures(folder)
    figures.add(DELIVERED_BYTES, 5)
    assert total(figures.exposition()[0], DELIVERED) == 0
    assert "is not counted" in caplog.text


def test_what_comes_after_the_end_is_left_out(folder: Path) -> None:
    figures = PrometheusFigures(folder)
    figures.add(DELIVERED_BYTES, 5)
    figures.close()
    figures.close()
    figures.add(DELIVERED_BYTES, 5)
    assert total(figures.exposition()[0], DELIVERED) == 5


def test_figures_can_be_fetched_while_processes_come(figures: PrometheusFigures, folder: Path) -> None:
    places: list[PrometheusFigures] = []

    def come() -> None:
        for _ in range(30):
            places.append(PrometheusFigures(folder))
            places[-1].add(DELIVERED_BYTES, 1)

    coming = threading.Thread(target=come)
    coming.start()
    while coming.is_alive():
        assert 0 <= total(figures.exposition()[0], DELIVERED) <= 30
    coming.join()
    assert total(figures.exposition()[0], DELIVERED) == 30
    for place in places:
        place.close()


def test_counting_is_cheap(figures: PrometheusFigures) -> None:
    figures.add(DELIVERIES, outcome="hot", status="200")
    began = time.process_time()
    for _ in range(5000):
        figures.add(DELIVERIES, outcome="hot", status="200")
    assert (time.process_time() - began) / 5000 < 50e-6
