"""The running service looks after itself, and after what stands in front of it."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx

import pictures
from darkroom.names import original_key
from patience import eventually, ready
from servers import free_port, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STRANGER = "01k3v9m0c4qdhsyx7g6e8rb2tz"
LONG_AGO = time.time() - 40 * 86_400


class Front:
    """A cache in front of the service: it keeps what it was asked for until it is told by ``PURGE`` to forget it."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.kept: dict[str, tuple[int, bytes]] = {}
        self.hanging = threading.Event()
        """While it is set, nobody who purges is answered."""
        self.over = threading.Event()


@contextmanager
def fronting(port: int, origin: str) -> Iterator[Front]:
    front = Front(origin)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path not in front.kept:
                answer = httpx.get(front.origin + self.path, trust_env=False)
                front.kept[self.path] = answer.status_code, answer.content
            self._answer(*front.kept[self.path])

        def do_PURGE(self) -> None:  # the name the library calls
            while front.hanging.is_set() and not front.over.wait(0.02):
                pass
            was_there = front.kept.pop(self.path, None) is not None
            self._answer(200 if was_there else 404, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Those who ask may go away without waiting for the answer."""

    server = Server(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield front
    finally:
        front.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_cache_in_front_forgets_what_is_deleted_and_no_delete_waits_for_it(tmp_path: Path) -> None:
    port, origin = free_port(), free_port()
    with (
        fronting(port, f"http://127.0.0.1:{origin}") as front,
        serving(tmp_path, port=origin, workers="1", purge_url=f"http://127.0.0.1:{port}{{path}}") as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client,
    ):
        image, other = ready(client, pictures.jpeg(60, 40)), ready(client, pictures.jpeg(61, 40))
        paths = [f"/i/{one['id']}/{name}" for one in (image, other) for name in ("small", "small.jpg", "large.avif")]
        for path in paths:
            assert httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).status_code == 200
        assert set(front.kept) == set(paths)

        front.hanging.set()
        began = time.monotonic()
        assert client.delete(f"/v1/images/{image['id']}").status_code == 204
        assert time.monotonic() - began < 2.0, "the delete waited for the cache"
        assert set(front.kept) == set(paths)
        front.hanging.clear()
        eventually(lambda: set(front.kept) == set(paths[3:]), what="the cache forgetting the image and no other")


def test_a_command_has_the_cache_forget(tmp_path: Path) -> None:
    said = tmp_path / "said"
    script = tmp_path / "purge it"
    script.write_text(f'#!/bin/sh\necho "$1" >> "{said}"; cat >> "{said}"\n')
    script.chmod(0o700)
    with (
        serving(tmp_path, workers="1", purge_command=f"'{script}'") as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client,
    ):
        image = ready(client, pictures.jpeg(60, 40))
        assert client.delete(f"/v1/images/{image['id']}").status_code == 204
        eventually(said.exists, what="the command being run")
        eventually(lambda: f"/i/{image['id']}/medium.avif\n" in said.read_text(), what="the command being told all")
        assert said.read_text().startswith(f"/i/{image['id']}/\n")


def test_the_service_sweeps_by_itself(tmp_path: Path) -> None:
    with serving(tmp_path, workers="1", sweep_seconds="1") as served:
        left = [
            served.data / "uploads" / original_key(STRANGER),
            served.data / "assets" / "i" / STRANGER / "small.jpg",
        ]
        with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client:
            image = ready(client, pictures.jpeg(60, 40))
            for path in left:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"planted")
                os.utime(path, (LONG_AGO, LONG_AGO))
            eventually(lambda: not any(path.exists() for path in left), what="the sweep")
            assert client.get(f"/i/{image['id']}/small.jpg").status_code == 200
            figures = client.get("/metrics").text
            assert 'darkroom_sweep_findings_total{kind="unowned-object",mended="yes"} 2.0' in figures
        assert '"event": "swept"' in served.said.read_text()
