"""Figures on AWS: lines of the log in CloudWatch's embedded metric format, from which CloudWatch makes metrics.

A metric costs by its dimensions, every combination of values being one to pay for. So these have none: what a figure's
labels say stands beside it in the line, where CloudWatch Logs Insights finds and counts it, and costs nothing.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import logging
import math
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from darkroom.figures import Histogram

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from darkroom.figures import Counter, Figure

NAMESPACE = "Darkroom"
MOST_VALUES = 100
"""Of one metric in one line, by the specification."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Line:
    """Figures of one invocation whose labels do not contradict each other."""

    labels: dict[str, str]
    numbers: dict[Figure, list[float]] = field(default_factory=dict)

    def has_room_for(self, figure: Figure, labels: Mapping[str, str]) -> bool:
        """Tell whether the line says the same of these labels, or nothing, and has not too many numbers yet."""
        same = all(self.labels.get(name, value) == value for name, value in labels.items())
        return same and len(self.numbers.get(figure, ())) < MOST_VALUES


class EmfFigures:
    """``Figures`` that are gathered for one invocation and written down by ``flush`` at its end."""

    def __init__(self, write: Callable[[str], object] = print) -> None:
        """``write`` takes one line of the log."""
        self._write = write
        self._lock = threading.Lock()
        self._lines: list[_Line] = []

    def add(self, figure: Counter, amount: float = 1.0, **labels: str) -> None:
        self._keep(figure, amount, labels)

    def time(self, figure: Histogram, seconds: float, **labels: str) -> None:
        self._keep(figure, seconds, labels)

    def flush(self) -> None:
        """Write down what there is, and begin anew."""
        with self._lock:
            lines, self._lines = self._lines, []
        for line in lines:
            self._write(json.dumps(_document(line)))

    def _keep(self, figure: Figure, number: float, labels: dict[str, str]) -> None:
        if set(labels) != set(figure.labels) or not 0 <= number < math.inf:
            _log.error("figure left out", extra={"figure": figure.name, "number": number, "labels": labels})
            return
        with self._lock:
            line = next((line for line in self._lines if line.has_room_for(figure, labels)), None)
            if line is None:
                line = _Line({})
                self._lines.append(line)
            line.labels |= labels
            numbers = line.numbers.setdefault(figure, [])
            if isinstance(figure, Histogram) or not numbers:
                numbers.append(number)
            else:
                numbers[0] += number


def _document(line: _Line) -> dict[str, Any]:
    metrics: dict[str, Any] = {}
    for figure, numbers in line.numbers.items():
        unit = "Seconds" if isinstance(figure, Histogram) else "Bytes" if figure.name.endswith("_bytes") else "Count"
        metrics[figure.name] = {"Unit": unit, "StorageResolution": 60, "Value": numbers}
    provider = AmazonCloudWatchEMFProvider(
        metric_set=metrics, dimension_set={}, metadata_set=dict(line.labels), namespace=NAMESPACE
    )
    return dict(provider.serialize_metric_set())
