"""Port: an original in, facts and finished pictures out. What strangers sent is decoded only behind this port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from darkroom.model import Facts, Format
    from darkroom.transform.options import Transformation
    from darkroom.transform.plan import Size
    from darkroom.transform.recipes import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an original may be at most; the contract's defaults."""

    bytes: int = 64 * 1024 * 1024
    pixels: int = 100_000_000
    """Width × height × frames."""
    side: int = 32_767
    frames: int = 1_000
    svg: bool = False
    """Whether an SVG is accepted at all."""
    accept_truncated: bool = False
    """Whether of a JPEG that is cut off, or damaged on the way, what is there is shown: the rest is grey."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to make from an original: every slot of every recipe.

    ``focus`` is a point, from the left and from the top (0–1), as a person sees the picture.
    """

    recipes: tuple[Recipe, ...]
    focus: tuple[float, float] | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One picture to order, of an original or of a smaller picture that shows all of it.

    ``original`` is the size that the transformation's pixels are meant in, and ``focus`` a point (0–1), both as a
    person sees the picture.
    """

    transformation: Transformation
    format: Format
    original: Size
    focus: tuple[float, float] | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """The finished bytes for one (recipe, format) pair, under the extension that negotiation will ask for.

    ``format`` is what the bytes really are: a slot that cannot hold the picture (animation, alpha) holds the nearest
    format. ``listed`` is false for a slot that repeats another one of its recipe.
    """

    variant: str
    extension: str
    format: Format
    width: int
    height: int
    body: bytes
    listed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """Everything made from one original: there is a slot for every (recipe, format) of the order."""

    facts: Facts
    slots: tuple[Slot, ...]


class Inspect(Protocol):
    """Reads a file's header, without decoding a pixel, so that what cannot work is refused while the uploader waits."""

    def __call__(self, original: BinaryIO) -> tuple[int, int]:
        """Return width and height in pixels as the header says. Raises ``UnsupportedFormat`` or ``UnreadableImage``."""
        ...


class Transform(Protocol):
    """Decodes once, makes every variant from that. No metadata of any kind is in a slot's bytes."""

    def render(self, original: BinaryIO, order: Order) -> Rendered:
        """Read ``original`` (a real file: ``fileno()`` works), from its beginning, and make what ``order`` asks for.

        Permanent: raises ``UnsupportedFormat``, ``UnreadableImage`` (damaged, truncated), ``TooManyPixels``,
        ``TooLarge``. Transient: ``RenderFailed`` when the decoding process crashed, hung or ran over its limits, of
        which the original is the likely cause; ``Unavailable`` when none was to be had.
        """
        ...

    def make(self, original: BinaryIO, wish: Wish) -> Slot:
        """Make one picture, of exactly the format that is wished for. Raises as ``render``, and ``InvalidRequest``."""
        ...

    def close(self) -> None:
        """Stop what was started; safe to call twice."""
        ...


class Elsewhere:
    """The transform of a process that never decodes: those that answer HTTP leave it to the ones that take events."""

    def render(self, original: BinaryIO, order: Order) -> Rendered:  # noqa: ARG002  # the port's signature
        """Refuse: reaching this is a mistake in the wiring."""
        msg = "this process does not decode; events are handled by another one"
        raise RuntimeError(msg)

    def make(self, original: BinaryIO, wish: Wish) -> Slot:  # noqa: ARG002  # as above
        """Refuse, as above."""
        msg = "this process does not decode; pictures are made by another one"
        raise RuntimeError(msg)

    def close(self) -> None:
        """Nothing was started."""
