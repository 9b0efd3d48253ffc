"""How long it takes to find a picture's copies in a library in SQLite, and how many pictures are looked at for that.

    python bench/similar.py [--images 10000 100000]

Method. For each size a catalog is filled with pictures of random perceptual hashes, of which every thousandth is a copy
of another one (20 of its 255 waves turned at random). Then the like of random pictures is asked for, 300 times, the
first 50 not counted: quantiles of the time, how many pictures were looked at and how many of the copies were found.
Real hashes are less evenly spread than random ones: bench/perceptual_hash.py says by how much more are looked at. The
file is not synced while it is filled; asking reads only.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.catalog import perceptual_hash as hashes
from darkroom.catalog import terms
from darkroom.catalog.sqlite import SqliteCatalog
from machine import print_machine

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
import libraries

if TYPE_CHECKING:
    from darkroom.model import Image

ASKED, WARM_UP, TURNED = 300, 50, 20


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 100_000])
    sizes = parser.parse_args().images
    print_machine()
    print(f"\n{'images':>10}{'p50 ms':>9}{'p99 ms':>9}{'looked at':>11}{'copies found':>14}{'bytes an image':>16}")
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder) / "catalog.sqlite", size)


def measure(path: Path, size: int) -> None:
    """Print the line of one library."""
    chance = random.Random(size)  # noqa: S311 # nothing secret
    catalog = SqliteCatalog(path, kinds=frozenset({terms.Kind.LIKENESS}))
    catalog._database._connection().execute("PRAGMA synchronous = OFF")  # noqa: SLF001 # only while it is filled
    copies = {}
    for number in range(size):
        text = a_hash(chance)
        if number % 1_000 == 999:
            copied = chance.randrange(number)
            text = turned(kept_hash(catalog, copied), chance)
            copies[copied] = number
        catalog.create(pictured(number, text))
    times, looked, found, wanted = [], 0, 0, 0
    asked = list(copies)[-ASKED // 3 :] + [chance.randrange(size) for _ in range(ASKED)]
    for turn, number in enumerate(asked[: ASKED + WARM_UP]):
        own = kept_hash(catalog, number)
        began = time.perf_counter()
        near = {one.id for one in catalog.alike("local", own)}
        if turn >= WARM_UP:
            times.append(time.perf_counter() - began)
        if number in copies:
            wanted += 1
            found += libraries.image(copies[number]).id in near
        looked += looked_at(catalog, own)
    times.sort()
    catalog.close()
    print(
        f"{size:10,}{times[len(times) // 2] * 1e3:9.1f}{times[len(times) * 99 // 100] * 1e3:9.1f}"
        f"{looked / len(asked[: ASKED + WARM_UP]):11.0f}{f'{found} of {wanted}':>14}{path.stat().st_size / size:16.0f}"
    )


def looked_at(catalog: SqliteCatalog, own: str) -> int:
    """Return how many pictures a search for the like of one looks at."""
    total = 0

    def under(wanted: tuple[str, ...], amount: int) -> list[tuple[str, str]]:
        nonlocal total
        with catalog._database.read() as connection:  # noqa: SLF001 # what nobody else is told
            sql = (
                "SELECT count(*) FROM (SELECT DISTINCT image FROM entries JOIN terms ON number = entries.term WHERE"
                " owner = 'local' AND terms.term IN (SELECT value FROM json_each(?)) LIMIT ?)"
            )
            number = int(connection.execute(sql, (json.dumps(wanted), amount)).fetchone()[0])
        total += number
        return [("", own)] * number

    hashes.nearest(own, under, work=2_000)
    return total


def a_hash(chance: random.Random) -> str:
    """Return the hash of no picture in particular."""
    uncertain = (chance.sample(range(hashes.BAND_BITS), hashes.UNCERTAIN) for _ in range(hashes.BANDS))
    return f"{chance.getrandbits(255) << 1:064x}" + "".join(f"{bit:x}" for band in uncertain for bit in band)


def turned(text: str, chance: random.Random) -> str:
    """Return the hash of a copy."""
    value = int(text[:64], 16)
    for wave in chance.sample(range(1, 256), TURNED):
        value ^= 1 << wave
    return f"{value:064x}{text[64:]}"


def pictured(number: int, text: str) -> Image:
    """Return an image of this hash."""
    one = libraries.image(number)
    assert one.facts is not None
    return dataclasses.replace(one, facts=dataclasses.replace(one.facts, perceptual_hash=text))


def kept_hash(catalog: SqliteCatalog, number: int) -> str:
    """Return the hash of an image that is there."""
    one = catalog.get(libraries.image(number).id)
    assert one is not None
    assert one.facts is not None
    return str(one.facts.perceptual_hash)


if __name__ == "__main__":
    main()
