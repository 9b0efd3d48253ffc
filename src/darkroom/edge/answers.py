"""What is answered under ``/i/``: whole, not modified, a part, or the default image (RFC 9110, RFC 9111)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkroom.bucket import Stat

Headers = list[tuple[bytes, bytes]]

CONDITIONS = frozenset({b"if-none-match", b"if-modified-since", b"range"})
"""Request headers that make more of an answer than the whole picture."""

METHODS = ("GET", "HEAD")

_CONDITION_MAX = 4_000
_DATE_MAX = 64
_DIGITS_MAX = 18

# Pictures are for every page of the world: contract, section "Who may call".
_FOR_EVERYBODY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"access-control-allow-origin", b"*"),
    (b"cross-origin-resource-policy", b"cross-origin"),
]
_VARY = (b"vary", b"Accept")
_NO_STORE = (b"cache-control", b"no-store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long an answer may be kept, in seconds: in browsers, at an edge, and the default image by anybody."""

    browser: int = 86_400
    edge: int = 31_536_000
    miss: int = 10

    @property
    def of_a_picture(self) -> str:
        """``Cache-Control`` of a picture that is there."""
        return f"public, max-age={self.browser}, s-maxage={self.edge}"

    @property
    def of_a_default(self) -> str:
        """``Cache-Control`` of the default image."""
        return f"public, max-age={self.miss}"

    def at_most(self, seconds: int) -> Lifetimes:
        """Return those of something that may be kept for no more than ``seconds``."""
        return replace(self, browser=min(self.browser, seconds), edge=min(self.edge, seconds))


class Absence(StrEnum):
    """Why there is the default image instead: the value of ``X-Default-Image``."""

    MISSING = "missing"
    PROCESSING = "processing"
    FAILED = "failed"

    @classmethod
    def of(cls, state: State | None) -> Absence:
        """Return what is said of a missing picture whose image is in ``state`` (``None``: there is no image)."""
        if state in {State.AWAITING, State.PROCESSING}:
            return cls.PROCESSING
        return cls.FAILED if state is State.FAILED else cls.MISSING


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers, and a body of ``length`` bytes: ``body``, or, if too large for memory, the next of ``file``."""

    status: int
    headers: Headers
    body: bytes = b""
    length: int = 0
    start: int = 0
    """Where in the stored picture the body begins."""
    file: BinaryIO | None = None

    @property
    def lacks_body(self) -> bool:
        """Whether the body is still only in the bucket."""
        return self.length > len(self.body) and self.file is None


@dataclass(frozen=True, slots=True)
class Picture:
    """Bytes and what they really are."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Forms:
    """The two answers that most requests for a picture are given."""

    whole: Answer
    not_modified: Answer


@dataclass(frozen=True, slots=True)
class Ready:
    """A delivered picture with everything about its answers that does not depend on the request."""

    stat: Stat
    tag: bytes
    """The strong entity tag, in its quotes."""
    modified: datetime
    """Without fractions of a second, as HTTP dates are."""
    checksum: str
    """Of the bytes that were read, as a ledger has it."""
    exact: Forms
    negotiated: Forms


def ready(
    stat: Stat, content_type: str, body: bytes, checksum: str, lifetimes: Lifetimes, *, kept_size: str = ""
) -> Ready:
    """Prepare a picture for delivery; ``body`` is all of it, or empty when it is too large for memory.

    ``checksum`` is that of all of it, as a ledger has it. ``kept_size`` is the size of what it was made from, where a
    larger picture was asked for than there is.
    """
    tag = b'"' + stat.etag.removeprefix("W/").strip('"').encode("latin-1") + b'"'
    modified = stat.modified.astimezone(UTC).replace(microsecond=0)
    headers = [
        (b"content-type", content_type.encode("latin-1")),
        (b"content-length", b"%d" % stat.bytes),
        (b"cache-control", lifetimes.of_a_picture.encode()),
        (b"etag", tag),
        (b"last-modified", format_datetime(modified, usegmt=True).encode("ascii")),
        (b"accept-ranges", b"bytes"),
        *([(b"x-not-enlarged", kept_size.encode("latin-1"))] if kept_size else []),
        *_FOR_EVERYBODY,
    ]
    return Ready(stat, tag, modified, checksum, _forms(stat, headers, body), _forms(stat, [*headers, _VARY], body))


def _forms(stat: Stat, headers: Headers, body: bytes) -> Forms:
    kept = [field for field in headers if field[0] not in {b"content-length", b"content-type"}]
    return Forms(Answer(200, headers, body=body, length=stat.bytes), Answer(304, kept))


def respond(picture: Ready, method: str, fields: Mapping[bytes, bytes], *, negotiated: bool) -> Answer:
    """Return the answer to a ``GET`` or ``HEAD`` for a picture that is there; ``fields`` are the request's headers."""
    forms = picture.negotiated if negotiated else picture.exact
    whole = forms.whole
    conditional = not fields.keys().isdisjoint(CONDITIONS)
    if conditional and _not_modified(picture, fields):
        return forms.not_modified
    if method == "HEAD":
        return Answer(200, whole.headers)
    if conditional and b"range" in fields and _may_be_part(picture, fields.get(b"if-range")):
        return _part(whole, fields[b"range"])
    return whole


