"""What a server answers of a library as a whole, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

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
