"""A process that calls as often as it may, for tests that need real ones.

``rates_worker.py FILE PER_SECOND BURST standing MOMENT TIMES KEY…`` tries that many times with each key while the clock
stands still; ``… running SECONDS KEY…`` tries for so long by the machine's clock. It opens the rates, says ``open``,
begins when it is sent a line, and prints how often each key was allowed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from darkroom.access import Rate
from darkroom.access.shared import SharedRates


def standing(path: Path, rate: Rate, moment: str, times: str, *keys: str) -> None:
    """Call with every key in turn, so that processes and keys mix as much as they can."""
    rates = SharedRates(path, lambda: int(moment))
    ready()
    allowed = dict.fromkeys(keys, 0)
    for _ in range(int(times)):
        for key in keys:
            allowed[key] += rates.take(key, rate) == 0
    tell(allowed, keys)


def running(path: Path, rate: Rate, seconds: str, *keys: str) -> None:
    """Call, with short pauses, until the time is up."""
    rates = SharedRates(path, time.monotonic_ns)
    ready()
    allowed = dict.fromkeys(keys, 0)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        for key in keys:
            allowed[key] += rates.take(key, rate) == 0
        time.sleep(0.002)
    tell(allowed, keys)


def ready() -> None:
    """Wait for the others."""
    sys.stdout.write("open\n")
    sys.stdout.flush()
    sys.stdin.readline()


def tell(allowed: dict[str, int], keys: tuple[str, ...]) -> None:
    """Print what was allowed, in the order of the keys."""
    sys.stdout.write(" ".join(str(allowed[key]) for key in keys) + "\n")


if __name__ == "__main__":
    file, per_second, burst, how, *rest = sys.argv[1:]
    work = standing if how == "standing" else running
    work(Path(file), Rate(float(per_second), int(burst)), *rest)
