"""A proxy on loopback before the AWS emulator: what goes through it is passed on, refused, held up or lost.

Whoever signs a request signs the address it is sent to, so the proxy passes on what it is given as it is, ``Host`` too,
and the emulator finds the signature to be right.
"""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

_OWN = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


@dataclass(frozen=True)
class Asked:
    """A request on its way. ``verb`` is its method, or the name of its operation where the service has such."""

    verb: str
    key: str
    """Of S3, what comes after the bucket's name."""
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What comes back. With ``sent`` less than the body is long, the connection breaks off after so many bytes."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    sent: int | None = None


Forward = Callable[[], Answer]
Rule = Callable[[Asked, Forward], Answer | None]
"""Answers a request; ``None`` ends the connection without a word."""


def passing(asked: Asked, forward: Forward) -> Answer:
    return forward()


@dataclass
class Between:
    """The proxy. ``rule`` may be changed at any time; ``asked`` is everything that came, in its order."""

    url: str
    host: str = ""
    """What everything is asked under, if that is another name than it was sent to."""
    rule: Rule = passing
    asked: list[Asked] = field(default_factory=list)
    failed: list[Exception] = field(default_factory=list)
    """What rules have raised: an assertion that did not hold, say."""

    def heal(self) -> None:
        """Let everything through, and forget what came."""
        self.rule = passing
        self.asked.clear()

    def on(self, verb: str, happens: Rule, *, key: str = "", times: int = 10**6, skip: int = 0) -> None:
        """Have ``happens`` answer requests of a verb whose key has ``key`` in it: ``times``, after ``skip`` of them."""
        lock = threading.Lock()
        seen = 0

        def rule(asked: Asked, forward: Forward) -> Answer | None:
            nonlocal seen
            if asked.verb != verb or key not in asked.key:
                return forward()
            with lock:
                seen += 1
                mine = skip < seen <= skip + times
            return happens(asked, forward) if mine else forward()

        self.rule = rule

    def count(self, verb: str, key: str = "") -> int:
        """Count the requests that came."""
        return sum(each.verb == verb and key in each.key for each in self.asked)


def refusing(status: int, code: str) -> Rule:
    """Answer so, as S3 does, and as services that speak JSON do."""

    def rule(asked: Asked, forward: Forward) -> Answer:
        if "x-amz-target" in asked.headers:
            told = {"__type": f"com.amazonaws#{code}", "message": "injected"}
            return Answer(status, json.dumps(told).encode(), {"Content-Type": "application/x-amz-json-1.0"})
        body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>"
        return Answer(status, body.encode(), {"Content-Type": "application/xml"})

    return rule


def losing(asked: Asked, forward: Forward) -> None:
    """Have it done, and lose the answer."""
    forward()


def halving(asked: Asked, forward: Forward) -> Answer:
    """Break off in the middle of the answer."""
    answer = forward()
    return Answer(answer.status, answer.body, answer.headers, sent=len(answer.body) // 2)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    host: str
    between: Between

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(
            verb=headers.get("x-amz-target", "").rpartition(".")[2] or self.command,
            key=unquote(urlsplit(self.path).path).partition("/")[2].partition("/")[2],
            headers=headers,
            body=body,
        )
        self.between.asked.append(asked)
        try:
            found = self.between.rule(asked, lambda: self._forwarded(body))
        except Exception as error:
            self.between.failed.append(error)
            raise
        if found is None:
            self.close_connection = True
        else:
            self._say(found)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 # names that the library calls

    def _forwarded(self, body: bytes) -> Answer:
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _OWN:
                connection.putheader(name, (self.between.host or value) if name.lower() == "host" else value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        given = connection.getresponse()
        content = given.read()
        connection.close()
        kept = {name: value for name, value in given.getheaders() if name.lower() not in _OWN}
        if self.command == "HEAD":
            kept["Content-Length"] = given.getheader("content-length", "0")
        return Answer(given.status, content, kept)

    def _say(self, found: Answer) -> None:
        has_body = self.command != "HEAD"
        self.send_response_only(found.status)
        for name, value in found.headers.items():
            self.send_header(name, value)
        if has_body:
            self.send_header("Content-Length", str(len(found.body)))
        self.end_headers()
        if has_body:
            self.wfile.write(found.body[: found.sent])
        if found.sent is not None:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Those who ask may be ended while they wait."""


@contextmanager
def between(emulator_url: str) -> Iterator[Between]:
    """Run a proxy before an emulator until the end of the ``with``."""
    made = Between("")
    handler = type("Handler", (_Handler,), {"host": urlsplit(emulator_url).netloc, "between": made})
    server = _Server(("127.0.0.1", 0), handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
