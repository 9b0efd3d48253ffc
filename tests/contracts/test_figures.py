"""What everything that takes figures promises, whatever becomes of them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

import pytest

from darkroom.figures import DELIVERED_BYTES, REQUEST_SECONDS, REQUESTS, TRANSFORMS
from darkroom.figures.emf import EmfFigures
from darkroom.figures.memory import MemoryFigures
from darkroom.figures.prometheus import PrometheusFigures
from darkroom.model import Format
from expositions import total

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from darkroom.figures import Counter, Figure, Figures, Histogram


class Book(Protocol):
    """Figures together with a way to read them."""

    @property
    def figures(self) -> Figures: ...

    def counted(self, figure: Counter, **labels: str) -> float: ...

    def timed(self, figure: Histogram, **labels: str) -> tuple[float, float]:
        """Return how many durations were recorded, and the sum of their seconds."""
        ...


class MemoryBook:
    def __init__(self) -> None:
        self.figures = MemoryFigures()

    def counted(self, figure: Counter, **labels: str) -> float:
        return self.figures.total(figure, **labels)

    def timed(self, figure: Histogram, **labels: str) -> tuple[float, float]:
        times = self.figures.times(figure, **labels)
        return len(times), sum(times)


class PrometheusBook:
    def __init__(self, folder: Path) -> None:
        self.figures = PrometheusFigures(folder)

    def counted(self, figure: Counter, **labels: str) -> float:
        return total(self.figures.exposition()[0], figure.name + "_total", **labels)

    def timed(self, figure: Histogram, **labels: str) -> tuple[float, float]:
        body, _ = self.figures.exposition()
        return total(body, figure.name + "_count", **labels), total(body, figure.name + "_sum", **labels)


class EmfBook:
    """What CloudWatch would read of the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.figures = EmfFigures(self.lines.append)

    def counted(self, figure: Counter, **labels: str) -> float:
        return sum(self._numbers(figure, labels))

    def timed(self, figure: Histogram, **labels: str) -> tuple[float, float]:
        numbers = self._numbers(figure, labels)
        return len(numbers), sum(numbers)

    def _numbers(self, figure: Figure, labels: dict[str, str]) -> list[float]:
        self.figures.flush()
        numbers = []
        for line in map(json.loads, self.lines):
            (directive,) = line["_aws"]["CloudWatchMetrics"]
            assert (directive["Namespace"], directive["Dimensions"]) == ("Darkroom", [[]]), "a dimension costs"
            known = {metric["Name"] for metric in directive["Metrics"]}
            if figure.name in known and labels.items() <= {name: line[name] for name in figure.labels}.items():
                assert len(line[figure.name]) <= 100
                numbers += line[figure.name]
        return numbers


@pytest.fixture(params=["memory", "prometheus", "emf"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    if request.param == "memory":
        yield MemoryBook()
    elif request.param == "emf":
        yield EmfBook()
    else:
        prometheus = PrometheusBook(tmp_path / "figures")
        yield prometheus
        prometheus.figures.close()


def test_a_counter_adds_up_what_it_is_given(book: Book) -> None:
    assert book.counted(DELIVERED_BYTES) == 0
    book.figures.add(DELIVERED_BYTES, 75_000)
    book.figures.add(DELIVERED_BYTES, 0.5)
    book.figures.add(DELIVERED_BYTES)
    assert book.counted(DELIVERED_BYTES) == 75_001.5


def test_each_set_of_labels_is_counted_by_itself(book: Book) -> None:
    book.figures.add(TRANSFORMS, format=Format.JPEG, outcome="ready")
    book.figures.add(TRANSFORMS, outcome="ready", format="jpeg")
    book.figures.add(TRANSFORMS, format="png", outcome="ready")
    book.figures.add(TRANSFORMS, format="png", outcome="unreadable-image")
    assert book.counted(TRANSFORMS, format="jpeg", outcome="ready") == 2
    assert book.counted(TRANSFORMS, format="png", outcome="ready") == 1
    assert book.counted(TRANSFORMS, outcome="ready") == 3
    assert book.counted(TRANSFORMS, format="gif") == 0


def test_durations_are_counted_and_summed_by_label(book: Book) -> None:
    for seconds in (0.25, 0.5, 0.0, 4000.0):
        book.figures.time(REQUEST_SECONDS, seconds, route="/v1/images")
    book.figures.time(REQUEST_SECONDS, 1.0, route="/v1/limits")
    assert book.timed(REQUEST_SECONDS, route="/v1/images") == (4, 4000.75)
    assert book.timed(REQUEST_SECONDS, route="/v1/limits") == (1, 1.0)


@pytest.mark.parametrize("odd", ['"', "\\", "\n", "", "é€", "\x00", "a,b=c}", "\ud800"], ids=ascii)
def test_any_text_may_be_a_label(book: Book, odd: str) -> None:
    book.figures.add(REQUESTS, method=odd, route="/", status="200")
    book.figures.add(REQUESTS, method="GET", route="/", status="200")
    assert book.counted(REQUESTS, route="/") == 2


def test_nothing_is_lost_between_threads(book: Book) -> None:
    def work(number: int) -> None:
        for _ in range(500):
            book.figures.add(DELIVERED_BYTES, 2)
            book.figures.time(REQUEST_SECONDS, 0.5, route=f"/{number % 3}")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert book.counted(DELIVERED_BYTES) == 6000
    assert book.timed(REQUEST_SECONDS) == (3000, 1500.0)
