"""Files that dead processes left half-made in a folder."""

from __future__ import annotations

import stat
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from darkroom.bucket import Stat
from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FolderLeftovers:
    """``Leftovers`` among the files under ``root`` that a pattern matches; their keys are paths from there."""

    def __init__(self, root: Path, patterns: tuple[str, ...]) -> None:
        self._root = root
        self._patterns = patterns

    def find(self, before: datetime) -> Iterator[Stat]:
        for pattern in self._patterns:
            for path in self._root.glob(pattern):
                with suppress(FileNotFoundError):
                    facts = path.lstat()
                    if not stat.S_ISREG(facts.st_mode):
                        continue
                    # A file that is given another name keeps the time of its bytes; only the other time then moves.
                    touched = datetime.fromtimestamp(max(facts.st_mtime, facts.st_ctime), UTC)
                    if touched < before:
                        key = str(path.relative_to(self._root))
                        yield Stat(key=key, bytes=facts.st_size, etag="", modified=touched)

    def remove(self, key: str) -> None:
        try:
            (self._root / key).unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            msg = f"{key} cannot be removed ({error.strerror}); remove it by hand"
            raise Unavailable(msg) from error
