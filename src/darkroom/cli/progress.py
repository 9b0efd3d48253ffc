"""What a person at a terminal sees of long work: one bar for all uploads, a meter for a copy. Plain lines elsewhere."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from darkroom.cli.output import size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType


class _TimeLeft(TimeRemainingColumn):
    """The remaining time of sending, and then that the server is still at work."""

    def render(self, task: Task) -> Text:
        if task.finished and task.fields["files_left"]:
            return Text("all sent, not all ready")
        return super().render(task) + Text(" left")


class Display:
    """Shows how far the uploads are: files, bytes, rate and remaining time. Bytes may be moved in any thread."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Take the measure of the files; nothing is shown before the ``with``."""
        self._sizes = {file: _size(file) for file in files}
        self._files_done = 0
        self._stack = ExitStack()
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        """Begin to show, if there is anybody to see it: the bar is on standard error."""
        if self._sizes and sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(),
                TransferSpeedColumn(),
                _TimeLeft(),
                console=Console(stderr=True),
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._progress.add_task(
                self._count(), total=sum(self._sizes.values()), files_left=len(self._sizes)
            )
            self._stack.enter_context(self._progress)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the bar as it is and go on below it."""
        self._stack.close()

    def moved(self, count: int) -> None:
        """Count bytes that went out, or with a negative number, that have to go again."""
        if self._progress is not None:
            self._progress.advance(self._task, count)

    def done(self, file: Path, sent: int) -> None:
        """Count a file. What was not sent of it leaves the total: rate and remaining time are those of sending."""
        self._files_done += 1
        if self._progress is not None:
            total = self._progress.tasks[0].total or 0
            self._progress.update(
                self._task,
                description=self._count(),
                total=total - self._sizes[file] + sent,
                files_left=len(self._sizes) - self._files_done,
            )

    def say(self, line: str) -> None:
        """Print a line on standard output, above the bar."""
        self._print(line, err=False)

    def complain(self, sentence: str) -> None:
        """Print a sentence on standard error, above the bar."""
        self._print(f"darkroom: {sentence}", err=True)

    def _print(self, line: str, *, err: bool) -> None:
        if self._progress is not None and (err or sys.stdout.isatty()):
            self._progress.console.print(Text(line), soft_wrap=True)
        else:
            typer.echo(line, err=err)

    def _count(self) -> str:
        return f"{self._files_done}/{len(self._sizes)} files"


class Meter:
    """Shows on a terminal how far a copy of a library is, whose extent is not known beforehand."""

    def __init__(self) -> None:
        """Nothing is shown before the first ``show``."""
        self._stack = ExitStack()
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> Self:
        """Begin to show, if there is anybody to see it: it is on standard error."""
        if sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("{task.description}"),
                TransferSpeedColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._task = self._progress.add_task("", total=None)
            self._stack.enter_context(self._progress)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Take it away: the command says the outcome."""
        self._stack.close()

    def show(self, images: int, objects: int, count: int) -> None:
        """Say how much is done: images, objects, bytes."""
        if self._progress is not None:
            description = f"{images} images, {objects} objects, {size(count)}"
            self._progress.update(self._task, description=description, completed=count)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
