"""The JSON of the contract: how an image is shown, and the shapes OpenAPI declares."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from darkroom.access import FASTEST_RATE, LARGEST_BURST, SLOWEST_RATE
from darkroom.model import Format, Original, State

if TYPE_CHECKING:
    from datetime import datetime

    from darkroom.access import Rate
    from darkroom.model import Facts, Image, Page, Variant
    from darkroom.transform.recipes import Recipe
    from darkroom.uploads import PartedTicket, Ticket


_MEDIA_TYPE = "^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$"
Tag = Annotated[str, Field(min_length=1, max_length=64)]


class _Shape(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class SourceDocument(_Shape):
    """The original as it was received; width and height as a person sees it, after EXIF orientation."""

    format: Format
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    has_alpha: bool
    frames: int
    pages: int


class VariantDocument(_Shape):
    """One picture made from the original."""

    name: str
    format: Format
    content_type: str
    width: int
    height: int
    bytes: int
    url: str


class ExifDocument(_Shape):
    """What the camera said; never a place."""

    taken_at: str | None
    camera: str | None
    lens: str | None
    iso: int | None
    f_number: float | None
    exposure: str | None
    focal_length: float | None


class FailureDocument(_Shape):
    """Why an image failed."""

    code: str
    detail: str


class ImageDocument(_Shape):
    """One image and what is known of it."""

    id: str
    version: int
    owner: str
    visibility: Literal["public"]
    state: Literal["awaiting", "processing", "ready", "failed"]
    filename: str
    title: str | None
    album: str | None
    tags: list[str]
    focus: tuple[float, float] | None
    uploaded_at: str
    original: Original
    source: SourceDocument | None
    variants: list[VariantDocument]
    placeholder: str | None
    color: str | None
    colors: list[str]
    exif: ExifDocument | None
    error: FailureDocument | None


class PageDocument(_Shape):
    """One page of a search, newest first; only ``next: null`` ends it."""

    items: list[ImageDocument]
    next: str | None


class UploadDocument(_Shape):
    """Permission to put one object: send exactly the promised bytes by ``method`` to ``url`` with ``headers``."""

    id: str
    method: Literal["PUT"]
    url: str
    headers: dict[str, str]
    expires_at: str


class PartDocument(_Shape):
    """Permission to put one part: send its bytes by ``PUT`` to ``url`` with ``headers``."""

    url: str
    headers: dict[str, str]


class PartedUploadDocument(_Shape):
    """Permission to put one long object in parts, in their order of ``part_bytes`` each, the last one what is left.

    ``received`` are the numbers, from 1, of the parts that are there. When all are: ``POST complete_url``. After a
    break ``GET resume_url`` says this anew. Neither asks for a key.
    """

    id: str
    part_bytes: int
    parts: list[PartDocument]
    received: list[int]
    complete_url: str
    resume_url: str
    expires_at: str


class CompletedDocument(_Shape):
    """All parts have become one original: what it is ``GET /v1/images/{id}`` tells."""

    id: str


class RecipeDocument(_Shape):
    """One named variant that is made of every image."""

    name: str
    width: int
    height: int
    fit: str
    gravity: str
    formats: list[Format]
    quality: dict[str, int]
    background: str
    color: str


class RecipesDocument(_Shape):
    """The configured variants."""

    items: list[RecipeDocument]


class RateDocument(_Shape):
    """How often a key may call: so many times a second on average, ``burst`` times at once after a pause."""

    model_config = ConfigDict(extra="forbid")

    per_second: float = Field(ge=SLOWEST_RATE, le=FASTEST_RATE)
    burst: int = Field(ge=1, le=LARGEST_BURST)


class LimitsDocument(_Shape):
    """What is accepted at most; ``null``: as much as one likes. ``rate`` is that of the key that asks."""

    ticket_bytes: int
    post_bytes: int
    pixels: int
    side: int
    frames: int
    tags: int
    ticket_seconds: int
    part_bytes: int
    parts_seconds: int
    owner_images: int | None
    owner_bytes: int | None
    owner_open_tickets: int | None
    rate: RateDocument | None


class LevelDocument(_Shape):
    """How much of something there is, and how much there may be; ``null``: as much as one likes."""

    used: int
    limit: int | None


class UsageDocument(_Shape):
    """What the owner of the key has."""

    owner: str
    images: LevelDocument
    bytes: LevelDocument
    open_tickets: LevelDocument


class HealthDocument(_Shape):
    """The service works."""

    status: Literal["ok"]


class KeyDocument(_Shape):
    """A key without its secret."""

    id: str
    owner: str
    name: str
    scopes: list[str]
    created_at: str
    rate: RateDocument | None


class NewKeyDocument(KeyDocument):
    """A key just made, with the text to send as ``Authorization: Bearer``, shown this once."""

    key: str


class KeysDocument(_Shape):
    """All keys."""

    items: list[KeyDocument]


class Problem(_Shape):
    """An error (RFC 9457). ``code`` is stable; ``detail`` says what to do."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class NewUpload(BaseModel):
    """What an uploader says of the file it is going to send."""

    model_config = ConfigDict(extra="forbid")

    filename: str = Field(min_length=1, max_length=4096, examples=["IMG_1.jpg"])
    bytes: int = Field(ge=1, strict=True, examples=[1957448])
    content_type: str | None = Field(
        None, max_length=100, examples=["image/jpeg"], json_schema_extra={"pattern": _MEDIA_TYPE}
    )
    sha256: str | None = Field(None, pattern="^[0-9a-fA-F]{64}$")
    tags: list[Tag] = Field([], max_length=500, examples=[["cat"]])
    album: str | None = Field(None, max_length=64)
    title: str | None = Field(None, max_length=500)


