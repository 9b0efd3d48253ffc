"""How long a failed event waits."""

from __future__ import annotations

from darkroom.events import backoff


def test_the_wait_doubles_from_two_seconds_up_to_five_minutes() -> None:
    assert [backoff(attempt) for attempt in range(1, 11)] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_no_attempt_number_is_too_large_or_too_small_for_it() -> None:
    assert backoff(10**9) == 300
    assert backoff(0) == 2
