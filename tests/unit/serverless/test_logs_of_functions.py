"""A function writes one JSON object a line, with what was said of the event, and never a key."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

KEY = "dk_abcdefgh234_" + "A" * 43


def lines(says: str, level: str = "info") -> list[dict[str, Any]]:
    """Return what a function writes that says this, in a process of its own, as a function is one."""
    script = (
        "import logging\n"
        "from darkroom.serverless.logs import start_logging\n"
        f"start_logging({level!r}).append_keys(function_request_id='r-1')\n"
        f"logging.getLogger('darkroom.images').{says}\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stderr == ""
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_what_the_service_says_is_a_line_with_its_fields_and_the_request() -> None:
    (line,) = lines("info('image ready', extra={'image': 'x', 'seconds': 0.5})")
    assert (line["message"], line["level"], line["service"]) == ("image ready", "INFO", "darkroom")
    assert (line["image"], line["seconds"]) == ("x", 0.5)
    assert line["function_request_id"] == "r-1"


def test_a_key_that_somebody_put_where_an_id_belongs_is_not_written_down() -> None:
    (line,) = lines(f"warning('not found', extra={{'path': '/v1/images/{KEY}'}})")
    assert "AAAA" not in json.dumps(line)
    assert line["path"] == "/v1/images/dk_abcdefgh234_..."


def test_an_error_that_nobody_foresaw_is_one_line_too_and_what_is_not_loud_enough_none() -> None:
    (line,) = lines("error('event failed', exc_info=ZeroDivisionError('why'))", level="error")
    assert "ZeroDivisionError: why" in line["exception"]
    assert lines("info('image ready')", level="error") == []
