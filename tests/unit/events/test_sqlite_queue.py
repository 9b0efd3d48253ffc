"""What the queue on a disk does about the world around it: other releases, full disks, other writers, many starters."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.errors import StorageFull, Unavailable
from darkroom.events import ImageDeleted, ObjectCreated
from darkroom.events.sqlite import SqliteQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.sqlite"


@pytest.fixture
def queue(file: Path, clock: Clock) -> Iterator[SqliteQueue]:
    opened = SqliteQueue(file, clock)
    yield opened
    opened.close()


def newer_release_publishes(file: Path) -> None:
    """Put in an event of a kind that this release has never heard of, due before every other."""
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO events (kind, document, due) VALUES ('image-painted', '{\"brush\": 3}', 0)")
    connection.commit()
    connection.close()


def test_an_event_of_a_newer_release_is_left_for_it_and_the_others_go_on(queue: SqliteQueue, file: Path) -> None:
    newer_release_publishes(file)
    assert queue.lease(10, 30) == []
    queue.publish(ImageDeleted(image_id="known"))
    assert [lease.event for lease in queue.lease(10, 30)] == [ImageDeleted(image_id="known")]
    assert queue.depth().waiting == 1


def test_a_buried_event_of_a_newer_release_does_not_hide_the_others(queue: SqliteQueue, file: Path) -> None:
    queue.publish(ImageDeleted(image_id="known"))
    (lease,) = queue.lease(1, 30)
    queue.bury(lease, "reason")
    connection = sqlite3.connect(file)
    connection.execute(
        "INSERT INTO buried (kind, document, attempts, reason, buried_at) VALUES ('image-painted', '{}', 1, 'why', 0)"
    )
    connection.commit()
    connection.close()
    assert [grave.event for grave in queue.buried(10)] == [ImageDeleted(image_id="known")]
    assert queue.redrive(10) == 2


def test_a_file_of_another_data_format_is_refused_with_its_name(file: Path, clock: Clock) -> None:
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Unavailable, match=r"events\.sqlite is of data format 99"):
        SqliteQueue(file, clock)


def test_polling_an_empty_queue_does_not_wait_for_a_writer(queue: SqliteQueue, file: Path) -> None:
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    assert queue.lease(10, 30) == []
    assert time.monotonic() - began < 1
    writer.close()


def test_polling_an_empty_queue_is_cheap(queue: SqliteQueue) -> None:
    queue.lease(1, 30)
    began = time.process_time()
    for _ in range(1000):
        queue.lease(1, 30)
    assert (time.process_time() - began) / 1000 < 200e-6


def test_a_full_disk_is_told_and_nothing_half_is_kept(queue: SqliteQueue, file: Path) -> None:
    queue.publish(ImageDeleted(image_id="before"))
    with queue._database.read() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageFull):
        queue.publish(ObjectCreated(key="k" * 100_000, etag="e"))
    assert queue.depth().waiting == 1
    assert [lease.event for lease in queue.lease(10, 30)] == [ImageDeleted(image_id="before")]


def test_a_disk_that_takes_no_more_is_told_as_one(file: Path) -> None:
    program = """
import pathlib, resource, sys
from datetime import UTC, datetime
from darkroom.errors import StorageFull
from darkroom.events import ImageDeleted
from darkroom.events.sqlite import SqliteQueue
queue = SqliteQueue(pathlib.Path(sys.argv[1]), lambda: datetime.now(UTC))
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    queue.publish(ImageDeleted(image_id="k" * 200_000))
except StorageFull as error:
    print(error.detail)
print(queue.depth().waiting)
"""
    said = subprocess.run([sys.executable, "-c", program, str(file)], check=True, capture_output=True, text=True).stdout
    assert said == "the disk is full or failing; free some room and send the request again\n0\n"


def test_a_new_file_may_be_opened_by_many_at_the_same_moment(tmp_path: Path, clock: Clock) -> None:
    for number in range(30):
        together = threading.Barrier(6)

        def start(file: Path, together: threading.Barrier = together) -> None:
            together.wait()
            opened = SqliteQueue(file, clock)
            opened.publish(ImageDeleted(image_id="made"))
            opened.close()

        with ThreadPoolExecutor(6) as pool:
            for started in [pool.submit(start, tmp_path / f"{number}.sqlite") for _ in range(6)]:
                started.result()
