"""What an operator does to a data folder by a command, also beside the running service.

The databases and folders allow it, and purges reach the workers. What has to be rendered is left to the service.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from darkroom import audit as auditing
from darkroom.embedded import wire
from darkroom.embedded.layout import Layout
from darkroom.errors import Refused
from darkroom.verify import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.audit import Audit
    from darkroom.service import Service
    from darkroom.settings import Settings
    from darkroom.sweep import Finding, Report
    from darkroom.verify import Faulty, Verification

PRIVATE = 0o077


@contextmanager
def service(settings: Settings) -> Iterator[Service]:
    """Give the service on a data folder that is there already, to be worked on by hand.

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
        yield parts
    finally:
        wire.close(parts)


def sweep(settings: Settings, *, dry: bool, force: bool, tell: Callable[[Finding, bool], None]) -> Report:
    """Sweep once, as ``Sweep.run`` says."""
    with service(settings) as parts:
        return wire.sweep(settings, parts).run(dry=dry, force=force, tell=tell)


def audit(settings: Settings, *, tell: Callable[[Finding], None]) -> Audit:
    """Compare catalog and buckets, as ``audit.audit`` says."""
    with service(settings) as parts:
        return auditing.audit(parts, defaults=wire.defaults(parts).objects, tell=tell, pause=time.sleep)


def verify(settings: Settings, *, repair: bool, tell: Callable[[Faulty, bool], None]) -> Verification:
    """Read everything, as ``Verifier.run`` says."""
    with service(settings) as parts:
        return Verifier(parts, wire.defaults(parts)).run(repair=repair, tell=tell)
