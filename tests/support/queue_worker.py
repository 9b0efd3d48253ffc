"""A process that works on a queue file, for tests that need real ones: ``queue_worker.py FILE publish|hold|drain``.

It opens the queue, says ``open``, begins when it is sent a line, and then prints the key of each event it handled.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

from darkroom.events import ObjectCreated
from darkroom.events.sqlite import SqliteQueue


def publish(queue: SqliteQueue) -> None:
    """Publish one event."""
    queue.publish(ObjectCreated(key="published", etag="e"))
    say("published")


def hold(queue: SqliteQueue) -> None:
    """Take one event and never let go."""
    for lease in queue.lease(1, 30):
        assert isinstance(lease.event, ObjectCreated)
        say(lease.event.key)


def drain(queue: SqliteQueue) -> None:
    """Lease and settle until nothing is left."""
    while leases := queue.lease(3, 60):
        for lease in leases:
            assert isinstance(lease.event, ObjectCreated)
            assert queue.settle(lease)
            say(lease.event.key)


def say(word: str) -> None:
    """Print a line at once: the reader may be about to end this process."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    opened = SqliteQueue(Path(sys.argv[1]), lambda: datetime.now(UTC))
    say("open")
    sys.stdin.readline()
    {"publish": publish, "hold": hold, "drain": drain}[sys.argv[2]](opened)
    sys.stdin.readline()
