"""One backup as files: what they say, written and believed. ``vault.py`` has the folder that backups lie in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkroom.errors import Refused, Unavailable
from darkroom.files import sync
from darkroom.holdings import Place
from darkroom.model import State
from darkroom.names import is_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT = 1
"""Of the folder and of manifests. A release reads those of earlier ones and refuses those of later ones."""

_MANIFEST = "manifest.json"
_OBJECTS = "objects.jsonl"
_SHA256 = re.compile("[0-9a-f]{64}")
_MANIFEST_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One object of a backup: where it lay, what was known of it there, and the SHA-256 under which it lies here."""

    place: Place
    key: str
    bytes: int
    etag: str
    modified: datetime
    sha256: str

    def row(self) -> list[Any]:
        """Return it as a row of JSON's own types."""
        return [self.place.value, self.key, self.bytes, self.etag, self.modified.isoformat(), self.sha256]

    @staticmethod
    def of_row(row: object) -> Kept:
        """Return what a row says. Raises ``ValueError``."""
        match row:
            case [str(place), str(key), int(count), str(etag), str(modified), str(sha256)] if _SHA256.fullmatch(sha256):
                return Kept(
                    place=Place(place),
                    key=key,
                    bytes=count,
                    etag=etag,
                    modified=datetime.fromisoformat(modified),
                    sha256=sha256,
                )
        msg = "it is no row of an object"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The objects of one image: a line of ``objects.jsonl``, which is in the order of ids."""

    image_id: str
    objects: tuple[Kept, ...]

    def line(self) -> str:
        """Return it as a line, with its end."""
        rows = [kept.row() for kept in self.objects]
        return json.dumps({"image": self.image_id, "objects": rows}, separators=(",", ":")) + "\n"

    @staticmethod
    def of_line(line: str) -> Entry:
        """Return what a line says. Raises ``ValueError``."""
        match json.loads(line):
            case {"image": str(image_id), "objects": list(rows)} if is_id(image_id):
                return Entry(image_id=image_id, objects=tuple(map(Kept.of_row, rows)))
        msg = "it is no line of an image"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup is. ``taken_at`` is the moment whose images it holds; ``files`` says bytes and SHA-256 of each."""

    darkroom: str
    name: str
    started_at: str
    taken_at: str
    finished_at: str
    images: Mapping[str, int]
    """How many there are in each state."""
    objects: int
    bytes: int
    new_objects: int
    """Those whose bytes no earlier backup had, and ``new_bytes`` how many bytes that made."""
    new_bytes: int
    damaged: tuple[str, ...]
    """What was missing or damaged in the service itself, a sentence each."""
    files: Mapping[str, tuple[int, str]]
    format: int = FORMAT

    @property
    def living(self) -> int:
        """How many images there are, without tombstones."""
        return sum(count for state, count in self.images.items() if state != State.DELETED)

    def document(self) -> dict[str, Any]:
        """Return it as JSON's own types."""
        return json.loads(json.dumps(dataclasses.asdict(self)))  # type: ignore[no-any-return]  # of a mapping

    def text(self) -> str:
        """Return the contents of its file, which end with a checksum of the rest."""
        document = self.document()
        return json.dumps(document | {"sha256": _checksum(document)}, indent=1) + "\n"

    @staticmethod
    def of_text(text: str, where: Path) -> Manifest:
        """Return what a file says. Raises ``Refused`` when it is damaged, or of a later format."""
        try:
            document = json.loads(text)
            claimed = document.pop("sha256")
            refuse_later(document["format"], where)
            _compare(claimed, _checksum(document))
            files = {name: (int(count), str(sha256)) for name, (count, sha256) in document.pop("files").items()}
            damaged = tuple(map(str, document.pop("damaged")))
            known = {
                field.name: document[field.name] for field in dataclasses.fields(Manifest) if field.name in document
            }
            return Manifest(files=files, damaged=damaged, **known)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            msg = f"{where} is damaged ({error}); restore another backup"
            raise Refused(msg, code="data-damaged") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One backup, finished or not: ``folder`` holds the files that a data folder has, but for the buckets."""

    folder: Path

    @property
    def name(self) -> str:
        """The moment at which it was begun, as ``20261123T164413Z``."""
        return self.folder.name

    @property
    def list_of_objects(self) -> Path:
        """The file of ``Entry`` lines."""
        return self.folder / _OBJECTS

    def manifest(self) -> Manifest:
        """Read the manifest. Raises ``Refused`` when it is missing, damaged, or of a later format."""
        path = self.folder / _MANIFEST
        try:
            with path.open(encoding="utf-8") as file:
                return Manifest.of_text(file.read(_MANIFEST_BYTES), path)
        except (FileNotFoundError, UnicodeDecodeError) as error:
            msg = f"{path} is missing or damaged; restore another backup"
            raise Refused(msg, code="data-damaged") from error

    def entries(self) -> Iterator[Entry]:
        """Yield the lines of ``objects.jsonl``. Raises ``Refused`` for one that is damaged."""
        path = self.list_of_objects
        with path.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield Entry.of_line(line)
                except (ValueError, RecursionError) as error:
                    msg = f"line {number} of {path} is damaged ({error}); restore another backup"
                    raise Refused(msg, code="data-damaged") from error

    def list_files(self) -> dict[str, tuple[int, str]]:
        """Bring every file of it to the disk, and return bytes and SHA-256 of each by its relative path."""
        found = {}
        for folder, _, files in os.walk(self.folder):
            for file in sorted(files):
                path = Path(folder, file)
                with path.open("rb") as opened:
                    sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
                    os.fsync(opened.fileno())
                    found[str(path.relative_to(self.folder))] = (os.fstat(opened.fileno()).st_size, sha256)
            sync(Path(folder))
        return found

    def write_manifest(self, manifest: Manifest) -> None:
        """Write the manifest, to the disk."""
        written_whole(self.folder / _MANIFEST, manifest.text())


def refuse_later(found: object, where: Path) -> None:
    """Raise ``Unavailable`` for a format of a later release, ``ValueError`` for what is none."""
    if not isinstance(found, int) or found < 1:
        msg = f"{found!r} is no format"
        raise ValueError(msg)
    if found > FORMAT:
        msg = f"{where} is of backup format {found}, this program reads {FORMAT}; run the release that wrote it"
        raise Unavailable(msg, code="data-format")


def written_whole(path: Path, text: str) -> None:
    """Have a file appear whole, on the disk."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.rename(path)
    sync(path.parent)


def _compare(claimed: str, found: str) -> None:
    if claimed != found:
        msg = "its checksum is another"
        raise ValueError(msg)


def _checksum(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
