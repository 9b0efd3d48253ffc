"""The API as a Lambda function behind an HTTP API: the same ASGI app as on one machine, inside this process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mangum import Mangum

from darkroom import settings as configuration
from darkroom.serverless import wire
from darkroom.serverless.logs import start_logging

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


TEXT = ["text/", "application/json", "application/problem+json"]
"""Types of answers that go as text; all else goes as base 64, byte by byte what it was."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ANN401 # two libraries type it differently
    """Answer one request, which API Gateway tells in its payload format 2.0."""
    app, figures, logger = _made()
    logger.append_keys(function_request_id=context.aws_request_id)
    try:
        return app(event, context)
    finally:
        figures.flush()


@cache
def _made() -> tuple[Mangum, wire.Figures, Logger]:
    """Return what stays from one request to the next."""
    settings = configuration.load_cloud()
    logger = start_logging(settings.log_level)
    figures = wire.figures()
    app = wire.application(settings, wire.service(settings, figures))
    # Mangum writes ASGI's types down in another way.
    return Mangum(app, lifespan="off", text_mime_types=TEXT), figures, logger  # type: ignore[arg-type]
