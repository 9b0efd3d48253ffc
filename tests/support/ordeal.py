"""A service at work that is killed again and again, and the proof afterwards that nothing was lost or left over.

``python tests/support/ordeal.py --minutes 10 --life 20`` does so for ten minutes, cutting the service off every twenty
seconds or so, and prints what came of it, and its memory over time and by the age of the service.
"""

from __future__ import annotations

import argparse
import dataclasses
import platform
import random
import secrets
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import aftermath
from darkroom import settings as configuration
from darkroom.audit import audit
from darkroom.bucket.leftovers import FolderLeftovers
from darkroom.embedded import wire
from darkroom.service import utc_now
from darkroom.sweep import Ages, Sweep
from darkroom.verify import Verifier
from mixedload import UNSIGNED_SIZES, Load
from outages import PARTS, Machine
from patience import eventually
from servers import clean_environment
from studio import Studio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.service import Service

DRAIN_SECONDS = 120
TURNS = 8
"""More than an event is tried."""

NOW, NEVER = timedelta(0), timedelta(days=36_500)
AGES = Ages(patience=NOW, grace=NOW, failures=NEVER, tombstones=NEVER, leftovers=NOW)
"""Nothing is on its way any more when the sweep comes, so nothing has to be given time."""
PARTS_OVER = timedelta(days=2)
"""By then an upload in parts has ended that nobody goes on with."""


class Ordeal:
    """The service under one policy, people at work on it, and one who cuts it off."""

    def __init__(self, folder: Path, *, policy: str, seed: str, people: int = 4) -> None:
        studio = Studio(folder)
        self.machine = Machine(
            folder,
            originals=policy,
            recipes=str(studio.recipes),
            unsigned_sizes=UNSIGNED_SIZES,
            part_bytes="1024",
            log_level="warning",
        )
        self.load = Load(self.machine.url, studio, seed=seed, policy=policy, people=people)
        self.chance = random.Random(seed)
        self.kills = 0
        self.parts = 0
        self.load.start()

    def live(self, seconds: float) -> None:
        """Serve for so long, by chance losing one process on the way."""
        self.machine.start()
        self.load.open()
        if self.chance.random() < 0.3:
            before = self.chance.uniform(0, seconds)
            time.sleep(before)
            self.parts += self.machine.hurt(self.chance.choice(PARTS), self.chance)
            seconds -= before
        if self.machine.runs:
            time.sleep(seconds)

    def die(self) -> None:
        """Lose every process at once; by chance much later is another start, by chance one that is cut off too."""
        self.load.shut()
        if self.machine.runs:
            self.machine.cut_off()
        self.kills += 1
        if self.chance.random() < 0.5:
            self.machine.let_time_pass()
        if self.chance.random() < 0.1:
            self.machine.start_and_cut_off(self.chance.uniform(0.05, 1.0))
            self.kills += 1

    def end(self) -> list[str]:
        """Have everybody go home, all the work done that is left, sweep, and return what is wrong."""
        try:
            self.live(0.3)
        finally:
            self.load.stop()
            self.machine.stop()
        self.work_off()
        unfinished = aftermath.unfinished(self.machine.data, self.load)
        self._sweep()
        self.work_off()
        return [*self.load.faults, *unfinished, *self._swept(), *aftermath.faults(self.machine.data, self.load)]

    def work_off(self) -> None:
        """Have all the work done that is left, however long it has to wait, and stop."""
        for _ in range(TURNS):
            self.machine.let_time_pass()
            self.machine.start()
            eventually(self._waits_only, seconds=DRAIN_SECONDS, what="the end of all work")
            self.machine.stop()
            if self._events() == 0:
                return

    def _waits_only(self) -> bool:
        return self._events("WHERE receipt IS NOT NULL OR due <= unixepoch('subsec') * 1000000") == 0

    def _events(self, which: str = "") -> int:
        with closing(sqlite3.connect(self.machine.data / "queue.sqlite3")) as connection:
            (count,) = connection.execute(f"SELECT count(*) FROM events {which}").fetchone()
        return int(count)

    def _sweep(self) -> None:
        with self._service() as service:
            self._broom(service).run()

    def _swept(self) -> Iterator[str]:
        """Say what a second sweep, the audit and the verification still find."""
        with self._service() as service:
            found: list[str] = []
            self._broom(service).run(dry=True, tell=lambda finding, _: found.append(f"sweep: {finding}"))
            defaults = wire.defaults(service)
            audit(
                service,
                defaults=defaults.objects,
                tell=lambda finding: found.append(f"audit: {finding}"),
                pause=_no_pause,
            )
            Verifier(service, defaults).run(tell=lambda faulty, _: found.append(f"verify: {faulty}"))
            yield from found

    def _broom(self, service: Service) -> Sweep:
        leftovers = FolderLeftovers(self.machine.data, ("uploads/put#*", "assets/put#*", "incoming/**/*"))
        service = dataclasses.replace(service, clock=lambda: utc_now() + PARTS_OVER)
        return Sweep(service, AGES, defaults=wire.defaults(service).objects, leftovers=leftovers)

    @contextmanager
    def _service(self) -> Iterator[Service]:
        settings = configuration.from_mapping(clean_environment(data=str(self.machine.data), **self.machine.settings))
        service = wire.service(settings)
        try:
            yield service
        finally:
            wire.close(service)

    def summary(self) -> str:
        """Return what happened, in figures."""
        counted = ", ".join(f"{what} {number}" for what, number in sorted(self.load.tally.items()))
        return f"{self.kills} kills of everything, {self.parts} of one process; {counted}"


