"""Runs ``door_server.py`` as a process of its own, on a free port of the loopback interface."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import door_server
from darkroom.bucket.objects import FolderBucket
from darkroom.errors import NotFound
from darkroom.events import ObjectCreated
from darkroom.service import utc_now
from darkroom.uploads.signed import SignedTickets
from servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.uploads.staged import StagedParts

START_SECONDS = 30
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class RunningDoor:
    """A door that is open, and a look at what lies behind it."""

    host: str
    port: int
    folder: Path
    arrivals: list[ObjectCreated]

    def checks(self, _url: str) -> bool:
        """Tell that it looks at every url's signature."""
        return True

    @property
    def tickets(self) -> SignedTickets:
        """Tickets that lead here."""
        return SignedTickets(door_server.SECRET, f"http://{self.host}:{self.port}", utc_now)

    @property
    def parted(self) -> StagedParts:
        """Tickets for parts that lead here; what is completed is so in this process, which shares the folder."""
        return door_server.parts(self.folder, self.tickets)

    def stored(self, key: str) -> bytes | None:
        """Return the object that lies under ``key``."""
        try:
            return FolderBucket(self.folder / "bucket").get(key).body
        except NotFound:
            return None

    def published(self, key: str) -> list[str]:
        """Return the entity tags under which the arrival of ``key`` was published."""
        queue = door_server.queue(self.folder)
        try:
            self.arrivals.extend(
                lease.event for lease in queue.lease(1000, HOUR) if isinstance(lease.event, ObjectCreated)
            )
        finally:
            queue.close()
        return [arrival.etag for arrival in self.arrivals if arrival.key == key]

    def half_received(self) -> list[Path]:
        """Return the files that bodies are being received into."""
        return list((self.folder / "incoming").iterdir())


@contextmanager
def running_door(folder: Path) -> Iterator[RunningDoor]:
    """Open a door over ``folder``, which is empty, and close it again."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--factory", "door_server:app", "--no-ws"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            cwd=Path(__file__).parent,
            env={**os.environ, "DOOR_FOLDER": str(folder)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_open(server, port, folder / "log")
        yield RunningDoor("127.0.0.1", port, folder, [])
    finally:
        server.terminate()
        server.wait(START_SECONDS)


def _wait_until_open(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = datetime.now(UTC) + timedelta(seconds=START_SECONDS)
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if server.poll() is not None or datetime.now(UTC) > until:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.05)
        else:
            return
