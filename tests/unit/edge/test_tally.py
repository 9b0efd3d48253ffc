"""When deliveries are given on to the figures and to the log."""

import asyncio
import logging

from darkroom.edge.tally import Tally
from darkroom.figures import DELIVERED_BYTES, DELIVERIES
from darkroom.figures.memory import MemoryFigures


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 # what is waited for is a number, not an event
            await asyncio.sleep(0.001)


def test_numbers_are_given_on_by_themselves_and_logged_less_often(caplog):
    figures = MemoryFigures()

    async def story():
        tally = Tally(figures, flush_seconds=0.01, log_seconds=0.2)
        for _ in range(3):
            tally.count("hot", 200, 50)
        assert figures.total(DELIVERIES) == 0
        await until(lambda: figures.total(DELIVERIES, outcome="hot", status="200") == 3)
        assert figures.total(DELIVERED_BYTES) == 150
        tally.count("default", 404, 0)
        await until(lambda: figures.total(DELIVERIES) == 4)
        assert not caplog.records
        await until(lambda: caplog.records)

    with caplog.at_level(logging.INFO):
        asyncio.run(story())
    (line,) = caplog.records
    assert (line.hot, line.default, line.bytes) == (3, 1, 150)


def test_nothing_is_timed_while_nothing_is_delivered():
    async def story():
        tally = Tally(MemoryFigures(), flush_seconds=0.001, log_seconds=0.0)
        timers = [tally._timer]
        tally.count("hot", 200, 1)
        timers.append(tally._timer)
        assert [timer is None for timer in timers] == [True, False]
        await until(lambda: tally._timer is None)

    asyncio.run(story())


def test_closed_it_has_given_on_everything():
    figures = MemoryFigures()

    async def story():
        tally = Tally(figures)
        tally.count("cold", 200, 7)
        tally.close()

    asyncio.run(story())
    assert figures.total(DELIVERIES, outcome="cold") == 1
    assert figures.total(DELIVERED_BYTES) == 7
