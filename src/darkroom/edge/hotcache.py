"""Ready-made answers in memory, bounded by bytes; who was asked for longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

Kept = TypeVar("Kept")

OVERHEAD_BYTES = 4096
"""What an entry takes besides its body: headers, objects and places in dictionaries, rounded up."""

LARGEST_SHARE = 8
"""An entry may take at most one part in so many of the whole, or a few pictures would drive out all others."""


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Kept]):
    image_id: str
    value: Kept
    bytes: int


class HotCache(Generic[Kept]):
    """Keeps values by path, in groups by image. For one thread only, the one of the event loop."""

    def __init__(self, capacity: int) -> None:
        """``capacity`` is in bytes; 0 keeps nothing."""
        self.largest = capacity // LARGEST_SHARE - OVERHEAD_BYTES
        """Bytes of the largest body that is kept."""
        self.bytes = 0
        """Bytes taken now."""
        self._capacity = capacity
        self._entries: OrderedDict[str, _Entry[Kept]] = OrderedDict()
        self._paths_of: dict[str, set[str]] = {}

    def get(self, path: str) -> Kept | None:
        """Return what is kept under ``path``."""
        entry = self._entries.get(path)
        if entry is None:
            return None
        self._entries.move_to_end(path)
        return entry.value

    def put(self, path: str, image_id: str, value: Kept, body_bytes: int) -> None:
        """Keep ``value``, unless its body of ``body_bytes`` is larger than ``largest``."""
        self.remove(path)
        if body_bytes > self.largest:
            return
        entry = _Entry(image_id, value, body_bytes + OVERHEAD_BYTES)
        self._entries[path] = entry
        self._paths_of.setdefault(image_id, set()).add(path)
        self.bytes += entry.bytes
        while self.bytes > self._capacity:
            self.remove(next(iter(self._entries)))

    def remove(self, path: str) -> None:
        """Forget what is kept under ``path``, if anything is."""
        entry = self._entries.pop(path, None)
        if entry is None:
            return
        self.bytes -= entry.bytes
        paths = self._paths_of[entry.image_id]
        paths.discard(path)
        if not paths:
            del self._paths_of[entry.image_id]

    def evict(self, image_id: str) -> None:
        """Forget everything of an image."""
        for path in tuple(self._paths_of.get(image_id, ())):
            self.remove(path)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._paths_of.clear()
        self.bytes = 0
