"""The values everything else speaks of: frozen, checked where they are made, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 # the types of values are read at run time, by tests that draw any value
from enum import StrEnum


class Format(StrEnum):
    """An image format by its own name, whatever a file is called."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    TIFF = "tiff"
    AVIF = "avif"
    HEIC = "heic"
    SVG = "svg"

    @property
    def content_type(self) -> str:
        """The registered media type, e.g. ``image/jpeg``."""
        return "image/svg+xml" if self is Format.SVG else f"image/{self.value}"

    @property
    def extension(self) -> str:
        """The one file extension this service writes for the format, without the dot."""
        return {Format.JPEG: "jpg", Format.TIFF: "tif"}.get(self, self.value)


class State(StrEnum):
    """Where an image is on its way. ``DELETED`` is a tombstone and never leaves the service."""

    AWAITING = "awaiting"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"
    DELETED = "deleted"


class Original(StrEnum):
    """Whether the bytes a person uploaded are still there."""

    KEPT = "kept"
    DELETED = "deleted"


class OriginalPolicy(StrEnum):
    """What becomes of an original once its variants are made."""

    DELETE = "delete"
    KEEP = "keep"
    ARCHIVE = "archive"


class Truncated(StrEnum):
    """What becomes of a JPEG whose end is missing, or that was damaged on its way."""

    REFUSE = "refuse"
    ACCEPT = "accept"


class Orientation(StrEnum):
    """The shape of a picture as a person sees it."""

    LANDSCAPE = "landscape"
    PORTRAIT = "portrait"
    SQUARE = "square"


class Order(StrEnum):
    """In which order a search finds images, by their times of upload."""

    NEWEST = "newest"
    OLDEST = "oldest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The original as it was received. Width and height in pixels, after EXIF orientation."""

    format: Format
    width: int
    height: int
    bytes: int
    sha256: str
    has_alpha: bool
    frames: int
    """Of an animation; 1 for a picture that stands still."""
    pages: int = 1
    """How many pictures the file holds that are no animation, as a TIFF its pages: one is taken, which is the first, or
    of AVIF and HEIC the one that the file calls its primary."""

    @property
    def content_type(self) -> str:
        """The media type the bytes really have, not the one that was claimed."""
        return self.format.content_type

    @property
    def orientation(self) -> Orientation:
        """Landscape, portrait or square."""
        if self.width == self.height:
            return Orientation.SQUARE
        return Orientation.LANDSCAPE if self.width > self.height else Orientation.PORTRAIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One picture made from an original and listed to people. ``key`` is its object key and its public path."""

    name: str
    format: Format
    width: int
    height: int
    bytes: int
    key: str

    @property
    def content_type(self) -> str:
        """The media type of the bytes behind ``key``, whatever extension the key has."""
        return self.format.content_type


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """One object made of an image: its name under the image's asset prefix, and what its bytes are.

    Without a checksum (``ledger.py``) it may be there or not, with any bytes; with one it is there, with these.
    """

    name: str
    checksum: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exif:
    """What the camera said of the moment. Never a place: location is not read at all."""

    taken_at: str | None = None
    camera: str | None = None
    lens: str | None = None
    iso: int | None = None
    f_number: float | None = None
    exposure: str | None = None
    focal_length: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What looking at the pixels told: written to the catalog in one go when an image becomes ready."""

    source: Source
    placeholder: str
    """Base64 of the thumbhash (about 25 bytes)."""
    color: str
    """The main colour, ``#rrggbb``."""
    colors: tuple[str, ...] = ()
    """The colours that a good part of the picture has, ``color`` first; empty: of an earlier release."""
    exif: Exif = field(default_factory=Exif)
    perceptual_hash: str | None = None
    """What copies of the picture share (``catalog/perceptual_hash.py``); ``None``: plain, or of an earlier release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an image failed: a stable code and a sentence for a person."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """How an upload comes that comes in parts. ``token`` is the permission to ask after it and to complete it."""

    upload: str
    """What the store that holds the parts calls it."""
    token: str
    bytes: int
    """How long each part is; the last one is what is left."""
    until: datetime
    """From then on no part is taken and nothing is completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image of one owner, the unit of the catalog.

    ``version`` counts every write (``If-Match``). ``generation`` counts the times its bytes were asked for anew
    (upload, reprocess, focus): a render commits only into the generation it started from, so a slow render of
    an earlier wish never overwrites a later one.
    """

    id: str
    owner: str
    state: State
    filename: str
    uploaded_at: datetime
    version: int = 1
    generation: int = 1
    title: str | None = None
    album: str | None = None
    tags: tuple[str, ...] = ()
    focus: tuple[float, float] | None = None
    original: Original = Original.KEPT
    original_etag: str | None = None
    """The entity tag of the object the variants were made from; tells a replayed upload from the first."""
    promised_bytes: int = 0
    """How long the original was said to be when the upload was opened."""
    promised_sha256: str | None = None
    parts: Parts | None = None
    """Of an upload in parts, until it has been processed. A tombstone keeps it."""
    from_rendition: bool = False
    """What lies under the original's key is a kept variant, put there to be worked on because the original is gone."""
    facts: Facts | None = None
    variants: tuple[Variant, ...] = ()
    objects: tuple[Shelved, ...] = ()
    """The ledger: no object is made of the image whose name is not in here before. A tombstone keeps it."""
    asked_at: datetime | None = None
    """When its variants were last asked for anew; ``None``: at its upload."""
    error: Failure | None = None
    deleted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unset:
    """A member of an edit that was not given (``None`` means: take it away)."""


UNSET = Unset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a person wants changed. ``tags`` replaces all of them; ``add_tags`` and ``remove_tags`` are sets."""

    title: str | Unset | None = UNSET
    album: str | Unset | None = UNSET
    tags: tuple[str, ...] | Unset = UNSET
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    focus: tuple[float, float] | Unset | None = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a search asks for; every criterion is combined with AND, several formats or states with OR.

    ``after`` is inclusive, ``before`` exclusive. ``cursor`` is opaque text of an earlier page.
    """

    owner: str
    tags: tuple[str, ...] = ()
    untagged: bool = False
    """Only images without any tag."""
    album: str | None = None
    words: str | None = None
    camera: str | None = None
    """Words of what the camera calls itself."""
    lens: str | None = None
    color: str | None = None
    """``rrggbb``: one of the main colours is near it (``catalog/colors.py``)."""
    formats: tuple[Format, ...] = ()
    orientation: Orientation | None = None
    min_width: int | None = None
    max_width: int | None = None
    min_height: int | None = None
    max_height: int | None = None
    min_bytes: int | None = None
    max_bytes: int | None = None
    uploaded_after: datetime | None = None
    uploaded_before: datetime | None = None
    taken_after: datetime | None = None
    taken_before: datetime | None = None
    sha256: str | None = None
    states: tuple[State, ...] = (State.READY,)
    order: Order = Order.NEWEST
    limit: int = 50
    cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """An image that is like another one: of the same bytes, or near by its perceptual hash, or both."""

    image: Image
    same_bytes: bool
    distance: int | None
    """In how many of 255 waves they differ (``catalog/perceptual_hash.py``); ``None`` where one has no hash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """In the query's order. ``next`` is the cursor of the page after this one; only ``None`` ends a listing."""

    items: tuple[Image, ...]
    next: str | None
