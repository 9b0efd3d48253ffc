"""Files made to stop a service, in the real jailed pool: refused before they cost anything."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

import bombs
import pictures
from darkroom.errors import Refused
from darkroom.transform import Limits, Order
from darkroom.transform.jail import Allowance, JailedTransform
from darkroom.transform.recipes import DEFAULT_RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.transform import Rendered

    Bomb = Callable[[], bytes]

ORDER = Order(recipes=DEFAULT_RECIPES, limits=Limits(svg=True))
ALLOWANCE = Allowance(cpu_seconds=1)
"""Who takes more processor time is killed, and so not refused. How long it takes by the clock is for a bench."""


@pytest.fixture(scope="module")
def pool() -> Iterator[JailedTransform]:
    pool = JailedTransform(1, allowance=ALLOWANCE)
    yield pool
    pool.close()


def render(pool: JailedTransform, content: bytes) -> Rendered | Refused:
    """Return what came of it."""
    with tempfile.TemporaryFile() as original:
        original.write(content)
        original.flush()
        try:
            return pool.render(original, ORDER)
        except Refused as refusal:
            return refusal


@pytest.mark.parametrize("bomb", bombs.REFUSED, ids=lambda bomb: bomb.__name__)
def test_a_bomb_is_refused_at_once(pool: JailedTransform, bomb: Bomb) -> None:
    outcome = render(pool, bomb())
    assert isinstance(outcome, Refused)
    assert outcome.code == bombs.REFUSED[bomb]


@pytest.mark.parametrize("bomb", bombs.HARMLESS, ids=lambda bomb: bomb.__name__)
def test_a_bomb_for_others_is_a_picture_like_any_other(pool: JailedTransform, bomb: Bomb) -> None:
    assert not isinstance(render(pool, bomb()), Refused)


def test_a_picture_after_all_that_is_rendered(pool: JailedTransform) -> None:
    assert not isinstance(render(pool, pictures.jpeg(640, 480)), Refused)
