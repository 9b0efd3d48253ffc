"""Exports as files: one file of lines, or a folder with the objects beside it; and imports. For every deployment."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, BinaryIO, TextIO

from darkroom import __version__, transfer
from darkroom.errors import NotFound, Refused
from darkroom.files import is_link, sync
from darkroom.service import utc_now
from darkroom.transfer import LINE_BYTES, OnConflict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.holdings import Place
    from darkroom.transfer import Collection, Extent, Outcome

LINES = "images.jsonl"
"""The file of lines in a folder with objects."""
STANDARD = Path("-")
"""Standard output or input."""

_CHUNK = 1024 * 1024


def write(
    collection: Collection,
    target: Path,
    *,
    with_objects: bool = False,
    force: bool = False,
    told: Callable[[Extent], None] = lambda _: None,
) -> Extent:
    """Export to a file, ``STANDARD``, or with objects to a new folder, also while the library is in use.

    What is there under the target's name is a whole export: it is written beside and renamed. Raises ``Refused`` when
    there is something already, unless ``force`` says to replace a file.
    """
    with _opened(target, with_objects=with_objects, force=force) as opened:
        return transfer.export(
            collection, opened, release=__version__, now=utc_now(), with_objects=with_objects, told=told
        )


def read(
    collection: Collection,
    source: Path,
    scratch: Path,
    *,
    on_conflict: OnConflict = OnConflict.SKIP,
    checked: Callable[[Extent], None] = lambda _: None,
    brought: Callable[[Outcome], None] = lambda _: None,
) -> Extent:
    """Import an export, also while the library is in use; return how much was looked at.

    All of it is checked before anything is changed. ``scratch`` is a folder for what is on its way; where buckets are
    folders, on the same file system. Raises ``Refused`` with the number of the line that is wrong, ``Conflict``,
    ``Unavailable`` for an export of a later release.
    """
    with _origin(source, scratch) as origin:
        extent = transfer.check(origin, collection, on_conflict, checked)
        transfer.bring(origin, collection, scratch, on_conflict, brought)
        return extent


@contextmanager
def _opened(target: Path, *, with_objects: bool, force: bool) -> Iterator[FileTarget]:
    if target == STANDARD:
        if with_objects:
            msg = "an export with images is a folder; name one"
            raise Refused(msg)
        yield FileTarget(sys.stdout, None)
        return
    lines = target
    if with_objects:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            msg = f"{target} is there and no empty folder; an export with images makes a folder of its own"
            raise Refused(msg)
        target.mkdir(parents=True, exist_ok=True)
        lines = target / LINES
    elif target.is_dir():
        msg = f"{target} is a folder; name a file, or export with images"
        raise Refused(msg)
    elif target.exists() and not force:
        msg = f"{target} is there already; remove it, or use --force"
        raise Refused(msg)
    beside = lines.with_name(f"{lines.name}.part")
    try:
        with beside.open("w", encoding="utf-8") as file:
            yield FileTarget(file, target if with_objects else None)
            file.flush()
            os.fsync(file.fileno())
        if with_objects:
            os.sync()  # all objects at once: a folder of a million is not opened a second time for each
        beside.replace(lines)
        sync(lines.parent)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


class FileTarget:
    """A ``Target`` of lines in a file, and objects in a folder."""

    def __init__(self, file: TextIO, folder: Path | None) -> None:
        self._file = file
        self._folder = folder

    def write(self, line: str) -> None:
        """See the port."""
        self._file.write(line)

    def keep(self, place: Place, key: str, body: BinaryIO) -> tuple[int, str]:
        """See the port."""
        path = self._path(place, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, length = hashlib.sha256(), 0
        with path.open("wb") as file:
            while chunk := body.read(_CHUNK):
                digest.update(chunk)
                length += file.write(chunk)
        return length, digest.hexdigest()

    def drop(self, place: Place, key: str) -> None:
        """See the port."""
        path = self._path(place, key)
        path.unlink()
        with suppress(OSError):  # other objects are in it
            path.parent.rmdir()

    def _path(self, place: Place, key: str) -> Path:
        assert self._folder is not None
        return self._folder / place.value / key


@contextmanager
def _origin(source: Path, scratch: Path) -> Iterator[FileOrigin]:
    if source == STANDARD:  # it is read twice
        with TemporaryFile(dir=scratch) as spooled:
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            yield FileOrigin(spooled, None)
    elif source.is_dir():
        lines = source / LINES
        if not lines.is_file():
            msg = f"{source} is no finished export: there is no {LINES} in it"
            raise Refused(msg)
        with lines.open("rb") as file:
            yield FileOrigin(file, source)
    else:
        with source.open("rb") as file:
            yield FileOrigin(file, None)


class FileOrigin:
    """An ``Origin`` of lines in a file, and objects in a folder."""

    def __init__(self, file: BinaryIO, folder: Path | None) -> None:
        self._file = file
        self._folder = folder

    def lines(self) -> Iterator[bytes]:
        """See the port."""
        self._file.seek(0)
        while line := self._file.readline(LINE_BYTES + 1):
            yield line

    def open(self, place: Place, key: str) -> BinaryIO:
        """See the port."""
        if self._folder is None:
            msg = "objects are listed, but none came; import the folder that they are in"
            raise NotFound(msg)
        root = self._folder / place.value
        if is_link(root, key):
            msg = f"{place.value}/{key} is a link or no file, and is not followed"
            raise NotFound(msg)
        try:
            return (root / key).open("rb")
        except FileNotFoundError as error:
            msg = f"{place.value}/{key} is missing"
            raise NotFound(msg) from error
