"""Where a replay goes: a service on one machine, which is started for it or runs, or the AWS stack in the emulator."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import processes
from emulator import emulating
from servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from processes import Process

MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """``reading`` and ``calling`` are headers of deliveries and of API calls; ``pid`` the service's, if it is known."""

    url: str
    reading: Mapping[str, str] = field(default_factory=dict)
    calling: Mapping[str, str] = field(default_factory=dict)
    pid: int | None = None
    hot_bytes: int = 128 * MEBIBYTE
    """What each process that answers keeps of pictures; the default, where it is not known."""
    has_figures: bool = True

    @property
    def host(self) -> str:
        """Return the host to connect to."""
        return urlsplit(self.url).hostname or "127.0.0.1"

    @property
    def port(self) -> int:
        """Return the port to connect to."""
        return urlsplit(self.url).port or 80

    def memory(self) -> float:
        """Return the MiB that all its processes hold, what they share counted once."""
        return sum(one.memory for one in self._family()) / MEBIBYTE

    def cpu(self) -> float:
        """Return the processor seconds that it has used, processes that ended included."""
        return sum(map(_with_children, self._family()))

    def _family(self) -> list[Process]:
        return [] if self.pid is None else processes.process(self.pid).family()


def _with_children(one: Process) -> float:
    try:
        fields = Path(f"/proc/{one.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def started(folder: Path, hot_bytes: int) -> Iterator[Place]:
    """Start a service with default settings but for its caches, without keys, on a new data folder."""
    with serving(folder, log_level="warning", hot_cache_bytes=str(hot_bytes)) as served:
        yield Place(served.url, pid=served.process.pid, hot_bytes=hot_bytes)


@contextlib.contextmanager
def stack(folder: Path) -> Iterator[Place]:
    """Package, start the emulator, and deploy the whole AWS stack into it."""
    import package  # noqa: PLC0415 # only for this
    from deployed import deploying  # noqa: PLC0415 # likewise

    package.package(folder / "packages", package.Target("x86_64", f"{sys.version_info.major}.{sys.version_info.minor}"))
    with emulating(folder / "emulator") as emulator, deploying(emulator, folder / "packages") as deployed:
        deployed.make_defaults()
        yield Place(
            emulator.url,
            reading={"Host": deployed.outputs["DistributionDomain"], "X-Forwarded-Proto": "https"},
            calling={
                "Host": urlsplit(deployed.outputs["ApiEndpoint"]).netloc,
                "Authorization": f"Bearer {deployed.new_key()}",
            },
            pid=emulator.process.pid,
            has_figures=False,
        )
