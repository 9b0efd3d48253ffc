"""Logs of functions: one JSON object a line, with the request it was for."""

from __future__ import annotations

import json
import logging
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging import utils

from darkroom.access import redacted


def start_logging(level: str) -> Logger:
    """Have everything of the service written down from now on; the returned logger is told of each invocation."""
    logger = Logger(service="darkroom", level=level.upper(), json_serializer=_line, use_rfc3339=True, utc=True)
    ours = logging.getLogger("darkroom")
    utils.copy_config_to_registered_loggers(source_logger=logger, include={ours.name}, ignore_log_level=False)
    logging.captureWarnings(capture=True)
    return logger


def _line(entry: dict[str, Any]) -> str:
    return redacted(json.dumps(entry, default=str))
