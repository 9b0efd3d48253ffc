"""What a server answers of a library as a whole, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from darkroom.client.answers import Failure, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from darkroom.client.answers import Criteria

OVER = frozenset({"done", "stopped", "failed"})
"""The states in which a job stays until somebody asks for something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A tag or an album, and how many ready images have it."""

    name: str
    images: int

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a label; raises as ``Image.from_json``."""
        return cls(name=data["name"], images=data["images"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """An image that is like another one; ``distance`` is in how many of 255 waves they differ, where that is known."""

    image: Image
    same_bytes: bool
    distance: int | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a likeness; raises as ``Image.from_json``."""
        return cls(
            image=Image.from_json(data["image"]), same_bytes=data["same_bytes"], distance=data["distance"], raw=data
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work on many images at once, and how far it has come; ``raw`` is all the server said."""

    id: str
    action: str
    state: str
    dry_run: bool
    matched: int
    done: int
    failed: int
    errors: tuple[tuple[str, Failure], ...]
    """Ids of the first images that could not be done, and why."""
    error: Failure | None
    """Why the job as a whole could not go on."""
    created_at: datetime
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @property
    def over(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state in OVER

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read a job; raises as ``Image.from_json``."""
        error = data["error"]
        return cls(
            id=data["id"],
            action=data["action"],
            state=data["state"],
            dry_run=data["dry_run"],
            matched=data["matched"],
            done=data["done"],
            failed=data["failed"],
            errors=tuple((one["id"], Failure(code=one["code"], detail=one["detail"])) for one in data["errors"]),
            error=None if error is None else Failure(code=error["code"], detail=error["detail"]),
            created_at=datetime.fromisoformat(data["created_at"]),
            raw=data,
        )


def line_of(criteria: Criteria) -> str:
    """Return a search in one line, as ``POST /v1/bulk`` takes it."""
    return " ".join(
        _quoted(value) if name == "q" else f"{name}:{_quoted(value)}" for name, value in criteria.as_parameters()
    )


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
