"""Unit prices of one region, read from a file that can be replaced by a newer one."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from darkroom.errors import BadConfiguration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

GIB = 2**30

# Where the regions are (degrees north and east), to name the nearest one with known prices.
_PLACES = {
    "af-south-1": (-34, 18), "ap-east-1": (22, 114), "ap-northeast-1": (36, 140), "ap-northeast-2": (37, 127),
    "ap-northeast-3": (35, 135), "ap-south-1": (19, 73), "ap-south-2": (17, 78), "ap-southeast-1": (1, 104),
    "ap-southeast-2": (-34, 151), "ap-southeast-3": (-6, 107), "ap-southeast-4": (-38, 145), "ca-central-1": (45, -74),
    "ca-west-1": (51, -114), "eu-central-1": (50, 9), "eu-central-2": (47, 9), "eu-north-1": (59, 18),
    "eu-south-1": (45, 9), "eu-south-2": (40, -4), "eu-west-1": (53, -6), "eu-west-2": (51, 0), "eu-west-3": (49, 2),
    "il-central-1": (32, 35), "me-central-1": (24, 54), "me-south-1": (26, 51), "sa-east-1": (-24, -47),
    "us-east-1": (39, -77), "us-east-2": (40, -83), "us-west-1": (37, -122), "us-west-2": (46, -120),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit of one thing costs, in US dollars before tax.

    ``tiers`` are (how many units, dollars each), in their order; the last one has no end (infinite). ``free`` units a
    month come before the first.
    """

    key: str
    unit: str
    tiers: tuple[tuple[float, float], ...]
    free: float
    source: str
    as_of: str
    confidence: str

    def dollars(self, quantity: float, *, free_tier: bool = True) -> tuple[float, float]:
        """Return how many of ``quantity`` units are free, and what the rest costs."""
        free = min(quantity, self.free) if free_tier else 0.0
        left, total = quantity - free, 0.0
        for size, each in self.tiers:
            part = min(left, size)
            total += part * each
            left -= part
        return free, total


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A flat-rate plan of the CDN: dollars a month for so many requests and GiB, with S3 storage included."""

    name: str
    usd: float
    requests: float
    gib: float
    s3_gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price file as far as one region goes."""

    date: str
    region: str
    prices: Mapping[str, Price]
    plans: tuple[Plan, ...]

    def __getitem__(self, key: str) -> Price:
        """Return the price under ``key``. Raises ``BadConfiguration`` when the file does not have it."""
        try:
            return self.prices[key]
        except KeyError:
            msg = f"the price file of {self.date} has no price {key!r} for {self.region}; add it, or use another file"
            raise BadConfiguration(msg) from None


def load_prices(region: str, path: Path | None = None) -> Prices:
    """Read the prices of a region from ``path``, or from the file that comes with the service.

    Raises ``BadConfiguration`` for a file that is none, and for a region it does not know, with the nearest it knows.
    """
    try:
        text = path.read_text("utf-8") if path else (resources.files(__package__) / "prices.json").read_text("utf-8")
        told = json.loads(text)
        regions = _table(told["regions"], "regions")
        date = str(told["date"])
    except OSError as error:
        msg = f"the price file {path} cannot be read: {error.strerror}"
        raise BadConfiguration(msg) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        msg = f"{path or 'the price file'} is no price file: it is JSON with a date and regions; {_reason(error)}"
        raise BadConfiguration(msg) from error
    if region not in regions:
        raise BadConfiguration(_unknown(region, list(regions)))
    try:
        of_it = _table(regions[region], region)
        found = {key: _price(key, _table(one, key)) for key, one in _table(of_it["prices"], "prices").items()}
        plans = tuple(_plan(_table(one, "a plan")) for one in of_it.get("plans", ()))
    except (KeyError, TypeError, ValueError) as error:
        msg = f"the price file of {date} is damaged at {region}: {_reason(error)}"
        raise BadConfiguration(msg) from error
    return Prices(date=date, region=region, prices=found, plans=plans)


def _price(key: str, told: Mapping[str, Any]) -> Price:
    steps = told["tiers"] if "tiers" in told else [[None, told["usd"]]]
    tiers = tuple(
        (math.inf if size is None else _number(size, f"{key}: units of a tier"), _number(usd, f"{key}: dollars"))
        for size, usd in steps
    )
    if not tiers or tiers[-1][0] != math.inf or any(size <= 0 for size, _ in tiers):
        msg = f"{key}: each tier has units and dollars, and the last one has null units"
        raise ValueError(msg)
    free = _number(told.get("free", 0), f"{key}: free")
    return Price(
        key=key,
        unit=str(told["unit"]),
        tiers=tiers,
        free=free,
        source=str(told["source"]),
        as_of=str(told["as_of"]),
        confidence=str(told["confidence"]),
    )


def _plan(told: Mapping[str, Any]) -> Plan:
    name = str(told["name"])
    usd, requests, gib, s3_gib = (
        _number(told[key], f"{key} of the plan {name}") for key in ("usd", "requests", "gib", "s3_gib")
    )
    return Plan(name=name, usd=usd, requests=requests, gib=gib, s3_gib=s3_gib)


def _table(told: object, name: str) -> Mapping[str, Any]:
    if not isinstance(told, dict):
        msg = f"{name} must be a JSON object"
        raise TypeError(msg)
    return told


def _number(told: object, name: str) -> float:
    if isinstance(told, bool) or not isinstance(told, int | float) or not 0 <= told < math.inf:
        msg = f"{name} must be a number that is not negative, not {told!r}"
        raise ValueError(msg)
    return float(told)


def _reason(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _unknown(region: str, known: list[str]) -> str:
    names = ", ".join(sorted(known))
    if region not in _PLACES:
        return f"{region!r} is no region this knows; prices are known for: {names}"
    located = [name for name in known if name in _PLACES]
    if not located:
        return f"no prices are known for {region}; they are for: {names}"
    nearest = min(located, key=lambda name: _distance(_PLACES[region], _PLACES[name]))
    return f"no prices are known for {region}; the nearest region with prices is {nearest} (known: {names})"


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the angle between two places on the globe (haversine formula)."""
    (north, east), (north2, east2) = (tuple(map(math.radians, place)) for place in (one, other))
    half = math.sin((north2 - north) / 2) ** 2 + math.cos(north) * math.cos(north2) * math.sin((east2 - east) / 2) ** 2
    return math.asin(math.sqrt(half))
