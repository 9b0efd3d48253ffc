"""Makes of the templates in this folder what is deployed: there is one list of recipes, and one viewer function."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import rjsmin  # type: ignore[import-untyped] # has no types

from darkroom.edge.transformations import CHOICES
from darkroom.names import default_key
from darkroom.serverless import edge
from darkroom.settings import CloudSettings
from darkroom.transform.recipes import COMPASS, DEFAULT_QUALITY, LONGEST_SIDE, SEEKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from darkroom.model import Format
    from darkroom.transform.recipes import Recipe

FOLDER = Path(__file__).parent
EDGE = Path(edge.__file__).parent
EDGE_FUNCTION_MAX = 10_240
"""Bytes of a CloudFront function, a quota of CloudFront."""

RECIPES_AT = "/var/task/recipes.toml"
"""Where a packaged recipe file lies when a function runs."""
DEFAULT_IMAGE_AT = "/var/task/default-image"
"""Likewise the picture that is shown where there is none."""


def viewer_function(recipes: Sequence[Recipe]) -> str:
    """Return the code of the function that picks a format for these recipes."""
    formats = {recipe.name: _formats(recipe.formats) for recipe in recipes}
    return _edge_function("viewer_request.js", FORMATS=formats)


def transformation_request() -> str:
    """Return the code of the function that verifies the addresses of transformations."""
    widths = CloudSettings.model_fields["srcset_widths"].default
    return _edge_function(
        "transformation_request.js",
        WIDTHS=list(widths),
        QUALITY={kind.extension: quality for kind, quality in DEFAULT_QUALITY.items()},
        POINTS={name: f"{x:g}:{y:g}" for name, (x, y) in COMPASS.items()},
        SEEKING=list(SEEKING),
        CHOICES=[_formats(each) for each in CHOICES],
        SIDE=LONGEST_SIDE,
    )


def transformation_response() -> str:
    """Return the code of the function that sees the answers to them."""
    return _edge_function("transformation_response.js")


def _formats(formats: Sequence[Format]) -> list[list[str]]:
    return [[each.content_type, each.extension] for each in formats]


def _edge_function(name: str, **given: object) -> str:
    """Return the code of a CloudFront function, without comments and needless space, which count as length too.

    Names stay as they are, so that what runs at the edge can still be read beside what is in the repository.
    """
    code = (EDGE / name).read_text(encoding="utf-8")
    code = code.replace("//__NEGOTIATION__\n", (EDGE / "negotiation.js").read_text(encoding="utf-8"))
    for what, value in given.items():
        code = _once(f"__{what}__", json.dumps(value, separators=(",", ":")), code)
    imports = "".join(re.findall(r"(?m)^import .*\n", code))  # as CloudFront's documents spell them
    return f"{imports}{rjsmin.jsmin(re.sub(r'(?m)^import .*', '', code))}\n"


def default_image(recipes: Sequence[Recipe]) -> tuple[str, str]:
    """Return variant and extension of the default image that stands for all: the smallest, as everybody can see it."""
    smallest = min(recipes, key=lambda recipe: recipe.width * recipe.height)
    return smallest.name, smallest.formats[-1].extension


def template(
    recipes: Sequence[Recipe], *, architecture: str, own_recipes: bool, own_default: bool, runtime: str
) -> str:
    """Return template.yaml as it is deployed; ``own_…`` when such a file of the operator lies in the packages."""
    text = (FOLDER / "template.yaml").read_text()
    functions = {
        "viewer_request.js": viewer_function(recipes),
        "transformation_request.js": transformation_request(),
        "transformation_response.js": transformation_response(),
    }
    for name, code in functions.items():
        block = "".join(f"        {line}".rstrip() + "\n" for line in code.splitlines())
        text = _once(f"      FunctionCode: {name}\n", f"      FunctionCode: |\n{block}", text)
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
