"""Processes that kill themselves at a named step of a flow: ``python step_killer.py`` with ``DARKROOM_…`` settings.

All of them work on one data folder, one after the other, each on an image of its own. What each was promised before it
died is printed as one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
import sqlite3
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom import settings as configuration
from darkroom.access import LOCAL_OWNER
from darkroom.embedded import wire
from darkroom.embedded.layout import Layout
from darkroom.inparts import InParts
from darkroom.model import Edit, OriginalPolicy
from darkroom.steps import Step
from darkroom.transform.inline import InlineTransform
from darkroom.uploads import PartedTicket
from darkroom.uploads.staged import StagedParts
from studio import SAMPLES, Sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

    from darkroom.model import Image
    from darkroom.service import Service
    from darkroom.settings import Settings

PICTURE = SAMPLES[0]
BROKEN = next(sample for sample in SAMPLES if sample.code == "unreadable-image")
LONG = next(sample for sample in SAMPLES if sample.name == "noise.jpg")
"""Comes in several parts."""
FOCUS = (1.0, 1.0)
LEASE_SECONDS = 10.0


@dataclass(kw_only=True)
class Promised:
    """What an outsider knows when the process is dead. ``taken``: the bytes were acknowledged."""

    flow: str
    step: str
    count: int
    filename: str
    sample: str = PICTURE.name
    id: str | None = None
    key: str | None = None
    taken: bool = False
    removal: str = "none"
    focus: tuple[float, float] | None = None
    """What may be the focus besides none."""
    renditions: int = 0


class Victim:
    """The service as one process has it; it dies at its step once it is ``armed``."""

    def __init__(self, settings: Settings, promised: Promised, tell: Connection) -> None:
        self.promised = promised
        self._tell = tell
        self._armed = False
        self._left = promised.count
        self.service: Service = dataclasses.replace(wire.service(settings, InlineTransform()), reached=self._reached)

    def _reached(self, step: str) -> None:
        if self._armed and step == self.promised.step:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def arm(self) -> None:
        """Say what is promised so far, and die at the step from now on."""
        self._tell.send(asdict(self.promised))
        self._armed = True

    def receive(self, sample: Sample = PICTURE) -> Image:
        self.promised.sample = sample.name
        upload = self.service.upload(filename=self.promised.filename, length=len(sample.body))
        with tempfile.NamedTemporaryFile(delete=False) as body:
            body.write(sample.body)
        return self.service.receive(LOCAL_OWNER, upload, Path(body.name), idempotency_key=self.promised.key)

    def open_in_parts(self) -> tuple[Image, str]:
        self.promised.sample = LONG.name
        upload = self.service.upload(filename=self.promised.filename, length=len(LONG.body))
        image, ticket = self.service.open_upload(LOCAL_OWNER, upload)
        assert isinstance(ticket, PartedTicket)
        return image, ticket.token

    def put_parts(self, image: Image) -> None:
        size = self.service.rules.part_bytes
        assert isinstance(self.service.parted, StagedParts)
        for number, start in enumerate(range(0, len(LONG.body), size), start=1):
            with tempfile.NamedTemporaryFile(delete=False) as body:
                body.write(LONG.body[start : start + size])
            self.service.parted.keep(image.id, number, Path(body.name))

    def taken(self, sample: Sample = PICTURE) -> Image:
        image = self.receive(sample)
        self.promised.id = image.id
        self.promised.taken = True
        return image

    def ready(self) -> Image:
        image = self.taken()
        self.work()
        return image

    def work(self) -> None:
        """Work on all events that are due: those of this process, whatever others left is far away."""
        while leases := self.service.queue.lease(1, LEASE_SECONDS):
            self.service.handle(leases[0].event)
            self.service.queue.settle(leases[0])


def post(victim: Victim) -> None:
    victim.promised.key = victim.promised.filename
    victim.arm()
    victim.receive()


def open_in_parts(victim: Victim) -> None:
    victim.arm()
    victim.open_in_parts()


def complete(victim: Victim) -> None:
    image, token = victim.open_in_parts()
    victim.put_parts(image)
    victim.promised.id = image.id
    victim.promised.taken = True
    victim.arm()
    InParts(victim.service).complete(image.id, token)


def process(victim: Victim) -> None:
    victim.taken()
    victim.arm()
    victim.work()


def process_broken(victim: Victim) -> None:
    victim.taken(BROKEN)
    victim.arm()
    victim.work()


def reprocess(victim: Victim) -> None:
    image = victim.ready()
    deletes = victim.service.rules.originals is OriginalPolicy.DELETE
    victim.promised.renditions = 1 if deletes else 0
    victim.arm()
    victim.service.reprocess(LOCAL_OWNER, image.id, from_rendition=deletes)
    victim.work()


def change_focus(victim: Victim) -> None:
    image = victim.taken()
    victim.promised.focus = FOCUS
    victim.arm()
    victim.service.edit(LOCAL_OWNER, image.id, Edit(focus=FOCUS))
    victim.work()


def delete(victim: Victim) -> None:
    image = victim.ready()
    victim.promised.removal = "asked"
    victim.arm()
    victim.service.delete(LOCAL_OWNER, image.id)


def delete_unprocessed(victim: Victim) -> None:
    image = victim.taken()
    victim.promised.removal = "asked"
    victim.arm()
    victim.service.delete(LOCAL_OWNER, image.id)


RENDER = (Step.EVENT_TAKEN, Step.RENDERED, Step.LEDGER_WRITTEN, Step.OBJECT_SHELVED, Step.STALE_REMOVED, Step.COMMITTED)
ERASURE = (
    Step.ERASURE_PROMISED,
    Step.TOMBSTONE_WRITTEN,
    Step.ORIGINAL_ERASED,
    Step.OBJECT_ERASED,
    Step.ERASURE_PURGED,
)
FLOWS: dict[Callable[[Victim], None], tuple[Step, ...]] = {
    post: (Step.IMAGE_CREATED, Step.ORIGINAL_STORED),
    open_in_parts: (Step.IMAGE_CREATED,),
    complete: (Step.ORIGINAL_STORED, Step.PARTS_REMOVED),
    process: (*RENDER, Step.ORIGINAL_ARCHIVED, Step.ORIGINAL_DISPOSED),
    process_broken: (Step.EVENT_TAKEN, Step.FAILURE_WRITTEN),
    reprocess: (Step.REPROCESS_WRITTEN, Step.RENDER_ASKED, *RENDER, Step.CHANGE_PURGED, Step.ORIGINAL_DISPOSED),
    change_focus: (Step.RENDER_ASKED, *RENDER, Step.CHANGE_PURGED, Step.ORIGINAL_DISPOSED),
    delete: ERASURE,
    delete_unprocessed: ERASURE,
}
OBJECTS = 3
"""How many objects the recipes make of a picture: steps that are reached after each are tried at each."""


def scenarios(policy: OriginalPolicy) -> list[tuple[Callable[[Victim], None], Step, int]]:
    """Return flow, step, and at which of its occurrences to die."""
    return [
        (flow, step, count)
        for flow, steps in FLOWS.items()
        for step in steps
        if step is not Step.ORIGINAL_ARCHIVED or policy is OriginalPolicy.ARCHIVE
        for count in range(1, 1 + (OBJECTS if step in {Step.OBJECT_SHELVED, Step.OBJECT_ERASED} else 1))
    ]


def run(settings: Settings, flow: Callable[[Victim], None], promised: Promised, tell: Connection) -> None:
    victim = Victim(settings, promised, tell)
    flow(victim)


def put_off(settings: Settings) -> None:
    """Keep what the dead process left in the queue away from the next one; the test lets the time pass."""
    with closing(sqlite3.connect(Layout(settings.data).queue, isolation_level=None)) as connection:
        connection.execute("UPDATE events SET due = ?", (2**62,))


def main() -> int:
    settings = configuration.load()
    Layout(settings.data).prepare()
    wire.prepare(settings)
    context = multiprocessing.get_context("fork")
    for number, (flow, step, count) in enumerate(scenarios(settings.originals)):
        ours, theirs = context.Pipe(duplex=False)
        promised = Promised(flow=flow.__name__, step=step, count=count, filename=f"{number}-{flow.__name__}-{step}.jpg")
        child = context.Process(target=run, args=(settings, flow, promised, theirs))
        child.start()
        theirs.close()
        child.join()
        if child.exitcode != -signal.SIGKILL:
            sys.exit(f"{promised} ended with {child.exitcode}, and was not killed")
        put_off(settings)
        print(json.dumps(ours.recv()), flush=True)  # noqa: T201  # this is what the test reads
    return 0


if __name__ == "__main__":
    sys.exit(main())
