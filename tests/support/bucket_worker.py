"""A process that puts one object, for tests that need real ones: ``bucket_worker.py FOLDER KEY TEXT``.

It opens the bucket, says ``open``, begins when it is sent a line, and says how it ended: ``stored`` or the error.
"""

from __future__ import annotations

import sys
from pathlib import Path

from darkroom.bucket.objects import FolderBucket
from darkroom.errors import DarkroomError


def main(folder: str, key: str, text: str) -> None:
    """Put once."""
    bucket = FolderBucket(Path(folder))
    say("open")
    sys.stdin.readline()
    try:
        bucket.put(key, text.encode(), content_type="text/plain", create_only=True)
    except DarkroomError as error:
        say(type(error).__name__)
    else:
        say("stored")


def say(word: str) -> None:
    """Tell the test."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
