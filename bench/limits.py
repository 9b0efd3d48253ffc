"""What rates and quotas cost a request, and what bringing an old catalog up costs a start.

    python bench/limits.py [--images 100000]

Method. A rate: the wall time of ``SharedRates.take`` by one process alone, and by four at once that all use one key,
which is the worst case, each doing nothing else; next to it what finding out who calls takes anyway. A quota: two
catalogs of so many images on this disk, images created in turns with and without a quota, so that whatever else the
machine does hits both alike; the median of the differences within a turn. The upgrade: that catalog is put back into
the first release's format and opened.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import libraries
from darkroom.access import Rate, Scope
from darkroom.access.shared import SharedRates
from darkroom.access.sqlite import SqliteAccess
from darkroom.catalog.quotas import Quota
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.model import State
from darkroom.service import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 20_000
PROCESSES = 4
TURNS = 300
UNBOUNDED = Rate(1_000_000, 1_000_000)
AMPLE = Quota(images=10**9, bytes=10**15, open_tickets=10**6)


def each(call: Callable[[], object], *, calls: int = CALLS) -> float:
    """Return the microseconds that one call takes on average."""
    began = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - began) / calls * 1e6


def show(what: str, microseconds: float) -> None:
    """Print a row of the table."""
    print(f"| {what} | {microseconds:,.1f} |")


def rates(folder: Path) -> None:
    """Measure what a request pays for its rate."""
    access = SqliteAccess(folder / "access.sqlite3", utc_now)
    _, text = access.add("local", "bench", frozenset(Scope))
    kept = SharedRates(folder / "rates", time.monotonic_ns)
    show("who calls (`identify`, for comparison)", each(lambda: access.identify(text)))
    show("nobody: a wrong secret", each(lambda: access.identify(text[:-1] + "_")))
    show("nobody: 60,000 letters that are no key", each(lambda: access.identify("x" * 60_000)))
    show("a rate, one process", each(lambda: kept.take("key", UNBOUNDED)))
    slow = Rate(0.001, 1)
    kept.take("slow", slow)
    show("a rate, one process, refused", each(lambda: kept.take("slow", slow)))
    show(f"a rate, one of {PROCESSES} processes that do nothing else, one key", together(kept))


def together(kept: SharedRates) -> float:
    """Return the microseconds of one call while so many processes call at once."""
    readers = []
    for _ in range(PROCESSES):
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.write(writer, str(each(lambda: kept.take("key", UNBOUNDED))).encode())
            os._exit(0)
        os.close(writer)
        readers.append(reader)
    found = [float(os.read(reader, 100)) for reader in readers]
    for _ in readers:
        os.wait()
    return statistics.mean(found)


def quotas(folder: Path, images: int) -> None:
    """Measure what an upload pays for a quota, and what it takes to count an old catalog."""
    path = folder / "catalog.sqlite3"
    catalog = SqliteCatalog(path)
    connection = catalog._database._connection()  # noqa: SLF001 # a hundred thousand synced writes would take minutes
    connection.execute("PRAGMA synchronous = OFF")
    for number in range(images):
        catalog.create(libraries.image(number, tags=("cat",)))
    connection.execute("PRAGMA synchronous = FULL")

    def create(number: int, quota: Quota | None) -> float:
        image = libraries.image(number, state=State.AWAITING, promised_bytes=1000)
        began = time.perf_counter()
        catalog.create(image, within=quota)
        return (time.perf_counter() - began) * 1e6

    plain, more = [], []
    for turn in range(TURNS):
        first, second = create(images + 2 * turn, None), create(images + 2 * turn + 1, AMPLE)
        plain.append(first)
        more.append(second - first)
    show(f"creating an image among {images:,}, on the disk", statistics.median(plain))
    show(f"a quota on top, with up to {2 * TURNS} open tickets to count", statistics.median(more))
    now = libraries.image(images).uploaded_at
    show("`usage`", each(lambda: catalog.usage("local", tickets_since=now - timedelta(minutes=15)), calls=2000))
    catalog.close()

    old = sqlite3.connect(path)
    old.executescript(
        "DROP TABLE owners; ALTER TABLE images DROP COLUMN stored; PRAGMA user_version = 1; VACUUM;"
        "PRAGMA wal_checkpoint(TRUNCATE)"
    )
    old.close()
    began = time.perf_counter()
    SqliteCatalog(path).close()
    print(
        f"\nA catalog of {images:,} images of the first release is brought up in {time.perf_counter() - began:.1f} s."
    )


def main() -> None:
    """Print everything."""
    options = argparse.ArgumentParser(description="What rates and quotas cost.")
    options.add_argument("--images", type=int, default=100_000)
    images = options.parse_args().images
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} processors\n")
    print("| | µs |\n|---|---:|")
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        rates(Path(folder))
        quotas(Path(folder), images)


if __name__ == "__main__":
    main()
