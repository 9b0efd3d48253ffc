"""How long a page of a search takes in libraries of 10 thousand, 100 thousand and a million images, next to FTS5.

    python bench/search.py [--images 10000 100000 1000000] [--dynamodb 2000] [--folder DIR]

Method. A library is drawn at random, the same each time: of each 20 images 19 are one owner's, whose images are
searched; three tags an image out of 2,000, the n-th most frequent one on 1/n as many images as the first (Zipf), names
of cameras and lenses, words of titles and albums likewise; times of upload over three years, of taking over twenty. It
is written by the catalog's own code, 5,000 images in a transaction, and the time is that code's alone.

Each line is a kind of query, asked ``--queries`` times with values drawn from the library, every other one for a page
somewhere in the middle; a page has up to 50 images, read and made into values of the program. Times are those of the
processor for the thread that asks, so that what else the machine does counts less; all lies in memory. FTS5 is a schema
as one would write it down: a row an image with its document, ordinary indexes for what is compared, one table of FTS5
for what is words, and the same questions as one statement of SQL. ``found`` is what a page has on average, and a page
is ``short`` when it comes with less than it might because 2,000 images were looked at. Both are asked in turn.

In DynamoDB, the emulator's, it is requests and units that are counted, as AWS meters them (tests/support/capacity.py).

Targets: with a million images any one criterion, or a tag and another one, p99 ≤ 5 ms; no query over 50 ms; no median
more than 3 times that of 10 thousand images; 5,000 images written a second; in DynamoDB 3 requests a page, no Scan.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING

from darkroom.catalog import terms
from darkroom.catalog.sqlite import SqliteCatalog
from machine import print_load, print_machine
from search_dynamodb import measure_dynamodb
from search_library import OWNER, Library
from search_peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.model import Query

TOGETHER = 5_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--queries", type=int, default=100, help="queries of each kind (default 100)")
    parser.add_argument("--dynamodb", type=int, default=2_000, help="images in DynamoDB; 0: leave it out")
    parser.add_argument("--folder", type=Path, help="where libraries stay, to be used again; default: they go")
    parser.add_argument("--without-peer", action="store_true", help="leave FTS5 out")
    given = parser.parse_args()
    print_machine()
    print_terms(Library(1_000_000))
    measured: dict[int, dict[str, tuple[float, float]]] = {}
    for images in given.images:
        with tempfile.TemporaryDirectory() as passing:
            folder = Path(given.folder or passing) / str(images)
            folder.mkdir(parents=True, exist_ok=True)
            measured[images] = measure(Library(images), given.queries, folder, peered=not given.without_peer)
    if len(measured) > 1:
        print_growth(measured, min(measured), max(measured))
    if given.dynamodb:
        measure_dynamodb(Library(given.dynamodb))


def print_terms(library: Library) -> None:
    """Print how many terms a typical image has, of each kind."""
    images = [library.image(number) for number in range(2_000)]
    print("terms of an image, on average:")
    every = [terms.terms(one) for one in images]
    few = [terms.terms(one, frozenset()) for one in images]
    print(f"    {mean(map(len, few)):5.1f} that are always kept")
    for kind in terms.Kind:
        only = [terms.terms(one, frozenset({kind})) for one in images]
        print(f"    {mean(map(len, only)) - mean(map(len, few)):5.1f} {kind.value}")
    print(f"    {mean(map(len, every)):5.1f} together\n")


def measure(library: Library, queries: int, folder: Path, *, peered: bool) -> dict[str, tuple[float, float]]:
    """Fill a catalog and its peer, ask both, and print; return for each kind of query what ``ask`` does."""
    images = library.images
    ours, theirs = folder / "catalog.sqlite", folder / "peer.sqlite"
    is_new = not ours.exists()
    peer = Peer(theirs) if peered else None
    with closing(SqliteCatalog(ours)) as catalog:
        print(f"{images:,} images, of which {OWNER} has 19 in 20")
        if is_new:
            writing = fill(library, catalog, peer)
            print(f"{'':34}{'a second':>10}{'bytes each':>12}")
            print(f"{'written, catalog':34}{images / writing[0]:10,.0f}{size(ours) / images:12,.0f}")
            if peer is not None:
                print(f"{'written, FTS5':34}{images / writing[1]:10,.0f}{size(theirs) / images:12,.0f}")
        print(f"\n{'milliseconds':34}{'p50':>7}{'p99':>7}{'most':>7}{'found':>7}{'short':>7}   ", end="")
        print(f"{'FTS5 p50':>9}{'p99':>8}{'most':>8}{'found':>7}")
        answers = {}
        for kind in library.kinds():
            asked = [library.query(kind, number) for number in range(queries)]
            answers[kind] = ask(kind, asked, catalog, peer)
        print_load()
        print()
    if peer is not None:
        peer.close()
    return answers


def fill(library: Library, catalog: SqliteCatalog, peer: Peer | None) -> tuple[float, float]:
    """Write the images; return the seconds of processor that it took the catalog and its peer."""
    spent = [0.0, 0.0]
    for begin in range(0, library.images, TOGETHER):
        batch = [library.image(number) for number in range(begin, min(begin + TOGETHER, library.images))]
        spent[0] += timed(lambda batch=batch: catalog.create_together(batch))  # type: ignore[misc]
        if peer is not None:
            spent[1] += timed(lambda batch=batch: peer.write(batch))  # type: ignore[misc]
    if peer is not None:
        peer.settle()
    return spent[0], spent[1]


def ask(kind: str, asked: list[Query], catalog: SqliteCatalog, peer: Peer | None) -> tuple[float, float]:
    """Ask both the same and print; return the catalog's median in milliseconds, and how many images a page had."""
    ours, theirs, found, short, peer_found = [], [], [], 0, []
    for query in asked:
        catalog.search(query)  # as after some use: what is asked for lies in memory
        began = time.thread_time()
        page = catalog.search(query)
        ours.append(1000 * (time.thread_time() - began))
        found.append(len(page.items))
        short += page.next is not None and len(page.items) < query.limit
        if peer is not None and peer.answers(query):
            peer.search(query)
            began = time.thread_time()
            peer_found.append(len(peer.search(query)))
            theirs.append(1000 * (time.thread_time() - began))
    line = f"{kind:34}{median(ours):7.2f}{p99(ours):7.2f}{max(ours):7.2f}{mean(found):7.1f}{short:7}   "
    if theirs:
        line += f"{median(theirs):9.2f}{p99(theirs):8.2f}{max(theirs):8.2f}{mean(peer_found):7.1f}"
    print(line, flush=True)
    return median(ours), mean(found)


