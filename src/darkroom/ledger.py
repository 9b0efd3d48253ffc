"""The ledger of an image: every object that was, or may have been, made of it, and what its bytes are. Pure.

It is a member of the image itself (``Image.objects``), so it costs no write of its own. A name gets into it before its
object is put, without a checksum, and stays until its object is known to be gone; the checksums come with the commit
that makes the image ready. So no object is ever without an owner, and whoever removes what an image had need not list
the bucket.
"""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, BinaryIO

from darkroom import names
from darkroom.model import Shelved

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkroom.model import Image
    from darkroom.transform.recipes import Recipe

CHECKSUM_BYTES = 16
"""How much of a SHA-256 is kept of each object: no damage by chance goes unseen, at 22 letters instead of 43."""


_CHUNK = 1024 * 1024


def checksum(body: bytes) -> str:
    """Return the checksum of an object: base64url of the first ``CHECKSUM_BYTES`` of its SHA-256."""
    return _text(hashlib.sha256(body).digest())


def checksum_of(file: BinaryIO) -> str:
    """Return the checksum of what is left to read of a file, in little memory."""
    return _text(_hashed(file).digest())


def sha256_of(file: BinaryIO) -> str:
    """Return the SHA-256, in hex, of what is left to read of a file, in little memory: the checksum of an original."""
    return _hashed(file).hexdigest()


def slots(recipes: Iterable[Recipe]) -> tuple[str, ...]:
    """Return the name, under the image's prefix, of every object that these recipes make."""
    return tuple(names.slot_name(recipe.name, kind.extension) for recipe in recipes for kind in recipe.formats)


def promise(objects: Iterable[Shelved], wanted: Iterable[str]) -> tuple[Shelved, ...]:
    """Return the ledger before ``wanted`` are put: all names there were and these, none of them with a checksum.

    What is about to be overwritten is nobody's word any more, so all checksums go.
    """
    return tuple(Shelved(name=name) for name in dict.fromkeys([*(one.name for one in objects), *wanted]))


def keys(image: Image) -> tuple[str, ...]:
    """Return the object key of everything in the image's ledger."""
    prefix = names.asset_prefix(image.id)
    return tuple(f"{prefix}{one.name}" for one in image.objects)


def expected(image: Image, key: str) -> str | None:
    """Return the checksum that the object under ``key`` has to have, ``None`` when nothing is said of it."""
    name = key.removeprefix(names.asset_prefix(image.id))
    return next((one.checksum for one in image.objects if one.name == name), None)


def source_keys(image: Image) -> tuple[str, ...]:
    """Return where to look, in this order, for what the image is made from.

    A ticket that is used again may put other bytes where originals arrive, but never into the archive: what lies there
    comes first, and so a variant that stands in for an original lies there only. The archive comes last once more
    because an original may move into it between two looks.
    """
    archived = names.archive_key(image.id)
    return (archived,) if image.from_rendition else (archived, names.original_key(image.id), archived)


def expected_source(image: Image) -> str | None:
    """Return the SHA-256, in hex, that what the image is made from has to have, as far as it is known."""
    if image.from_rendition:
        return None
    return image.promised_sha256 if image.facts is None else image.facts.source.sha256


def _hashed(file: BinaryIO) -> hashlib._Hash:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest[:CHECKSUM_BYTES]).rstrip(b"=").decode()
