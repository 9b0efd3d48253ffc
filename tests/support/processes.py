"""The processes of a running server, seen from outside, by ``/proc`` (proc(5))."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Process:
    """One process. ``started`` tells it from a later one of the same number."""

    pid: int
    started: int

    @property
    def is_alive(self) -> bool:
        fields = _fields(self.pid)
        return fields is not None and int(fields[19]) == self.started and fields[0] not in {"Z", "X"}

    @property
    def memory(self) -> int:
        """The bytes it holds, of what it shares with others its part (PSS), or of a strange user's process nothing."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
        return 0

    @property
    def cpu_seconds(self) -> float:
        """The processor time it has used, in user and kernel mode."""
        fields = _fields(self.pid)
        return 0.0 if fields is None else (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def command(self) -> str:
        """The words it was started with, or nothing when it has ended."""
        try:
            return Path(f"/proc/{self.pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""

    def children(self) -> list[Process]:
        return [process for process in everything() if _parent(process.pid) == self.pid]

    def family(self) -> list[Process]:
        """Return the process and all below it, parents first."""
        return [self, *(each for child in self.children() for each in child.family())]

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.is_alive:
            os.kill(self.pid, number)


@dataclass(frozen=True)
class Service:
    """The processes of one ``darkroom serve``."""

    main: Process
    processor: Process
    http_workers: list[Process]
    zygote: Process
    jailed: list[Process]

    def __iter__(self) -> Iterator[Process]:
        return iter([self.main, self.processor, *self.http_workers, self.zygote, *self.jailed])


def process(pid: int) -> Process:
    fields = _fields(pid)
    assert fields is not None, f"there is no process {pid}"
    return Process(pid, int(fields[19]))


def service(pid: int) -> Service | None:
    """Return the processes of a server, or ``None`` while they are not all there. Only the processor has children."""
    main = process(pid)
    children = {child: child.children() for child in main.children()}
    parents = [child for child, below in children.items() if below]
    if len(parents) != 1 or len(children) < 2 or len(children[parents[0]]) != 1:
        return None
    zygote = children[parents[0]][0]
    jailed = zygote.children()
    if not jailed:
        return None
    workers = [child for child in children if child not in parents]
    return Service(main, parents[0], workers, zygote, jailed)


def everything() -> list[Process]:
    """Return all processes of this machine that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            fields = _fields(int(folder.name))
            if fields is not None and fields[0] not in {"Z", "X"}:
                found.append(Process(int(folder.name), int(fields[19])))
    return found


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return 0 if fields is None else int(fields[1])


def _fields(pid: int) -> list[str] | None:
    """Return what ``/proc/PID/stat`` says behind the name, from the state on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