def print_growth(measured: dict[int, dict[str, tuple[float, float]]], fewest: int, most: int) -> None:
    """Print how much longer a page takes in the largest library than in the smallest.

    Most of the time goes into the images of the page, so those kinds stand apart that find far more in the larger one.
    """
    alike: dict[str, float] = {}
    fuller: dict[str, float] = {}
    for kind, (small, few) in measured[fewest].items():
        large, many = measured[most][kind]
        (alike if many <= 1.25 * few + 1 else fuller)[kind] = large / small
    for what, grown in (("as full", alike), ("fuller", fuller)):
        if grown:
            worst = max(grown, key=lambda kind: grown[kind])
            print(f"from {fewest:,} to {most:,} images, pages that are {what}: ", end="")
            print(f"medians grow {median(grown.values()):.2f} times, {worst} the most, {grown[worst]:.2f}")


def p99(values: list[float]) -> float:
    """Return what one in a hundred is above."""
    return sorted(values)[math.ceil(0.99 * len(values)) - 1]


def timed(work: Callable[[], object]) -> float:
    """Do it and return the seconds of processor it took."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def size(path: Path) -> int:
    """Return the bytes of a database, with its log."""
    return sum(part.stat().st_size for part in path.parent.glob(f"{path.name}*"))


if __name__ == "__main__":
    main()
