"""Port: a place for whole objects under a key. The upload bucket is private, the assets bucket is what edges read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """What is known of an object without reading it. ``etag``, without HTTP's quotes, changes when the bytes do."""

    key: str
    bytes: int
    etag: str
    modified: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A small object, whole, with the media type it was put under."""

    stat: Stat
    content_type: str
    body: bytes


class Bucket(Protocol):
    """Objects appear whole or not at all, and are durable when ``put`` returns, unless they need not last.

    Keys are the ones of ``names.py``: segments of ``a-z A-Z 0-9 . _ , : = -`` joined by slashes, never ``..``; any
    other key raises ``ValueError``, because only a mistake of ours can make one. Every verb may raise ``Unavailable``
    when the store does not answer, and ``put`` raises ``StorageFull`` when there is no room (then nothing is kept).
    """

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        content_type: str,
        create_only: bool = False,
        lasting: bool = True,
        told: Mapping[str, str] | None = None,
    ) -> Stat:
        """Store ``body``: bytes, or a file that the bucket may take over (the caller no longer relies on it).

        What is not ``lasting`` may be lost or spoiled when the machine loses its power, though not when a process dies:
        for what can be made again and is compared with its checksum whenever it is read. ``told`` is, by its name, what
        readers are told with an object that they are given by the store itself.

        With ``create_only`` raises ``AlreadyExists`` when there is an object under ``key``, which then stays as it is;
        of many who try at once exactly one succeeds. Otherwise replaces what is there in one step.
        """
        ...

    def get(self, key: str) -> Stored:
        """Return a whole object in memory: for variants, not for originals. Raises ``NotFound``."""
        ...

    def open(self, key: str) -> tuple[Stat, BinaryIO]:
        """Open an object for reading as a real, seekable file, at its beginning: ``fileno()`` works, and stands where
        the file stands.

        The caller closes it. The file shows one version even if the object is replaced or deleted meanwhile. Raises
        ``NotFound``.
        """
        ...

    def stat(self, key: str) -> Stat:
        """Return what is known of an object. Raises ``NotFound``."""
        ...

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        ...

    def list(self, prefix: str) -> Iterator[Stat]:
        """Yield the objects whose key starts with ``prefix`` (which ends with a slash or is empty), ordered by key.

        In memory that does not grow with their number; what comes or goes meanwhile may be missed or told.
        """
        ...

    def roots(self) -> tuple[str, ...]:
        """Return, ordered, what the keys begin with: up to and with their first slash, or all of a key that has none.

        Something may be among them with which no key begins any more.
        """
        ...

    def check(self) -> None:
        """Return when the bucket answers; raises ``Unavailable`` with the reason when it does not."""
        ...


class Leftovers(Protocol):
    """What dead processes left half-made: files that never became objects, so that no verb of a bucket sees them."""

    def find(self, before: datetime) -> Iterator[Stat]:
        """Yield those that nobody has touched since ``before``. Raises ``Unavailable``."""
        ...

    def remove(self, key: str) -> None:
        """Remove one that was found; one that is not there is no error. Raises ``Unavailable``."""
        ...
