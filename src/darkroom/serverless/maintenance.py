"""What an operator does to a stage by a command, with the credentials of their AWS tools, while it goes on serving.

The settings are those that the stage runs with: its transform function is asked for them.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.library import Library
from darkroom.serverless import wire
from darkroom.serverless.deploying import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def opened(name: str, region: str) -> Iterator[Library]:
    """Give what the stage of this name keeps, to be worked on by hand.

    Raises ``NotFound`` when there is none, ``Unavailable`` without credentials or for what they may not do, and for
    data of another release.
    """
    logging.getLogger("darkroom").addHandler(logging.NullHandler())  # a command says itself what it did
    stage = Stage(name, region)
    settings = stage.settings()
    parts = wire.by_hand(settings, region)
    try:
        with tempfile.TemporaryDirectory(prefix="darkroom-") as scratch:
            yield Library(
                service=parts,
                sweeper=wire.sweep(settings, parts),
                defaults=wire.defaults(parts, stage.make_defaults),
                collection=wire.collection(settings, parts),
                scratch=Path(scratch),
            )
    finally:
        wire.close(parts)
