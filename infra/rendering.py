"""Makes of the templates in this folder what is deployed: there is one list of recipes, and one viewer function."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom.names import default_key
from darkroom.serverless import edge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.transform.recipes import Recipe

FOLDER = Path(__file__).parent
VIEWER_FUNCTION = Path(edge.__file__).with_name("viewer_request.js")
VIEWER_FUNCTION_MAX = 10_240
"""Bytes of a CloudFront function, a quota of CloudFront."""

RECIPES_AT = "/var/task/recipes.toml"
"""Where a packaged recipe file lies when a function runs."""
DEFAULT_IMAGE_AT = "/var/task/default-image"
"""Likewise the picture that is shown where there is none."""


def viewer_function(recipes: Sequence[Recipe]) -> str:
    """Return the code of the viewer function for these recipes, without its comment, which counts as length too."""
    formats = {recipe.name: [[each.content_type, each.extension] for each in recipe.formats] for recipe in recipes}
    lines = VIEWER_FUNCTION.read_text(encoding="utf-8").splitlines(keepends=True)
    code = "".join(line for line in lines if not line.startswith("//"))
    return _once("__FORMATS__", json.dumps(formats, separators=(",", ":")), code)


def default_image(recipes: Sequence[Recipe]) -> tuple[str, str]:
    """Return variant and extension of the default image that stands for all: the smallest, as everybody can see it."""
    smallest = min(recipes, key=lambda recipe: recipe.width * recipe.height)
    return smallest.name, smallest.formats[-1].extension


def template(
    recipes: Sequence[Recipe], *, architecture: str, own_recipes: bool, own_default: bool, runtime: str
) -> str:
    """Return template.yaml as it is deployed; ``own_…`` when such a file of the operator lies in the packages."""
    text = (FOLDER / "template.yaml").read_text()
    code = "".join(f"        {line}".rstrip() + "\n" for line in viewer_function(recipes).splitlines())
    text = _once("      FunctionCode: viewer_request.js\n", f"      FunctionCode: |\n{code}", text)
    text = _once("    Runtime: python3.13\n", f"    Runtime: {runtime}\n", text)
    text = _default("Architecture", architecture, text)
    text = _default("DefaultImagePath", f"/{default_key(*default_image(recipes))}", text)
    text = _default("DefaultImage", DEFAULT_IMAGE_AT if own_default else '""', text)
    return _default("Recipes", RECIPES_AT if own_recipes else '""', text)


def _default(parameter: str, value: str, text: str) -> str:
    pattern = rf"(?m)^(  {parameter}:\n    Type: String\n    Default: ).*$"
    replaced, count = re.subn(pattern, lambda found: found[1] + value, text)
    if count != 1:
        msg = f"template.yaml has {count} parameters {parameter} with a default"
        raise ValueError(msg)
    return replaced


def _once(what: str, replacement: str, text: str) -> str:
    if text.count(what) != 1:
        msg = f"{what!r} stands {text.count(what)} times where it should once"
        raise ValueError(msg)
    return text.replace(what, replacement)
