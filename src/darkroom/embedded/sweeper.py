"""The sweep on a schedule."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING

from darkroom import figures as f
from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from darkroom.figures import Figures
    from darkroom.sweep import Finding, Report, Sweep

log = logging.getLogger("darkroom.upkeep")

FIRST_SECONDS = 300.0
"""The first sweep comes at most this long after the start, also where the service is started again more often than it
is swept."""
JITTER = 0.1
"""By how much of itself each pause is made longer or shorter, so that many services do not sweep at one moment."""

FINDINGS_LOGGED = 1_000
"""How many findings of one sweep have a line in the log each; all of them are counted."""


class Sweeper:
    """Sweeps again and again, and says in the log what it has done. For one thread."""

    def __init__(
        self,
        sweep: Sweep,
        figures: Figures,
        *,
        every_seconds: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``chance`` returns numbers from 0 to 1."""
        self._sweep = sweep
        self._figures = figures
        self._every = every_seconds
        self._chance = chance

    def run(self, stopping: threading.Event) -> None:
        """Sweep until ``stopping`` is set; a sweep that is under way ends soon after that."""
        pause = min(self._every, FIRST_SECONDS) * self._chance()
        while not stopping.wait(pause):
            self.sweep(stopping)
            pause = self._every * (1 + JITTER * (2 * self._chance() - 1))

    def sweep(self, stopping: threading.Event) -> None:
        """Sweep once. Whatever goes wrong is said in the log."""
        logged = 0

        def tell(finding: Finding, mended: bool) -> None:  # noqa: FBT001 # as a sweep tells it
            nonlocal logged
            logged += 1
            self._figures.add(f.SWEEP_FINDINGS, kind=finding.kind, mended="yes" if mended else "no")
            if logged <= FINDINGS_LOGGED:
                log.info("found", extra=_fields(finding) | {"mended": mended})

        try:
            report = self._sweep.run(tell=tell, stopping=stopping.is_set)
        except DarkroomError as error:
            log.warning("sweep failed", extra={"reason": error.detail})
            self._figures.add(f.SWEEPS, outcome="failed")
        except Exception:
            log.exception("sweep failed")
            self._figures.add(f.SWEEPS, outcome="failed")
        else:
            self._report(report)

    def _report(self, report: Report) -> None:
        self._figures.time(f.SWEEP_SECONDS, report.seconds)
        outcome = "withheld" if report.withheld else "whole" if report.whole else "stopped"
        self._figures.add(f.SWEEPS, outcome=outcome)
        counts = {kind.replace("-", "_"): count.found for kind, count in report.kinds.items()}
        seen = {"images": report.images, "objects": report.objects, "bytes": report.bytes}
        log.info("swept", extra=seen | counts | {"outcome": outcome, "seconds": round(report.seconds, 3)})
        if report.withheld:
            log.error(
                "unowned objects left alone: they are so many that the catalog may have lost its images; "
                "look with darkroom sweep --dry-run, then restore it or run darkroom sweep --force"
            )


def _fields(finding: Finding) -> dict[str, object]:
    known = {"image": finding.image_id, "key": finding.key, "bytes": finding.bytes}
    return {"kind": finding.kind.value} | {name: value for name, value in known.items() if value}
