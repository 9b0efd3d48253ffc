"""Named variants: what is made from every original, read from ``darkroom.toml``."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from darkroom.model import Format

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fit(StrEnum):
    """How a picture is fitted into a recipe's width and height; the names are the ones of CSS and sharp."""

    INSIDE = "inside"
    """As large as fits within both, whole, aspect kept."""
    COVER = "cover"
    """Fills both, aspect kept, what hangs over is cut off at the side away from the gravity."""
    CONTAIN = "contain"
    """Whole, aspect kept, the rest filled with the background."""
    FILL = "fill"
    """Stretched to both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One named variant. ``formats`` go from most modern to most widely read: the last is for everybody else."""

    name: str
    width: int
    height: int
    fit: Fit = Fit.INSIDE
    gravity: str = "center"
    """``center``, a compass point (``north`` … ``northwest``), ``attention``, ``entropy`` or ``X:Y`` (0–1)."""
    formats: tuple[Format, ...] = (Format.AVIF, Format.JPEG)
    quality: Mapping[Format, int]
    background: str = "#ffffff"
    """Behind transparent pixels where a format has none, and around a contained picture."""
