"""The service's own code: what a worker process does with an original, facts included."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

from turns import Stopwatch, take_turns, task

from darkroom.model import Format
from darkroom.transform import Order
from darkroom.transform.recipes import DEFAULT_RECIPES, Recipe
from darkroom.transform.vips import render

asked = task()
if asked.format == "default":
    recipes = DEFAULT_RECIPES
else:
    wanted = Format(asked.format)
    recipes = tuple(
        Recipe(name=f"at-{side}", width=side, height=side, formats=(wanted,), quality={wanted: asked.quality})
        for side in asked.sides
    )


def ingest(watch: Stopwatch) -> list[int]:
    """Render from the file."""
    with watch, Path(asked.photo).open("rb") as original:
        rendered = render(original, Order(recipes=recipes))
    return [len(slot.body) for slot in rendered.slots]


take_turns(f"Python {platform.python_version()}, pyvips-binary {version('pyvips-binary')}", ingest)
