"""Where everything lies in the data folder. One folder is the whole service: copy it and it has moved."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.errors import BadConfiguration, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET_BYTES = 32
LEFT_OVER_SECONDS = 15.0
"""More than what is left of a service that was killed takes to notice and end."""


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
    def results(self) -> Path:
        """The ledger of what was made on demand."""
        return self.root / "results.sqlite3"

    @property
    def jobs(self) -> Path:
        """How far work on many images has come."""
        return self.root / "jobs.sqlite3"

    @property
    def counter(self) -> Path:
        """The socket on which the processor takes orders."""
        return self.root / "run" / "counter"

    @property
    def secrets(self) -> Path:
        """What tickets are signed with."""
        return self.root / "secrets"

    @property
    def restoring(self) -> Path:
        """What a restore has brought so far: there only while one is at work, or when it was interrupted."""
        return self.root / "restoring"

    @property
    def purges(self) -> Path:
        """What the workers' caches have to forget."""
        return self.root / "run" / "purges.log"

    @property
    def rates(self) -> Path:
        """How often keys have called in these moments."""
        return self.root / "run" / "rates"

    @property
    def figures(self) -> Path:
        """Counters of the running processes."""
        return self.root / "run" / "figures"

    def prepare(self) -> None:
        """Make the folders, private to this user; forget what an earlier run left in ``incoming``.

        Raises ``BadConfiguration`` when the folder cannot be used, or was not restored to the end.
        """
        with self._usable():
            if self.restoring.exists():
                msg = f"{self.root} was not restored to the end; remove it and run `darkroom restore` again"
                raise BadConfiguration(msg)
            self.make_folders()
            for left_over in self.incoming.iterdir():
                if left_over.is_dir():
                    shutil.rmtree(left_over)
                else:
                    left_over.unlink()

    def make_folders(self) -> None:
        """Make what folders are not there, private to this user; a running service does not notice."""
        for folder in self._folders:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def lock(self) -> int:
        """Hold the folder until this process and all it has forked end; return the lock's descriptor.

        When the process that held it is gone, those that it forked are given a moment to notice. Raises
        ``BadConfiguration`` when another service holds it, or the folder cannot be used.
        """
        with self._usable():
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + LEFT_OVER_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                if not _is_running(holder) and time.monotonic() < deadline:
                    time.sleep(0.05)
                    continue
                os.close(descriptor)
                msg = (
                    f"another service (process {holder}) runs on the data folder {self.root}; "
                    "stop it, or set DARKROOM_DATA to another folder"
                )
                raise BadConfiguration(msg) from error
            with self._usable():
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor

    def refuse_within(self, path: Path) -> None:
        """Raise ``Refused`` when ``path`` lies within the data folder, or where a link puts one of its buckets."""
        real = path.resolve()
        for kept in (self.root, self.uploads, self.assets):
            if real.is_relative_to(kept.resolve()):
                msg = f"{path} lies within the data folder {self.root}; put copies elsewhere, best on another disk"
                raise Refused(msg)

    def secret(self, name: str) -> bytes:
        """Return the secret called ``name``, made from the system's secure source when it is first asked for.

        Raises ``BadConfiguration`` when what is kept of it is too short to be one, or the folder cannot be used.
        """
        path = self.secrets / name
        with self._usable():
            if not path.exists():
                self._make_secret(path)
            secret = path.read_bytes()
        if len(secret) < SECRET_BYTES:
            msg = f"{path} is damaged; remove it, and what was signed with it is signed no more"
            raise BadConfiguration(msg)
        return secret

    def _make_secret(self, path: Path) -> None:
        """Have the file appear whole: a secret that was cut off when the machine stopped could be guessed."""
        self.secrets.mkdir(mode=0o700, exist_ok=True)
        descriptor, made = tempfile.mkstemp(dir=self.secrets)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was quicker: then it is that one
            os.link(made, path)
        Path(made).unlink()
        folder = os.open(self.secrets, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)

    @property
    def _folders(self) -> tuple[Path, ...]:
        """All that are made at the start, each after the one it lies in: only the last of a path gets the mode."""
        run = self.figures.parent
        return self.root, self.uploads, self.assets, self.incoming, run, self.figures, self.secrets

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            msg = f"the data folder {self.root} cannot be used ({error.strerror}); set DARKROOM_DATA to one that can"
            raise BadConfiguration(msg) from error


def _is_running(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
