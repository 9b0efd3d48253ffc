"""How long what took, and what went wrong."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Seconds by operation, and what was wrong by what was said."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)
    bytes: int = 0

    def took(self, operation: str, seconds: float) -> None:
        """Count one that went well."""
        self.seconds.setdefault(operation, []).append(seconds)

    def failed(self, operation: str, why: str) -> None:
        """Count one that did not."""
        self.wrong[f"{operation}: {why}"] += 1

    def count(self, operation: str) -> int:
        """Return how many went well."""
        return len(self.seconds.get(operation, ()))

    def percentile(self, operation: str, share: float) -> float:
        """Return the seconds within which this share of an operation was done; nan without any."""
        found = sorted(self.seconds.get(operation, ()))
        return found[max(0, math.ceil(share * len(found)) - 1)] if found else math.nan

    def table(self, seconds: float) -> str:
        """Return it for people, ``seconds`` being how long it went on."""
        lines = [f"  {'':14}{'count':>9}{'a second':>10}{'p50 ms':>9}{'p90 ms':>9}{'p99 ms':>9}{'most ms':>9}"]
        for operation, times in sorted(self.seconds.items()):
            shown = "".join(f"{self.percentile(operation, share) * 1000:9.1f}" for share in (0.5, 0.9, 0.99, 1))
            lines.append(f"  {operation:14}{len(times):9}{len(times) / seconds:10.1f}{shown}")
        wrong = sum(self.wrong.values())
        lines.append(
            f"  errors: {wrong}" + "".join(f"\n    {count} {what}" for what, count in self.wrong.most_common(8))
        )
        return "\n".join(lines)
