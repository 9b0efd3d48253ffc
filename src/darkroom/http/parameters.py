"""What comes in a query string or a header, read strictly: a wrong or unknown one is named."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from fastapi import Header, Query
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from darkroom import model, names
from darkroom.errors import InvalidRequest
from darkroom.model import Format, Orientation

if TYPE_CHECKING:
    from collections.abc import Iterable

WAIT_MAX_SECONDS = 20.0
_SIDE = 2**31 - 1
_BYTES = 2**53 - 1


def _moment(value: object) -> datetime:
    if isinstance(value, str) and "T" in value.upper():
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            try:
                return moment.astimezone(UTC)
            except OverflowError:
                pass
    msg = "must be a moment as RFC 3339 writes it, with its zone, such as 2026-11-23T10:00:00Z"
    raise ValueError(msg)


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Side = Annotated[int, Field(ge=0, le=_SIDE)]
Length = Annotated[int, Field(ge=0, le=_BYTES)]
Words = Annotated[str, Field(min_length=1, max_length=1000)]


class PublicState(StrEnum):
    """The states a person can see."""

    AWAITING = "awaiting"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


class SearchParameters(BaseModel):
    """The search parameters of the contract; all optional, combined with AND."""

    model_config = ConfigDict(extra="forbid")

    tag: list[Words] = Field([], max_length=50, description="Images that have this tag; repeat it for more.")
    album: Words | None = None
    q: Words | None = Field(None, description="Words of filename and title.")
    format: list[Format] = Field([], max_length=20, description="The format of the original; several: any of them.")
    orientation: Orientation | None = None
    min_width: Side | None = None
    max_width: Side | None = None
    min_height: Side | None = None
    max_height: Side | None = None
    min_bytes: Length | None = None
    max_bytes: Length | None = None
    uploaded_after: Moment | None = Field(None, description="Inclusive.")
    uploaded_before: Moment | None = Field(None, description="Exclusive.")
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    state: list[PublicState] = Field([], max_length=20, description="Default `ready`.")
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    def query(self, owner: str) -> model.Query:
        """Return the search these parameters ask for. Raises ``InvalidRequest``."""
        return model.Query(
            owner=owner,
            tags=tuple(names.clean_tag(tag) for tag in self.tag),
            album=None if self.album is None else names.clean_tag(self.album),
            words=self.q,
            formats=tuple(self.format),
            orientation=self.orientation,
            min_width=self.min_width,
            max_width=self.max_width,
            min_height=self.min_height,
            max_height=self.max_height,
            min_bytes=self.min_bytes,
            max_bytes=self.max_bytes,
            uploaded_after=self.uploaded_after,
            uploaded_before=self.uploaded_before,
            sha256=None if self.sha256 is None else self.sha256.lower(),
            states=tuple(model.State(state.value) for state in self.state) or (model.State.READY,),
            limit=self.limit,
            cursor=self.cursor,
        )


class SmallDoorParameters(BaseModel):
    """What goes with the raw bytes of ``POST /v1/images``."""

    model_config = ConfigDict(extra="forbid")

    filename: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    tag: list[str] = Field([], max_length=500)
    album: Annotated[str, Field(max_length=64)] | None = None
    title: Annotated[str, Field(max_length=500)] | None = None


Search = Annotated[SearchParameters, Query()]
SmallDoor = Annotated[SmallDoorParameters, Query()]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="The same key gives the same answer for 24 hours, never a second image.",
    ),
]
Prefer = Annotated[
    str | None, Header(max_length=200, description="`wait=SECONDS` (up to 20): answer when the image is ready.")
]
IfMatch = Annotated[
    str | None,
    Header(
        max_length=100,
        description='The version the change is meant for: `"3"`.',
        json_schema_extra={"pattern": r'^(\*|"[0-9]{1,15}")$'},
    ),
]


def wait_seconds(prefer: str | None) -> float:
    """Return how long a client is willing to wait, from ``Prefer`` (RFC 7240); what is not understood is ignored."""
    for part in (prefer or "").split(","):
        name, _, value = part.split(";")[0].partition("=")
        if name.strip().lower() == "wait":
            digits = value.strip().strip('"')
            if digits.isascii() and digits.isdigit() and len(digits) <= 6:
                return min(float(digits), WAIT_MAX_SECONDS)
    return 0.0


def version_of(if_match: str | None) -> int | None:
    """Return the version an ``If-Match`` names, ``None`` for none or ``*``. Raises ``InvalidRequest``."""
    if if_match is None or if_match.strip() == "*":
        return None
    digits = if_match.strip().strip('"')
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        msg = 'If-Match must be one version in quotes, such as "3", as the image shows it'
        raise InvalidRequest(msg)
    return int(digits)


def split_tags(values: Iterable[str]) -> tuple[str, ...]:
    """Return tags that were given repeated or separated by commas; empty ones are left out."""
    return tuple(tag for value in values for part in value.split(",") if (tag := part.strip()))
