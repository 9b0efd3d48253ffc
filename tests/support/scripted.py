"""A loopback HTTP server that answers what a test has written down, for what no real server does when asked to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BREAK_OFF = "break off"
"""Instead of an answer: close the connection after reading the request."""


SILENCE = "silence"
"""Instead of an answer: none, until the test is over."""


@dataclass(frozen=True)
class Answer:
    """One answer; ``body`` is JSON unless it is bytes."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Script:
    """Where the server is, what it will answer, in this order, and what it was asked."""

    url: str = ""
    answers: list[Answer | str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """The requests in short: ``GET /v1/limits``."""
        return [f"{request.method} {request.path}" for request in self.requests]


@contextmanager
def scripted(*answers: Answer | str) -> Iterator[Script]:
    """Serve the answers on a free loopback port until the end of the ``with``."""
    script = Script(answers=list(answers))
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.requests.append(Request(self.command, self.path, headers, self.rfile.read(length)))
            answer = script.answers.pop(0)
            if isinstance(answer, str):
                if answer == SILENCE:
                    over.wait()
                self.close_connection = True
                return
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815 # the names http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{http_server.server_port}"
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        over.set()
        http_server.shutdown()
        thread.join()
        http_server.server_close()


def image_document(**members: Any) -> dict[str, Any]:
    """Return a ready image as the contract shows it, with other ``members``."""
    image = {
        "id": "01k00000000000000000000000",
        "version": 1,
        "owner": "local",
        "visibility": "public",
        "state": "ready",
        "filename": "cat.jpg",
        "title": None,
        "album": None,
        "tags": ["cat"],
        "focus": [0.25, 0.5],
        "uploaded_at": "2026-11-23T10:00:00.123Z",
        "original": "deleted",
        "source": None,
        "variants": [],
        "placeholder": None,
        "color": None,
        "exif": None,
        "error": None,
    }
    return image | members


def ticket_document(script: Script) -> dict[str, Any]:
    """Return a ticket for that image, which leads to the script's ``/door``."""
    return {
        "id": image_document()["id"],
        "method": "PUT",
        "url": f"{script.url}/door",
        "headers": {"Content-Type": "image/jpeg", "X-Ticket": "t"},
        "expires_at": "2026-11-23T10:15:00.000Z",
    }


def parted_ticket_document(script: Script, *, parts: int = 3, part_bytes: int = 10) -> dict[str, Any]:
    """Return a ticket for that image in parts, which lead to the script's ``/door/1`` and so on."""
    return {
        "id": image_document()["id"],
        "part_bytes": part_bytes,
        "parts": [{"url": f"{script.url}/door/{number}", "headers": {}} for number in range(1, parts + 1)],
        "received": [],
        "complete_url": f"{script.url}/complete",
        "resume_url": f"{script.url}/resume",
        "expires_at": "2026-11-24T10:00:00.000Z",
    }
