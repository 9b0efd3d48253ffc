"""How long it takes to refuse files that are made to stop a service; at most 100 ms each is the aim.

    python bench/refusals.py [--turns 5]

Method. Each bomb of ``tests/support/bombs.py`` is handed to a jailed pool as the service runs it, one process for each
picture, which stands ready; the figure is the wall time of ``render`` until its caller has the refusal, over so many
turns in which all bombs take part. Part of it is the file's: hashing and reading 64 MiB take about as long as 100 ms.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import bombs
from darkroom.errors import DarkroomError
from darkroom.transform import Limits, Order
from darkroom.transform.jail import JailedTransform
from darkroom.transform.recipes import DEFAULT_RECIPES
from machine import print_machine

AIM_MILLISECONDS = 100
READY_SECONDS = 0.05
"""For the next process to be forked and to enter the jail."""


def main() -> None:
    """Measure and print the table."""
    arguments = argparse.ArgumentParser(description="bombs")
    arguments.add_argument("--turns", type=int, default=5)
    turns = arguments.parse_args().turns
    print_machine()
    files = {bomb.__name__: bomb() for bomb in (*bombs.REFUSED, *bombs.HARMLESS)}
    taken: dict[str, list[float]] = {name: [] for name in files}
    outcomes: dict[str, str] = {}
    with closing(JailedTransform(1)) as pool:
        for _ in range(turns):
            for name, content in files.items():
                time.sleep(READY_SECONDS)
                outcomes[name], seconds = refused(pool, content)
                taken[name].append(1e3 * seconds)
    print(f"{'milliseconds':38}{'median':>8}{'most':>8}{'file kB':>10}  outcome")
    for name, milliseconds in taken.items():
        median = statistics.median(milliseconds)
        late = "  over the aim" if median > AIM_MILLISECONDS else ""
        size = len(files[name]) / 1000
        print(f"  {name:36}{median:8.1f}{max(milliseconds):8.1f}{size:10,.1f}  {outcomes[name]}{late}")


def refused(pool: JailedTransform, content: bytes) -> tuple[str, float]:
    """Return how it ended, and the seconds."""
    with tempfile.TemporaryFile() as original:
        original.write(content)
        original.flush()
        began = time.perf_counter()
        try:
            pool.render(original, Order(recipes=DEFAULT_RECIPES, limits=Limits(svg=True)))
            outcome = "rendered"
        except DarkroomError as error:
            outcome = error.code
        return outcome, time.perf_counter() - began


if __name__ == "__main__":
    main()
