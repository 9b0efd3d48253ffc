"""The audit: what lies in the buckets is exactly what the catalog says, or here is the difference.

Nothing is given time, as the sweep does: a file without an owner is a difference from the moment it is there. What is
only on its way from one state to the next (an original between the commit and its removal) is told from that by a
second look a moment later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from darkroom.sweep import Ages, Finding, Kind, Report, Sweep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from darkroom.service import Service

SETTLE_SECONDS = 2.0
"""Before the second look: longer than it takes to get from the commit of an image to the end of its event."""

SUSPECTS = 10_000
"""How many are looked at a second time; of more, the rest are told without."""

_NEVER = timedelta(days=36_500)
_AT_ONCE = Ages(patience=timedelta(0), grace=timedelta(0), failures=_NEVER, tombstones=_NEVER)

DIFFERENCES = frozenset(
    {
        Kind.LEFT_ORIGINAL,
        Kind.LOST_ORIGINAL,
        Kind.UNDELETED_OBJECT,
        Kind.UNOWNED_OBJECT,
        Kind.FOREIGN_OBJECT,
        Kind.MISSING_OBJECT,
        Kind.MISSING_RESULT,
        Kind.NO_LEDGER,
    }
)
"""Bytes without an owner, and owners without their bytes."""


@dataclass(slots=True)
class Audit:
    """What was compared. ``differences`` counts; those themselves are told one by one."""

    images: int = 0
    objects: int = 0
    bytes: int = 0
    seconds: float = 0.0
    differences: dict[Kind, int] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether catalog and buckets say the same."""
        return not self.differences


def audit(
    service: Service,
    *,
    defaults: Callable[[], Mapping[str, str | None]],
    tell: Callable[[Finding], None],
    pause: Callable[[float], None],
) -> Audit:
    """Compare all ledgers with all objects, changing nothing; ``tell`` is told every difference.

    ``defaults`` as for ``Sweep``; ``pause`` waits that many seconds. Raises ``Unavailable``.
    """
    result = Audit()

    def confirm(finding: Finding) -> None:
        result.differences[finding.kind] = result.differences.get(finding.kind, 0) + 1
        tell(finding)

    suspects: list[Finding] = []

    def suspect(finding: Finding, _mended: bool) -> None:  # noqa: FBT001 # as a sweep tells it
        if finding.kind not in DIFFERENCES:
            return
        if finding.image_id and len(suspects) < SUSPECTS:
            suspects.append(finding)
        else:
            confirm(finding)

    sweep = Sweep(service, _AT_ONCE, defaults=defaults, results_too=True)
    report = sweep.run(dry=True, tell=suspect)
    if suspects:
        pause(SETTLE_SECONDS)
    still = {image_id: frozenset(sweep.of(image_id)) for image_id in dict.fromkeys(one.image_id for one in suspects)}
    for finding in suspects:
        if finding in still[finding.image_id]:
            confirm(finding)
    _take_over(result, report)
    return result


def _take_over(result: Audit, report: Report) -> None:
    result.images, result.objects, result.bytes = report.images, report.objects, report.bytes
    result.seconds = report.seconds
