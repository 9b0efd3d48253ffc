"""What an upload, an edit, a search, a delete and a delivery that misses ask of DynamoDB: requests and capacity units.

    python bench/dynamodb.py [--images 300] [--photo FILE]

Method. The whole core with buckets in memory and its catalog in a table of the emulator; a photo goes through it as
through the service: opened, sent, rendered with the default recipes, found, edited, deleted. Units are worked out from
the items that are sent and answered, as AWS meters them on demand (tests/support/capacity.py); all reads are consistent
ones. No times: those of an emulator say nothing. Below an upload stand the units by the key they are written under,
because one key takes 1,000 a second however large the table is.

Target: at most 2 × the item's units + the number of its terms for each write (tests/aws/test_table_costs.py holds it).
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import pictures  # found by the line above, as the next ones
from capacity import Metered, item_size
from darkroom.access import Rate, Scope
from darkroom.access.dynamodb import DynamoAccess, DynamoRates
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.catalog.quotas import Quota
from darkroom.model import Edit, Format, OriginalPolicy, Query
from darkroom.ondemand import OnDemand
from darkroom.results.dynamodb import DynamoResults
from darkroom.transform.options import parse
from darkroom.transform.recipes import DEFAULT_RECIPES
from emulator import emulating
from libraries import image
from machine import print_machine
from rooms import OWNER, Room
from tables import Tables, tables_in

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

    from emulator import Emulator

OVERHEAD = 100
"""Bytes that DynamoDB adds to each item it stores, as it bills them."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=300, help="images that searches go over (default 300)")
    parser.add_argument("--photo", type=Path, help="a photo; without, one of 8 megapixels is made")
    given = parser.parse_args()
    photo = given.photo.read_bytes() if given.photo else pictures.encode(pictures.photo(3264, 2448), "JPEG", quality=90)
    print_machine()
    with tempfile.TemporaryDirectory() as folder, emulating(Path(folder)) as emulator:
        print(f"{'':34}{'requests':>9}{'written':>9}{'read':>7}")
        measure(emulator, photo, given.images)


class Meter:
    """Prints what each thing takes."""

    def __init__(self, client: Metered) -> None:
        self._client = client

    def __call__(self, what: str, does: Callable[[], object]) -> Counter[str]:
        """Do it, print what it took, and return the units written by partition key."""
        self._client.begin()
        does()
        spent = self._client.spent
        detail = ", ".join(f"{count} {operation}" for operation, count in sorted(spent.requests.items()))
        print(f"{what:34}{spent.count:9}{spent.writes:9}{spent.reads:7}   {detail}")
        return spent.written


def measure(emulator: Emulator, photo: bytes, images: int) -> None:
    """Measure everything, in the order in which it happens to an image."""
    with tables_in(emulator) as tables:
        client = Metered(tables.client)
        meter = Meter(client)
        table = tables.make()
        with closing(DynamoCatalog(client, table)) as catalog:
            upload(meter, catalog, photo)
            missed(meter, catalog, DynamoResults(client, tables.make(), Room().clock))
            library(meter, catalog, images)
        terms(tables, client, photo)
        keys = tables.make()
        now = Room().clock
        with closing(DynamoAccess(client, keys, now)) as access, closing(DynamoRates(client, keys, lambda: 1)) as rates:
            _, text = access.add(OWNER, "", frozenset({Scope.READ}))
            meter("a request: whose key it is", lambda: access.identify(text))
            meter("a request: counted, with a rate", lambda: rates.take("key", Rate(1, 2)))
        items = tables.items(table)
    kept = [item for item in items if item["pk"]["S"].startswith("i#")]
    entries = sum(item["pk"]["S"].startswith("t#") for item in items)
    print(f"\n{len(kept)} images have {entries / len(kept):.1f} entries each")


