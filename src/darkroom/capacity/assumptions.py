"""What a capacity estimate begins from, besides the workload: how people look, how much comes at once, what is set."""

from __future__ import annotations

from dataclasses import dataclass

from darkroom.cost.numbers import ASSUMED, Numbers, number

TEMPLATE = "infra/template.yaml"
BREW = "measured on web proxies: 0.64 to 0.83 (Breslau and others, Web Caching and Zipf-like Distributions, 1999)"
UNITS = "bench/dynamodb.py"
PHOTOS = "popularity falls with age by a power law (Huang and others, An Analysis of Facebook Photo Caching, 2013)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions(Numbers):
    """Everything that is not the workload itself."""

    # How people look at pictures.
    zipf: float = number(0.8, "exponent", "of the popularity of images by their rank", most=0.99, source=BREW)
    new_hours: float = number(
        1, "hours", "of age, added to which the age divides how often an image is viewed", least=0.01, source=PHOTOS
    )
    life_days: float = number(365, "days", "in which an image has its views", least=1, most=36_500, source=ASSUMED)
    small_share: float = number(0.6, "share", "of the views is of small pictures", most=1, source=ASSUMED)
    medium_share: float = number(0.3, "share", "of the views is of medium pictures", most=1, source=ASSUMED)
    modern_share: float = number(0.93, "share", "of the views is by readers that take AVIF", most=1, source=ASSUMED)
    home_share: float = number(0.5, "share", "of an image's views is where it was uploaded", most=1, source=ASSUMED)
    skew: float = number(0.8, "exponent", "of how much edge locations are used by their rank", most=3, source=ASSUMED)

    # The edge.
    locations: float = number(
        0, "edge locations", "are used; 0: 3 times the square root of the scale, 600 at most", most=600, source=ASSUMED
    )
    regional: float = number(
        13,
        "regional caches",
        "there are at most, one for ten locations in use",
        least=1,
        most=100,
        source="CloudFront's feature page: 13 regional edge caches, over 600 locations",
    )
    edge_hours: float = number(
        24, "hours", "that an edge location keeps what nobody asks for", least=0, most=8_760, source=ASSUMED
    )
    regional_hours: float = number(
        168, "hours", "that a regional cache keeps what nobody asks for", least=0, most=8_760, source=ASSUMED
    )
    edge_gib: float = number(
        500, "GiB", "that an edge location has room for, of ours", least=0.001, most=1e9, source=ASSUMED
    )
    regional_gib: float = number(
        5_000, "GiB", "that a regional cache has room for, of ours", least=0.001, most=1e9, source=ASSUMED
    )

    # How much comes at once.
    peak: float = number(3, "times", "the mean of a day is its peak", least=1, most=100, source="issue: peak is 3×")
    burst: float = number(10, "times", "the mean is a burst of uploads, at the peak", least=1, most=1e4, source=ASSUMED)
    burst_minutes: float = number(10, "minutes", "that a burst lasts", least=0, most=720, source=ASSUMED)
    calls: float = number(2, "calls", "of the API for an upload: opened, and looked at when ready", source=ASSUMED)
    owner_share: float = number(
        1, "share", "of the uploads is of the largest owner: one application is one owner", most=1, source=ASSUMED
    )
    purged_share: float = number(
        0.01, "share", "of the uploads is deleted or changed later, and purged", most=1, source=ASSUMED
    )

    # What is set, and what one thing takes.
    api_rate: float = number(100, "requests a second", "that ApiRate lets through", least=1, source=TEMPLATE)
    transforms: float = number(
        100, "functions", "that render at a time at most (prod)", least=2, most=1_000, source=TEMPLATE
    )
    account: float = number(
        1_000,
        "functions",
        "that an account may run at a time",
        least=10,
        most=1e6,
        source="Lambda's quotas, default; a new account may have fewer, more are given on request",
    )
    shards: float = number(
        1, "shards", "of the largest owner's search entries", least=1, most=1e6, source="decision 025"
    )
    call_seconds: float = number(0.1, "seconds", "the API function takes for a call", most=29, source=ASSUMED)
    purge_seconds: float = number(
        60, "seconds", "that CloudFront works on an invalidation", least=1, most=3_600, source=ASSUMED
    )
    swept: float = number(
        10_000,
        "objects a second",
        "that a sweep goes over",
        least=1,
        source="bench/sweep.py: 17,000 to 25,900 on one processor with a folder; the function has 0.58 of one",
    )
    sweep_seconds: float = number(870, "seconds", "that one sweep may take", least=1, most=870, source=TEMPLATE)

    # What an upload writes to the database, in units, by where it is written.
    counter_units: float = number(2, "units", "that an upload writes to its owner's counters", source=UNITS)
    state_units: float = number(2, "units", "that an upload writes under state:awaiting", source=UNITS)
    tag_units: float = number(3, "units", "that an upload writes to its owner's list of tags", source=UNITS)
    image_units: float = number(3, "units", "that an upload writes to its image's item", source=UNITS)
    image_keys: float = number(64, "keys", "that images are divided among", least=1, source="decision 024")

    def locations_at(self, scale: float) -> int:
        """Return how many edge locations are used at so many times the workload."""
        return round(self.locations) or max(3, min(600, round(3 * scale**0.5)))
