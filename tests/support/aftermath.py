"""What is left on the disk of a service that was stopped: whole, owned, and nothing else."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING

import studio
from darkroom import ledger, names
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.model import Original, OriginalPolicy, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from darkroom.model import Image
    from mixedload import Load, Memory


def faults(data: Path, load: Load) -> list[str]:
    """Return a sentence for everything in the data folder that is not as was promised to the people of the load.

    The service has to be stopped, its queue worked off and swept.
    """
    images = {image.id: image for image in everything(data)}
    return [
        *_of_promises(data, load, images),
        *_of_owners(data, images),
        *_of_the_folder(data),
        *_of_the_databases(data),
    ]


def unfinished(data: Path, load: Load) -> list[str]:
    """Return a sentence for everything that events alone, without any sweep, should have ended and did not."""
    doubtful = {memory.filename for memory in load.all() if memory.doubtful or not memory.taken}
    left = []
    for image in everything(data):
        if image.state in {State.AWAITING, State.PROCESSING} and image.filename not in doubtful:
            left.append(f"{image.filename} ({image.id}) is {image.state} for ever, unless somebody sweeps")
        keys = [*ledger.keys(image), names.original_key(image.id), names.archive_key(image.id)]
        there = [key for key in keys for bucket in ("uploads", "assets") if (data / bucket / key).exists()]
        if image.state is State.DELETED and there:
            left.append(f"{image.id} is deleted, and there is {there} for ever, unless somebody sweeps")
    return left


def everything(data: Path) -> list[Image]:
    """Return every image of the catalog, tombstones too."""
    catalog = SqliteCatalog(data / "catalog.sqlite3")
    images: list[Image] = []
    while page := catalog.walk(images[-1].id if images else "", 500):
        images += page
    catalog.close()
    return images


def _of_promises(data: Path, load: Load, images: dict[str, Image]) -> Iterator[str]:
    named: dict[str, list[Image]] = {}
    for image in images.values():
        if image.state is not State.DELETED:
            named.setdefault(image.filename, []).append(image)
    for memory in load.all():
        living = named.pop(memory.filename, [])
        if len(living) > 1:
            yield f"{memory.filename} is there {len(living)} times"
        if memory.id is not None and any(image.id != memory.id for image in living):
            yield f"{memory.filename} was promised to be {memory.id} and is {living[0].id}"
        if living and (memory.removal == "promised" or memory.refused):
            yield f"{memory.filename} is there, though deleted or refused: {living[0]}"
        if memory.taken and memory.removal == "none" and not living:
            yield f"{memory.filename} ({memory.id}) is lost"
        for image in living:
            yield from _of_one(data, load, memory, image)
    for filename in named:
        yield f"nobody uploaded {filename}"


def _of_one(data: Path, load: Load, memory: Memory, image: Image) -> Iterator[str]:
    name = f"{memory.filename} ({image.id}, {memory.sample.name}, {image.state})"
    if image.title not in memory.titles or image.focus not in memory.foci:
        yield f"{name} has title {image.title!r} and focus {image.focus}, not of {memory.titles} and {memory.foci}"
    if image.state is State.FAILED:
        # A process that dies again and again over the same image ends it, too; without its bytes it was never promised.
        codes = {memory.sample.code, "gave-up", "render-failed"} | (set() if memory.taken else {"original-missing"})
        if image.error is None or not image.error.detail or image.error.code not in codes:
            yield f"{name} failed: {image.error}"
        return
    if image.state is not State.READY or image.facts is None:
        yield f"{name} is neither ready nor failed"
        return
    if memory.sample.code is not None:
        yield f"{name} is ready"
        return
    kept = load.policy != OriginalPolicy.DELETE
    if (image.original is Original.KEPT) is not kept:
        yield f"{name} has its original {image.original}, and the policy is {load.policy}"
    if kept and _read(data / "uploads" / _home(load.policy, image.id)) != memory.sample.body:
        yield f"the original of {name} is not what was sent"
    if image.facts.source.sha256 != studio.sha256(memory.sample.body):
        yield f"{name} says that its original had another checksum"
    files = _files(data / "assets" / "i" / image.id)
    found = {name: sha256 for name, sha256 in files.items() if not name.startswith(names.RESULTS)}
    # Without its original an image is not rendered again when its focus moves, so it may look as before.
    foci = [image.focus] if kept else sorted(memory.foci_ever, key=repr)
    if found not in load.studio.looks(memory.sample, foci, memory.renditions):
        yield f"{name} with focus {image.focus} does not look like anything that was ever to be made: {found}"


def _home(policy: str, image_id: str) -> str:
    return names.archive_key(image_id) if policy == OriginalPolicy.ARCHIVE else names.original_key(image_id)


def _of_owners(data: Path, images: dict[str, Image]) -> Iterator[str]:
    """No bytes without an owner, no owner without bytes."""
    assets = {key for key in _paths(data / "assets") if not key.startswith("default/")}
    uploads = _paths(data / "uploads")
    for image in images.values():
        prefix = names.asset_prefix(image.id)
        owned = {key for key in assets if key.startswith(prefix)}
        originals = uploads & {names.original_key(image.id), names.archive_key(image.id)}
        assets -= owned
        uploads -= originals
        if image.state is State.DELETED:
            if owned or originals:
                yield f"of {image.id}, which was deleted, there is {sorted(owned | originals)}"
            continue
        if len(originals) != (1 if image.original is Original.KEPT else 0):
            yield f"{image.id} ({image.state}) has its original {image.original}, and there is {originals}"
        results = {key for key in owned if key.startswith(f"{prefix}{names.RESULTS}")}
        owned -= results
        yield from _of_results(data, image, results)
        listed = {variant.key for variant in image.variants}
        if listed - owned:
            yield f"{image.id} ({image.state}) lacks {listed - owned}"
        if image.state is State.READY:
            yield from _of_its_ledger(data, image, owned)
    if assets or uploads:
        yield f"bytes without an owner: {sorted(assets | uploads)}"


def _of_results(data: Path, image: Image, lying: set[str]) -> Iterator[str]:
    """Pictures made on demand are entered, and what is finished is there and whole."""
    with closing(sqlite3.connect(data / "results.sqlite3")) as connection:
        entered = dict(connection.execute("SELECT name, checksum FROM results WHERE image_id = ?", (image.id,)))
    prefix = names.asset_prefix(image.id)
    if lying - {prefix + name for name in entered}:
        yield f"{image.id} has {sorted(lying)}, and made on demand were {sorted(entered)}"
    for name, checksum in entered.items():
        body = _read(data / "assets" / prefix / name)
        if checksum is not None and (body is None or ledger.checksum(body) != checksum or not studio.decodes(body)):
            yield f"{prefix}{name} is {'missing' if body is None else 'not as it was made'}"


def _of_its_ledger(data: Path, image: Image, owned: set[str]) -> Iterator[str]:
    if owned != set(ledger.keys(image)):
        yield f"{image.id} has {sorted(owned)} and in its ledger {sorted(ledger.keys(image))}"
    for key in owned:
        body = (data / "assets" / key).read_bytes()
        if not studio.decodes(body):
            yield f"{key} is not whole"
        if ledger.expected(image, key) != ledger.checksum(body):
            yield f"{key} does not have the checksum that the ledger says"


def _of_the_folder(data: Path) -> Iterator[str]:
    left = [*(data / "incoming").iterdir(), *data.rglob("put#*")]
    if left:
        yield f"left half-made: {left}"


def _of_the_databases(data: Path) -> Iterator[str]:
    for name in ("catalog.sqlite3", "queue.sqlite3"):
        with closing(sqlite3.connect(data / name)) as connection:
            (found,) = connection.execute("PRAGMA integrity_check").fetchone()
            if found != "ok":
                yield f"{name}: {found}"
    with closing(sqlite3.connect(data / "queue.sqlite3")) as connection:
        for (document,) in connection.execute("SELECT document FROM events"):
            yield f"an event was not worked on: {document}"
    with closing(sqlite3.connect(data / "catalog.sqlite3")) as connection:
        counted = dict(connection.execute("SELECT number, images FROM terms"))
        indexed = Counter(term for (term,) in connection.execute("SELECT term FROM entries"))
        if counted != indexed:
            yield "the terms of the catalog are not counted right"
        accounts = dict(connection.execute("SELECT owner, bytes FROM owners WHERE bytes"))
        stored: Counter[str] = Counter()
        for owner, length in connection.execute(
            "SELECT json_extract(documents.document, '$.owner'), stored"
            " FROM images JOIN documents ON number = images.document"
        ):
            stored[owner] += length
        if accounts != {owner: length for owner, length in stored.items() if length}:
            yield f"owners are said to have {accounts} bytes, and have {dict(stored)}"


def _paths(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _files(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file, by its path from the folder."""
    return {key: studio.sha256((folder / key).read_bytes()) for key in _paths(folder)}
