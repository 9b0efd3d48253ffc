"""A body arrives whole in a file, or not at all; nobody waits for ever, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from darkroom.errors import InvalidRequest, StorageFull, TooLarge, TooSlow, Unavailable
from darkroom.http.receive import Received, receive_to_file
from darkroom.transform.sniff import HEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from pathlib import Path
    from typing import Any

    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MEBIBYTE = 1024 * 1024


def sender(parts: Iterable[bytes], *, pause: float = 0.0, ends: bool = True) -> Receive:
    """Return what gives the parts one after the other, and then the end of the body or that the client has gone."""
    coming = iter(parts)

    async def receive() -> MutableMapping[str, Any]:
        if pause:
            await asyncio.sleep(pause)
        part = next(coming, None)
        if part is not None:
            return {"type": "http.request", "body": part, "more_body": True}
        return {"type": "http.request"} if ends else {"type": "http.disconnect"}

    return receive


def take(
    receive: Receive,
    folder: Path,
    *,
    limit: int = 100 * MEBIBYTE,
    idle_seconds: float = 10.0,
    minimum_rate: float = 1.0,
) -> Received:
    return asyncio.run(
        receive_to_file(receive, folder, limit=limit, idle_seconds=idle_seconds, minimum_rate=minimum_rate)
    )


@pytest.mark.parametrize("sizes", [[5], [1, 2, 3], [0, 10, 0], [700_000, 300_000], [64 * 1024] * 20, []])
def test_a_body_lies_in_the_file_with_what_is_known_of_it(tmp_path: Path, sizes: list[int]) -> None:
    parts = [os.urandom(size) for size in sizes]
    body = b"".join(parts)
    received = take(sender(parts), tmp_path)
    assert received.path.parent == tmp_path
    assert received.path.read_bytes() == body
    assert received.bytes == len(body)
    assert received.sha256 == hashlib.sha256(body).hexdigest()
    assert body[:HEAD_BYTES].startswith(received.head)
    assert received.head or not body


def test_the_beginning_is_at_hand_even_when_it_comes_in_drops(tmp_path: Path) -> None:
    body = os.urandom(200)
    received = take(sender(bytes([value]) for value in body), tmp_path)
    assert received.head == body[:HEAD_BYTES]


def test_a_body_of_just_the_limit_is_taken_and_one_byte_more_is_not(tmp_path: Path) -> None:
    assert take(sender([b"x" * 1000]), tmp_path, limit=1000).bytes == 1000
    with pytest.raises(TooLarge):
        take(sender([b"x" * 1000, b"x"]), tmp_path, limit=1000)
    assert len(list(tmp_path.iterdir())) == 1


def test_too_much_is_refused_without_waiting_for_the_rest(tmp_path: Path) -> None:
    parts = iter([b"x" * MEBIBYTE] * 100)
    with pytest.raises(TooLarge):
        take(sender(parts), tmp_path, limit=3 * MEBIBYTE)
    assert len(list(parts)) == 96
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("sent", [0, 10, MEBIBYTE])
def test_a_body_that_breaks_off_leaves_nothing(tmp_path: Path, sent: int) -> None:
    with pytest.raises(InvalidRequest, match=f"broke off after {sent} bytes"):
        take(sender([b"x" * sent], ends=False), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_silence_ends_an_upload(tmp_path: Path) -> None:
    async def silent() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    began = time.monotonic()
    with pytest.raises(TooSlow):
        take(silent, tmp_path, idle_seconds=0.1)
    assert time.monotonic() - began < 5
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("drop", [b"x", b""])
def test_dripping_ends_an_upload(tmp_path: Path, drop: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(TooSlow):
        take(sender([drop] * 1000, pause=0.02), tmp_path, idle_seconds=0.2, minimum_rate=1000)
    assert time.monotonic() - began < 5
    assert list(tmp_path.iterdir()) == []


def test_an_upload_above_the_least_rate_is_waited_for(tmp_path: Path) -> None:
    received = take(sender([b"x" * 1000] * 20, pause=0.02), tmp_path, idle_seconds=0.2, minimum_rate=1000)
    assert received.bytes == 20_000


def test_a_slow_disk_is_not_the_senders_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", slowly(os.write))
    parts = [b"x" * MEBIBYTE] * 3
    received = take(sender(parts, pause=0.001), tmp_path, idle_seconds=0.1, minimum_rate=MEBIBYTE * 1000)
    assert received.bytes == 3 * MEBIBYTE


def slowly(
    write: Callable[[int, bytes], int],
    begun: Callable[[], object] = lambda: None,
    ended: Callable[[], object] = lambda: None,
) -> Callable[[int, bytes], int]:
    def writing(descriptor: int, part: bytes) -> int:
        if len(part) <= 1000:  # the event loop writes a byte to wake itself
            return write(descriptor, part)
        begun()
        time.sleep(0.15)
        written = write(descriptor, part)
        ended()
        return written

    return writing


def test_writing_keeps_nobody_else_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", slowly(os.write))
    turns = 0

    async def counted() -> None:
        nonlocal turns
        parts = [b"x" * MEBIBYTE] * 3
        taking = asyncio.ensure_future(
            receive_to_file(sender(parts), tmp_path, limit=4 * MEBIBYTE, idle_seconds=5, minimum_rate=1)
        )
        while not taking.done():
            await asyncio.sleep(0.005)
            turns += 1
        await taking

    asyncio.run(counted())
    assert turns > 20


def test_an_upload_cancelled_while_it_is_written_ends_after_the_writing_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    async def cancelled() -> None:
        taking = asyncio.ensure_future(
            receive_to_file(
                sender([b"x" * MEBIBYTE] * 50), tmp_path, limit=99 * MEBIBYTE, idle_seconds=5, minimum_rate=1
            )
        )
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(os, "write", slowly(os.write, lambda: loop.call_soon_threadsafe(taking.cancel), ended.set))
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert ended.is_set()

    asyncio.run(cancelled())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("code", "error"), [(errno.ENOSPC, StorageFull), (errno.EIO, Unavailable)])
def test_a_full_or_failing_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[Exception]
) -> None:
    def full(write: Callable[[int, bytes], int]) -> Callable[[int, bytes], int]:
        def writing(descriptor: int, part: bytes) -> int:
            if len(part) > 1000:
                raise OSError(code, os.strerror(code))
            return write(descriptor, part)

        return writing

    monkeypatch.setattr(os, "write", full(os.write))
    with pytest.raises(error):
        take(sender([b"x" * MEBIBYTE] * 2), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_large_body_takes_little_memory(tmp_path: Path) -> None:
    part = b"x" * 64 * 1024
    tracemalloc.start()
    try:
        take(sender([part] * 1000), tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * MEBIBYTE
