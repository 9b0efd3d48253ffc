"""What has CloudFront's functions know the signing secrets, as a Lambda function: it alone can sign such requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darkroom import settings as configuration
from darkroom.serverless import wire
from darkroom.serverless.logs import start_logging

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 # Lambda's way to call
    """Bring the key value store to what the table of secrets says now. Raises ``Unavailable``."""
    settings = configuration.load_cloud()
    logger = start_logging(settings.log_level)
    wire.publish_secrets(settings)
    logger.info("secrets published")