def _no_pause(_seconds: float) -> None:
    """Nothing is on its way."""


class Watch:
    """Looks once a second at how much memory all processes of the service hold together (PSS)."""

    AGES = (5, 15, 30, 60, 120)
    """Seconds in one life at which one row of the table by age ends and the next begins."""

    def __init__(self, ordeal: Ordeal) -> None:
        self._ordeal = ordeal
        self._began = time.monotonic()
        self._over = threading.Event()
        self._samples: list[tuple[float, float, float]] = []
        """Minute of the ordeal, seconds of this life, megabytes."""
        self._told = 0
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> None:
        """Look no more, and print memory by age."""
        self._over.set()
        self._thread.join()
        self._tell()
        say("seconds in one life | median MB | most MB | samples")
        for low, high in pairwise((0, *self.AGES, 10**9)):
            found = [megabytes for _, age, megabytes in self._samples if low <= age < high]
            if found:
                say(f"{low:>5} and more | {statistics.median(found):.0f} | {max(found):.0f} | {len(found)}")

    def _watch(self) -> None:
        pid, born = 0, 0.0
        while not self._over.wait(1):
            with suppress(AssertionError, OSError):  # it is being cut off at this moment
                if self._ordeal.machine.pid != pid:
                    pid, born = self._ordeal.machine.pid, time.monotonic()
                now = time.monotonic()
                self._samples.append(((now - self._began) / 60, now - born, self._ordeal.machine.memory() / 1e6))
            if time.monotonic() - self._began >= 60 * (self._told + 1):
                self._tell()

    def _tell(self) -> None:
        found = [megabytes for minute, age, megabytes in self._samples if minute >= self._told and age >= 1]
        self._told += 1
        if found:
            memory = f"memory median {statistics.median(found):.0f} MB, most {max(found):.0f} MB"
            say(f"minute {self._told}: {memory}; {self._ordeal.summary()}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--life", type=float, default=1, help="seconds between two kills of everything, about")
    parser.add_argument("--policy", choices=("delete", "keep", "archive"), default="delete")
    parser.add_argument("--seed", default=secrets.token_hex(4))
    given = parser.parse_args()
    say(f"seed {given.seed}, originals {given.policy}, {platform.platform()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as folder:
        ordeal = Ordeal(Path(folder), policy=given.policy, seed=given.seed)
        watch = Watch(ordeal)
        until = time.monotonic() + 60 * given.minutes
        while time.monotonic() < until:
            ordeal.live(min(6 * given.life, ordeal.chance.expovariate(1 / given.life), until - time.monotonic() + 1))
            ordeal.die()
        watch.end()
        faults = ordeal.end()
        say(ordeal.summary())
        say("\n".join(faults) or "nothing lost, nothing left over")
    return bool(faults)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  # what a person at the terminal waits for


if __name__ == "__main__":
    sys.exit(main())
