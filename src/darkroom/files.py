"""Files outside of the buckets: names brought to the disk, links never followed."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_link(root: Path, key: str) -> bool:
    """Tell whether what lies there, or a folder on the way to it, is a link, or no file: neither is ever opened."""
    path = root
    *folders, name = key.split("/")
    try:
        for folder in folders:
            path /= folder
            if not stat.S_ISDIR(path.lstat().st_mode):
                return True
        return not stat.S_ISREG((path / name).lstat().st_mode)
    except FileNotFoundError:
        return False
