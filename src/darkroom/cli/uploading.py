"""Several uploads at once: what is sent, what is there already, and what became of each file."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import typer

from darkroom.cli.connect import WAIT_SECONDS, complain, connected
from darkroom.cli.finding import find
from darkroom.cli.output import print_json, shown, size
from darkroom.cli.progress import Display
from darkroom.client import ApiError, Criteria, Image, Labels, Patience, SourceChanged
from darkroom.client.calls import sha256_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from darkroom.cli.finding import Found
    from darkroom.client import Client

ATTEMPTS = 8
"""Tries of each request: with the delays between them a server may be away for 20 seconds before a run ends."""

NOT_ALLOWED = frozenset({"unauthorized", "forbidden"})
"""Codes that every other file would be answered with too."""

NOTHING_TO_RESUME = frozenset({403, 404})
"""Answered of an upload that is too old, or was to come whole."""

STATES_BY_WORTH = ("ready", "processing", "awaiting", "failed")
"""Of several images of the same bytes, the one that is taken for them comes first."""


class End(StrEnum):
    """How it ended for one file."""

    READY = "ready"
    SENT = "sent"
    ALREADY_THERE = "already-there"
    DUPLICATE = "duplicate"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One file's end: its image, if there is one, why, if that is to be said, and how many bytes went out for it."""

    file: Path
    end: End
    image_id: str | None = None
    code: str | None = None
    detail: str | None = None
    sent: int = 0


class Stopped(Exception):
    """Ends whatever a thread is doing with the server."""


@dataclass(slots=True, kw_only=True)
class Uploader:
    """Uploads files, in several threads at once. ``moved`` is told the bytes that go out, ``stop`` ends it."""

    client: Client
    labels: Labels
    wait: bool
    moved: Callable[[int], None]
    stop: threading.Event
    _first_of: dict[str, Path] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def upload(self, file: Path) -> Outcome:
        """Upload a file unless it is there. Raises ``Unreachable``, ``ApiError`` of ``NOT_ALLOWED`` and ``Stopped``."""
        total = 0

        def sent(count: int) -> None:
            nonlocal total
            if self.stop.is_set():
                raise Stopped
            total += count
            self.moved(count)

        try:
            outcome = self._unless_known(file, sent)
        except ApiError as error:
            if error.code in NOT_ALLOWED:
                raise
            outcome = Outcome(file=file, end=End.FAILED, code=error.code, detail=error.detail)
        except SourceChanged as error:
            outcome = Outcome(file=file, end=End.FAILED, code="source-changed", detail=str(error))
        except OSError as error:
            detail = f"the file cannot be read: {error.strerror or error}"
            outcome = Outcome(file=file, end=End.FAILED, code="unreadable-file", detail=detail)
        return dataclasses.replace(outcome, sent=total)

    def _unless_known(self, file: Path, sent: Callable[[int], None]) -> Outcome:
        checksum = sha256_of(file)
        with self._lock:
            first = self._first_of.setdefault(checksum, file)
        if first != file:
            return Outcome(file=file, end=End.DUPLICATE, detail=f"the same bytes as {first}")
        images = list(self.client.search(Criteria(sha256=checksum, states=STATES_BY_WORTH)))
        known = self._known(images)
        if known is None:
            wait = WAIT_SECONDS if self.wait else 0.0
            image = self._resumed(images, file, sent, wait)
            if image is None:
                image = self.client.upload(file, self.labels, wait=wait, sent=sent)
            return self._outcome(file, image, End.READY if image.state == "ready" else End.SENT)
        if known.state == "failed":
            known = self.client.reprocess(known.id)
        if self.wait:
            known = self.client.settled(known.id, WAIT_SECONDS)
        return self._outcome(file, known, End.ALREADY_THERE)

    def _resumed(self, images: list[Image], file: Path, sent: Callable[[int], None], wait: float) -> Image | None:
        """Go on with an upload in parts of these bytes that stopped, and return its image; ``None`` without one."""
        for image in images:
            if image.state == "awaiting":
                try:
                    return self.client.resume(image.id, file, wait=wait, sent=sent)
                except ApiError as error:
                    if error.status not in NOTHING_TO_RESUME:
                        raise
        return None

    def _known(self, images: list[Image]) -> Image | None:
        """Return an image that was or is being made of these bytes, or that failed but has them and can try again.

        One that awaits them counts only when they have arrived: else somebody opened an upload and never sent it.
        """
        for image in sorted(images, key=lambda image: STATES_BY_WORTH.index(image.state)):
            if image.state in {"ready", "processing"} or self.client.has_original(image.id):
                return image
        return None

    def _outcome(self, file: Path, image: Image, end: End) -> Outcome:
        code = detail = None
        if image.error is not None:
            end, code, detail = End.FAILED, image.error.code, image.error.detail
        elif self.wait and not image.settled:
            end, code = End.FAILED, "still-processing"
            detail = f"it is not ready after {WAIT_SECONDS:.0f} seconds; darkroom show tells when it is"
        return Outcome(file=file, end=end, image_id=image.id, code=code, detail=detail)


