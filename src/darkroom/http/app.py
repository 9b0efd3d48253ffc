"""The API as one ASGI app over ``Service``: routes, problems, guards and the journal put together."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from darkroom import __version__
from darkroom.errors import DarkroomError
from darkroom.http.about import about_routes
from darkroom.http.authority import Authority
from darkroom.http.bounded import BoundedBodies
from darkroom.http.bulk import bulk_routes
from darkroom.http.cross_origin import CrossOrigin
from darkroom.http.documents import Problem
from darkroom.http.guard import LocalOnly
from darkroom.http.images import image_routes
from darkroom.http.journal import Journal
from darkroom.http.keys import key_routes
from darkroom.http.labels import label_routes
from darkroom.http.limits import limit_routes
from darkroom.http.lingering import Lingering
from darkroom.http.originals import original_routes
from darkroom.http.problems import PROBLEM_TYPE, PROTOCOL_CODES, problem, raw_problem
from darkroom.http.signing import signing_routes
from darkroom.http.similar import similar_routes
from darkroom.http.uploads import upload_routes
from darkroom.http.waiting import POLL_SECONDS, Waiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from darkroom.access import Access, Rate, Rates
    from darkroom.access.signing import Secrets
    from darkroom.figures import Figures
    from darkroom.http.originals import Elsewhere
    from darkroom.http.reception import Reception
    from darkroom.service import Service

log = logging.getLogger("darkroom.errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """What the API has to know besides its service."""

    keys: bool
    allowed_origins: tuple[str, ...]
    base_url: str
    """Where the API is, for whoever is told to call it again."""
    delivery_url: str
    rate: Rate | None = None
    """How often a key may call that has no rate of its own; ``None``: as often as it likes."""
    srcset_widths: tuple[int, ...] = ()
    exposition: Callable[[], tuple[bytes, str]] | None = None
    """Gives body and content type of ``/metrics``; ``None`` where figures are kept elsewhere."""
    poll_seconds: float = POLL_SECONDS
    """Between two looks at an image that somebody waits for."""
    original_elsewhere: Elsewhere | None = None
    """For originals that are too long to be answered from here; ``None`` where none is."""


STREAMING = frozenset({("POST", "/v1/images"), ("POST", "/add")})
"""Where a body is a picture, which goes to the disk."""
WITHOUT_KEY = frozenset({"/healthz", "/v1/uploads/{id}/complete"})
PROBLEM_ANSWER: dict[str, Any] = {
    "description": "A problem (RFC 9457); its `code` is stable, its `detail` says what to do.",
    "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def create_api(
    service: Service,
    access: Access,
    secrets: Secrets | None,
    rates: Rates,
    reception: Reception,
    options: ApiOptions,
    *,
    pages: Callable[[Authority], APIRouter] | None = None,
    on_stop: Callable[[], None] = lambda: None,
) -> FastAPI:
    """Return the routes alone; ``front`` guards them. ``on_stop`` is called when the server stops.

    ``pages`` makes the routes of what people see, if they are to be there.

    Without ``secrets`` nothing is signed: for a deployment that makes nothing on demand.
    """

    @asynccontextmanager
    async def lifespan(_api: FastAPI) -> AsyncIterator[None]:
        yield
        on_stop()

    api = FastAPI(
        title="Darkroom",
        version=__version__,
        summary="Upload, variants, metadata, search and delivery of images.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={"4XX": PROBLEM_ANSWER, "5XX": PROBLEM_ANSWER},
        separate_input_output_schemas=False,
    )
    authority = Authority(access if options.keys else None, rates, options.rate)
    waiting = Waiting(service.catalog.get_many, poll_seconds=options.poll_seconds)
    routers = [
        image_routes(service, authority, waiting, reception, options.delivery_url),
        upload_routes(service, authority, options.base_url),
        original_routes(service, authority, options.original_elsewhere),
        label_routes(service, authority),
        bulk_routes(service, authority),
        similar_routes(service, authority, options.delivery_url),
        key_routes(access, authority),
        limit_routes(service, authority),
        about_routes(service, authority, options.exposition),
    ]
    if secrets is not None:
        routers.append(signing_routes(service, secrets, authority, options.delivery_url, options.srcset_widths))
    if pages is not None:
        routers.append(pages(authority))
    for router in routers:
        api.include_router(router)
    api.state.routes = [route for router in routers for route in router.routes]
    _describe(api, keys=options.keys)
    api.add_exception_handler(DarkroomError, _darkroom_error)
    api.add_exception_handler(RequestValidationError, _invalid_request)
    api.add_exception_handler(HTTPException, _protocol_error)
    api.add_exception_handler(Exception, _mistake)
    return api


def front(api: ASGIApp, doors: Mapping[str, ASGIApp], options: ApiOptions, figures: Figures) -> ASGIApp:
    """Return the API with ``doors`` (apps by the prefix of their paths) beside it, guarded and written down."""
    app: ASGIApp = Doors(BoundedBodies(api, streaming=STREAMING), doors)
    app = CrossOrigin(Lingering(app), origins=options.allowed_origins, prefixes=("/v1/", *doors))
    if not options.keys:
        app = LocalOnly(app, allowed_origins=options.allowed_origins)
    return Journal(app, figures=figures)


class Doors:
    """Hands a request to the app whose prefix its path has, and everything else to the API."""

    def __init__(self, api: ASGIApp, doors: Mapping[str, ASGIApp]) -> None:
        self._api = api
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            for prefix, door in self._doors.items():
                if scope["path"].startswith(prefix):
                    scope["route"] = Door(prefix)
                    await door(scope, receive, send)
                    return
        await self._api(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Door:
    """What the journal calls a request that came through a door."""

    path: str


def _describe(api: FastAPI, *, keys: bool) -> None:
    original = api.openapi

    def openapi() -> dict[str, Any]:
        if api.openapi_schema is None:
            document = original()
            schemas = document["components"]["schemas"]
            schemas["Problem"] = Problem.model_json_schema()
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            if keys:
                document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
            for path, operations in document["paths"].items():
                for operation in operations.values():
                    operation["responses"].pop("422", None)
                    operation["summary"] = operation["description"].partition(":")[0].rstrip(".")
                    if keys and path not in WITHOUT_KEY:
                        operation["security"] = [{"key": []}]
            api.openapi_schema = document
        return api.openapi_schema

    api.openapi = openapi  # type: ignore[method-assign]  # the way FastAPI documents it


def _answer(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> Response:
    response = Response(body, status)
    response.raw_headers = headers
    return response


async def _darkroom_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, DarkroomError)
    return _answer(*problem(error))


async def _invalid_request(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    sentences = [_sentence(found) for found in error.errors()[:5]]
    return _answer(*raw_problem(422, "invalid-request", "; ".join(sentences)))


def _sentence(found: dict[str, Any]) -> str:
    place = [str(part) for part in found["loc"] if part not in {"query", "body", "path"}]
    message = found["msg"].removeprefix("Value error, ")
    if found["type"] == "json_invalid":
        return "the body is no valid JSON"
    if found["type"] == "extra_forbidden":
        message = "is not known here; /docs lists what is"
    return f"{'.'.join(place)[:100] or 'the body'}: {message}"


async def _protocol_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, DarkroomError):  # raised while the body was read
        return _answer(*problem(error.__cause__))
    if error.status_code == 400:
        return _answer(*raw_problem(422, "invalid-request", "the body cannot be parsed; send plain JSON"))
    headers = {"allow": ", ".join(sorted(_methods(request)))} if error.status_code == 405 else {}
    code = PROTOCOL_CODES.get(error.status_code, "invalid-request")
    detail = error.detail
    if error.status_code == 404:
        detail = "there is nothing at this address; /docs lists what there is"
    elif error.status_code == 405:
        detail = f"this address takes {headers['allow']}, not {request.method}"
    return _answer(*raw_problem(error.status_code, code, detail, headers))


def _methods(request: Request) -> set[str]:
    """Return the methods of all routes that have this path; the framework names only those of the first."""
    matching = (route for route in request.app.state.routes if route.matches(request.scope)[0] is not Match.NONE)
    return {method for route in matching for method in getattr(route, "methods", None) or ()}


async def _mistake(request: Request, error: Exception) -> Response:
    log.error("mistake", extra={"path": request.url.path[:200]}, exc_info=error)
    return _answer(*raw_problem(500, "internal", "something went wrong on our side; it has been written down"))
