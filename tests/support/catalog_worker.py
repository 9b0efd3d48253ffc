"""A process that works on a catalog file, for tests that need real ones: ``catalog_worker.py FILE WORK NAME``.

It opens the catalog, says ``open``, begins when it is sent a line, and prints what came of it.
"""

from __future__ import annotations

import dataclasses
import sys
from datetime import timedelta
from pathlib import Path

import libraries
from darkroom.catalog import Claim
from darkroom.catalog.quotas import Quota
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.errors import OverQuota, VersionMoved
from darkroom.model import State

TAGS_EACH = 25
CLAIMS = 25
FILLED = 60
NAMES = ("one", "two", "three", "four")
ROOM = Quota(images=1000, bytes=35_000, open_tickets=30)


def tag(catalog: SqliteCatalog, name: str) -> None:
    """Add tags of this name to image 0, one at a time, reading again whenever somebody else wrote in between."""
    for number in range(TAGS_EACH):
        while True:
            image = catalog.get(libraries.image(0).id)
            assert image is not None
            try:
                catalog.replace(
                    dataclasses.replace(image, tags=(*image.tags, f"{name} {number}")), version=image.version
                )
                break
            except VersionMoved:
                continue
    sys.stdout.write("done\n")


def claim(catalog: SqliteCatalog, name: str) -> None:
    """Claim some names, each for an image of this worker's own, and print whose each one is."""
    for number in range(CLAIMS):
        mine = libraries.image(numbered(name, number), title=name)
        until = mine.uploaded_at + timedelta(hours=1)
        winner = catalog.create(mine, claim=Claim(name=f"key {number}", fingerprint="same", until=until))
        sys.stdout.write(f"{winner.title}\n")


def fill(catalog: SqliteCatalog, name: str) -> None:
    """Create as many images as there is room for, a third of them by ticket, and print what was let in."""
    let_in = {State.AWAITING: 0, State.PROCESSING: 0}
    for number in range(FILLED):
        state = State.AWAITING if number % 3 == 0 else State.PROCESSING
        try:
            catalog.create(libraries.image(numbered(name, number), state=state, promised_bytes=500), within=ROOM)
        except OverQuota:
            continue
        let_in[state] += 1
    sys.stdout.write(f"{let_in[State.AWAITING]} {let_in[State.PROCESSING]}\n")


def numbered(name: str, number: int) -> int:
    """Return a number for an image that no worker of another name takes."""
    return 10 * number + NAMES.index(name)


if __name__ == "__main__":
    opened = SqliteCatalog(Path(sys.argv[1]))
    sys.stdout.write("open\n")
    sys.stdout.flush()
    sys.stdin.readline()
    {"tag": tag, "claim": claim, "fill": fill}[sys.argv[2]](opened, sys.argv[3])
