"""The grammar of what lies under ``/i/``: read by bounded splits, no regular expression, no decoding."""

from __future__ import annotations

from dataclasses import dataclass

from darkroom.names import ID_LENGTH, asset_key, is_id, is_variant_name

PREFIX = "/i/"

VARIANT_AT = len(PREFIX) + ID_LENGTH + 1
"""Where the variant's name begins in every path that can be right: ids are all of one length."""

_LONGEST = 100
_EXTENSION_MAX = 5
_EXTENSION_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


@dataclass(frozen=True, slots=True)
class AssetPath:
    """``/i/{image_id}/{variant}`` with an extension, or with ``None`` when the format is to be negotiated."""

    image_id: str
    variant: str
    extension: str | None


def parse(path: str) -> AssetPath | None:
    """Return what a percent-decoded path asks for, or ``None`` for one that can name no picture.

    ``/i/{id}/t/…`` is ``None`` too: a variant is never called ``t``, transformations have that name.
    """
    if len(path) > _LONGEST or not path.startswith(PREFIX):
        return None
    image_id, slash, name = path[len(PREFIX) :].partition("/")
    variant, dot, extension = name.partition(".")
    if not slash or not is_id(image_id) or not is_variant_name(variant):
        return None
    if dot and not is_extension(extension):
        return None
    return AssetPath(image_id, variant, extension if dot else None)


def is_extension(text: str) -> bool:
    """Tell whether ``text`` can be a file extension: 1 to 5 of ``a-z 0-9``."""
    return 0 < len(text) <= _EXTENSION_MAX and _EXTENSION_LETTERS.issuperset(text)


def path_of(image_id: str, variant: str, extension: str) -> str:
    """Return the exact path of a variant: its object key behind a slash."""
    return f"/{asset_key(image_id, variant, extension)}"
