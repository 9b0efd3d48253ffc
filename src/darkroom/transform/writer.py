"""From the pictures of one original to the slots of all recipes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from darkroom.transform import Slot
from darkroom.transform.auto_quality import features, fitting
from darkroom.transform.encode import COST, encode
from darkroom.transform.plan import Encoding, encodings

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    from darkroom.model import Format
    from darkroom.transform.encode import Encoded
    from darkroom.transform.plan import Layout, Size
    from darkroom.transform.recipes import Recipe
    from darkroom.transform.vips import Pictures


class Writer:
    """Encodes slots, several at a time; what two recipes have in common is encoded once."""

    def __init__(self, pool: ThreadPoolExecutor, pictures: Pictures, original: tuple[Format, Size, int]) -> None:
        """``original`` is the format, the size as a person sees it, and the bytes of what everything is made from."""
        self._pool = pool
        self._pictures = pictures
        self._original = original
        self._begun: dict[tuple[Layout, str, Encoding, int | None], Future[Encoded]] = {}

    def begin(self, recipe: Recipe, wanted: Layout) -> None:
        """Make the picture of a recipe now, and have it encoded by and by."""
        each_way = {each.wide for each in self._encodings(recipe, wanted)}
        shown = {wide: self._pictures.framed(wanted, recipe.background, wide=wide) for wide in each_way}
        aims = recipe.target is not None and self._pictures.frames == 1
        told = features(next(iter(shown.values()))) if aims else None
        for each in sorted(self._encodings(recipe, wanted), key=lambda encoding: -COST[encoding.format]):
            key = self._key(recipe, wanted, each)
            if key not in self._begun:
                suited = fitting(each, told, recipe.target)
                self._begun[key] = self._pool.submit(encode, shown[each.wide], wanted.size.height, suited)

    def end(self, recipe: Recipe, wanted: Layout) -> list[Slot]:
        """Wait for the slots of a recipe that was begun."""
        made = [
            (each, self._begun[self._key(recipe, wanted, each)].result()) for each in self._encodings(recipe, wanted)
        ]
        formats = [encoded.format for _, encoded in made]
        return [
            Slot(
                variant=recipe.name,
                extension=each.extension,
                format=encoded.format,
                width=wanted.size.width,
                height=wanted.size.height,
                body=encoded.body,
                listed=encoded.format not in formats[:number],
            )
            for number, (each, encoded) in enumerate(made)
        ]

    def _encodings(self, recipe: Recipe, wanted: Layout) -> list[Encoding]:
        pictures, (form, size, length) = self._pictures, self._original
        made = encodings(
            recipe,
            animated=pictures.frames > 1,
            transparent=pictures.transparent,
            content=pictures.content,
            wide=pictures.wide,
        )
        whole = wanted.size == wanted.scaled == size
        return [replace(each, at_most=length) if whole and each.format is form else each for each in made]

    @staticmethod
    def _key(recipe: Recipe, wanted: Layout, encoding: Encoding) -> tuple[Layout, str, Encoding, int | None]:
        return wanted, recipe.background, replace(encoding, extension=""), recipe.target
