"""Purges for an edge in front that is not ours: by HTTP (``PURGE``, as Varnish, nginx and others know it) or a command.

Telling it may take long, fail, or have to be done again, and whoever deletes an image must not wait for that. So a
purge becomes an event, durable before the delete is answered, and whoever works on events does the telling.
"""

from __future__ import annotations

import subprocess
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from darkroom.edge.paths import PREFIX
from darkroom.errors import Unavailable
from darkroom.events import EdgePurge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from darkroom.edge import FarEdge, Purges
    from darkroom.events import Queue

HTTP_SECONDS = 5.0
"""For one answer of an edge, which has little to do for it."""
COMMAND_SECONDS = 60.0
REST_SECONDS = 30.0
"""How long an edge that failed is not asked again: so one that hangs takes little of the time that images need."""

_COMPLAINT_MAX = 200
_GONE = frozenset({404, 410})


class QueuedPurges:
    """``Purges`` that tells the workers of this machine at once, and an edge far away by an event."""

    def __init__(self, near: Purges, queue: Queue) -> None:
        self._near = near
        self._queue = queue

    def purge(self, image_id: str, names: tuple[str, ...] = ()) -> None:
        self._near.purge(image_id, names)
        self._queue.publish(EdgePurge(image_id=image_id, names=names))


class HttpEdge:
    """``FarEdge`` that is sent a ``PURGE`` for ``url``, in which ``{id}`` is an image's id or ``{path}`` a path.

    With ``{path}`` it is sent one for every path of the image, for caches that forget path by path.
    """

    def __init__(self, url: str, *, host: str = "", seconds: float = HTTP_SECONDS) -> None:
        """``host`` goes into the ``Host`` header: what readers ask for, where a cache distinguishes by it."""
        self._url = url
        parts = urlsplit(url.replace("{path}", "/"))
        self._connection_of = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._address = parts.netloc
        self._headers = {"Host": host} if host else {}
        self._seconds = seconds

    def forget(self, image_id: str, names: tuple[str, ...]) -> None:
        url = self._url.replace("{id}", image_id)
        urls = [url.replace("{path}", path) for path in paths_of(image_id, names)] if "{path}" in url else [url]
        connection = self._connection_of(self._address, timeout=self._seconds)
        try:
            for each in urls:
                parts = urlsplit(each)
                target = f"{parts.path}?{parts.query}" if parts.query else parts.path
                connection.request("PURGE", target, headers=self._headers)
                answer = connection.getresponse()
                answer.read()
                if not (200 <= answer.status < 300 or answer.status in _GONE):
                    msg = f"the edge at {self._address} answered {answer.status} to PURGE {target}"
                    raise Unavailable(msg)
        except (OSError, HTTPException) as error:
            msg = f"the edge at {self._address} does not answer ({error!r})"
            raise Unavailable(msg) from error
        finally:
            connection.close()


class CommandEdge:
    """``FarEdge`` that a command tells: it is given the image's path as an argument, and every path on standard input.

    It has done so when it ends with 0.
    """

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], seconds: float = COMMAND_SECONDS
    ) -> None:
        self._command = list(command)
        self._environment = environment
        self._seconds = seconds

    def forget(self, image_id: str, names: tuple[str, ...]) -> None:
        try:
            ended = subprocess.run(  # noqa: S603 # what the operator has set, and an id
                [*self._command, f"{PREFIX}{image_id}/"],
                input="".join(f"{path}\n" for path in paths_of(image_id, names)),
                env=self._environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            msg = f"the purge command failed ({error})"
            raise Unavailable(msg) from error
        if ended.returncode != 0:
            complaint = ended.stderr.strip()[-_COMPLAINT_MAX:]
            msg = f"the purge command ended with {ended.returncode}: {complaint}"
            raise Unavailable(msg)


class RestingEdge:
    """``FarEdge`` that leaves another one alone for a while after it failed."""

    def __init__(self, edge: FarEdge, *, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` counts seconds."""
        self._edge = edge
        self._clock = clock
        self._rests_until = 0.0

    def forget(self, image_id: str, names: tuple[str, ...]) -> None:
        if self._clock() < self._rests_until:
            raise Unavailable("the edge failed a moment ago, and is asked again later")
        try:
            self._edge.forget(image_id, names)
        except Unavailable:
            self._rests_until = self._clock() + REST_SECONDS
            raise


def paths_of(image_id: str, names: tuple[str, ...]) -> list[str]:
    """Return every path under which objects of these names are answered: exact ones, and those that are negotiated."""
    negotiated = dict.fromkeys(name.partition(".")[0] for name in names if "/" not in name)
    return [f"{PREFIX}{image_id}/{name}" for name in (*names, *negotiated)]
