"""Who makes what a reader of a picture by its address waits for, where that is a function."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from darkroom.errors import InvalidRequest, NotFound, RenderFailed, Unavailable
from darkroom.model import Format
from darkroom.serverless.answering import SOON, ThreadMaker
from darkroom.transform.options import parse


@pytest.fixture
def promised():
    return []


def made(promised, make):
    with ThreadPoolExecutor(1) as threads:
        maker = ThreadMaker(make, lambda *asked: promised.append(asked), threads)
        asyncio.run(maker.make("id", "width=5", "webp"))


def test_it_is_made_here(promised):
    asked = []
    made(promised, lambda *order: asked.append(order))
    assert asked == [("id", parse("width=5").transformation, Format.WEBP)]
    assert promised == []


def test_what_takes_too_long_here_is_made_elsewhere_and_the_reader_comes_again(promised):
    def make(*_):
        raise RenderFailed("it took longer than 18 s")

    with pytest.raises(Unavailable, match="18 s") as raised:
        made(promised, make)
    assert raised.value.retry_after == SOON
    assert promised == [("id", "width=5", "webp")]


@pytest.mark.parametrize("error", [NotFound("none"), InvalidRequest("crop"), Unavailable("no room")])
def test_what_would_be_no_better_elsewhere_is_said_as_it_is(promised, error):
    def make(*_):
        raise error

    with pytest.raises(type(error)):
        made(promised, make)
    assert promised == []
