"""Results that nobody asks for go after the days that were set, again and again, whatever goes wrong once."""

import threading
from datetime import UTC, datetime, timedelta

from darkroom.embedded.retention import EVERY_SECONDS, FIRST_SECONDS, Retention

NOW = datetime(2026, 5, 1, tzinfo=UTC)


class Pauses(threading.Event):
    """An event that lets so many pauses pass at once, and is set then."""

    def __init__(self, count):
        super().__init__()
        self.left = count
        self.pauses = []

    def wait(self, timeout=None):
        self.pauses.append(timeout)
        self.left -= 1
        return self.left < 0


def test_what_nobody_used_for_so_many_days_goes_about_once_an_hour():
    asked = []

    def forget_unused(before):
        asked.append(before)
        if len(asked) == 1:
            raise OSError("the disk is gone for a moment")
        return 3

    pauses = Pauses(3)
    Retention(forget_unused, days=30, clock=lambda: NOW).run(pauses)
    assert asked == [NOW - timedelta(days=30)] * 3
    assert pauses.pauses == [FIRST_SECONDS, EVERY_SECONDS, EVERY_SECONDS, EVERY_SECONDS]
