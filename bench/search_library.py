"""A library drawn at random, and questions to it: what ``search.py`` measures with. Image n is the same each time."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from darkroom import names
from darkroom.model import Exif, Facts, Format, Image, Order, Orientation, Query, Source, State, Variant
from darkroom.transform.recipes import DEFAULT_RECIPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OWNER = "studio"
FIRST = datetime(2023, 11, 1, tzinfo=UTC)
SPAN = timedelta(days=3 * 365)
TAKEN_FIRST = datetime(2006, 1, 1, tzinfo=UTC)
SIDES = ((6000, 4000), (4032, 3024), (3264, 2448), (1920, 1080), (8256, 5504), (1080, 1080), (900, 600), (400, 300))
MAKERS = ("Canon EOS", "NIKON D", "SONY ILCE-", "Apple iPhone", "FUJIFILM X-T", "Panasonic DMC-G", "Google Pixel")
LENSES = ("RF24-70mm F2.8 L IS USM", "EF50mm f/1.8 STM", "AF-S NIKKOR 70-200mm", "FE 35mm F1.4 GM", "XF18-55mm")
SYLLABLES = ("ba", "co", "di", "fu", "ga", "le", "mi", "no", "pa", "ru", "se", "ti", "vo", "wa", "xe", "zu")


def word(number: int) -> str:
    """Return the ``number``-th word of a language of our own."""
    parts = []
    while True:
        parts.append(SYLLABLES[number % 16])
        number //= 16
        if not number:
            return "".join(parts) + "n"


class Zipf:
    """Draws values, the n-th 1/n as often as the first."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = values
        self._weights = list(accumulate(1 / (1 + rank) for rank in range(len(values))))

    def draw(self, chance: random.Random) -> Any:  # noqa: ANN401 # whatever the values are
        """Return one."""
        return chance.choices(self.values, cum_weights=self._weights)[0]


