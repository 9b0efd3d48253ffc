"""What is sent to a server and what it answers, as frozen values. ``raw`` keeps what is not known here."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SETTLED = frozenset({"ready", "failed"})
"""The states in which an image stays until somebody asks for something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What a person says of an image when uploading it."""

    tags: tuple[str, ...] = ()
    album: str | None = None
    title: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the labels that were given, as the ticket door takes them."""
        given: dict[str, Any] = {"tags": list(self.tags), "album": self.album, "title": self.title}
        return {name: value for name, value in given.items() if value}

    def as_parameters(self) -> list[tuple[str, str]]:
        """Return the labels that were given, as the simple door takes them."""
        pairs = [("album", self.album), ("title", self.title)]
        return [("tag", tag) for tag in self.tags] + [(name, value) for name, value in pairs if value]


class Changes(TypedDict, total=False):
    """What a patch changes. A name that is left out stays as it is; ``None`` empties the field.

    ``tags`` replaces all tags; ``add_tags`` and ``remove_tags`` change some. ``focus`` is a point (x, y) from 0 to 1.
    """

    title: str | None
    album: str | None
    tags: list[str]
    add_tags: list[str]
    remove_tags: list[str]
    focus: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What a search asks for: all of it (AND), but any of several formats or states.

    What is called ``after`` is inclusive, ``before`` exclusive, both aware. ``color`` is ``rrggbb``, ``order`` is
    ``newest`` or ``oldest``. Without ``states``: ready images only.
    """

    tags: tuple[str, ...] = ()
    untagged: bool = False
    album: str | None = None
    words: str | None = None
    camera: str | None = None
    lens: str | None = None
    color: str | None = None
    formats: tuple[str, ...] = ()
    orientation: str | None = None
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
    states: tuple[str, ...] = ()
    order: str | None = None

    def as_parameters(self) -> list[tuple[str, str]]:
        """Return the criteria that were given, as the contract's parameters."""
        return list(self._parameters())

    def _parameters(self) -> Iterator[tuple[str, str]]:
        names = {"tags": "tag", "formats": "format", "states": "state", "words": "q"}
        for criterion in fields(self):
            value = getattr(self, criterion.name)
            name = names.get(criterion.name, criterion.name)
            if isinstance(value, tuple):
                yield from ((name, one) for one in value)
            elif isinstance(value, bool):
                yield from [(name, "1")] if value else []
            elif isinstance(value, datetime):
                yield name, value.astimezone(UTC).isoformat().replace("+00:00", "Z")
            elif value is not None:
                yield name, str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The original as the server received it; width and height in pixels as a person sees it."""

    format: str
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    has_alpha: bool
    frames: int
    pages: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One picture made from an original; ``url`` is public and needs no key."""

    name: str
    format: str
    content_type: str
    width: int
    height: int
    bytes: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why an image failed: a stable code and a sentence for a person."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image. ``raw`` is all the server said of it, ``source`` is ``None`` until somebody looked at the bytes."""

    id: str
    version: int
    owner: str
    state: str
    filename: str
    title: str | None
    album: str | None
    tags: tuple[str, ...]
    focus: tuple[float, float] | None
    uploaded_at: datetime
    original: str
    source: Source | None
    variants: tuple[Variant, ...]
    placeholder: str | None
    color: str | None
    colors: tuple[str, ...]
    exif: Mapping[str, Any]
    error: Failure | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def settled(self) -> bool:
        """Whether the image is ready or failed, so that waiting would show nothing new."""
        return self.state in SETTLED

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read an image; raises ``KeyError``, ``TypeError`` or ``ValueError`` when it is none."""
        focus = data.get("focus")
        return cls(
            id=data["id"],
            version=data["version"],
            owner=data["owner"],
            state=data["state"],
            filename=data["filename"],
            title=data.get("title"),
            album=data.get("album"),
            tags=tuple(data.get("tags") or ()),
            focus=(focus[0], focus[1]) if focus else None,
            uploaded_at=datetime.fromisoformat(data["uploaded_at"]),
            original=data["original"],
            source=_known(Source, data.get("source")),
            variants=tuple(Variant(**_fields_of(Variant, variant)) for variant in data.get("variants") or ()),
            placeholder=data.get("placeholder"),
            color=data.get("color"),
            colors=tuple(data.get("colors") or ()),
            exif=data.get("exif") or {},
            error=_known(Failure, data.get("error")),
            raw=data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a search. It may be short or empty; only ``next`` being ``None`` ends a listing."""

    items: tuple[Image, ...]
    next: str | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a page; raises as ``Image.from_json``."""
        return cls(items=tuple(Image.from_json(item) for item in data["items"]), next=data["next"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """Leave to send an image's bytes, exactly once: by ``method`` to ``url`` with exactly ``headers``."""

    id: str
    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a ticket; raises as ``Image.from_json``."""
        return cls(
            id=data["id"],
            method=data["method"],
            url=data["url"],
            headers=dict(data["headers"]),
            expires_at=datetime.fromisoformat(data["expires_at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Leave to send one part: by ``PUT`` to ``url`` with exactly ``headers``."""

    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartedTicket:
    """Leave to send a long image in parts of ``part_bytes``, the last one what is left.

    ``received`` are the numbers, from 1, of those that are there. When all are, ``POST complete_url``.
    """

    id: str
    part_bytes: int
    parts: tuple[Part, ...]
    received: frozenset[int]
    complete_url: str
    expires_at: datetime

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a ticket; raises as ``Image.from_json``."""
        return cls(
            id=data["id"],
            part_bytes=data["part_bytes"],
            parts=tuple(Part(url=part["url"], headers=dict(part["headers"])) for part in data["parts"]),
            received=frozenset(data.get("received") or ()),
            complete_url=data["complete_url"],
            expires_at=datetime.fromisoformat(data["expires_at"]),
        )


def any_ticket(data: Mapping[str, Any]) -> Ticket | PartedTicket:
    """Read a ticket of either kind; raises as ``Image.from_json``."""
    return PartedTicket.from_json(data) if "parts" in data else Ticket.from_json(data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One named variant that is made of every image; ``width`` and ``height`` in pixels bound it."""

    name: str
    width: int
    height: int
    fit: str
    formats: tuple[str, ...]
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a recipe; raises as ``Image.from_json``."""
        return cls(
            name=data["name"],
            width=data["width"],
            height=data["height"],
            fit=data["fit"],
            formats=tuple(data["formats"]),
            raw=data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How much of something there is, and how much there may be; ``None``: as much as one likes."""

    used: int
    limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the owner of a key has: images, bytes of originals and variants, uploads that are open."""

    owner: str
    images: Level
    bytes: Level
    open_tickets: Level
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read what an owner has; raises as ``Image.from_json``."""
        levels = {name: Level(**_fields_of(Level, data[name])) for name in ("images", "bytes", "open_tickets")}
        return cls(owner=data["owner"], raw=data, **levels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How often a key may call: so many times a second on average, ``burst`` times at once after a pause."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSecret:
    """What addresses of an owner's images are signed with; ``secret`` is its text, only when it was just made."""

    id: str
    owner: str
    created_at: datetime
    secret: str | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a secret; raises as ``Image.from_json``."""
        return cls(
            id=data["id"],
            owner=data["owner"],
            created_at=datetime.fromisoformat(data["created_at"]),
            secret=data.get("secret"),
            raw=data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key. ``rate`` is its own, if it has one.

    ``key`` is its text, which only the answer that made it contains; ``raw`` is that answer.
    """

    id: str
    owner: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    rate: Rate | None
    key: str | None = field(repr=False)
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a key; raises as ``Image.from_json``."""
        return cls(
            id=data["id"],
            owner=data["owner"],
            name=data["name"],
            scopes=tuple(data["scopes"]),
            created_at=datetime.fromisoformat(data["created_at"]),
            rate=_known(Rate, data.get("rate")),
            key=data.get("key"),
            raw=data,
        )


_Value = TypeVar("_Value", Source, Failure, Rate)


def _known(cls: type[_Value], data: Mapping[str, Any] | None) -> _Value | None:
    return None if data is None else cls(**_fields_of(cls, data))


def _fields_of(cls: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Take what is known; what an older server does not say yet has its default."""
    return {known.name: data[known.name] for known in fields(cls) if known.name in data or known.default is MISSING}
