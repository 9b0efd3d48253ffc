"""What becomes of an event whose handling failed: the same wherever events are worked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom.arrival import GAVE_UP, RENDER_TRIES
from darkroom.errors import DarkroomError, RenderFailed, StorageFull, Unavailable
from darkroom.events import PATIENT, PATIENT_ATTEMPTS

if TYPE_CHECKING:
    from darkroom.events import Lease
    from darkroom.service import Service

OUR_SIDE = "something went wrong on our side"
"""What an uploader is told of an error that was not foreseen; the log says more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether that was the last try, and what is then said of it: to operators, and to the uploader with a code."""

    is_final: bool
    reason: str
    told: str
    code: str


def judged(lease: Lease, error: Exception, *, attempts: int) -> Verdict:
    """Return what becomes of an event after this try, of ``attempts``, has failed.

    One whose decoding process fails is given no more than ``RENDER_TRIES``, one of ``PATIENT`` as many as those are.
    """
    undecodable = isinstance(error, RenderFailed)
    most = PATIENT_ATTEMPTS if isinstance(lease.event, PATIENT) else attempts
    if undecodable:
        most = min(RENDER_TRIES, most)
    if isinstance(error, DarkroomError):
        reason, told = f"{error.code}: {error.detail}", error.detail
    else:
        reason, told = f"{type(error).__name__}: {error}", OUR_SIDE
    code = RenderFailed.code if undecodable else GAVE_UP
    return Verdict(is_final=lease.attempt >= most, reason=reason, told=told, code=code)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with the stores, so that no event is to blame: with all of them, or for this event only."""

    error: Exception
    is_general: bool


def trouble_of_the_stores(service: Service, error: Exception) -> Trouble | None:
    """Return what is wrong where an event failed for no fault of its own: then it is not given up, however often tried.

    A store may have no room for this picture, and some for others.
    """
    if not isinstance(error, Unavailable) or isinstance(error, RenderFailed):
        return None
    try:
        service.check()
    except Exception as of_all:  # noqa: BLE001  # whatever it is, no event is to blame
        return Trouble(of_all, is_general=True)
    return Trouble(error, is_general=False) if isinstance(error, StorageFull) else None
