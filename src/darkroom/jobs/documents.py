"""A job as a plain document of JSON's own types and back. Pure; every store keeps these.

What is not there has its default, and members that are not known are passed over, as with images.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from darkroom.errors import Unavailable
from darkroom.jobs import Action, ImageError, Job, JobState
from darkroom.model import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAMES = frozenset(field.name for field in fields(Job))


def to_document(job: Job) -> dict[str, Any]:
    """Return the job as a document."""
    members = {name: value for name, value in asdict(job).items() if value is not None and value != ()}
    return members | {"created_at": job.created_at.isoformat(), "changed_at": job.changed_at.isoformat()}


def from_document(document: Mapping[str, Any]) -> Job:
    """Return the job of a document. Raises ``Unavailable`` for one that this release cannot read."""
    try:
        given = {name: value for name, value in document.items() if name in _NAMES}
        given |= {name: tuple(given[name]) for name in ("tags", "ids", "pending") if name in given}
        given |= {name: datetime.fromisoformat(given[name]) for name in ("created_at", "changed_at")}
        given |= {"action": Action(given["action"]), "state": JobState(given["state"])}
        given["errors"] = tuple(ImageError(**error) for error in given.get("errors", ()))
        given["error"] = Failure(**given["error"]) if "error" in given else None
        return Job(**given)
    except (LookupError, TypeError, ValueError) as error:
        msg = f"a job cannot be read ({error!r}); run the release that wrote it"
        raise Unavailable(msg, code="data-format") from error
