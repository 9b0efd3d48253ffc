"""After an early answer the rest of a body is read, for a while."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from darkroom.http.lingering import Lingering

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from starlette.types import Receive, Scope, Send

LENGTH = (b"content-length", b"1000")


class Client:
    """Sends a body in parts, and then is silent, is done, or goes away; counts what was asked of it."""

    def __init__(self, parts: int, *, end: str) -> None:
        self.parts = parts
        self.end = end
        self.asked = 0
        self.answered_after: int | None = None

    async def receive(self) -> MutableMapping[str, Any]:
        self.asked += 1
        if self.asked <= self.parts:
            return {"type": "http.request", "body": b"x" * 10, "more_body": True}
        if self.end == "silent":
            await asyncio.Event().wait()
        return {"type": "http.request"} if self.end == "done" else {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.body":
            self.answered_after = self.asked


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": []})
    await send({"type": "http.response.body", "body": b"no"})


async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await refuse(scope, receive, send)


def serve(client: Client, *headers: tuple[bytes, bytes], app: object = refuse, seconds: float = 5.0) -> None:
    scope = {"type": "http", "headers": list(headers)}
    lingering = Lingering(app, seconds=seconds)  # type: ignore[arg-type]  # one of the two apps above
    asyncio.run(lingering(scope, client.receive, client.send))


@pytest.mark.parametrize("end", ["done", "gone"])
def test_the_answer_goes_out_at_once_and_then_the_body_is_read_to_its_end(end: str) -> None:
    client = Client(5, end=end)
    serve(client, LENGTH)
    assert client.answered_after == 0
    assert client.asked == 6


def test_a_body_that_was_read_is_not_asked_for_again() -> None:
    client = Client(5, end="done")
    serve(client, LENGTH, app=read_all)
    assert client.asked == 6


def test_patience_ends() -> None:
    client = Client(2, end="silent")
    began = time.monotonic()
    serve(client, LENGTH, seconds=0.1)
    assert client.asked == 3
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("headers", [[], [(b"expect", b"100-continue"), LENGTH]])
def test_nobody_waits_for_a_body_that_does_not_come(headers: list[tuple[bytes, bytes]]) -> None:
    client = Client(0, end="silent")
    serve(client, *headers)
    assert client.asked == 0
