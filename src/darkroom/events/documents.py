"""Events as JSON documents and back: the same in every queue."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from darkroom.events import BulkStep, EdgePurge, Event, ImageDeleted, ObjectCreated, ResultWanted

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Mapping[str, type[Event]] = {
    "object-created": ObjectCreated,
    "image-deleted": ImageDeleted,
    "edge-purge": EdgePurge,
    "result-wanted": ResultWanted,
    "bulk-step": BulkStep,
}
"""The name of a kind is for ever: a changed shape takes a new name, which older releases then leave alone."""

_NAMES = {kind: name for name, kind in KINDS.items()}


def to_document(event: Event) -> tuple[str, dict[str, Any]]:
    """Return the name of the event's kind, and its members."""
    return _NAMES[type(event)], asdict(event)


def from_document(kind: str, document: Mapping[str, Any]) -> Event:
    """Return the event of a known ``kind``; members that are not known are left away. Raises ``KeyError``."""
    event = KINDS[kind]
    members: dict[str, Any] = {
        field.name: tuple(value) if isinstance(value := document[field.name], list) else value
        for field in fields(event)
    }
    return event(**members)
