"""Pictures by their addresses as a Lambda function behind CloudFront: made once, kept, and answered."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from darkroom.serverless import answering, wire

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one request, which the function's url tells in payload format 2.0."""
    made = _made()
    return made.tell(made.window.answer(event["requestContext"]["http"]["method"], event["headers"]), context)


@cache
def _made() -> answering.Answering[wire.Window]:
    return answering.start(wire.window)
