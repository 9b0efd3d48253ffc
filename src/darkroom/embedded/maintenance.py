"""What an operator does to a data folder by a command, also beside the running service.

The databases and folders allow it, and purges reach the workers. What has to be rendered is left to the service.
"""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from darkroom.embedded import wire
from darkroom.embedded.layout import Layout
from darkroom.errors import Refused
from darkroom.library import Library

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.settings import Settings

PRIVATE = 0o077


@contextmanager
def opened(settings: Settings) -> Iterator[Library]:
    """Give what a data folder that is there already keeps, to be worked on by hand.

    Raises ``Refused`` when it is none, or was not restored to the end, ``Unavailable`` for data of another release.
    """
    layout = Layout(settings.data)
    if not layout.catalog.is_file():
        msg = f"{layout.root} is no data folder: there is no {layout.catalog.name} in it; say where it is with --data"
        raise Refused(msg)
    if layout.restoring.exists():
        msg = f"{layout.root} was not restored to the end; remove it and run `darkroom restore` again"
        raise Refused(msg)
    os.umask(PRIVATE)
    layout.make_folders()  # of one that was restored and not served yet, say
    logging.getLogger("darkroom").addHandler(logging.NullHandler())  # a command says itself what it did
    parts = wire.service(settings)
    try:
        yield Library(
            service=parts,
            sweeper=wire.sweep(settings, parts),
            defaults=wire.defaults(parts),
            collection=wire.collection(parts, layout),
            scratch=layout.incoming,
        )
    finally:
        wire.close(parts)
