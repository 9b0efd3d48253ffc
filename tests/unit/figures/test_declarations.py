"""The figures as they are declared."""

from __future__ import annotations

import re

import pytest

from darkroom.events import Depth
from darkroom.figures import (
    COUNTERS,
    GAUGES,
    QUEUE_EVENTS,
    QUEUE_OLDEST_SECONDS,
    TIMES,
    Figure,
    Histogram,
    Reading,
    queue_readings,
)

ALL: tuple[Figure, ...] = (*COUNTERS, *TIMES, *GAUGES)


@pytest.mark.parametrize("figure", ALL, ids=lambda figure: figure.name)
def test_a_name_is_one_that_prometheus_takes_and_says_whose_it_is(figure: Figure) -> None:
    assert re.fullmatch(r"darkroom_[a-z]+(_[a-z]+)*", figure.name)
    assert not figure.name.endswith("_total")
    assert figure.help.endswith(".")


def test_no_name_is_given_twice() -> None:
    assert len({figure.name for figure in ALL}) == len(ALL)


@pytest.mark.parametrize("figure", TIMES, ids=lambda figure: figure.name)
def test_buckets_rise_and_leave_the_last_one_open(figure: Histogram) -> None:
    assert list(figure.buckets) == sorted(set(figure.buckets))
    assert figure.buckets[0] > 0
    assert figure.buckets[-1] < float("inf")


def test_the_queue_is_read_by_state_and_age() -> None:
    assert queue_readings(Depth(waiting=3, leased=2, buried=1, oldest_seconds=4.5)) == (
        Reading(QUEUE_EVENTS, 3, {"state": "waiting"}),
        Reading(QUEUE_EVENTS, 2, {"state": "leased"}),
        Reading(QUEUE_EVENTS, 1, {"state": "buried"}),
        Reading(QUEUE_OLDEST_SECONDS, 4.5),
    )
