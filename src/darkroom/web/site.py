"""All pages put together: what a deployment shows at ``/``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.web.adding import adding_routes
from darkroom.web.costs import cost_routes
from darkroom.web.one import image_page_routes
from darkroom.web.operator import operator_routes
from darkroom.web.pages import Pages, page_routes
from darkroom.web.playground import playground_routes
from darkroom.web.selection import selection_routes
from darkroom.web.signin import signin_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import APIRouter

    from darkroom.access import Access
    from darkroom.http.authority import Authority
    from darkroom.http.reception import Reception
    from darkroom.http.signing import Signer
    from darkroom.service import Service
    from darkroom.web.rendering import Renderer


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the pages of a deployment stand on."""

    service: Service
    access: Access | None
    """``None`` while keys are switched off: then nobody has to sign in."""
    renderer: Renderer
    reception: Reception
    """Takes in what comes by a form."""
    signer: Signer
    """Signs addresses of transformations."""
    counted: Callable[[], str] | None
    """Returns what the service has counted, in Prometheus's words; ``None`` where figures are kept elsewhere."""

    elsewhere: str = ""
    """A sentence that says where an operator finds what pages cannot know here."""

    def routes(self, authority: Authority) -> APIRouter:
        """Return the routes of all pages."""
        pages = Pages(self.service, authority, self.access, self.renderer)
        router = page_routes(pages)
        router.include_router(image_page_routes(pages))
        router.include_router(selection_routes(pages))
        router.include_router(playground_routes(pages, self.signer))
        router.include_router(adding_routes(pages, self.reception))
        router.include_router(signin_routes(pages))
        router.include_router(cost_routes(pages, self.counted))
        router.include_router(operator_routes(pages, self.counted, self.elsewhere))
        return router
