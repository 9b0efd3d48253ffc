"""The sweep as a scheduled Lambda function."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from darkroom import settings as configuration
from darkroom.errors import DarkroomError
from darkroom.serverless import wire
from darkroom.serverless.logs import start_logging
from darkroom.upkeep import sweep_once

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from darkroom.service import Service
    from darkroom.settings import CloudSettings

log = logging.getLogger("darkroom.results")

SPARE_MILLISECONDS = 30_000
"""With less left of its time, the function comes to an end by itself, between two images."""


def handler(event: dict[str, Any], context: LambdaContext) -> None:  # noqa: ARG001 # what the schedule says
    """Sweep once. What it did not come to is left to the next time. Raises when it failed: that gives an alarm."""
    settings = configuration.load_cloud()
    start_logging(settings.log_level)
    figures = wire.figures()
    parts = wire.service(settings, figures)
    try:
        forget_results(settings, parts)
        done = sweep_once(
            wire.sweep(settings, parts),
            figures,
            stopping=lambda: context.get_remaining_time_in_millis() < SPARE_MILLISECONDS,
        )
    finally:
        figures.flush()
    if not done:
        msg = "the sweep failed; the lines before this one say why"
        raise RuntimeError(msg)


def forget_results(settings: CloudSettings, parts: Service) -> None:
    """Take out of the ledger of results what the bucket has removed; what goes wrong is said in the log."""
    try:
        count = wire.forget_results(settings, parts)
    except DarkroomError as error:
        log.warning("unused results not removed", extra={"reason": error.detail})
    else:
        log.info("unused results removed", extra={"results": count})
