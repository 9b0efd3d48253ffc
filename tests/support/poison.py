"""A decoder as it is, but for pictures that say what they do to it: stands in for one with a hole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, BinaryIO

import hostile
from darkroom.transform import vips

if TYPE_CHECKING:
    from darkroom.transform import Order, Rendered

_MARK = b"poison:"


def poisoned(picture: bytes, attempt: str, **arguments: object) -> bytes:
    """Return a picture that makes ``render`` do what ``hostile`` calls ``attempt``; no other decoder minds."""
    return picture + _MARK + json.dumps({"attempt": attempt, **arguments}).encode()


def render(original: BinaryIO, order: Order) -> Rendered:
    _, mark, said = original.read().rpartition(_MARK)
    if mark:
        request = json.loads(said)
        hostile.ATTEMPTS[request.pop("attempt")](**request)
    return vips.render(original, order)
