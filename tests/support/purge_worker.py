"""A process that purges, for tests that need real ones: ``purge_worker.py FILE START [full]`` purges a hundred ids.

With ``full`` the process may make no file longer than the purge log is, which is what a full disk does to it.
"""

from __future__ import annotations

import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from darkroom.edge.purgelog import PurgeLog
from darkroom.names import RANDOM_BYTES, new_id

PURGES = 100


def purged_id(number: int) -> str:
    """Return the id that is purged under this number."""
    return new_id(datetime(2026, 11, 23, tzinfo=UTC), number.to_bytes(RANDOM_BYTES))


if __name__ == "__main__":
    path = Path(sys.argv[1])
    start = int(sys.argv[2])
    log = PurgeLog(path)
    if sys.argv[3:] == ["full"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        longest = path.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))
    for each in range(start, start + PURGES):
        log.purge(purged_id(each))
