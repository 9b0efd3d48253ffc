"""What comes in a query string or a header, read strictly: a wrong or unknown one is named."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import Header, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from darkroom.catalog import questions
from darkroom.catalog.terms import PAGE_MAX, QUERY_LETTERS_MAX, read_color
from darkroom.errors import InvalidRequest
from darkroom.model import Format, Order, Orientation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkroom import model

WAIT_MAX_SECONDS = 20.0

Moment = Annotated[
    datetime, BeforeValidator(questions.moment), WithJsonSchema({"type": "string", "format": "date-time"})
]
Side = Annotated[int, BeforeValidator(questions.side), Field(ge=0, le=questions.SIDE_MAX)]
Length = Annotated[int, BeforeValidator(questions.length), Field(ge=0, le=questions.BYTES_MAX)]
Words = Annotated[str, Field(min_length=1, max_length=QUERY_LETTERS_MAX)]
Color = Annotated[str, AfterValidator(read_color), Field(pattern="^#?[0-9a-fA-F]{6}$")]
Flag = Annotated[bool, BeforeValidator(questions.flag), WithJsonSchema({"type": "string", "enum": ["1"]})]


class SearchParameters(BaseModel):
    """The search parameters of the contract; all optional, combined with AND."""

    model_config = ConfigDict(extra="forbid")

    tag: list[Words] = Field([], max_length=50, description="Images that have this tag; repeat it for more.")
    untagged: Flag | None = Field(None, description="Images that have no tag.")
    album: Words | None = None
    q: Words | None = Field(None, description="Words of filename and title.")
    camera: Words | None = Field(None, description="Words of what the camera calls itself.")
    lens: Words | None = Field(None, description="Words of what the lens calls itself.")
    color: Color | None = Field(None, description="Images one of whose main colours is near this one.")
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
    taken_after: Moment | None = Field(None, description="Inclusive; a camera's clock without a zone counts as UTC.")
    taken_before: Moment | None = Field(None, description="Exclusive.")
    sha256: Annotated[str, Field(pattern="^[0-9a-fA-F]{64}$")] | None = None
    state: list[questions.Visible] = Field([], max_length=20, description="Default `ready`.")
    order: Order = Field(Order.NEWEST, description="By the time of upload.")
    limit: Annotated[int, Field(ge=1, le=PAGE_MAX)] = 50
    cursor: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    def query(self, owner: str) -> model.Query:
        """Return the search these parameters ask for. Raises ``InvalidRequest``."""
        asked = {name: getattr(self, name) for name in self.model_fields_set if name in questions.CRITERIA}
        return questions.query(owner, asked, limit=self.limit, cursor=self.cursor)


def check_once(request: Request) -> None:
    """Raise ``InvalidRequest`` for a search parameter that is given twice and may not be: which one would be meant?"""
    given = request.query_params
    for name, criterion in questions.CRITERIA.items():
        if not criterion.repeated and len(given.getlist(name)) > 1:
            msg = f"{name} can be asked for once, and it is there {len(given.getlist(name))} times"
            raise InvalidRequest(msg)


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
