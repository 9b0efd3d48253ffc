"""What is promised of telling an edge far away, whatever the way of telling it."""

from __future__ import annotations

import os
import stat
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.edge.hook import CommandEdge, HttpEdge, QueuedPurges, RestingEdge
from darkroom.edge.purgelog import PurgeLog
from darkroom.errors import Unavailable
from darkroom.events import EdgePurge
from darkroom.events.memory import MemoryQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from darkroom.edge import FarEdge

ID = "01k3v9m0c4qdhsyx7g6e8rb2tz"
NAMES = ("large.avif", "large.jpg", "small.jpg", "t/w7.jpg")
PATHS = {f"/i/{ID}/{name}" for name in (*NAMES, "large", "small")}
"""The negotiated ones too: they are what most pages ask for."""


@dataclass
class Cache:
    """A small HTTP server that answers ``PURGE``."""

    url: str = ""
    status: int = 200
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, target and ``Host`` of every request."""
    silent: threading.Event = field(default_factory=threading.Event)
    """While it is not set, nobody is answered."""


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Those who ask may go away without waiting for the answer."""


@contextmanager
def caching() -> Iterator[Cache]:
    cache = Cache()
    cache.silent.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PURGE(self) -> None:  # the name the library calls
            cache.asked.append((self.command, self.path, self.headers["Host"]))
            cache.silent.wait()
            self.send_response(cache.status)
            self.send_header("Content-Length", "7")
            self.end_headers()
            self.wfile.write(b"purged\n")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = QuietServer(("127.0.0.1", 0), Handler)
    cache.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield cache
    finally:
        cache.silent.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def cache() -> Iterator[Cache]:
    with caching() as running:
        yield running


@dataclass
class Told:
    """An edge, what it was told, and how to make it fail."""

    edge: FarEdge
    paths: Callable[[], set[str]]
    fail: Callable[[], None]


def by_http(cache: Cache, folder: Path) -> Told:
    def fail() -> None:
        cache.status = 503

    return Told(HttpEdge(cache.url + "{path}"), lambda: {target for _, target, _ in cache.asked}, fail)


def by_command(cache: Cache, folder: Path) -> Told:
    script, said = folder / "purge", folder / "said"
    said.touch()
    write_script(script, f'cat >> "{said}"')
    command = CommandEdge([str(script)], environment={"PATH": os.environ["PATH"]})
    return Told(
        command, lambda: set(said.read_text().splitlines()), lambda: write_script(script, "echo no >&2; exit 3")
    )


def write_script(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(stat.S_IRWXU)


@pytest.fixture(params=[by_http, by_command])
def told(request: pytest.FixtureRequest, cache: Cache, tmp_path: Path) -> Told:
    made: Told = request.param(cache, tmp_path)
    return made


def test_it_is_told_every_path_that_readers_may_have_asked_for(told: Told) -> None:
    told.edge.forget(ID, NAMES)
    assert told.paths() == PATHS
    told.edge.forget(ID, NAMES)
    assert told.paths() == PATHS


def test_one_that_cannot_is_asked_again_later(told: Told) -> None:
    told.fail()
    with pytest.raises(Unavailable):
        told.edge.forget(ID, NAMES)


# ------------------------------------------------------------------ by HTTP


def test_a_cache_that_knows_wildcards_is_told_once_for_an_image(cache: Cache) -> None:
    HttpEdge(f"{cache.url}/i/{{id}}/*?soft=1").forget(ID, NAMES)
    assert [(method, target) for method, target, _ in cache.asked] == [("PURGE", f"/i/{ID}/*?soft=1")]


def test_the_host_is_the_one_that_readers_ask(cache: Cache) -> None:
    HttpEdge(cache.url + "{path}", host="pictures.example").forget(ID, ("small.jpg",))
    HttpEdge(cache.url + "{path}").forget(ID, ())
    HttpEdge(cache.url + "/{id}").forget(ID, ())
    assert [host for _, _, host in cache.asked] == ["pictures.example"] * 2 + [cache.url.removeprefix("http://")]


@pytest.mark.parametrize("status", [200, 204, 404, 410])
def test_what_the_cache_does_not_have_is_purged(cache: Cache, status: int) -> None:
    cache.status = status
    HttpEdge(f"{cache.url}/{{id}}").forget(ID, NAMES)


@pytest.mark.parametrize("status", [301, 400, 403, 405, 500])
def test_an_answer_that_is_no_yes_names_itself(cache: Cache, status: int) -> None:
    cache.status = status
    with pytest.raises(Unavailable, match=rf"{status} to PURGE /{ID}"):
        HttpEdge(f"{cache.url}/{{id}}").forget(ID, NAMES)


def test_a_cache_that_hangs_or_is_not_there_is_not_waited_for(cache: Cache) -> None:
    cache.silent.clear()
    with pytest.raises(Unavailable, match="does not answer"):
        HttpEdge(f"{cache.url}/{{id}}", seconds=0.1).forget(ID, NAMES)
    with pytest.raises(Unavailable, match="does not answer"):
        HttpEdge("http://127.0.0.1:1/{id}").forget(ID, NAMES)


# ------------------------------------------------------------------ by a command


def test_a_command_is_given_the_image_s_path_and_no_settings(tmp_path: Path) -> None:
    script = tmp_path / "purge"
    write_script(script, f'echo "$@" > "{tmp_path}/arguments"; env > "{tmp_path}/environment"; cat > /dev/null')
    CommandEdge([str(script), "--fast"], environment={"PATH": os.environ["PATH"], "A": "1"}).forget(ID, NAMES)
    assert (tmp_path / "arguments").read_text() == f"--fast /i/{ID}/\n"
    assert "A=1" in (tmp_path / "environment").read_text().splitlines()
    assert "DARKROOM" not in (tmp_path / "environment").read_text()


def test_a_command_that_fails_is_quoted() -> None:
    complain = [sys.executable, "-c", "import sys; sys.exit('no such zone')"]
    with pytest.raises(Unavailable, match=r"ended with 1: no such zone"):
        CommandEdge(complain, environment={}).forget(ID, NAMES)


def test_a_command_that_hangs_or_is_not_there_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="timed out"):
        CommandEdge([sys.executable, "-c", "input(); import time; time.sleep(60)"], environment={}, seconds=0.3).forget(
            ID, NAMES
        )
    with pytest.raises(Unavailable, match="No such file"):
        CommandEdge([str(tmp_path / "absent")], environment={}).forget(ID, NAMES)


# ------------------------------------------------------------------ around them


def test_an_edge_that_failed_is_left_alone_for_a_while(cache: Cache) -> None:
    seconds = 100.0
    edge = RestingEdge(HttpEdge(f"{cache.url}/{{id}}"), clock=lambda: seconds)
    edge.forget(ID, ())
    cache.status = 500
    for _ in range(3):
        with pytest.raises(Unavailable):
            edge.forget(ID, ())
    assert len(cache.asked) == 2
    cache.status = 200
    seconds += 31
    edge.forget(ID, ())
    edge.forget(ID, ())
    assert len(cache.asked) == 4


def test_a_purge_is_obeyed_here_at_once_and_promised_to_the_edge(tmp_path: Path) -> None:
    log, queue = PurgeLog(tmp_path / "purges"), MemoryQueue(Clock())
    reader = log.reader()
    QueuedPurges(log, queue).purge(ID, NAMES)
    assert reader.read() == frozenset({ID})
    reader.close()
    assert [lease.event for lease in queue.lease(10, 30)] == [EdgePurge(image_id=ID, names=NAMES)]
