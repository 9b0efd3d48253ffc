"""Pictures by the IIIF Image API as a Lambda function, behind an API of its own that lets so many requests through."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from darkroom.serverless import answering, wire

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request, which API Gateway tells in payload format 2.0."""
    made = _made()
    method = event["requestContext"]["http"]["method"]
    return made.tell(made.window.answer(method, event["rawPath"], event["headers"]), context)


@cache
def _made() -> answering.Answering[wire.IiifWindow]:
    return answering.start(wire.iiif_window)
