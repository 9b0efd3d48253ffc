"""Which files a person means by the paths given to ``darkroom put``."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.transform.sniff import HEAD_BYTES, sniff

if TYPE_CHECKING:
    from collections.abc import Iterable

EXTENSIONS = frozenset({"jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "tif", "tiff", "avif", "heic", "heif"})


@dataclass(slots=True)
class Found:
    """The files to upload, how many others were passed over, and the paths that cannot be read, each with why."""

    files: list[Path] = field(default_factory=list)
    hidden: int = 0
    no_images: int = 0
    unreadable: list[tuple[Path, str]] = field(default_factory=list)


def find(paths: Iterable[Path]) -> Found:
    """Return the files meant by ``paths``, each once, a folder's in the order of their names.

    A file that is named is meant, whatever it is. In a folder and the folders under it, hidden files and folders (the
    name begins with a dot) are passed over, and so is what is no image: a file is one when its name ends as one of
    ``EXTENSIONS``, so that a broken picture is tried and reported, or when its first bytes are those of an accepted
    format. Links to folders are not followed.
    """
    found = Found()
    for path in paths:
        if path.is_dir():
            _walk(path, found)
        elif path.is_file():
            found.files.append(path)
        else:
            found.unreadable.append((path, "it is neither a file nor a folder" if path.exists() else "it is not there"))
    once: dict[Path, Path] = {}
    for file in found.files:
        once.setdefault(file.resolve(), file)
    found.files = list(once.values())
    return found


def _walk(folder: Path, found: Found) -> None:
    def unreadable(error: OSError) -> None:
        found.unreadable.append((Path(error.filename), error.strerror or str(error)))

    for where, folders, names in os.walk(folder, onerror=unreadable):
        visible = sorted(name for name in folders if not name.startswith("."))
        found.hidden += len(folders) - len(visible)
        folders[:] = visible
        for name in sorted(names):
            if name.startswith("."):
                found.hidden += 1
            else:
                _take(Path(where, name), found)


def _take(path: Path, found: Found) -> None:
    if path.suffix.lower().removeprefix(".") in EXTENSIONS:
        found.files.append(path)
        return
    try:
        is_image = path.is_file() and sniff(_head(path)) is not None
    except OSError as error:
        found.unreadable.append((path, error.strerror or str(error)))
        return
    if is_image:
        found.files.append(path)
    else:
        found.no_images += 1


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
