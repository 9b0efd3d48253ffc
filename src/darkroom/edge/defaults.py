"""The default image in every size and format of the recipes: made once by the same transform as any picture."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.edge.answers import Picture
from darkroom.errors import BadConfiguration, NotFound, Refused
from darkroom.model import Format
from darkroom.names import default_key
from darkroom.transform import Order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.bucket import Bucket
    from darkroom.transform import Transform
    from darkroom.transform.recipes import Recipe

log = logging.getLogger("darkroom.images")

PACKAGED = Path(__file__).with_name("default.png")
"""The default image that comes with the service; ``tools/draw_default.py`` draws it."""

MADE_FROM = default_key("made-from", "txt")
"""The object that says what the default images in the bucket were made from."""


def packaged() -> Picture:
    """Return the default image that comes with the service."""
    return Picture(Format.PNG.content_type, PACKAGED.read_bytes())


def shelve_defaults(
    assets: Bucket, transform: Transform, recipes: Sequence[Recipe], original: Path | None = None
) -> bool:
    """Make the default images from ``original`` (``None``: the packaged one) and put them into the assets bucket.

    Does nothing and returns ``False`` when they are there already, made from the same picture by the same recipes.
    Raises ``BadConfiguration`` when ``original`` is not a readable picture.
    """
    source = original or PACKAGED
    try:
        body = source.read_bytes()
    except OSError as error:
        msg = f"DARKROOM_DEFAULT_IMAGE: {source} cannot be read ({error.strerror})"
        raise BadConfiguration(msg) from error
    fingerprint = hashlib.sha256(repr(tuple(recipes)).encode() + body).hexdigest().encode()
    if _made_from(assets) == fingerprint:
        return False
    try:
        with source.open("rb") as file:
            rendered = transform.render(file, Order(recipes=tuple(recipes)))
    except Refused as error:
        msg = f"DARKROOM_DEFAULT_IMAGE: {source}: {error.detail}"
        raise BadConfiguration(msg) from error
    keys = {default_key(slot.variant, slot.extension): slot for slot in rendered.slots}
    for key, slot in keys.items():
        assets.put(key, slot.body, content_type=slot.format.content_type)
    for stat in list(assets.list("default/")):
        if stat.key not in keys and stat.key != MADE_FROM:
            assets.delete(stat.key)
    # Last, so that a start that was cut off is done again.
    assets.put(MADE_FROM, fingerprint, content_type="text/plain")
    log.info("default images made", extra={"slots": len(keys)})
    return True


def _made_from(assets: Bucket) -> bytes | None:
    try:
        return assets.get(MADE_FROM).body
    except NotFound:
        return None
