"""The page that estimates the bill of the AWS deployment. It says the same as ``darkroom cost``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from darkroom.errors import BadConfiguration, InvalidRequest
from darkroom.web.gallery import parameters_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.web.pages import Pages


def cost_routes(pages: Pages, exposition: Callable[[], str] | None) -> APIRouter:
    """Return the routes; ``exposition`` returns what this service has counted, as text, where it knows."""
    # Prices and forecasts are loaded with the first page that shows them: a function that starts does without.
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
        from darkroom.web import estimates  # noqa: PLC0415 # as said above

        pages.reads(request)
        given = dict(parameters_of(request.query_params.multi_items()))
        shown = estimates.form(given) | {"query": urlencode(given), "counts": exposition is not None}
        try:
            found = estimates.estimate(given, figures(request))
        except (InvalidRequest, BadConfiguration) as error:
            return pages.page(request, "cost.html", 422, problem=error.detail, found=None, **shown)
        return pages.page(request, "cost.html", problem=None, found=found, **shown | estimates.report(found))

    @router.get("/cost/chart.svg")
    @pages.shown
    def get_chart(request: Request) -> Response:
        from darkroom.web import estimates  # noqa: PLC0415 # as said above

        pages.reads(request)
        found = estimates.estimate(dict(parameters_of(request.query_params.multi_items())), figures(request))
        headers = {"cache-control": "no-store", **pages.renderer.headers}
        return Response(estimates.chart(found), media_type="image/svg+xml", headers=headers)

    return router
