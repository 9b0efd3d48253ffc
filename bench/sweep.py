"""How long going over a whole library takes, and how much memory: sweep, audit, and reading every byte.

    python bench/sweep.py [--objects 1000000] [--files 100000] [--bytes 65536]

Method. The data folder is made by the service's own catalog and buckets' layout, as after so many uploads of six
variants each, but the variants are not pictures: for ``--objects`` they are empty files, so that what is measured is
the number of things, not their size; for ``--files`` they have ``--bytes`` each, and are read. Each run is a process of
its own, as the commands are; its memory is the most that it had of its own (``RssAnon``, looked at twenty times a
second; pages of the catalog that are mapped are the system's and go when others need them), next to what it has after
it opened the folder. The page cache is as warm as making the files leaves it.

One object in ten thousand is planted without an owner, and as many are taken from their owners, so that finding them
is part of the run, and what was found is checked.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from darkroom import ledger, names, settings
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.embedded import maintenance
from darkroom.embedded.layout import Layout
from darkroom.model import Facts, Format, Image, Original, Shelved, Source, State, Variant
from darkroom.transform.recipes import DEFAULT_RECIPES

SLOTS = tuple((recipe.name, kind) for recipe in DEFAULT_RECIPES for kind in recipe.formats)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
ODD = 10_000
"""One image in so many has an object too many, and one an object too few."""
LONG_AGO = (datetime.now(UTC) - timedelta(days=60)).timestamp()


def make(folder: Path, objects: int, length: int) -> None:
    """Make a data folder of that many objects of ``length`` bytes each."""
    layout = Layout(folder)
    folder.mkdir(parents=True)
    layout.prepare()
    began = time.monotonic()
    catalog = SqliteCatalog(layout.catalog)
    with catalog._database.read() as connection:  # noqa: SLF001 # bringing each image to the disk would take an hour
        connection.execute("PRAGMA synchronous = OFF")
    images = objects // len(SLOTS)
    for number in range(images):
        _add(catalog, layout.assets, number, length)
    catalog.close()
    print(f"made {images:,} images with {objects:,} objects in {time.monotonic() - began:.0f} s", file=sys.stderr)


def _add(catalog: SqliteCatalog, assets: Path, number: int, length: int) -> None:
    image_id = names.new_id(FIRST + timedelta(seconds=number), hashlib.sha256(b"%d" % number).digest()[:10])
    place = assets / "i" / image_id
    place.mkdir(parents=True)
    objects = []
    variants = []
    for name, kind in SLOTS:
        body = hashlib.sha256(f"{number} {name} {kind}".encode()).digest() * (length // 32)
        slot = names.slot_name(name, kind.extension)
        (place / slot).write_bytes(body)
        objects.append(Shelved(name=slot, checksum=ledger.checksum(body)))
        variants.append(
            Variant(name=name, format=kind, width=100, height=100, bytes=length, key=f"i/{image_id}/{slot}")
        )
    if number % ODD == 0:
        (place / "planted.jpg").touch()
        os.utime(place / "planted.jpg", (LONG_AGO, LONG_AGO))
    if number % ODD == 1:
        (place / objects[0].name).unlink()
    source = Source(
        format=Format.JPEG, width=4000, height=3000, bytes=10**6, sha256="0" * 64, has_alpha=False, frames=1
    )
    catalog.create(
        Image(
            id=image_id,
            owner="local",
            state=State.READY,
            filename=f"IMG_{number}.jpg",
            uploaded_at=names.moment_of(image_id),
            original=Original.DELETED,
            facts=Facts(source=source, placeholder="1QcSHQRnh493V4dIh4eXh1h4kJUI", color="#7f6a55"),
            variants=tuple(variants),
            objects=tuple(objects),
        )
    )


def own_mebibytes() -> float:
    """Return how much memory this process has of its own."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def run(what: str, data: Path) -> None:
    """Do one thing in this process and print what it took as JSON."""
    chosen = settings.from_mapping({"DARKROOM_DATA": str(data)})
    with maintenance.opened(chosen) as library:
        library.service.catalog.walk("", 1)
    before = resource.getrusage(resource.RUSAGE_SELF)
    at_first = most = own_mebibytes()
    over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.05):
            most = max(most, own_mebibytes())

    watching = threading.Thread(target=watch)
    watching.start()
    began = time.monotonic()
    found = 0

    def tell(*_: object) -> None:
        nonlocal found
        found += 1

    with maintenance.opened(chosen) as library:
        if what == "audit":
            seen: Any = library.audit(tell=tell)
        elif what == "verify":
            seen = library.verify(repair=False, tell=tell)
        else:
            seen = library.sweep(dry=what == "sweep --dry-run", force=False, tell=tell)
    seconds = time.monotonic() - began
    over.set()
    watching.join()
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(
        json.dumps(
            {
                "objects": seen.objects,
                "bytes": seen.bytes,
                "found": found,
                "seconds": seconds,
                "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                "mebibytes": most - at_first,
                "in_all": most,
            }
        )
    )


def measure(what: str, data: Path) -> None:
    """Do one thing in a process of its own and print a row."""
    command = [sys.executable, __file__, "--run", what, "--data", str(data)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    took = json.loads(ended.stdout)
    rate = took["objects"] / took["seconds"]
    read = f"{took['bytes'] / took['seconds'] / 1e6:,.0f} MB/s" if what == "verify" else ""
    print(
        f"{what:<16} {took['objects']:>10,} {took['found']:>7,} {took['seconds']:>8.1f} {took['cpu']:>8.1f}"
        f" {rate:>10,.0f} {took['mebibytes']:>10.1f} {took['in_all']:>8.0f}   {read}"
    )


def main() -> None:
    """Measure, or be one of the measured."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--bytes", type=int, default=65_536)
    parser.add_argument("--run")
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    if given.run:
        run(given.run, given.data)
        return
    print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} processors")
    print(
        f"{'':<16} {'objects':>10} {'found':>7} {'seconds':>8} {'CPU s':>8} {'objects/s':>10} {'MiB more':>10}"
        f" {'in all':>8}"
    )
    folder = Path(tempfile.mkdtemp(prefix="sweep-"))
    try:
        for objects in (given.objects // 10, given.objects):
            make(folder / "many", objects, 0)
            for what in ("sweep --dry-run", "audit", "sweep"):
                measure(what, folder / "many")
            shutil.rmtree(folder / "many")
        make(folder / "real", given.files, given.bytes)
        measure("verify", folder / "real")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
