"""Where everything lies in the data folder. One folder is the whole service: copy it and it has moved."""

from __future__ import annotations

import fcntl
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.errors import BadConfiguration

if TYPE_CHECKING:
    from pathlib import Path

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under ``root``."""

    root: Path

    @property
    def uploads(self) -> Path:
        """The private bucket of originals."""
        return self.root / "uploads"

    @property
    def assets(self) -> Path:
        """The bucket that delivery reads."""
        return self.root / "assets"

    @property
    def incoming(self) -> Path:
        """Bodies being received: temporary, on the buckets' file system."""
        return self.root / "incoming"

    @property
    def catalog(self) -> Path:
        """The metadata."""
        return self.root / "catalog.sqlite3"

    @property
    def queue(self) -> Path:
        """The events."""
        return self.root / "queue.sqlite3"

    @property
    def access(self) -> Path:
        """The hashes of the keys."""
        return self.root / "access.sqlite3"

    @property
    def purges(self) -> Path:
        """What the workers' caches have to forget."""
        return self.root / "run" / "purges.log"

    @property
    def figures(self) -> Path:
        """Counters of the running processes."""
        return self.root / "run" / "figures"

    def prepare(self) -> None:
        """Make the folders, private to this user; forget what an earlier run left in ``incoming``.

        Raises ``BadConfiguration`` when the folder cannot be used.
        """
        try:
            for folder in (self.root, self.uploads, self.assets, self.incoming, self.figures):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left_over in self.incoming.iterdir():
                left_over.unlink()
        except OSError as error:
            msg = f"the data folder {self.root} cannot be used ({error.strerror}); set DARKROOM_DATA to one that can"
            raise BadConfiguration(msg) from error

    def lock(self) -> int:
        """Hold the folder for this service until the process ends; return the lock's descriptor.

        Raises ``BadConfiguration`` when another service holds it.
        """
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            msg = f"another service runs on the data folder {self.root}; stop it or set DARKROOM_DATA to another folder"
            raise BadConfiguration(msg) from error
        return descriptor

    def secret(self, name: str) -> bytes:
        """Return the secret called ``name``, made from the system's secure source when it is first asked for."""
        path = self.root / "secrets" / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes()
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        return path.read_bytes()
