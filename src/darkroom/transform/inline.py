"""Everything a decoding process is asked for, in this process: for tests, and for one that is itself a jail."""

from __future__ import annotations

from typing import BinaryIO

from darkroom.transform import Order, Rendered, Slot, Wish
from darkroom.transform.retouch import make
from darkroom.transform.vips import render


class InlineTransform:
    """Decodes and encodes where it is called."""

    def render(self, original: BinaryIO, order: Order) -> Rendered:
        """As the port says."""
        return render(original, order)

    def make(self, original: BinaryIO, wish: Wish) -> Slot:
        """As the port says."""
        return make(original, wish)

    def close(self) -> None:
        """As the port says; nothing was started."""


def perform(original: BinaryIO, order: Order | Wish) -> Rendered | Slot:
    """Do what a jailed worker is sent."""
    return make(original, order) if isinstance(order, Wish) else render(original, order)
