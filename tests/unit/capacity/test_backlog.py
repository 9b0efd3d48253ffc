"""How long uploads wait, against what a queue of this kind does without chance."""

from __future__ import annotations

import math

import pytest

from darkroom.capacity.backlog import DAY, PEAK_HOUR, day_shape, three_days
from darkroom.capacity.heat import Kind, heat

STEADY = {"peak": 1, "burst": 1, "burst_minutes": 10, "seconds_each": 0.5, "seed": 3}


@pytest.mark.parametrize("peak", [1, 1.5, 3, 10, 100])
def test_a_day_has_its_peak_at_its_hour_and_its_mean(peak):
    shape = day_shape(peak)
    moments = [shape(step * 60) for step in range(1440)]
    assert sum(moments) / len(moments) == pytest.approx(1, rel=1e-3)
    assert max(moments) == pytest.approx(peak, rel=1e-3)
    assert shape(PEAK_HOUR * 3600) == pytest.approx(peak)


def test_what_came_is_done_or_left():
    for workers in (2, 50, 1_000):
        found = three_days(mean=20, workers=workers, **STEADY | {"peak": 3, "burst": 10})
        assert found.came == pytest.approx(20 * (3 * DAY + 7 * 600), rel=0.01)
        assert found.done + found.left == pytest.approx(found.came)


def test_more_than_can_be_done_waits_longer_and_longer():
    found = three_days(mean=30, workers=10, **STEADY)  # 20 a second are done of 30
    assert found.left == pytest.approx(10 * 3 * DAY, rel=0.01)
    assert found.oldest_seconds == pytest.approx(3 * DAY / 3, rel=0.01)
    assert found.drained_seconds == math.inf


def test_less_than_can_be_done_does_not_wait():
    found = three_days(mean=30, workers=100, **STEADY)
    assert found.oldest_seconds <= 20  # until there are more than the first functions
    assert found.left < 30 * 20


def test_a_burst_is_drained_in_the_time_that_what_is_over_takes():
    # 200 a second are done; 500 a second come for ten minutes, then 50.
    found = three_days(mean=50, workers=100, **STEADY | {"burst": 10})
    assert found.most == pytest.approx(300 * 600, rel=0.03)
    assert found.drained_seconds == pytest.approx(300 * 600 / 150, rel=0.05)
    assert found.oldest_seconds == pytest.approx(300 * 600 / 200, rel=0.05)


def test_one_key_takes_all_that_is_written_and_more_keys_their_part():
    one, shared, hashed = heat((Kind("one", 1, 2), Kind("shared", 8, 2), Kind("hashed", 64, 3)), uploads=4_000, seed=1)
    assert one.mean == pytest.approx(8_000, rel=0.01)
    assert 1_000 < shared.mean < 1_150  # of eight the hottest
    assert 3 * 4_000 / 64 < hashed.mean < 1.5 * 3 * 4_000 / 64
    for each in (one, shared, hashed):
        assert each.hottest >= each.mean


def test_nobody_uploads_and_nothing_is_hot():
    (cold,) = heat((Kind("one", 1, 2),), uploads=0, seed=1)
    assert (cold.mean, cold.hottest) == (0, 0)
