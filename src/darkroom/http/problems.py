"""Errors as ``application/problem+json`` (RFC 9457): the one table from error class to status."""

from __future__ import annotations

import json
from http import HTTPStatus

from darkroom.errors import (
    AlreadyExists,
    BadSignature,
    Conflict,
    DarkroomError,
    Expired,
    Forbidden,
    InvalidRequest,
    NotFound,
    OverQuota,
    RateLimited,
    Refused,
    StorageFull,
    TooLarge,
    TooSlow,
    Unauthorized,
    Unavailable,
    UnreadableImage,
    UnsupportedFormat,
    VersionMoved,
)

PROBLEM_TYPE = "application/problem+json"

# The first class that fits decides, so the particular stand before the general.
STATUS_OF: tuple[tuple[type[DarkroomError], int], ...] = (
    (NotFound, 404),
    (VersionMoved, 412),
    (AlreadyExists, 412),
    (Conflict, 409),
    (TooLarge, 413),
    (UnsupportedFormat, 415),
    (UnreadableImage, 422),
    (Unauthorized, 401),
    (BadSignature, 403),
    (Expired, 403),
    (Forbidden, 403),
    (InvalidRequest, 422),
    (Refused, 422),
    (RateLimited, 429),
    (OverQuota, 429),
    (TooSlow, 408),
    (StorageFull, 507),
    (Unavailable, 503),
)

# Answers of the protocol itself, which no error class of the core stands for.
PROTOCOL_CODES = {
    400: "invalid-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "too-slow",
    411: "length-required",
    413: "too-large",
    415: "unsupported-media-type",
    421: "misdirected-request",
    431: "headers-too-large",
}


def status_of(error: DarkroomError) -> int:
    """Return the HTTP status for an error."""
    return next((status for kind, status in STATUS_OF if isinstance(error, kind)), 500)


def problem_document(status: int, code: str, detail: str) -> dict[str, object]:
    """Return the members of a problem."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }


def problem_headers(error: DarkroomError) -> dict[str, str]:
    """Return the headers an error brings along besides its body's type."""
    if isinstance(error, Unavailable):
        return {"retry-after": str(error.retry_after)}
    if isinstance(error, Unauthorized):
        return {"www-authenticate": 'Bearer realm="darkroom"'}
    return {}


def problem(error: DarkroomError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return status, headers and body for an error: for plain ASGI apps."""
    status = status_of(error)
    return raw_problem(status, error.code, error.detail, problem_headers(error))


def raw_problem(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return status, headers and body of a problem that no error class stands for (``411``, ``405`` …)."""
    body = json.dumps(problem_document(status, code, detail), ensure_ascii=False).encode()
    fields = [
        (b"content-type", PROBLEM_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    fields += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return status, fields, body