@dataclass(slots=True, kw_only=True)
class Run:
    """What one call of the command did."""

    found: Found
    display: Display
    as_json: bool
    began: float = field(default_factory=time.monotonic)
    ends: Counter[End] = field(default_factory=Counter)
    sent: int = 0

    def tell(self, outcome: Outcome) -> None:
        """Count one file and say what became of it."""
        self.ends[outcome.end] += 1
        self.sent += outcome.sent
        self.display.done(outcome.file, outcome.sent)
        why = f"{outcome.detail} ({outcome.code})" if outcome.code else outcome.detail
        if self.as_json:
            print_json(
                {
                    "file": str(outcome.file),
                    "outcome": outcome.end,
                    "id": outcome.image_id,
                    "code": outcome.code,
                    "detail": outcome.detail,
                }
            )
        elif outcome.end is End.FAILED:
            self.display.complain(f"{shown(outcome.file)}: {shown(why)}")
        else:
            because = f" ({shown(why)})" if why else ""
            self.display.say(f"{outcome.image_id or '-':<26}  {outcome.end:<13}  {shown(outcome.file)}{because}")

    def sum_up(self) -> None:
        """Say what became of all files, on standard error when the output is for a program."""
        ends = self.ends
        parts = [
            (ends[End.READY], "uploaded"),
            (ends[End.SENT], "sent and not waited for"),
            (ends[End.ALREADY_THERE], "already there"),
            (ends[End.DUPLICATE], "duplicate"),
            (ends[End.FAILED] + len(self.found.unreadable), "failed"),
            (len(self.found.files) - ends.total(), "not tried"),
            (self.found.hidden, "hidden, passed over"),
            (self.found.no_images, "no image, passed over"),
        ]
        counts = "; ".join(f"{count} {what}" for count, what in parts if count) or "nothing to upload"
        seconds = time.monotonic() - self.began
        rate = f", {size(self.sent / seconds)}/s" if self.sent else ""
        typer.echo(f"{counts}. {size(self.sent)} sent in {seconds:.1f} s{rate}", err=self.as_json)


def upload_all(
    paths: Sequence[Path], labels: Labels, *, jobs: int, wait: bool, as_json: bool, server: str, key: str
) -> None:
    """Upload everything ``paths`` mean, say what became of each file, and end with exit code 1 if any failed."""
    found = find(paths)
    for path, reason in found.unreadable:
        complain(f"{shown(path)}: {reason}")
    with connected(server, key) as client:
        client.limits()  # one question first: what is wrong with address or key is said once and at once
    run = Run(found=found, display=Display(found.files), as_json=as_json)
    stop = threading.Event()
    try:
        with connected(server, key, Patience(attempts=ATTEMPTS, pause=_pause_until(stop))) as client, run.display:
            uploader = Uploader(client=client, labels=labels, wait=wait, moved=run.display.moved, stop=stop)
            for outcome in _in_threads(uploader.upload, found.files, jobs, stop):
                run.tell(outcome)
    except KeyboardInterrupt:
        complain("interrupted; the same command goes on from here")
        raise typer.Exit(130) from None
    finally:
        run.sum_up()
    if found.unreadable or run.ends[End.FAILED]:
        raise typer.Exit(1)


def _pause_until(stop: threading.Event) -> Callable[[float], None]:
    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    return pause


def _in_threads(
    work: Callable[[Path], Outcome], files: Sequence[Path], jobs: int, stop: threading.Event
) -> Iterator[Outcome]:
    """Yield what ``work`` returns as it comes, or raise what it raises first.

    The threads are no pool of ``concurrent.futures``, whose end is waited for: after an interruption nobody waits for
    a server that keeps silent.
    """
    todo: SimpleQueue[Path] = SimpleQueue()
    done: SimpleQueue[Outcome | Exception] = SimpleQueue()
    for file in files:
        todo.put(file)

    def run() -> None:
        while not stop.is_set():
            try:
                done.put(work(todo.get_nowait()))
            except Empty:
                return
            except Exception as error:  # noqa: BLE001 # whatever it is, the thread that waits for it raises it
                done.put(error)

    for _ in range(min(jobs, len(files))):
        threading.Thread(target=run, daemon=True).start()
    try:
        for _ in files:
            result = done.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        stop.set()
