"""Reads what ``/metrics`` shows, with the parser of Prometheus's own client."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families


def samples(body: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return each number shown by its name and labels; a series that is shown twice fails."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            series = sample.name, frozenset(sample.labels.items())
            assert series not in found, f"{series} is shown twice"
            found[series] = sample.value
    return found


def total(body: bytes, name: str, **labels: str) -> float:
    """Return the sum of the numbers of this name that have these labels, whatever others they have."""
    return sum(
        value for (shown, given), value in samples(body).items() if shown == name and set(labels.items()) <= given
    )
