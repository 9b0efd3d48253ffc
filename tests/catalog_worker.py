"""A process that works on a catalog file, for tests that need real ones: ``catalog_worker.py FILE tag|claim NAME``.

It opens the catalog, says ``open``, begins when it is sent a line, and prints what came of it.
"""

from __future__ import annotations

import dataclasses
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import libraries
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.errors import VersionMoved

TAGS_EACH = 25
CLAIMS = 25


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
    """Claim some names for an id that ends in this name, and print whose each one is."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(CLAIMS):
        winner = catalog.claim(
            "local", f"key {number}", image_id=name, fingerprint="same", now=now, until=now + timedelta(hours=1)
        )
        sys.stdout.write(winner + "\n")


if __name__ == "__main__":
    opened = SqliteCatalog(Path(sys.argv[1]))
    sys.stdout.write("open\n")
    sys.stdout.flush()
    sys.stdin.readline()
    {"tag": tag, "claim": claim}[sys.argv[2]](opened, sys.argv[3])
