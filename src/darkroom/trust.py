"""An image out of a document that strangers may have written: refused unless this service could have made it. Pure."""

from __future__ import annotations

import base64
import dataclasses
import math
import re
from functools import cache
from itertools import chain
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from darkroom import holdings, ledger, names
from darkroom.access import clean_owner
from darkroom.catalog.colors import COLORS_MAX, is_color
from darkroom.catalog.documents import FORMAT, from_document
from darkroom.catalog.perceptual_hash import is_perceptual_hash
from darkroom.errors import DarkroomError
from darkroom.holdings import Place
from darkroom.model import Image, State

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT_MAX = 4_000
INTEGER_MAX = 2**53
"""What any reader of JSON gives back exactly."""
TAGS_MAX = 500
OBJECTS_MAX = 10_000

_SHA256 = re.compile("[0-9a-f]{64}")
_BASE64 = re.compile("[A-Za-z0-9+/]*={0,2}")
_LISTS = ("tags", "focus", "variants", "objects")


def trusted_image(document: object) -> Image:
    """Return the living image of a document. Raises ``ValueError`` with what is wrong with it."""
    problem = next(_of_lists(document), None)
    if problem is not None:
        raise ValueError(problem)
    try:
        image = from_document(document)  # type: ignore[arg-type] # it has just been looked at
    except DarkroomError as error:
        msg = f"its image cannot be read: {error.__cause__!r}"
        raise ValueError(msg) from error
    # Each is asked only when there is nothing wrong with those before it.
    problems = chain(
        _of_type(image, Image, "image"), _of_itself(image), _of_texts(image), _of_facts(image), _of_objects(image)
    )
    problem = next(problems, None)
    if problem is not None:
        raise ValueError(problem)
    return image


def trusted_sha256(text: str) -> str:
    """Return a SHA-256 in hex. Raises ``ValueError`` for anything else."""
    if not _SHA256.fullmatch(text):
        msg = f"{text[:80]!r} is no SHA-256"
        raise ValueError(msg)
    return text


def _of_lists(document: object) -> Iterator[str]:
    """Yield what would be taken for a list although it is none."""
    if not isinstance(document, dict):
        yield "its image is no JSON object"
        return
    if document.get("format") != FORMAT:
        yield f"its image is of document format {document.get('format')!r}, this program reads {FORMAT}"
    for name in _LISTS:
        if not isinstance(document.get(name), list | None):
            yield f"its {name} are no list"


def _of_itself(image: Image) -> Iterator[str]:
    """Yield what could not be so although every member is of its type."""
    if not names.is_id(image.id):
        yield f"{image.id!r} is no id"
    if image.state is State.DELETED or image.deleted_at is not None:
        yield "a deleted image cannot be imported"
    if image.uploaded_at.tzinfo is None or image.uploaded_at != names.moment_of(image.id):
        yield f"uploaded_at is not the moment that the id says, {names.moment_of(image.id).isoformat()}"
    if image.asked_at is not None and image.asked_at.tzinfo is None:
        yield "asked_at has no time zone"
    if min(image.version, image.generation) < 1:
        yield "version and generation count from 1"
    if image.focus is not None and not all(0.0 <= part <= 1.0 for part in image.focus):
        yield "focus is not two numbers from 0 to 1"
    if image.state is State.READY and image.facts is None:
        yield "a ready image needs facts"


def _of_texts(image: Image) -> Iterator[str]:
    """Yield which text is not as this service keeps it."""
    try:
        cleaned = (
            clean_owner(image.owner),
            names.clean_filename(image.filename),
            None if image.title is None else names.clean_title(image.title),
            None if image.album is None else names.clean_tag(image.album),
            names.clean_tags(image.tags, TAGS_MAX),
        )
    except DarkroomError as error:
        yield error.detail
        return
    if cleaned != (image.owner, image.filename, image.title, image.album, image.tags):
        yield "filename, title, album or tags are not as this service keeps them: in NFC, without control characters"


def _of_facts(image: Image) -> Iterator[str]:
    """Yield which fact no picture can have."""
    if image.promised_sha256 is not None and not _SHA256.fullmatch(image.promised_sha256):
        yield "promised_sha256 is no SHA-256"
    if image.facts is not None:
        if not _SHA256.fullmatch(image.facts.source.sha256):
            yield "the sha256 of its source is no SHA-256"
        if not all(map(is_color, (image.facts.color, *image.facts.colors))):
            yield "a color is not #rrggbb"
        if len(image.facts.colors) > COLORS_MAX:
            yield f"colors are more than {COLORS_MAX}"
        hashed = image.facts.perceptual_hash
        if hashed is not None and not is_perceptual_hash(hashed):
            yield "perceptual_hash is none"
        if not _BASE64.fullmatch(image.facts.placeholder):
            yield "placeholder is no base64"


def _of_objects(image: Image) -> Iterator[str]:
    """Yield which object could not be one of this image."""
    prefix = names.asset_prefix(image.id)
    keys = [prefix + one.name for one in image.objects]
    if len(keys) > OBJECTS_MAX or len(keys) != len(set(keys)):
        yield f"objects are more than {OBJECTS_MAX}, or one is named twice"
    for key in [*keys, *(variant.key for variant in image.variants)]:
        if not holdings.belongs(image.id, Place.ASSETS, key):
            yield f"{key!r} is no object of image {image.id}"
    for one in image.objects:
        if one.checksum is not None and not _is_checksum(one.checksum):
            yield f"{one.checksum!r} is no checksum"


def _is_checksum(text: str) -> bool:
    try:
        digest = base64.b64decode(f"{text}==", altchars=b"-_", validate=True)
    except ValueError:
        return False
    return len(digest) == ledger.CHECKSUM_BYTES


# ---------------------------------------------------------------------- types


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _of_type(value: object, hint: Any, where: str) -> Iterator[str]:  # noqa: ANN401 # a type hint, of any kind
    """Yield where a value is not of the type that is annotated, or is out of all bounds."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:  # there are no others than with None
        if value is not None:
            yield from _of_type(value, inner[0], where)
    elif origin is tuple:
        hints = inner[:1] * len(value) if inner[-1] is Ellipsis and isinstance(value, tuple) else inner
        if not isinstance(value, tuple) or len(hints) != len(value):
            yield f"{where} is no list of the right length"
        else:
            for part, one in zip(value, hints, strict=True):
                yield from _of_type(part, one, where)
    elif dataclasses.is_dataclass(hint):
        if not isinstance(value, hint):  # type: ignore[arg-type] # a dataclass is a type
            yield f"{where} is of the wrong type"
        else:
            for name, one in _hints(hint).items():  # type: ignore[arg-type] # a dataclass is a type
                yield from _of_type(getattr(value, name), one, name)
    elif not _is_plain(value, hint):
        yield f"{where} is of the wrong type or out of bounds"


def _is_plain(value: object, hint: type) -> bool:
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= INTEGER_MAX
    if hint is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and abs(value) <= INTEGER_MAX  # type: ignore[arg-type] # it is one
    if hint is str:
        return isinstance(value, str) and len(value) <= TEXT_MAX and _is_unicode(value)
    return isinstance(value, hint)


def _is_unicode(text: str) -> bool:
    """Tell whether it can be written in UTF-8: half a surrogate pair cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
