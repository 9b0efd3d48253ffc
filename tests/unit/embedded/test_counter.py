"""The counter at which the processes that answer HTTP have pictures made."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager

import pytest

from darkroom.embedded.counter import Counter, SocketMaker
from darkroom.errors import Unavailable
from patience import eventually

PATIENCE = 30.0


class Maker:
    """Makes a picture when it is let."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may = threading.Event()
        self.made: list[str] = []

    def __call__(self, image_id, transformation, wanted) -> None:
        self.asked.set()
        assert self.may.wait(PATIENCE)
        self.made.append(image_id)


@contextmanager
def serving(path, make):
    stopping = threading.Event()
    thread = threading.Thread(target=Counter(path, make, threads=1, most_waiting=4).run, args=(stopping,))
    thread.start()
    try:
        eventually(path.exists, seconds=PATIENCE, what="the counter's socket")
        yield stopping, thread
    finally:
        stopping.set()
        make.may.set()
        thread.join(PATIENCE)


def test_what_several_ask_for_is_made_once(tmp_path):
    path, make = tmp_path / "counter", Maker()

    async def ask():
        asked = [asyncio.create_task(SocketMaker(path).make("image", "width=33", "webp")) for _ in range(4)]
        assert await asyncio.to_thread(make.asked.wait, PATIENCE)
        make.may.set()
        await asyncio.gather(*asked)

    with serving(path, make):
        asyncio.run(ask())
    assert make.made == ["image"]


def test_who_waits_at_shutdown_is_told_to_ask_again_and_no_mishap_is_written_down(tmp_path, caplog):
    path, make = tmp_path / "counter", Maker()

    async def ask(stopping):
        asked = asyncio.create_task(SocketMaker(path).make("image", "width=33", "webp"))
        assert await asyncio.to_thread(make.asked.wait, PATIENCE)
        stopping.set()
        with pytest.raises(Unavailable, match="ask again"):
            await asked

    with serving(path, make) as (stopping, thread):
        asyncio.run(ask(stopping))
        make.may.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