class ImageEdit(BaseModel):
    """What a person wants changed; a member that is left away stays as it is."""

    model_config = ConfigDict(extra="forbid")

    title: str | None = Field(None, max_length=500)
    album: str | None = Field(None, max_length=64)
    tags: list[Tag] | None = Field(None, max_length=500, description="Replaces all tags.")
    add_tags: list[Tag] = Field([], max_length=500)
    remove_tags: list[Tag] = Field([], max_length=500)
    focus: tuple[float, float] | None = Field(None, description="From the left and from the top, 0 to 1; null: none.")


class NewKey(BaseModel):
    """The key to make."""

    model_config = ConfigDict(extra="forbid")

    owner: str = Field(min_length=1, max_length=64, pattern="^[a-z0-9_-]+$", examples=["local"])
    name: str = Field(min_length=1, max_length=100, examples=["web application"])
    scopes: list[Literal["read", "write", "admin"]] = Field(min_length=1, max_length=3)
    rate: RateDocument | None = Field(None, description="How often the key may call, if not as all keys.")


def rate_document(rate: Rate | None) -> dict[str, Any] | None:
    """Return how often a key may call, ``None`` for as often as it likes."""
    return None if rate is None else {"per_second": rate.per_second, "burst": rate.burst}


def timestamp(moment: datetime) -> str:
    """Return an aware moment in UTC as RFC 3339 with milliseconds and ``Z``."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def image_document(image: Image, delivery_url: str) -> dict[str, Any]:
    """Return an image as the contract shows it; ``delivery_url`` is where ``/i/`` lies."""
    facts = image.facts
    return {
        "id": image.id,
        "version": image.version,
        "owner": image.owner,
        "visibility": "public",
        "state": image.state.value,
        "filename": image.filename,
        "title": image.title,
        "album": image.album,
        "tags": list(image.tags),
        "focus": None if image.focus is None else list(image.focus),
        "uploaded_at": timestamp(image.uploaded_at),
        "original": image.original.value,
        "source": None if facts is None else _source_document(facts),
        "variants": [_variant_document(variant, delivery_url) for variant in image.variants],
        "placeholder": None if facts is None else facts.placeholder,
        "color": None if facts is None else facts.color,
        "colors": [] if facts is None else list(facts.colors or (facts.color,)),
        "exif": None if facts is None else asdict(facts.exif),
        "error": None
        if image.error is None or image.state is not State.FAILED
        else {"code": image.error.code, "detail": image.error.detail},
    }


def _source_document(facts: Facts) -> dict[str, Any]:
    source = facts.source
    return {
        "format": source.format.value,
        "content_type": source.content_type,
        "width": source.width,
        "height": source.height,
        "bytes": source.bytes,
        "sha256": source.sha256,
        "has_alpha": source.has_alpha,
        "frames": source.frames,
        "pages": source.pages,
    }


def _variant_document(variant: Variant, delivery_url: str) -> dict[str, Any]:
    return {
        "name": variant.name,
        "format": variant.format.value,
        "content_type": variant.content_type,
        "width": variant.width,
        "height": variant.height,
        "bytes": variant.bytes,
        "url": f"{delivery_url}/{variant.key}",
    }


def page_document(page: Page, delivery_url: str) -> dict[str, Any]:
    """Return one page of a search."""
    return {"items": [image_document(image, delivery_url) for image in page.items], "next": page.next}


def upload_document(image_id: str, ticket: Ticket) -> dict[str, Any]:
    """Return a ticket for a whole file."""
    return {
        "id": image_id,
        "method": ticket.method,
        "url": ticket.url,
        "headers": dict(ticket.headers),
        "expires_at": timestamp(ticket.expires_at),
    }


def parted_upload_document(image_id: str, ticket: PartedTicket, base_url: str) -> dict[str, Any]:
    """Return a ticket for a file in parts; ``base_url`` is where the API is."""
    address, permission = f"{base_url}/v1/uploads/{image_id}", f"?token={ticket.token}"
    return {
        "id": image_id,
        "part_bytes": ticket.part_bytes,
        "parts": [{"url": part.url, "headers": dict(part.headers)} for part in ticket.parts],
        "received": list(ticket.received),
        "complete_url": f"{address}/complete{permission}",
        "resume_url": f"{address}{permission}",
        "expires_at": timestamp(ticket.expires_at),
    }


def recipe_document(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as ``GET /v1/variants`` lists it."""
    return {
        "name": recipe.name,
        "width": recipe.width,
        "height": recipe.height,
        "fit": recipe.fit.value,
        "gravity": recipe.gravity,
        "formats": [kind.value for kind in recipe.formats],
        "quality": {kind.value: recipe.quality[kind] for kind in recipe.formats if kind in recipe.quality}
        if recipe.target is None
        else "auto",
        "target": recipe.target,
        "background": recipe.background,
        "color": recipe.color.value,
    }
