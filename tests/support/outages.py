"""Ending a running service the hard way, all of it or one part of it, and starting it again on the same folder."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import processes
from patience import eventually
from servers import clean_environment, command, free_port, serving

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable
    from pathlib import Path

    from servers import Served

PARTS = ("main", "processor", "HTTP worker", "jailed worker", "zygote")


class Machine:
    """One data folder and the service on it, on the same port in every life, which is started and cut off by hand."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = settings
        self._life = ExitStack()
        self._served: Served | None = None

    @property
    def runs(self) -> bool:
        return self._served is not None

    @property
    def pid(self) -> int:
        """The number of its main process."""
        assert self._served is not None
        return self._served.process.pid

    def start(self, *, health: int = 200) -> None:
        """Return when the service answers, and its health is this."""
        self._served = self._life.enter_context(
            serving(self.folder, keys=False, port=self.port, through=(), health=health, **self.settings)
        )

    def stop(self) -> None:
        """Stop it in order."""
        self._life.close()
        self._served = None

    def cut_off(self) -> None:
        """Kill every process at once."""
        cut_off(self.pid)
        self.stop()

    def start_and_cut_off(self, seconds: float) -> None:
        """Have it start, and kill every process after so many seconds, wherever it is then."""
        with (self.folder / "server.log").open("ab") as said:
            process = subprocess.Popen(
                command(self.folder, self.port, keys=False),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=clean_environment(**self.settings),
                start_new_session=True,
            )
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
            assert process.poll() is None, f"it ended by itself: {(self.folder / 'server.log').read_text()[-3000:]}"
            cut_off(process.pid)
            process.wait()

    def hurt(self, part: str, chance: random.Random) -> bool:
        """Kill one process; tell whether there was one. Without its main process the whole service ends."""
        with suppress(AssertionError):
            found = processes.service(self.pid)
            if found is not None:
                victims = {
                    "main": [found.main],
                    "processor": [found.processor],
                    "HTTP worker": found.http_workers,
                    "jailed worker": found.jailed,
                    "zygote": [found.zygote],
                }[part]
                family = list(found)
                chance.choice(victims).kill()
                if part == "main":
                    self.stop()
                    eventually(lambda: not any(each.is_alive for each in family), what="the end of the whole family")
                return True
        return False

    def memory(self) -> int:
        """Return the bytes that all processes hold together."""
        return sum(each.memory for each in processes.process(self.pid).family())

    def let_time_pass(self) -> None:
        """Make every event due: as if the service had been down for an hour. Only while it is down."""
        with closing(sqlite3.connect(self.data / "queue.sqlite3", isolation_level=None)) as connection:
            connection.execute("UPDATE events SET due = 0")

    def said(self) -> str:
        """Return what it has said, in all its lives."""
        return (self.folder / "server.log").read_text()


def cut_off(pid: int) -> None:
    """Kill a process and all below it, so that none of them notices the death of another."""
    family = _stopped(processes.process(pid))
    for each in family:
        each.kill()
    _wait_for_the_end_of(family)


def _stopped(process: processes.Process) -> list[processes.Process]:
    """Stop a process before its children are looked for, so that it gets no more."""
    with suppress(ProcessLookupError):
        os.kill(process.pid, signal.SIGSTOP)
    return [process, *(each for child in process.children() for each in _stopped(child))]


def _wait_for_the_end_of(family: Iterable[processes.Process]) -> None:
    deadline = time.monotonic() + 10
    while any(each.is_alive for each in family):
        assert time.monotonic() < deadline, f"killed and still there: {[each for each in family if each.is_alive]}"
        time.sleep(0.005)
