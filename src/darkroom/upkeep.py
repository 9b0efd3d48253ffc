"""A sweep as a service has it done by itself: what it finds and does is said in the log and counted."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from darkroom import figures as f
from darkroom.errors import DarkroomError

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.figures import Figures
    from darkroom.sweep import Finding, Report, Sweep

log = logging.getLogger("darkroom.upkeep")

FINDINGS_LOGGED = 1_000
"""How many findings of one sweep have a line in the log each; all of them are counted."""


def sweep_once(sweep: Sweep, figures: Figures, stopping: Callable[[], bool]) -> bool:
    """Sweep until the end, or until ``stopping`` says so. What goes wrong is said in the log, and ``False``."""
    logged = 0

    def tell(finding: Finding, mended: bool) -> None:  # noqa: FBT001 # as a sweep tells it
        nonlocal logged
        logged += 1
        figures.add(f.SWEEP_FINDINGS, kind=finding.kind, mended="yes" if mended else "no")
        if logged <= FINDINGS_LOGGED:
            log.info("found", extra=_fields(finding) | {"mended": mended})

    try:
        report = sweep.run(tell=tell, stopping=stopping)
    except DarkroomError as error:
        log.warning("sweep failed", extra={"reason": error.detail})
        figures.add(f.SWEEPS, outcome="failed")
        return False
    except Exception:
        log.exception("sweep failed")
        figures.add(f.SWEEPS, outcome="failed")
        return False
    _report(report, figures)
    return True


def _report(report: Report, figures: Figures) -> None:
    figures.time(f.SWEEP_SECONDS, report.seconds)
    outcome = "withheld" if report.withheld else "whole" if report.whole else "stopped"
    figures.add(f.SWEEPS, outcome=outcome)
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
