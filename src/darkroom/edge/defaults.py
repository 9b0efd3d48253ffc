"""The default image in every size and format of the recipes: made once by the same transform as any picture."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom import ledger
from darkroom.edge.answers import Picture
from darkroom.errors import BadConfiguration, NotFound, Refused
from darkroom.model import Format
from darkroom.names import default_key
from darkroom.transform import Order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from darkroom.bucket import Bucket
    from darkroom.transform import Transform
    from darkroom.transform.recipes import Recipe

log = logging.getLogger("darkroom.images")

PACKAGED = Path(__file__).with_name("default.png")
"""The default image that comes with the service; ``tools/draw_default.py`` draws it."""

LEDGER = default_key("ledger", "json")
"""The object that says what the default images in the bucket were made from, and names them, with their checksums.

It names all that may be there before any is put, as the ledger of an image does.
"""


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
    fingerprint = hashlib.sha256(repr(tuple(recipes)).encode() + body).hexdigest()
    made_from, objects = _read(assets)
    if made_from == fingerprint:
        return False
    try:
        with source.open("rb") as file:
            rendered = transform.render(file, Order(recipes=tuple(recipes)))
    except Refused as error:
        msg = f"DARKROOM_DEFAULT_IMAGE: {source}: {error.detail}"
        raise BadConfiguration(msg) from error
    made = {default_key(slot.variant, slot.extension): slot for slot in rendered.slots}
    _write(assets, None, dict.fromkeys([*objects, *made]))
    for key, slot in made.items():
        assets.put(key, slot.body, content_type=slot.format.content_type)
    for key in objects.keys() - made.keys():
        assets.delete(key)
    # Last, so that a start that was cut off is done again.
    _write(assets, fingerprint, {key: ledger.checksum(slot.body) for key, slot in made.items()})
    log.info("default images made", extra={"slots": len(made)})
    return True


def default_objects(assets: Bucket) -> Mapping[str, str | None]:
    """Return the key of every object that is there for the default image, with its checksum where there is one."""
    made_from, objects = _read(assets)
    return {**objects, LEDGER: None} if objects or made_from else {}


def distrust_defaults(assets: Bucket) -> None:
    """Have the default images made anew at the next start."""
    _, objects = _read(assets)
    _write(assets, None, dict.fromkeys(objects))


def _read(assets: Bucket) -> tuple[str | None, dict[str, str | None]]:
    """Return what the default images were made from, and their checksums by their keys."""
    try:
        document = json.loads(assets.get(LEDGER).body)
        return document["made_from"], {str(key): checksum for key, checksum in document["objects"].items()}
    except (NotFound, ValueError, LookupError, TypeError, AttributeError):
        return None, {}  # whatever it is, it is made anew


def _write(assets: Bucket, made_from: str | None, objects: dict[str, str | None]) -> None:
    document = json.dumps({"made_from": made_from, "objects": objects})
    assets.put(LEDGER, document.encode(), content_type="application/json")
