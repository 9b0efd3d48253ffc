"""What would change the bill: one thing at a time, each against the same scenario."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.cost.bill import bill
from darkroom.cost.prices import GIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.cost.bill import Bill
    from darkroom.cost.prices import Plan, Prices
    from darkroom.cost.scenario import Scenario

CLOUDFLARE_FROM_VIEWS = 100e6
CLOUDFLARE_PLAN = 25.0
"""Dollars a month for a paid plan of the other CDN, assumed from that many views a month on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """A change and what the month would cost with it, in US dollars; ``saving`` is negative when it costs more."""

    about: str
    total: float
    saving: float


def levers(scenario: Scenario, prices: Prices, month: int) -> tuple[Lever, ...]:
    """Return every lever that changes anything, the largest saving first."""
    before = bill(scenario, prices, month).total
    found = [Lever(about=about, total=total, saving=before - total) for about, total in _tried(scenario, prices, month)]
    return tuple(sorted((lever for lever in found if lever.saving), key=lambda lever: -lever.saving))


def _tried(it: Scenario, prices: Prices, month: int) -> Iterator[tuple[str, float]]:
    def changed(**numbers: float) -> float:
        return bill(it.with_numbers("a lever", **numbers), prices, month).total

    objects = max(1.0, it.puts - 1)
    fewer = (objects - 1) / objects
    yield (
        "one stored object less for each image",
        changed(puts=it.puts - 1 if objects > 1 else it.puts, stored_bytes=it.stored_bytes * fewer or it.stored_bytes),
    )
    yield "all variants of an image packed into one object (two puts)", changed(puts=min(it.puts, 2))
    yield (
        "uploads straight to the bucket by signed url",
        changed(api_units=min(it.api_units, 1), upload_seconds=min(it.upload_seconds, 0.02)),
    )
    yield "functions on arm64", changed(arm=1)
    yield "an error page of the CDN instead of Lambda@Edge", changed(edge_function=0)
    yield "97 % of the views answered by the edge", changed(hit_rate=max(it.hit_rate, 0.97))
    yield "clients keep what they have: 30 % fewer views", changed(views_each=it.views_each * 0.7)
    yield (
        "pictures 30 % smaller for 1.5 times the processing",
        changed(
            view_bytes=it.view_bytes * 0.7,
            stored_bytes=it.stored_bytes * 0.7,
            transform_seconds=it.transform_seconds * 1.5,
        ),
    )
    yield "copies of deleted images lapse at the edge, not purged", changed(purges=0)
    yield "a sweep a month", changed(sweeps=min(it.sweeps, 1))
    yield "no backup of the database for every moment", changed(backups=0)
    yield "no originals kept", changed(originals_kept=0)
    yield "images kept for a year", changed(kept_months=min(it.kept_months, 12))
    plans = [(plan, _with_plan(it, prices, month, plan)) for plan in prices.plans if plan.usd]  # the free one throttles
    if plans:
        best, total = min(plans, key=lambda pair: pair[1])
        yield f"the CDN's flat-rate plan {best.name}", total
    yield "variants in R2 behind another CDN", _elsewhere(it, prices, month)


def _without(whole: Bill, is_dropped: Callable[[str, str], bool]) -> float:
    return sum(line.dollars for line in whole.lines if not is_dropped(line.service, line.item))


def _with_plan(it: Scenario, prices: Prices, month: int, plan: Plan) -> float:
    """Return the bill with a flat-rate plan for one distribution; readers beyond it use another, paid by use.

    A plan knows no Lambda@Edge, and pays for so much S3 storage.
    """
    whole = bill(it, prices, month)
    rest = _without(whole, lambda service, item: service == "Lambda@Edge" or (service, item) in _BY_PLAN)
    carried = it.views * it.view_bytes / GIB
    left = 1 - min(1.0, plan.requests / max(1.0, it.views), plan.gib / max(1.0, carried))
    paid = prices["cloudfront.egress"].dollars(carried * left)[1]
    paid += prices["cloudfront.request"].dollars(it.views * left)[1]
    stored = next(line for line in whole.lines if line.item == "variants")
    credit = min(stored.dollars, prices["s3.storage"].dollars(min(plan.s3_gib, stored.quantity))[1])
    return rest + plan.usd + paid - credit


_BY_PLAN = {("CloudFront bytes", "to readers"), ("CloudFront requests", "from readers")}


_STAYS = {"originals", "results", "results' tags"}
"""What lies in S3 that is no variant."""


def _elsewhere(it: Scenario, prices: Prices, month: int) -> float:
    """Return the bill with the variants in Cloudflare's R2, read through its CDN, and the functions where they are.

    R2 counts begun GB and begun millions of requests. What the functions put there leaves AWS.
    """
    whole = bill(it, prices, month)
    dropped = {"Lambda@Edge", "S3 storage", "CloudFront bytes", "CloudFront requests"}
    rest = _without(
        whole,
        lambda service, item: (service in dropped and item not in _STAYS) or (service, item) == ("S3 requests", "put"),
    )
    misses = it.views * (1 - it.hit_rate)
    rest -= misses * prices["s3.get"].tiers[0][1]
    stored = next(line for line in whole.lines if line.item == "variants")
    put = it.uploads * max(0.0, it.puts - 1)
    rest += prices["s3.put"].dollars(it.uploads * min(1.0, it.puts))[1]
    rest += prices["r2.storage"].dollars(math.ceil(stored.quantity))[1]
    rest += prices["r2.write"].dollars(math.ceil(put / 1e6) * 1e6)[1]
    rest += prices["r2.read"].dollars(math.ceil(misses / 1e6) * 1e6)[1]
    rest += prices["internet.egress"].dollars(it.uploads * it.stored_bytes / GIB)[1]
    return rest + (CLOUDFLARE_PLAN if it.views > CLOUDFLARE_FROM_VIEWS else 0.0)
