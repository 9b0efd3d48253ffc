"""Files made to stop a service, in the real jailed pool: refused before they cost anything."""

from __future__ import annotations

import tempfile
import time
from typing import TYPE_CHECKING

import pytest

import bombs
import pictures
from darkroom.errors import Refused
from darkroom.transform import Order
from darkroom.transform.jail import JailedTransform
from darkroom.transform.recipes import DEFAULT_RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.transform import Rendered

    Bomb = Callable[[], bytes]

SECONDS = 1.0
"""A tenth of it is the aim; a busy machine must not fail this."""


@pytest.fixture(scope="module")
def pool() -> Iterator[JailedTransform]:
    pool = JailedTransform(1)
    yield pool
    pool.close()


def render(pool: JailedTransform, content: bytes) -> tuple[Rendered | Refused, float]:
    """Return what came of it, and the seconds it took."""
    with tempfile.TemporaryFile() as original:
        original.write(content)
        original.flush()
        began = time.perf_counter()
        try:
            outcome: Rendered | Refused = pool.render(original, Order(recipes=DEFAULT_RECIPES))
        except Refused as refusal:
            outcome = refusal
        return outcome, time.perf_counter() - began


@pytest.mark.parametrize("bomb", bombs.REFUSED, ids=lambda bomb: bomb.__name__)
def test_a_bomb_is_refused_at_once(pool: JailedTransform, bomb: Bomb) -> None:
    outcome, seconds = render(pool, bomb())
    assert isinstance(outcome, Refused)
    assert outcome.code == bombs.REFUSED[bomb]
    assert seconds < SECONDS


@pytest.mark.parametrize("bomb", bombs.HARMLESS, ids=lambda bomb: bomb.__name__)
def test_a_bomb_for_others_is_a_picture_like_any_other(pool: JailedTransform, bomb: Bomb) -> None:
    outcome, seconds = render(pool, bomb())
    assert not isinstance(outcome, Refused)
    assert seconds < SECONDS


def test_a_picture_after_all_that_is_rendered(pool: JailedTransform) -> None:
    outcome, _ = render(pool, pictures.jpeg(640, 480))
    assert not isinstance(outcome, Refused)
