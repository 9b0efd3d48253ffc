"""What one deployment keeps, opened to be worked on by hand: the same for all of them, by ports.

Each deployment has one way to open its own, ``maintenance.opened``, also beside the running service. What has to be
rendered is left to the service.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom import audit as auditing
from darkroom.verify import Verifier

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from darkroom.audit import Audit
    from darkroom.service import Service
    from darkroom.sweep import Finding, Report, Sweep
    from darkroom.transfer import Collection
    from darkroom.verify import Defaults, Faulty, Verification


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """An open library."""

    service: Service
    sweeper: Sweep
    defaults: Defaults
    collection: Collection
    """What exports are made of and imports brought into."""
    scratch: Path
    """A folder for what is on its way; where buckets are folders, on the same file system."""

    def sweep(self, *, dry: bool, force: bool, tell: Callable[[Finding, bool], None]) -> Report:
        """Sweep once, as ``Sweep.run`` says."""
        return self.sweeper.run(dry=dry, force=force, tell=tell)

    def audit(self, *, tell: Callable[[Finding], None]) -> Audit:
        """Compare catalog and buckets, as ``audit.audit`` says."""
        return auditing.audit(self.service, defaults=self.defaults.objects, tell=tell, pause=time.sleep)

    def verify(self, *, repair: bool, tell: Callable[[Faulty, bool], None]) -> Verification:
        """Read everything, as ``Verifier.run`` says."""
        return Verifier(self.service, self.defaults).run(repair=repair, tell=tell)
