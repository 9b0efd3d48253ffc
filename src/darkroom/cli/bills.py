"""How a bill is shown: columns for people, JSON and CSV for programs, a chart."""

from __future__ import annotations

import csv
import math
import sys
from typing import TYPE_CHECKING

import typer

from darkroom.cli.output import print_columns
from darkroom.cost.eager import TERMS, grid
from darkroom.cost.levers import levers
from darkroom.cost.numbers import amount, entries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.cost.bill import Bill
    from darkroom.cost.eager import Cell
    from darkroom.cost.numbers import Numbers
    from darkroom.cost.prices import Prices
    from darkroom.cost.scenario import Scenario

_NOTABLE_MONTHS = frozenset((1, 2, 3, 6, 9, 12, 24, 36))


def print_bill(scenario: Scenario, prices: Prices, itemised: Bill, months: Sequence[Bill]) -> None:
    """Print a month item by item, and the sums of some others."""
    typer.echo(
        f"{scenario.name}: {scenario.uploads:,.0f} uploads and {scenario.views:,.0f} views a month in {prices.region}, "
        f"prices of {prices.date}, US dollars before tax\n"
    )
    rows = [
        (line.service, line.item, f"{amount(line.quantity)} {line.unit}", amount(line.free), f"{line.dollars:,.2f}")
        for line in itemised.lines
    ]
    rows.append((f"month {itemised.month}", "", "", "", f"{itemised.total:,.2f}"))
    print_columns(("SERVICE", "FOR", "QUANTITY", "OF IT FREE", "DOLLARS"), rows)
    typer.echo("")
    shown = [one for one in months if one.month in _NOTABLE_MONTHS | {itemised.month}]
    print_columns(tuple(f"MONTH {one.month}" for one in shown), [tuple(f"{one.total:,.2f}" for one in shown)])


def print_levers(scenario: Scenario, prices: Prices, month: int) -> None:
    """Print what would change the bill, the largest saving first."""
    typer.echo("")
    rows = [(lever.about, f"{lever.total:,.2f}", f"{lever.saving:,.2f}") for lever in levers(scenario, prices, month)]
    print_columns(("WITH", f"MONTH {month}", "SAVED"), rows)


def print_eager(scenario: Scenario, prices: Prices) -> None:
    """Print the bill by the pictures that are made at once and the terms that an image is found under."""
    typer.echo("")
    by_choice: dict[str, list[Cell]] = {}
    for cell in grid(scenario, prices):
        by_choice.setdefault(cell.choice.about, []).append(cell)
    rows = [
        (
            about,
            f"{cells[0].choice.stored / 1e3:,.0f} kB",
            f"{cells[0].choice.viewed / 1e3:,.1f} kB",
            *(f"{cell.first:,.2f} / {cell.twelfth:,.2f}" for cell in cells),
        )
        for about, cells in by_choice.items()
    ]
    titles = (f"{terms} TERMS, MONTH 1 / 12" for terms in TERMS)
    print_columns(("EAGER OBJECTS", "KEPT", "A VIEW", *titles), rows)


def print_assumptions(*sets: Numbers) -> None:
    """Print every number of an estimate with its source."""
    typer.echo("")
    rows = [
        (name, amount(getattr(each, name)), entry.unit, entry.about, each.source_of(name))
        for each in sets
        for name, entry in entries(type(each)).items()
    ]
    print_columns(("NUMBER", "VALUE", "UNIT", "WHICH", "SOURCE"), rows)


def assumptions_as_json(*sets: Numbers) -> dict[str, object]:
    """Return every number of an estimate with its source as JSON knows it, what has no end as ``null``."""
    return {
        name: {
            "value": value if math.isfinite(value := getattr(each, name)) else None,
            "unit": entry.unit,
            "about": entry.about,
            "source": each.source_of(name),
        }
        for each in sets
        for name, entry in entries(type(each)).items()
    }


def print_months(months: Sequence[Bill]) -> None:
    """Print every line of every month as CSV."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(("month", "service", "item", "price", "quantity", "unit", "free", "usd"))
    for one in months:
        for line in one.lines:
            row = (one.month, line.service, line.item, line.price, line.quantity, line.unit, line.free)
            writer.writerow((*row, round(line.dollars, 6)))


def as_json(
    scenario: Scenario, prices: Prices, itemised: Bill, months: Sequence[Bill], *, compare: bool, eager: bool
) -> dict[str, object]:
    """Return the whole estimate as JSON knows it."""
    found: dict[str, object] = {
        "preset": scenario.name,
        "region": prices.region,
        "prices_of": prices.date,
        "month": itemised.month,
        "usd": round(itemised.total, 6),
        "lines": [
            {
                "service": line.service,
                "item": line.item,
                "price": line.price,
                "quantity": line.quantity,
                "unit": line.unit,
                "free": line.free,
                "usd": round(line.dollars, 6),
            }
            for line in itemised.lines
        ],
        "months": [{"month": one.month, "usd": round(one.total, 6)} for one in months],
        "assumptions": assumptions_as_json(scenario),
    }
    if compare:
        found["levers"] = [
            {"with": lever.about, "usd": round(lever.total, 6), "saving": round(lever.saving, 6)}
            for lever in levers(scenario, prices, itemised.month)
        ]
    if eager:
        found["eager"] = [
            {
                "objects": len(cell.choice.pictures),
                "about": cell.choice.about,
                "terms": cell.terms,
                "stored_bytes": cell.choice.stored,
                "view_bytes": cell.choice.viewed,
                "usd_month_1": round(cell.first, 6),
                "usd_month_12": round(cell.twelfth, 6),
            }
            for cell in grid(scenario, prices)
        ]
    return found
