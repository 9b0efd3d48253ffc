"""The routes of the pages. What they show and change goes through the same service as the API."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from darkroom.access import Scope
from darkroom.catalog.labels import LabelKind
from darkroom.errors import DarkroomError, InvalidRequest, NotFound, Unauthorized
from darkroom.http.problems import problem_headers, status_of
from darkroom.web.filters import offered
from darkroom.web.gallery import chips, everything, parameters_of, query_of, tidy, url_of
from darkroom.web.session import cookie_key, token_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from darkroom.access import Access
    from darkroom.http.authority import Authority
    from darkroom.model import Page
    from darkroom.service import Service
    from darkroom.web.gallery import Given
    from darkroom.web.rendering import Renderer

SUGGESTIONS = 100


class Pages:
    """What all pages need. Without ``access`` nobody has to sign in."""

    def __init__(self, service: Service, authority: Authority, access: Access | None, renderer: Renderer) -> None:
        self.service = service
        self.access = access
        self.renderer = renderer
        self._reader = authority.needs(Scope.READ)
        self._writer = authority.needs(Scope.WRITE)
        self._administrator = authority.needs(Scope.ADMIN)

    def reads(self, request: Request) -> str:
        """Return the owner whose images may be seen. Raises ``Unauthorized``, ``Forbidden``, ``RateLimited``."""
        return self._reader(request).owner

    def writes(self, request: Request) -> str:
        """Return the owner whose images may be changed; raises likewise."""
        return self._writer(request).owner

    def administrates(self, request: Request) -> str:
        """Return the owner of a key that may know what the whole service does; raises likewise."""
        return self._administrator(request).owner

    def page(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 # as below
        """Return a page."""
        key = cookie_key(request.scope["headers"])
        token = "" if key is None else token_of(key)
        return self.renderer.page(
            template,
            status,
            csrf=token,
            signed_in=key is not None,
            operates=Scope.ADMIN in getattr(request.state, "scopes", ()),
            here=request.url.path,
            **values,
        )

    def shown(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a route: what it raises is told on a page, and who has not signed in is asked to."""
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def answering(request: Request, **given: Any) -> Any:  # noqa: ANN401 # any route
                try:
                    return await function(request, **given)
                except DarkroomError as error:
                    return self._told(request, error)

            return answering

        @wraps(function)
        def answer(request: Request, **given: Any) -> Any:  # noqa: ANN401 # any route
            try:
                return function(request, **given)
            except DarkroomError as error:
                return self._told(request, error)

        return answer

    def _told(self, request: Request, error: DarkroomError) -> Response:
        if isinstance(error, Unauthorized) and self.access is not None:
            if request.method == "GET":
                wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(url_of("/signin", [("next", wanted)]), 303)
            return RedirectResponse("/signin", 303)
        status = status_of(error)
        answer = self.page(
            request, "error.html", status, title="That did not work", detail=error.detail, code=error.code
        )
        answer.headers.update(problem_headers(error))
        return answer


def page_routes(pages: Pages) -> APIRouter:
    """Return the routes of all pages."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{version}/{name}")
    def get_static(request: Request, version: str, name: str) -> Response:
        answer = pages.renderer.file(name, version, request.headers)
        if answer is None:
            raise NotFound("there is no such file")
        return answer

    @router.get("/")
    @pages.shown
    def get_gallery(request: Request) -> Response:
        owner = pages.reads(request)
        given = parameters_of(request.query_params.multi_items())
        clean = tidy(given)
        if len(clean) < len(request.query_params.multi_items()):
            # What a form leaves empty goes, so that the address can be sent to somebody.
            return RedirectResponse(url_of("/", clean), 303)
        values: dict[str, Any] = {"given": clean, "images": (), "chips": (), "search": "", "following": None}
        status, problem = 200, None
        try:
            found = pages.service.search(query_of(owner, clean))
            values |= {"images": found.items, "chips": chips(clean), "following": _following(clean, found)}
            values["search"] = everything(clean, pages.service.clock())
        except InvalidRequest as error:
            status, problem = status_of(error), error.detail
        return pages.page(
            request,
            "gallery.html",
            status,
            problem=problem,
            first=url_of("/", [(name, value) for name, value in clean if name != "cursor"]),
            asked=dict(clean),
            offer=offered(values["images"]),
            continued=any(name == "cursor" for name, _ in clean),
            tags=pages.service.labels(owner, LabelKind.TAG, limit=SUGGESTIONS).items,
            albums=pages.service.labels(owner, LabelKind.ALBUM, limit=SUGGESTIONS).items,
            **values,
        )

    @router.get("/images/{image_id}/tile")
    @pages.shown
    def get_tile(request: Request, image_id: str) -> Response:
        return pages.page(request, "one_tile.html", image=pages.service.image(pages.reads(request), image_id))

    return router


def _following(given: Given, found: Page) -> str | None:
    if found.next is None:
        return None
    return url_of("/", [*((name, value) for name, value in given if name != "cursor"), ("cursor", found.next)])
