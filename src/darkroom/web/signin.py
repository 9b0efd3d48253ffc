"""The page where people sign in with a key, and the way out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from darkroom.web.session import sign_in, sign_out

if TYPE_CHECKING:
    from darkroom.web.pages import Pages


def signin_routes(pages: Pages) -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/signin")
    @pages.shown
    def get_signin(request: Request) -> Response:
        if pages.access is None:
            return RedirectResponse("/", 303)
        return pages.page(request, "signin.html", refused=False, wanted=_own(request.query_params.get("next")))

    @router.post("/signin")
    @pages.shown
    async def post_signin(request: Request) -> Response:
        if pages.access is None:
            return RedirectResponse("/", 303)
        form = await request.form(max_files=0, max_fields=10, max_part_size=4096)
        key, wanted = str(form.get("key", "")).strip(), _own(str(form.get("next", "")))
        if not key.isascii() or not key.isprintable() or pages.access.identify(key) is None:
            return pages.page(request, "signin.html", 401, refused=True, wanted=wanted)
        answer = RedirectResponse(wanted, 303)
        sign_in(request, answer, key)
        return answer

    @router.post("/signout")
    def post_signout(request: Request) -> Response:
        answer = RedirectResponse("/signin", 303)
        sign_out(request, answer)
        return answer

    return router


def _own(path: str | None) -> str:
    """Return a path of this service to go to, and none of anybody else's."""
    return path if path and path.startswith("/") and not path.startswith(("//", "/\\")) and "\\" not in path else "/"
