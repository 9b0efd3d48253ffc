"""The figures of several processes, summed: each process counts in files of its own, mapped into its memory.

The files are those of prometheus_client's multi-process mode, and its collector sums them. Its ready-made metrics are
not used: they take their folder from an environment variable when they are imported, and name the files by process
id, so that files pile up as workers come and go. Here a process takes the first place in the folder that no living
process holds, and counts on from where the one before it ended.
"""

from __future__ import annotations

import fcntl
import logging
import math
import os
import threading
import weakref
from bisect import bisect_left
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from darkroom.figures import COUNTERS, START_SECONDS, Histogram, Reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from darkroom.figures import Counter, Figure

FILE_BYTES = 256 * 1024
"""The size of a file of numbers: room for about a thousand series."""

_HEADER_BYTES = 8
_ENTRY_BYTES = 28
"""What an entry takes besides its key, at most: 4 for the key's length, 8 of padding, 16 for the value and its time."""

_log = logging.getLogger(__name__)


_SINCE = "since"
"""The file in the folder that is as old as what is counted."""


def empty(folder: Path) -> None:
    """Forget what was counted in ``folder``: for whoever starts the service, before anything counts."""
    folder.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.db", "*.new", "*.lock"):
        for path in folder.glob(pattern):
            path.unlink()
    (folder / _SINCE).touch()


class PrometheusFigures:
    """``ShownFigures`` in ``folder``, which all processes of one service share and nothing else uses.

    It may be made before a fork. A process that cannot make its files says so in the log and goes on uncounted.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._place: _Place | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self._begin()

    def add(self, figure: Counter, amount: float = 1.0, **labels: str) -> None:
        self._write(figure, labels, amount)

    def time(self, figure: Histogram, seconds: float, **labels: str) -> None:
        self._write(figure, labels, seconds)

    def exposition(self, readings: Iterable[Reading] = ()) -> tuple[bytes, str]:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]  # the library's part
        registry.register(_Readings((*self._start(), *readings)))
        return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4

    def _start(self) -> tuple[Reading, ...]:
        try:
            return (Reading(START_SECONDS, (self._folder / _SINCE).stat().st_mtime),)
        except OSError:  # counted without a start of the service, as in a command
            return ()

    def close(self) -> None:
        """Count no more, and leave the place to another process. What was counted stays in the sums."""
        with self._lock:
            if self._place is not None:
                self._place.close()
                self._place = None

    def _begin(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._series: dict[tuple[str, ...], list[str]] = {}
        try:
            self._place = _Place(self._folder)
        except OSError as error:
            self._place = None
            _log.warning("figures: this process is not counted, because its files cannot be made: %s", error)
        for counter in COUNTERS:
            if not counter.labels:  # those with labels are shown once it is known what labels there are
                self._write(counter, {}, 0.0)

    def _write(self, figure: Figure, labels: Mapping[str, str], number: float) -> None:
        if self._process != os.getpid():  # after a fork the parent keeps its place and the child takes another
            self._begin()
        if not 0 <= number < math.inf or labels.keys() != set(figure.labels):
            return
        series = (figure.name, *[labels[label] for label in figure.labels])
        with self._lock:
            if self._place is None:
                return
            numbers = self._place.histograms if isinstance(figure, Histogram) else self._place.counters
            keys = self._series.get(series)
            if keys is None:
                keys = _keys(figure, series[1:])
                if not numbers.declare(keys):
                    return
                self._series[series] = keys
            if isinstance(figure, Histogram):
                numbers.add(keys[bisect_left(figure.buckets, number)], 1.0)
            numbers.add(keys[-1], number)


def _keys(figure: Figure, values: Sequence[str]) -> list[str]:
    """Return what a series of these label values is called in a file.

    A counter is one number. A histogram is one for each bucket, that without bound included, counting what is in no
    smaller bucket, and then the sum; the collector adds up the buckets and counts.
    """
    labels = list(figure.labels)
    printable = [str(value).encode(errors="replace").decode() for value in values]
    if not isinstance(figure, Histogram):
        return [mmap_key(figure.name, figure.name + "_total", labels, printable, figure.help)]
    return [
        mmap_key(figure.name, figure.name + "_bucket", [*labels, "le"], [*printable, str(bound)], figure.help)
        for bound in (*figure.buckets, math.inf)
    ] + [mmap_key(figure.name, figure.name + "_sum", labels, printable, figure.help)]


class _Place:
    """The files of one process, written by it alone as long as it holds the lock."""

    def __init__(self, folder: Path) -> None:
        number, lock = _hold_first_free(folder)
        self.counters = _Numbers(folder / f"counter_{number}.db")
        self.histograms = _Numbers(folder / f"histogram_{number}.db")
        self.close = weakref.finalize(self, _close, self.counters, self.histograms, lock)
        self.close.atexit = False  # other threads may count to the very end


def _hold_first_free(folder: Path) -> tuple[int, int]:
    """Return the first number whose lock file nobody holds, and the descriptor that holds it until it is closed."""
    number = 0
    while True:
        descriptor = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            number += 1
        else:
            return number, descriptor


def _close(counters: _Numbers, histograms: _Numbers, lock: int) -> None:
    counters.close()
    histograms.close()
    os.close(lock)


class _Numbers:
    """A file of numbers whose size never changes, because writing to mapped memory ends the process on a full disk."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            new = path.with_suffix(".new")
            new.write_bytes(bytes(FILE_BYTES))
            new.rename(path)  # whole from the first moment that a collector can see it
        values: Any = MmapedDict  # the library leaves it untyped
        self._values = values(str(path))
        self._keys: set[str] = {key for key, _, _ in self._values.read_all_values()}
        self._room = FILE_BYTES - _HEADER_BYTES - sum(map(_size, self._keys))
        self._is_full = False

    def declare(self, keys: Iterable[str]) -> bool:
        """Make numbers of these names, 0 if they are new; ``False`` when there is no room for all."""
        new = [key for key in keys if key not in self._keys]
        room = self._room - sum(map(_size, new))
        if room < 0:
            if not self._is_full:
                self._is_full = True
                _log.warning("figures: no room for more series, such as %s; they are not counted", new[0])
            return False
        self._room = room
        for key in new:
            self._values.read_value(key)
            self._keys.add(key)
        return True

    def add(self, key: str, amount: float) -> None:
        value, moment = self._values.read_value(key)
        self._values.write_value(key, value + amount, moment)

    def close(self) -> None:
        self._values.close()


def _size(key: str) -> int:
    return len(key) + _ENTRY_BYTES


class _Readings(Collector):
    """What is looked up for one exposition."""

    def __init__(self, readings: Iterable[Reading]) -> None:
        self._readings = readings

    def collect(self) -> Iterable[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for reading in self._readings:
            gauge = reading.gauge
            family = families.setdefault(
                gauge.name, GaugeMetricFamily(gauge.name, gauge.help, labels=list(gauge.labels))
            )
            family.add_metric([reading.labels[label] for label in gauge.labels], reading.value)
        return families.values()
