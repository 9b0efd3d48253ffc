"""A picture that breaks its decoder becomes failed with the reason, and nothing else notices: jail, queue and service
as they run, with a decoder that has a hole."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import pictures
from darkroom.arrival import RENDER_TRIES
from darkroom.embedded.processor import Pace, Processor
from darkroom.model import State
from darkroom.transform.jail import Allowance, JailedTransform
from patience import eventually
from poison import poisoned
from processes import process
from rooms import Room

if TYPE_CHECKING:
    from collections.abc import Iterator

    from darkroom.model import Image

MEBIBYTE = 1024 * 1024
ATTEMPTS = 5
PACE = Pace(lease=1_000.0, extend=0.01, idle=0.001, drain=10.0)


@contextmanager
def working(**allowance: Any) -> Iterator[Room]:
    """Run a service whose pictures are rendered by two jailed processes, on a clock of its own."""
    usual: dict[str, Any] = {"seconds": 20.0, "memory_bytes": 512 * MEBIBYTE}
    pool = JailedTransform(2, allowance=Allowance(**{**usual, **allowance}), render="poison:render")
    room = Room()
    room.replaced(transform=pool)
    processor = Processor(room.service, room.queue, threads=2, attempts=ATTEMPTS, pace=PACE)
    thread = threading.Thread(target=processor.run)
    thread.start()
    try:
        yield room
    finally:
        processor.stop()
        thread.join(20)
        pool.close()
        assert not thread.is_alive()


def settled(room: Room, image: Image) -> Image:
    """Let time pass until the image is ready or failed."""

    def look() -> Image | None:
        room.clock.advance(0.1)
        found = room.get(image)
        assert found is not None
        return found if found.state in {State.READY, State.FAILED} else None

    return eventually(look, seconds=30, what="an end of the image")


@pytest.mark.parametrize(
    ("attempt", "reason", "allowance"),
    [
        ("crash", "Segmentation fault", {}),
        ("abort", "Aborted", {}),
        ("hang", "longer than 0.5 seconds", {"seconds": 0.5}),
        ("fill_memory", "more memory than is allowed", {}),
        ("leave", "ended before it had answered", {}),
    ],
)
def test_it_fails_with_what_it_did_while_others_go_on(attempt: str, reason: str, allowance: dict[str, float]) -> None:
    with working(**allowance) as room:
        before = room.receive(pictures.jpeg(60, 40))
        poison = room.receive(poisoned(pictures.jpeg(60, 41), attempt))
        after = [room.receive(pictures.jpeg(60, 42 + number)) for number in range(4)]
        failed = settled(room, poison)
        assert failed.state is State.FAILED
        assert failed.error is not None
        assert failed.error.code == "render-failed"
        assert reason in failed.error.detail
        assert [settled(room, image).state for image in (before, *after)] == [State.READY] * 5
        # The image is said to have failed before its event is buried: what dies in between is tried again.
        (grave,) = eventually(lambda: room.queue.buried(10), what="the event being buried")
        assert grave.attempts == RENDER_TRIES
        assert settled(room, room.receive(pictures.jpeg(61, 40))).state is State.READY


def test_what_went_wrong_once_is_made_good_by_the_second_try() -> None:
    """As when the machine had no memory: the process is killed from outside."""
    with working() as room:
        pool = room.service.transform
        assert isinstance(pool, JailedTransform)
        zygote = process(pool.processes()[0])
        picture = room.receive(poisoned(pictures.jpeg(60, 40), "spin_for", seconds=1.0))
        busy = eventually(
            lambda: next((each for each in zygote.children() if each.cpu_seconds > 0.3), None), what="a process at work"
        )
        busy.kill()
        assert settled(room, picture).state is State.READY
        assert not room.queue.buried(10)
