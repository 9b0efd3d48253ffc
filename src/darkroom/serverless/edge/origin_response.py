"""Lambda@Edge: answers what is not there with the default image, in us-east-1's name and near the reader.

CloudFront runs it on the answer of the bucket to every cache miss, where the stack is deployed with
``MissingImage=lambda-edge``; ``Answer`` of ``infra/edge.yaml`` chooses between ``image`` and ``redirect``. It touches
403 and 404 only: a bucket in trouble (5xx) is no missing picture, and must be asked again.

No environment variables are allowed there, so what it says lies beside it in ``default.json``, which the packaging
writes: ``{"path": "/default/small.jpg", "content_type": "image/jpeg", "body": base64}``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MISSING = frozenset({"403", "404"})
"""A bucket that may not be listed says 403 of what is not there."""

MISS_SECONDS = 10
LARGEST_BODY = 1_330_000
"""Characters of a body that CloudFront takes from an origin-response function, in base64."""


def image(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer 404 with the default image in the place of a picture that is not there; leave the rest as it is."""
    response = _response(event)
    if response["status"] not in MISSING:
        return response
    default = _default()
    headers = _marked() | _header("Content-Type", default["content_type"])
    return _answer("404", "Not Found", headers) | {"bodyEncoding": "base64", "body": default["body"]}


def redirect(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Send the reader of a picture that is not there to the default image; leave the rest as it is."""
    response = _response(event)
    if response["status"] not in MISSING:
        return response
    return _answer("302", "Found", _marked() | _header("Location", _default()["path"])) | {"body": ""}


def _response(event: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = event["Records"][0]["cf"]["response"]
    return response


def _default() -> dict[str, str]:
    default: dict[str, str] = json.loads(Path(__file__).with_name("default.json").read_text(encoding="utf-8"))
    return default


def _answer(status: str, description: str, headers: dict[str, list[dict[str, str]]]) -> dict[str, Any]:
    # A new answer, not the bucket's own: its length, type and tag are those of an error page in XML.
    return {"status": status, "statusDescription": description, "headers": headers}


def _marked() -> dict[str, list[dict[str, str]]]:
    seconds = f"public, max-age={MISS_SECONDS}"
    return _header("Cache-Control", seconds) | _header("X-Default-Image", "missing")


def _header(name: str, value: str) -> dict[str, list[dict[str, str]]]:
    return {name.lower(): [{"key": name, "value": value}]}
