"""The page that estimates the bill of the AWS deployment. It says the same as ``darkroom cost``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from darkroom.cost.bill import Bill, bill, bills
from darkroom.cost.drawing import drawn
from darkroom.cost.eager import grid
from darkroom.cost.levers import levers
from darkroom.cost.measured import from_running
from darkroom.cost.numbers import GIVEN, entries
from darkroom.cost.presets import PEOPLE, PRESETS, preset, with_people
from darkroom.cost.prices import Prices, load_prices
from darkroom.cost.scenario import Scenario
from darkroom.errors import BadConfiguration, InvalidRequest
from darkroom.web.gallery import parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from darkroom.web.pages import Pages

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


def cost_routes(pages: Pages, exposition: Callable[[], str] | None) -> APIRouter:
    """Return the routes; ``exposition`` returns what this service has counted, as text, where it knows."""
    router = APIRouter(include_in_schema=False)

    def figures(request: Request) -> Callable[[], str]:
        def counted() -> str:
            if exposition is None:
                raise InvalidRequest("this service does not keep what it has counted; leave the days empty")
            pages.administrates(request)
            return exposition()

        return counted

    @router.get("/cost")
    @pages.shown
    def get_cost(request: Request) -> Response:
        pages.reads(request)
        given = dict(parameters_of(request.query_params.multi_items()))
        shown: dict[str, Any] = {"asked": given, "fields": FIELDS, "presets": tuple(PRESETS), "query": urlencode(given)}
        shown["counts"] = exposition is not None
        try:
            found = estimate(given, figures(request))
        except (InvalidRequest, BadConfiguration) as error:
            return pages.page(request, "cost.html", 422, problem=error.detail, found=None, values=given, **shown)
        return pages.page(
            request,
            "cost.html",
            problem=None,
            found=found,
            values=values_of(found.scenario),
            notable=[one for one in found.months if one.month in {*NOTABLE_MONTHS, found.month}],
            levers=levers(found.scenario, found.prices, found.month),
            cells=grid(found.scenario, found.prices),
            entries=entries(Scenario),
            **shown,
        )

    @router.get("/cost/chart.svg")
    @pages.shown
    def get_chart(request: Request) -> Response:
        pages.reads(request)
        found = estimate(dict(parameters_of(request.query_params.multi_items())), figures(request))
        body = drawn(found.scenario, found.prices, found.months)
        return Response(
            body, media_type="image/svg+xml", headers={"cache-control": "no-store", **pages.renderer.headers}
        )

    return router


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
