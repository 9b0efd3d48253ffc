"""A disk that can be full: a tmpfs(5) of limited size, mounted as the folder in which a service keeps its data."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Disk:
    """A mounted disk."""

    folder: Path

    @property
    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.folder).free

    def fill(self, *, leaving: int = 0) -> None:
        """Have somebody else take all room but for so many bytes."""
        with (self.folder / "ballast").open("ab") as ballast:
            size = ballast.tell() + self.free - leaving
            os.posix_fallocate(ballast.fileno(), 0, max(1, size))

    def relieve(self) -> None:
        """Have the other give the room back."""
        (self.folder / "ballast").unlink()

    def resize(self, size: int) -> None:
        """Put a larger disk in, while everything goes on."""
        _mount("-o", f"remount,size={size}", str(self.folder))


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Disk]:
    """Mount a disk of so many bytes; skip where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        pytest.skip("a disk that can be full is mounted by root only")
    try:
        _mount("-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tmpfs can be mounted here: {error}")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True)
