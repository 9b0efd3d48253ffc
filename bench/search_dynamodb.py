"""What a page of a search asks of DynamoDB, in requests and units: part of ``search.py``."""

from __future__ import annotations

import sys
import tempfile
from contextlib import closing
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from capacity import Metered  # found by the line above, as the next ones
from darkroom.catalog.dynamodb import DynamoCatalog
from emulator import emulating
from search_library import OWNER
from tables import tables_in

if TYPE_CHECKING:
    from search_library import Library

QUERIES = 10


def measure_dynamodb(library: Library) -> None:
    """Fill a table of the emulator, ask it, and print."""
    images = library.images
    with tempfile.TemporaryDirectory() as folder, emulating(Path(folder)) as emulator, tables_in(emulator) as tables:
        client = Metered(tables.client)
        with closing(DynamoCatalog(client, tables.make())) as catalog:
            for number in range(images):
                catalog.create(library.image(number))
            spent = client.spent
            print(f"DynamoDB, {images:,} images: written with {spent.writes / images:.1f} units and ", end="")
            print(f"{spent.count / images:.1f} requests each\n")
            print(f"{'a page':34}{'requests':>9}{'most':>6}{'units':>8}{'most':>6}{'found':>7}{'units each':>12}")
            catalog.usage(OWNER, tickets_since=library.image(0).uploaded_at)
            for kind in library.kinds():
                requests, units, found = [], [], []
                for number in range(QUERIES):
                    client.begin()
                    page = catalog.search(library.query(kind, number))
                    requests.append(client.spent.count)
                    units.append(client.spent.reads)
                    found.append(len(page.items))
                each = sum(units) / max(1, sum(found))
                line = f"{kind:34}{mean(requests):9.1f}{max(requests):6}{mean(units):8.1f}{max(units):6}"
                print(f"{line}{mean(found):7.1f}{each:12.2f}", flush=True)
