"""Logs as one JSON object a line on standard error."""

from __future__ import annotations

import json
import logging
import logging.config
import sys
import threading
from datetime import UTC, datetime
from typing import Any

from darkroom.access import redacted

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

_log = logging.getLogger("darkroom.errors")


class JsonLines(logging.Formatter):
    """Writes time, level, name, what happened, and whatever the line was given on top (``extra``)."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, in ASCII: valid whatever encoding the stream has."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "name": record.name,
            "event": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return redacted(json.dumps(line, default=str))


def log_configuration(level: str) -> dict[str, Any]:
    """Return the configuration for ``logging.config.dictConfig``; the HTTP server is given the same one."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines}},
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["lines"], "level": "WARNING"},
        "loggers": {
            "darkroom": {"level": level.upper()},
            "_granian": {"level": "WARNING"},
            "granian.access": {"level": "WARNING"},
        },
    }


def start_logging(level: str) -> None:
    """Have this process write its log from now on, and with it what Python would print as it likes."""
    logging.config.dictConfig(log_configuration(level))
    logging.captureWarnings(capture=True)
    sys.excepthook = lambda kind, error, trace: _log.critical("process ended", exc_info=(kind, error, trace))
    threading.excepthook = _write_down


def _write_down(failed: threading.ExceptHookArgs) -> None:
    _log.critical("thread ended", exc_info=failed.exc_value)