def default(picture: Picture, absence: Absence, method: str, lifetimes: Lifetimes, *, negotiated: bool) -> Answer:
    """Return the answer that shows the default image, and says so."""
    headers = [
        (b"content-type", picture.content_type.encode("latin-1")),
        (b"content-length", b"%d" % len(picture.body)),
        (b"cache-control", lifetimes.of_a_default.encode()),
        (b"x-default-image", absence.value.encode()),
        *_FOR_EVERYBODY,
    ]
    if negotiated:
        headers.append(_VARY)
    if method == "HEAD":
        return Answer(404, headers)
    return Answer(404, headers, body=picture.body, length=len(picture.body))


def kept_for(answer: Answer, lifetimes: Lifetimes) -> Answer:
    """Return the answer with a picture, to be kept for other times than usual."""
    shown = lifetimes.of_a_picture.encode()
    headers = [(name, shown if name == b"cache-control" else value) for name, value in answer.headers]
    return replace(answer, headers=headers)


def refused(method: str, status: int, code: str, detail: str, retry_after: int | None = None) -> Answer:
    """Return a problem (RFC 9457) in place of a picture: an address that is not right, or no room to make it now."""
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    body = json.dumps(problem, ensure_ascii=False).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        *([(b"retry-after", b"%d" % retry_after)] if retry_after is not None else []),
        _NO_STORE,
        *_FOR_EVERYBODY,
    ]
    return Answer(status, headers) if method == "HEAD" else Answer(status, headers, body=body, length=len(body))


def document(method: str, content_type: str, body: bytes, *, seconds: int) -> Answer:
    """Return something that is said of a picture, in a form that ``Accept`` decides, to be kept for ``seconds``."""
    headers = [
        (b"content-type", content_type.encode("latin-1")),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"public, max-age=%d" % seconds),
        _VARY,
        *_FOR_EVERYBODY,
    ]
    return Answer(200, headers) if method == "HEAD" else Answer(200, headers, body=body, length=len(body))


def see_other(url: str) -> Answer:
    """Return the answer that sends a reader to another address."""
    return Answer(303, [(b"location", url.encode("latin-1")), (b"content-length", b"0"), *_FOR_EVERYBODY])


def method_not_allowed() -> Answer:
    """Return the answer to everything but ``GET`` and ``HEAD``."""
    return Answer(405, [(b"allow", b"GET, HEAD"), (b"content-length", b"0"), _NO_STORE, *_FOR_EVERYBODY])


def unavailable(method: str, retry_after: int) -> Answer:
    """Return the answer while the store does not: no picture, and nothing that anybody may keep."""
    body = b"The picture cannot be read just now; ask again.\n"
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"retry-after", b"%d" % retry_after),
        _NO_STORE,
        *_FOR_EVERYBODY,
    ]
    return Answer(503, headers) if method == "HEAD" else Answer(503, headers, body=body, length=len(body))


def _not_modified(picture: Ready, fields: Mapping[bytes, bytes]) -> bool:
    tags = fields.get(b"if-none-match")
    if tags is not None:
        if tags == picture.tag:
            return True
        # No tag of ours has a comma in it, so a plain split cannot make one up.
        return len(tags) <= _CONDITION_MAX and any(
            tag.strip().removeprefix(b"W/") in {picture.tag, b"*"} for tag in tags.split(b",")
        )
    since = fields.get(b"if-modified-since")
    if since is None:
        return False
    moment = _date(since)
    return moment is not None and picture.modified <= moment


def _date(text: bytes) -> datetime | None:
    if len(text) > _DATE_MAX:
        return None
    try:
        moment = parsedate_to_datetime(text.decode("latin-1"))
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _may_be_part(picture: Ready, if_range: bytes | None) -> bool:
    """Tell whether a ``Range`` is heeded: without ``If-Range``, or when it names these very bytes."""
    if if_range is None:
        return True
    return if_range == picture.tag or (not if_range.startswith((b'"', b"W/")) and _date(if_range) == picture.modified)


def _part(whole: Answer, text: bytes) -> Answer:
    found = _range(text, whole.length)
    if found is None:
        return whole
    start, end = found
    if start >= end:
        refusal = (b"content-range", b"bytes */%d" % whole.length)
        return Answer(416, [refusal, (b"content-length", b"0"), _NO_STORE, *_FOR_EVERYBODY])
    headers = [field for field in whole.headers if field[0] != b"content-length"]
    headers += [
        (b"content-length", b"%d" % (end - start)),
        (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, whole.length)),
    ]
    return Answer(206, headers, body=whole.body[start:end], length=end - start, start=start)


def _range(text: bytes, length: int) -> tuple[int, int] | None:
    """Return where the one range of a ``Range`` header starts and ends (exclusive); empty when it lies outside.

    ``None`` means: give the whole, because there are several ranges, another unit, or nothing that can be read.
    """
    unit, _, ranges = text.partition(b"=")
    first, dash, last = ranges.strip().partition(b"-")
    if unit.strip().lower() != b"bytes" or not dash or not (_is_number(first) or _is_number(last)):
        return None
    if not first:
        return max(0, length - int(last)), length
    if not last:
        return (int(first), length) if _is_number(first) else None
    if not _is_number(first) or not _is_number(last) or int(last) < int(first):
        return None
    return int(first), min(length, int(last) + 1)


def _is_number(text: bytes) -> bool:
    return 0 < len(text) <= _DIGITS_MAX and text.isdigit()
