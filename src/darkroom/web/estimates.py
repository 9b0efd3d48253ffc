"""What the page of the bill shows: an estimate for what its form asks, as ``darkroom cost`` works it out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from darkroom.cost.bill import Bill, bill, bills
from darkroom.cost.drawing import drawn
from darkroom.cost.eager import grid
from darkroom.cost.levers import levers
from darkroom.cost.measured import from_running
from darkroom.cost.numbers import GIVEN, entries
from darkroom.cost.presets import PEOPLE, PRESETS, preset, with_people
from darkroom.cost.prices import Prices, load_prices
from darkroom.cost.scenario import Scenario
from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REGION = "ap-southeast-1"
NOTABLE_MONTHS = (1, 2, 3, 6, 9, 12, 24, 36)


@dataclass(frozen=True, slots=True)
class Field:
    """What people are asked: its name, the question, and what one in the form is in the scenario's unit."""

    name: str
    about: str
    unit: float = 1.0


FIELDS = (
    Field("users", "People a day"),
    Field("uploaders", "Of 100 of them, how many upload", 0.01),
    Field("images", "Images a day, of each who uploads"),
    Field("views", "Pictures a day, that each other looks at"),
    Field("upload_bytes", "kB of an original", 1_000),
    Field("view_bytes", "kB of a picture that is looked at", 1_000),
    Field("kept", "Months an image is kept; empty for ever"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What was asked for, worked out."""

    scenario: Scenario
    prices: Prices
    month: int
    itemised: Bill
    months: tuple[Bill, ...]


def form(given: Mapping[str, str]) -> dict[str, Any]:
    """Return what the form of the page asks, and what was answered to it."""
    return {"asked": given, "fields": FIELDS, "presets": tuple(PRESETS), "values": given}


def report(found: Estimate) -> dict[str, Any]:
    """Return what the page says of an estimate."""
    return {
        "values": values_of(found.scenario),
        "notable": [one for one in found.months if one.month in {*NOTABLE_MONTHS, found.month}],
        "levers": levers(found.scenario, found.prices, found.month),
        "cells": grid(found.scenario, found.prices),
        "entries": entries(Scenario),
    }


def chart(found: Estimate) -> str:
    """Return the drawing of an estimate."""
    return drawn(found.scenario, found.prices, found.months)


def estimate(given: Mapping[str, str], counted: Callable[[], str]) -> Estimate:
    """Return what a form asks for; ``counted`` is asked when it wants what this service has counted.

    Raises ``InvalidRequest``, ``BadConfiguration`` with a sentence for people, and what ``counted`` raises.
    """
    known = {field.name for field in FIELDS} | {"preset", "region", "month", "days"}
    for name in given:
        if name not in known:
            msg = f"{name[:60]} is nothing that is asked here; {', '.join(sorted(known))} are"
            raise InvalidRequest(msg)
    scenario = preset(given.get("preset", "darkroom"))
    if "days" in given:
        days = _number("days", given["days"])
        scenario = from_running(scenario, counted(), days)
    people = {
        field.name: _number(field.name, given[field.name]) * field.unit for field in FIELDS if field.name in given
    }
    scenario = with_people(scenario, GIVEN, people)
    prices = load_prices(given.get("region", REGION))
    month = _number("month", given.get("month", "12"))
    if month != int(month):
        raise InvalidRequest("month must be a whole number")
    itemised = bill(scenario, prices, int(month))
    months = bills(scenario, prices, max(itemised.month, 12))
    return Estimate(scenario=scenario, prices=prices, month=itemised.month, itemised=itemised, months=months)


def values_of(scenario: Scenario) -> dict[str, str]:
    """Return what the fields of the form show for a scenario."""
    found = {field.name: getattr(scenario, PEOPLE[field.name]) / field.unit for field in FIELDS}
    return {name: f"{value:.6g}" for name, value in found.items() if math.isfinite(value)}


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        msg = f"{name} must be a number, not {text[:40]}"
        raise InvalidRequest(msg)
    return value
