"""The figures that tests read: they find a program that counts what was never declared."""

from __future__ import annotations

import math

import pytest

from darkroom.figures import DELIVERED_BYTES, REQUEST_SECONDS, REQUESTS
from darkroom.figures.memory import MemoryFigures


def test_labels_other_than_the_declared_ones_are_a_mistake() -> None:
    figures = MemoryFigures()
    with pytest.raises(ValueError, match="darkroom_requests has the labels"):
        figures.add(REQUESTS, method="GET")
    with pytest.raises(ValueError, match="darkroom_delivered_bytes"):
        figures.add(DELIVERED_BYTES, 1, image="01k")


@pytest.mark.parametrize("number", [-1, math.nan, math.inf])
def test_numbers_that_cannot_be_are_a_mistake(number: float) -> None:
    figures = MemoryFigures()
    with pytest.raises(ValueError, match="takes no"):
        figures.add(DELIVERED_BYTES, number)
    with pytest.raises(ValueError, match="takes no"):
        figures.time(REQUEST_SECONDS, number, route="/")


def test_durations_are_read_in_their_order() -> None:
    figures = MemoryFigures()
    for seconds in (0.3, 0.1, 0.2):
        figures.time(REQUEST_SECONDS, seconds, route="/")
    assert figures.times(REQUEST_SECONDS, route="/") == [0.3, 0.1, 0.2]
