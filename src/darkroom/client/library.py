"""What a server answers of a library as a whole, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from darkroom.client.answers import Image

if TYPE_CHECKING:
    from collections.abc import Mapping


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
