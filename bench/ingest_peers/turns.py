"""How a peer of ``ingest.py`` is asked: its task as JSON in the first argument, then a line for every turn.

A peer first says what it runs, then, for every line on standard input, makes all sizes once and answers with the
milliseconds of processor and clock that it took, the megabytes its process has taken at most, and the bytes it made.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Task:
    """What to make of which file."""

    photo: str
    format: str
    sides: tuple[int, ...]
    quality: int


@dataclass(slots=True)
class Stopwatch:
    """Seconds of processor and of clock, summed over what is timed."""

    cpu: float = 0.0
    wall: float = 0.0

    def __enter__(self) -> None:
        """Go on."""
        self.cpu -= time.process_time()
        self.wall -= time.perf_counter()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.wall += time.perf_counter()
        self.cpu += time.process_time()


def task() -> Task:
    """Return what this process was started for."""
    asked = json.loads(sys.argv[1])
    return Task(asked["photo"], asked["format"], tuple(asked["sides"]), asked["quality"])


def peak_megabytes() -> float:
    """Return the most memory this program has taken; getrusage(2) would count what started it, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def take_turns(versions: str, ingest: Callable[[Stopwatch], list[int]]) -> None:
    """Answer until standard input ends. ``ingest`` times what counts and returns the bytes of what it made."""
    print(json.dumps({"versions": versions}), flush=True)
    for _ in sys.stdin:
        watch = Stopwatch()
        made = ingest(watch)
        peak = peak_megabytes()
        print(json.dumps({"cpu": watch.cpu * 1000, "wall": watch.wall * 1000, "peak": peak, "bytes": made}), flush=True)