class Library:
    """So many images by number; the higher, the newer."""

    def __init__(self, images: int) -> None:
        self.images = images
        self._step = SPAN / images
        self._tags = Zipf([f"{word(number)} tag" if number % 7 == 0 else word(number) for number in range(2_000)])
        self._titles = Zipf([f"{word(number)}ly" for number in range(5_000)])
        self._albums = Zipf([f"{word(number)} {2010 + number % 15}" for number in range(500)])
        self._cameras = Zipf([f"{maker}{model}" for model in range(1, 9) for maker in MAKERS])
        self._lenses = Zipf(LENSES)
        self._sides = Zipf(SIDES)
        self._formats = Zipf((Format.JPEG, Format.PNG, Format.HEIC, Format.WEBP, Format.GIF, Format.AVIF))
        self._slots = [(recipe.name, kind) for recipe in DEFAULT_RECIPES for kind in recipe.formats]

    def image(self, number: int) -> Image:
        """Return an image."""
        chance = random.Random(number)  # noqa: S311 # nothing secret
        uploaded = FIRST + number * self._step
        image_id = names.new_id(uploaded, chance.randbytes(names.RANDOM_BYTES))
        width, height = self._sides.draw(chance)
        if chance.random() < 0.3:
            width, height = height, width
        titled = chance.random() < 0.4
        return Image(
            id=image_id,
            owner=OWNER if number % 20 else f"other-{chance.randrange(50)}",
            state=State.READY if chance.random() < 0.99 else State.FAILED,
            filename=f"{chance.choice(('IMG', 'DSC', 'PXL'))}_{chance.randrange(10_000):04}.jpg",
            uploaded_at=names.moment_of(image_id),
            title=" ".join(self._titles.draw(chance) for _ in range(3)) if titled else None,
            album=self._albums.draw(chance) if chance.random() < 0.6 else None,
            tags=tuple({self._tags.draw(chance): None for _ in range(3)}) if chance.random() < 0.95 else (),
            facts=self._facts(chance, width, height),
            variants=tuple(
                Variant(
                    name=name,
                    format=kind,
                    width=640,
                    height=480,
                    bytes=chance.randrange(10_000, 400_000),
                    key=names.asset_key(image_id, name, kind.extension),
                )
                for name, kind in self._slots
            ),
        )

    def _facts(self, chance: random.Random, width: int, height: int) -> Facts:
        colors = tuple(dict.fromkeys(_color(chance) for _ in range(chance.randint(1, 5))))
        with_camera = chance.random() < 0.8
        taken = TAKEN_FIRST + timedelta(seconds=chance.randrange(20 * 365 * 86_400))
        return Facts(
            source=Source(
                format=self._formats.draw(chance),
                width=width,
                height=height,
                bytes=int(width * height * chance.uniform(0.1, 0.6)),
                sha256=hashlib.sha256(chance.randbytes(16)).hexdigest(),
                has_alpha=False,
                frames=1,
            ),
            placeholder="1QcSHQRnh493V4dIh4eXh1h4kJUI",
            color=colors[0],
            colors=colors,
            perceptual_hash=chance.randbytes(38).hex(),
            exif=Exif(
                taken_at=taken.strftime("%Y-%m-%dT%H:%M:%S"),
                camera=self._cameras.draw(chance),
                lens=self._lenses.draw(chance),
                iso=100,
                f_number=2.8,
                exposure="1/120",
                focal_length=35.0,
            )
            if with_camera
            else Exif(),
        )

    def kinds(self) -> tuple[str, ...]:
        """Return what there is to ask for."""
        with_tag = [f"tag, {kind}" for kind in self._asking if kind not in {"nothing", "any tag", "untagged"}]
        return (*self._asking, *with_tag, "tag, tag, word, lens, width")

    def query(self, kind: str, number: int) -> Query:
        """Return a question of a kind, every other one for a page in the middle."""
        chance = random.Random(f"{kind} {number}")  # noqa: S311 # as above
        asked: dict[str, Any] = {}
        for criterion in kind.split(", "):
            asked = _both(asked, self._asking[criterion](chance))
        if number % 2 and not {"uploaded_before", "order"} & asked.keys():
            asked["uploaded_before"] = FIRST + chance.randrange(1, self.images) * self._step
        return Query(owner=OWNER, limit=50, **asked)

    @cached_property
    def _asking(self) -> dict[str, Callable[[random.Random], dict[str, Any]]]:
        return {
            "nothing": lambda _: {},
            "oldest first": lambda _: {"order": Order.OLDEST},
            "tag": lambda chance: {"tags": (self._tags.draw(chance),)},
            "any tag": lambda chance: {"tags": (chance.choice(self._tags.values),)},
            "untagged": lambda _: {"untagged": True},
            "album": lambda chance: {"album": self._albums.draw(chance)},
            "word": lambda chance: {"words": self._titles.draw(chance)},
            "camera": lambda chance: {"camera": self._cameras.draw(chance)},
            "lens": lambda chance: {"lens": self._lenses.draw(chance).split()[0]},
            "format": lambda chance: {"formats": (self._formats.draw(chance),)},
            "orientation": lambda chance: {"orientation": chance.choice(tuple(Orientation))},
            "width": lambda chance: {"min_width": self._sides.draw(chance)[0]},
            "one size in a hundred": lambda _: {"min_width": 8000, "max_width": 8300, "min_bytes": 25_000_000},
            "bytes that none has": lambda _: {"min_bytes": 10**9},
            "uploaded in a day": lambda chance: self._within(chance, timedelta(days=1)),
            "taken in a day": lambda chance: _taken(chance, timedelta(days=1)),
            "taken in a month": lambda chance: _taken(chance, timedelta(days=30)),
            "taken in a year": lambda chance: _taken(chance, timedelta(days=365)),
            "color": lambda chance: {"color": _color(chance).removeprefix("#")},
            "any color": lambda chance: {"color": f"{chance.randrange(2**24):06x}"},
            "sha256": lambda chance: {"sha256": self._checksum(chance.randrange(self.images))},
            "state": lambda _: {"states": (State.FAILED,)},
        }

    def _within(self, chance: random.Random, span: timedelta) -> dict[str, Any]:
        begin = FIRST + chance.randrange(self.images) * self._step
        return {"uploaded_after": begin, "uploaded_before": begin + span}

    def _checksum(self, number: int) -> str:
        facts = self.image(number).facts
        assert facts is not None
        return facts.source.sha256


def _color(chance: random.Random) -> str:
    """Return a colour as photos have them: mostly muted, of any lightness, seldom a bright one."""
    grey = chance.randrange(256)
    reach = 120 if chance.random() < 0.15 else 30
    return "#" + "".join(f"{min(255, max(0, grey + chance.randint(-reach, reach))):02x}" for _ in range(3))


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return what asks for both; of tags there can be several."""
    if "tags" in one and "tags" in other:
        return one | other | {"tags": one["tags"] + other["tags"]}
    return one | other


def _taken(chance: random.Random, span: timedelta) -> dict[str, Any]:
    begin = TAKEN_FIRST + timedelta(days=chance.randrange(20 * 365))
    return {"taken_after": begin, "taken_before": begin + span}
