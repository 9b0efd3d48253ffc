"""The figures in this process only, to be read by tests: a number that does not fit its declaration raises."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkroom.figures import Counter, Figure, Histogram


class MemoryFigures:
    """``Figures`` that last as long as the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: list[tuple[str, dict[str, str], float]] = []

    def add(self, figure: Counter, amount: float = 1.0, **labels: str) -> None:
        self._keep(figure, amount, labels)

    def time(self, figure: Histogram, seconds: float, **labels: str) -> None:
        self._keep(figure, seconds, labels)

    def total(self, figure: Counter, **labels: str) -> float:
        """Return the sum of what was added under these labels, whatever the labels that are not given."""
        return math.fsum(self._given(figure, labels))

    def times(self, figure: Histogram, **labels: str) -> list[float]:
        """Return the seconds recorded under these labels, in their order."""
        return self._given(figure, labels)

    def _keep(self, figure: Figure, number: float, labels: Mapping[str, str]) -> None:
        if set(labels) != set(figure.labels) or not 0 <= number < math.inf:
            msg = f"{figure.name} has the labels {figure.labels} and takes no {number} under {dict(labels)}"
            raise ValueError(msg)
        with self._lock:
            self._numbers.append((figure.name, dict(labels), number))

    def _given(self, figure: Figure, labels: Mapping[str, str]) -> list[float]:
        with self._lock:
            return [n for name, given, n in self._numbers if name == figure.name and labels.items() <= given.items()]
