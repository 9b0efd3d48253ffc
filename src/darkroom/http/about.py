"""Routes that say what the service is and how it is: variants, health, figures, and the page of its API."""

from collections.abc import Callable
from importlib.resources import files
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import HTMLResponse

from darkroom.access import Caller, Scope
from darkroom.errors import NotFound
from darkroom.http.authority import Authority
from darkroom.http.documents import (
    HealthDocument,
    RecipesDocument,
    recipe_document,
)
from darkroom.http.health import Health
from darkroom.service import Service

# The API page is Swagger UI from a package, so it works with no internet; its files are the only ones it may load.
_SWAGGER_FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Darkroom API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="api"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
_START = 'SwaggerUIBundle({url: "/openapi.json", dom_id: "#api", deepLinking: true});\n'
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'"
)


def about_routes(
    service: Service, authority: Authority, exposition: Callable[[], tuple[bytes, str]] | None
) -> APIRouter:
    """Return the routes; ``exposition`` gives body and content type of ``/metrics``."""
    router = APIRouter(tags=["about"])
    reader = Annotated[Caller, Depends(authority.needs(Scope.READ))]
    administrator = Annotated[Caller, Depends(authority.needs(Scope.ADMIN))]

    @router.get("/v1/variants", response_model=RecipesDocument)
    def get_variants(caller: reader) -> dict[str, Any]:  # noqa: ARG001  # asked for its scope
        """List the variants that are made of every image."""
        return {"items": [recipe_document(recipe) for recipe in service.recipes]}

    health = Health(service.check)

    @router.head("/healthz", include_in_schema=False)
    @router.get("/healthz", response_model=HealthDocument)
    async def get_health() -> dict[str, Any]:
        """Answer 200 only when catalog and buckets do."""
        await health.check()
        return {"status": "ok"}

    @router.get("/metrics", response_class=Response, include_in_schema=exposition is not None)
    def get_metrics(caller: administrator) -> Response:  # noqa: ARG001  # asked for its scope
        """Return the figures in Prometheus's text format, summed over all processes."""
        if exposition is None:
            msg = "this deployment keeps its figures elsewhere"
            raise NotFound(msg)
        body, content_type = exposition()
        return Response(body, media_type=content_type, headers={"cache-control": "no-store"})

    @router.get("/docs", include_in_schema=False)
    def get_docs() -> HTMLResponse:
        return HTMLResponse(_PAGE, headers={"content-security-policy": _POLICY})

    @router.get("/docs/{name}", include_in_schema=False)
    def get_docs_file(name: str) -> Response:
        if name == "start.js":
            return Response(_START, media_type="text/javascript")
        if name not in _SWAGGER_FILES:
            msg = "there is no such page"
            raise NotFound(msg)
        body = files("fastapi_offline").joinpath("static", name).read_bytes()
        return Response(body, media_type=_SWAGGER_FILES[name], headers={"cache-control": "max-age=3600"})

    return router