def upload(meter: Meter, catalog: DynamoCatalog, photo: bytes) -> None:
    """Take a photo through its life."""
    room = Room(originals=OriginalPolicy.KEEP, recipes=DEFAULT_RECIPES)
    service = dataclasses.replace(room.service, catalog=catalog)
    said = service.upload(filename="IMG_4711.jpg", length=len(photo), tags=("sea", "iceland", "cliff"), album="Iceland")
    service.usage(OWNER)
    opened, _ = service.open_upload(OWNER, said)
    written = meter("upload: opened", lambda: service.open_upload(OWNER, said))
    meter("upload: opened, idempotency key", lambda: service.open_upload(OWNER, said, idempotency_key="a"))
    meter("upload: the same key again", lambda: service.open_upload(OWNER, said, idempotency_key="a"))
    quota = dataclasses.replace(service.rules, quota=Quota(images=1000, bytes=10**12))
    within = dataclasses.replace(service, rules=quota)
    meter("upload: opened, under a quota", lambda: within.open_upload(OWNER, said))
    quota = dataclasses.replace(quota, quota=Quota(images=1000, bytes=10**12, open_tickets=100))
    within = dataclasses.replace(service, rules=quota)
    meter("upload: opened, of 100 tickets", lambda: within.open_upload(OWNER, said))
    room.send(opened, photo)
    room.service = service
    written += meter("upload: made ready", room.work)
    for key, units in sorted(written.items()):
        # Of the keys of images there is one for each of 64 parts, and the two of these belong to two images.
        print(f"    under {key if key[0] != 'i' else 'i#…'}: {units} units")
    meter("image: looked at", lambda: service.image(OWNER, opened.id))
    meter("image: title changed", lambda: service.edit(OWNER, opened.id, Edit(title="The cliffs of Látrabjarg")))
    meter("image: tag added", lambda: service.edit(OWNER, opened.id, Edit(add_tags=("birds",))))
    meter("usage", lambda: service.usage(OWNER))

    def delete() -> None:
        service.delete(OWNER, opened.id)
        room.clock.advance(60)
        room.work()

    meter("image: deleted and erased", delete)


def missed(meter: Meter, catalog: DynamoCatalog, results: DynamoResults) -> None:
    """Ask for sizes that are not made yet; a path that names nothing ends at the bucket and asks no table."""
    room = Room(originals=OriginalPolicy.KEEP, recipes=DEFAULT_RECIPES)
    service = room.service = dataclasses.replace(room.service, catalog=catalog, results=results)
    room.clock.advance(3600)  # its ids follow from the time, and there are images already
    image_id = room.receive(pictures.jpeg()).id
    room.work()
    made, smaller = (parse(f"width={width}").transformation for width in (40, 30))
    ask = OnDemand(service).make
    meter("delivery: a size that is not made", lambda: ask(image_id, made, Format.WEBP))
    meter("delivery: the same again", lambda: ask(image_id, made, Format.WEBP))
    meter("delivery: another size", lambda: ask(image_id, smaller, Format.WEBP))


def terms(tables: Tables, client: Metered, photo: bytes) -> None:
    """Print the units of an upload and the bytes it keeps, by how many search terms and eager objects it has."""
    print()
    for objects, tags in product((1, 3, 6), (0, 2, 6, 14)):
        jpegs = tuple(dataclasses.replace(each, formats=each.formats[-1:]) for each in DEFAULT_RECIPES)
        room = Room(recipes={1: jpegs[:1], 3: jpegs, 6: DEFAULT_RECIPES}[objects])
        table = tables.make()
        with closing(DynamoCatalog(client, table)) as catalog:
            service = room.service = dataclasses.replace(room.service, catalog=catalog)
            service.usage(OWNER)
            said = service.upload(filename="1.jpg", length=len(photo), tags=tuple(f"tag {n}" for n in range(tags)))
            client.begin()
            room.send(service.open_upload(OWNER, said)[0], photo)
            room.work()
        kept = [item for item in tables.items(table) if item["pk"]["S"][0] in "it"]
        size = sum(item_size(item) + OVERHEAD for item in kept)
        spent = client.spent
        print(
            f"{objects} objects, {len(kept) - 1:2} terms: {spent.writes} written, {spent.reads} read, {size} bytes kept"
        )


def library(meter: Meter, catalog: DynamoCatalog, images: int) -> None:
    """Search in a library of so many images of another owner."""
    for number in range(images):
        tags = ("common",) + (("rare",) if number % 20 == 0 else ())
        catalog.create(image(number, owner="many", tags=tags, title="sea" if number % 2 else None, width=number + 1))
    catalog.search(Query(owner="many", limit=1))
    everything = Query(owner="many")
    for what, query in (
        ("everything", everything),
        ("everything, page 2", dataclasses.replace(everything, cursor=catalog.search(everything).next)),
        ("a tag", Query(owner="many", tags=("common",))),
        ("a rare tag", Query(owner="many", tags=("rare",))),
        ("a tag and a word", Query(owner="many", tags=("common",), words="sea")),
        ("a size that few have", Query(owner="many", max_width=10)),
        ("nothing", Query(owner="many", tags=("none",))),
    ):
        meter(f"search: {what}", lambda query=query: catalog.search(query))  # type: ignore[misc]
    since = image(0).uploaded_at - timedelta(days=1)
    meter(f"usage, {images} images", lambda: catalog.usage("many", tickets_since=since))
    meter("walk, 100 images", lambda: catalog.walk("", 100))


if __name__ == "__main__":
    main()
