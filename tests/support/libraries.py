"""Images for tests of the catalog, made on the spot, and what a search over a list of them must find.

``found_by`` is the contract once more, written as a filter over a list and independent of terms and plans.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from darkroom import names
from darkroom.model import (
    Exif,
    Facts,
    Format,
    Image,
    Order,
    Orientation,
    Original,
    Query,
    Shelved,
    Source,
    State,
    Variant,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkroom.catalog import Catalog
    from darkroom.model import Page

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
"""When image 0 was uploaded; image n came n seconds later."""


def image(
    number: int = 0,
    *,
    width: int = 4000,
    height: int = 3000,
    length: int = 1_000_000,
    kind: Format = Format.JPEG,
    sha256: str | None = None,
    colors: tuple[str, ...] = ("#7f6a55",),
    exif: Exif | None = None,
    **members: Any,
) -> Image:
    """Return image ``number``, ready unless ``state`` says otherwise; the higher the number, the newer."""
    image_id = names.new_id(FIRST + timedelta(seconds=number), number.to_bytes(names.RANDOM_BYTES))
    source = Source(
        format=kind,
        width=width,
        height=height,
        bytes=length,
        sha256=sha256 or hashlib.sha256(image_id.encode()).hexdigest(),
        has_alpha=False,
        frames=1,
    )
    looked_at = members.get("state", State.READY) in {State.READY, State.DELETED}
    given: dict[str, Any] = {
        "id": image_id,
        "owner": "local",
        "state": State.READY,
        "filename": f"IMG_{number}.jpg",
        "uploaded_at": names.moment_of(image_id),
        "facts": Facts(
            source=source,
            placeholder="1QcSHQRnh493V4dIh4eXh1h4kJUI",
            color=colors[0],
            colors=colors,
            exif=exif or Exif(),
        )
        if looked_at
        else None,
    }
    return Image(**given | members)


def full_image() -> Image:
    """Return an image with every member filled in."""
    bare = image(7, title="Sunset over the sea, “Grüße” 東京 🌅", album="Summer", tags=("Cat", "Straße", "猫"))
    assert bare.facts is not None
    exif = Exif(
        taken_at="2026-01-01T10:00:00",
        camera="Canon EOS R5",
        lens="RF 24-70mm",
        iso=100,
        f_number=2.8,
        exposure="1/120",
        focal_length=26.5,
    )
    variant = Variant(
        name="small",
        format=Format.AVIF,
        width=320,
        height=240,
        bytes=9000,
        key=names.asset_key(bare.id, "small", "avif"),
    )
    return dataclasses.replace(
        bare,
        version=3,
        generation=2,
        focus=(0.25, 1 / 3),
        original_etag='"e"',
        promised_bytes=1_000_000,
        promised_sha256="ab" * 32,
        facts=dataclasses.replace(bare.facts, exif=exif),
        variants=(variant,),
        objects=(Shelved(name="small.avif", checksum="q83vEjRWeJCrze8SNFZ4kA"), Shelved(name="small.jpg")),
        asked_at=FIRST + timedelta(days=1),
    )


def tombstone(of: Image) -> Image:
    """Return what is left of an image that was deleted."""
    return dataclasses.replace(of, state=State.DELETED, deleted_at=FIRST)


def pages(catalog: Catalog, query: Query, *, at_most: int = 1_000) -> list[Page]:
    """Return all pages of a search; fails when there seems to be no end."""
    cursor = None
    found = []
    for _ in range(at_most):
        found.append(catalog.search(dataclasses.replace(query, cursor=cursor)))
        cursor = found[-1].next
        if cursor is None:
            return found
    msg = f"{at_most} pages and no end"
    raise AssertionError(msg)


def everything(catalog: Catalog, query: Query) -> list[Image]:
    """Return the images of all pages of a search."""
    return [found for page in pages(catalog, query) for found in page.items]


# ------------------------------------------------------------------ the oracle


def found_by(query: Query, images: Iterable[Image]) -> list[Image]:
    """Return the images the query asks for, in its order."""
    found = sorted((one for one in images if _asked_for(query, one)), key=lambda one: one.id)
    return found if query.order is Order.OLDEST else found[::-1]


def counted(owner: str, tickets_since: datetime, images: Iterable[Image]) -> tuple[int, int, int]:
    """Return how many images the owner has, what they take in bytes, and how many tickets are open."""
    living = [one for one in images if one.owner == owner and one.state is not State.DELETED]
    total = 0
    for one in living:
        if one.original is Original.KEPT:
            total += one.facts.source.bytes if one.facts else one.promised_bytes
        for each in one.variants:
            total += each.bytes
    awaiting = [one for one in living if one.state is State.AWAITING and one.uploaded_at >= tickets_since]
    return len(living), total, len(awaiting)


def _asked_for(query: Query, one: Image) -> bool:
    source = None if one.facts is None else one.facts.source
    checks = [
        one.owner == query.owner,
        one.state is not State.DELETED,
        not query.states or one.state in query.states,
        all(any(_alike(tag, has) for has in one.tags) for tag in query.tags),
        query.album is None or (one.album is not None and _alike(query.album, one.album)),
        not (query.untagged and one.tags),
        query.uploaded_after is None or one.uploaded_at >= query.uploaded_after,
        query.uploaded_before is None or one.uploaded_at < query.uploaded_before,
    ]
    if query.words is not None:
        have = _plain_words(f"{one.filename} {one.title or ''}")
        checks.append(all(word in have for word in _plain_words(query.words)))
    if query.formats:
        checks.append(source is not None and source.format in query.formats)
    if query.orientation is not None:
        checks.append(source is not None and source.orientation is query.orientation)
    if query.sha256 is not None:
        checks.append((one.promised_sha256 if source is None else source.sha256) == query.sha256)
    return all(checks) and _large_enough(query, source) and _shot_so(query, one)


def _large_enough(query: Query, source: Source | None) -> bool:
    checks = []
    for least, most, measure in (
        (query.min_width, query.max_width, "width"),
        (query.min_height, query.max_height, "height"),
        (query.min_bytes, query.max_bytes, "bytes"),
    ):
        if least is not None:
            checks.append(source is not None and getattr(source, measure) >= least)
        if most is not None:
            checks.append(source is not None and getattr(source, measure) <= most)
    return all(checks)


def _shot_so(query: Query, one: Image) -> bool:
    checks = []
    exif = Exif() if one.facts is None else one.facts.exif
    for wanted, said in ((query.camera, exif.camera), (query.lens, exif.lens)):
        if wanted is not None:
            checks.append(_plain_words(wanted) <= _plain_words(said or ""))
    if query.taken_after is not None:
        checks.append(exif.taken_at is not None and _utc(exif.taken_at) >= query.taken_after)
    if query.taken_before is not None:
        checks.append(exif.taken_at is not None and _utc(exif.taken_at) < query.taken_before)
    if query.color is not None:
        shown = () if one.facts is None else one.facts.colors
        checks.append(any(_family(f"#{query.color}") == _family(color) for color in shown))
    return all(checks)


def _alike(one: str, other: str) -> bool:
    return unicodedata.normalize("NFC", one).casefold() == unicodedata.normalize("NFC", other).casefold()


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _family(color: str) -> int:
    (number,) = (number for number, family in enumerate(COLORS) if color in family)
    return number


def _plain_words(text: str) -> set[str]:
    """Enough for the words below: ASCII letters and digits."""
    return set(re.findall("[a-z0-9]+", text.lower()))


# ------------------------------------------------------------------ at random

TAGS = ("cat", "Garden", "Straße", "STRASSE", "e\u0301te\u0301", "été", "猫", "🌅", 'a "quoted":tag')
WORDS = ("sunset", "Sea", "img", "2026", "cat")
ALBUMS = ("Summer", "SUMMER", "winter")
OWNERS = ("local", "anna")
SIDES = (1, 100, 3000, 4000)
LENGTHS = (1_000, 1_000_000)
CHECKSUMS = ("ab" * 32, "cd" * 32)
CAMERAS = ("Canon EOS R5", "Canon EOS 5D", "Apple iPhone 6")
LENSES = ("RF24-70mm F2.8 L", "EF 50mm")
TAKEN = ("2015-04-10T20:12:23", "2015-04-10T23:30:00-02:00", "1999-12-31T23:59:59", "2026-01-01T00:00:00+14:00")
COLORS = (("#ff0000", "#f01010", "#e02020"), ("#0000ff", "#1010f0"), ("#808080", "#838383"), ("#ffffff",))
"""Those of one row are near each other, those of two are not."""
NEWEST = 40

_LIVING = tuple(state for state in State if state is not State.DELETED)


def _variant(length: int) -> Variant:
    return Variant(name="small", format=Format.AVIF, width=3, height=2, bytes=length, key=f"made/{length}.avif")


def _some(values: tuple[Any, ...], most: int, *, least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=most, unique=True).map(tuple)


def _perhaps(values: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(values)


_EVERY_COLOR = tuple(color for family in COLORS for color in family)
_EXIF = st.builds(Exif, camera=_perhaps(CAMERAS), lens=_perhaps(LENSES), taken_at=_perhaps(TAKEN))
_TEXTS = _some(WORDS, 3).map(" ".join)

_MEMBERS = st.fixed_dictionaries(
    {
        "owner": st.sampled_from((*OWNERS, OWNERS[0])),
        "state": st.sampled_from((*_LIVING, State.READY, State.READY, State.READY)),
        "tags": _some(TAGS, 3),
        "album": _perhaps(ALBUMS),
        "title": st.none() | _TEXTS,
        "filename": _TEXTS.map("{}.jpg".format),
        "kind": st.sampled_from((Format.JPEG, Format.JPEG, Format.PNG, Format.GIF)),
        "width": st.sampled_from(SIDES),
        "height": st.sampled_from(SIDES),
        "length": st.sampled_from(LENGTHS),
        "sha256": st.sampled_from(CHECKSUMS),
        "colors": _some(_EVERY_COLOR, 3, least=1),
        "exif": _EXIF,
        "promised_sha256": _perhaps(CHECKSUMS),
        "promised_bytes": st.sampled_from(LENGTHS),
        "original": st.sampled_from(tuple(Original)),
        "variants": st.lists(st.sampled_from(SIDES), max_size=2).map(lambda lengths: tuple(map(_variant, lengths))),
    }
)


@st.composite
def libraries(draw: st.DrawFn, *, at_most: int = 25) -> list[Image]:
    """Draw images of two owners, as they are created, in any order of their times."""
    numbers = draw(st.lists(st.integers(0, NEWEST), max_size=at_most, unique=True))
    return [image(number, **draw(_MEMBERS)) for number in numbers]


def images(number: int) -> st.SearchStrategy[Image]:
    """Draw another image of this number."""
    return _MEMBERS.map(lambda members: image(number, **members))


_TAKEN_MOMENTS = st.none() | st.sampled_from(
    tuple(_utc(text) + timedelta(seconds=step) for text in TAKEN for step in (0, 1, 40 * 86_400, 5000 * 86_400))
)
_MOMENTS = st.none() | st.integers(0, NEWEST * 2).map(lambda half: FIRST + timedelta(seconds=half / 2))


def queries(limits: st.SearchStrategy[int]) -> st.SearchStrategy[Query]:
    """Draw a query of one of the owners, most often with few criteria."""
    rarely = {
        "album": _perhaps(ALBUMS),
        "words": st.none() | _some(WORDS, 2, least=1).map(" ".join),
        "formats": _some((Format.JPEG, Format.PNG, Format.AVIF), 2),
        "orientation": _perhaps(tuple(Orientation)),
        "min_width": _perhaps(SIDES),
        "max_width": _perhaps(SIDES),
        "min_height": _perhaps(SIDES),
        "max_height": _perhaps(SIDES),
        "min_bytes": _perhaps(LENGTHS),
        "max_bytes": _perhaps(LENGTHS),
        "uploaded_after": _MOMENTS,
        "uploaded_before": _MOMENTS,
        "sha256": _perhaps(CHECKSUMS),
        "tags": _some(TAGS, 2),
        "untagged": st.booleans(),
        "camera": _perhaps(("canon", "CANON eos", "iphone", "5d r5")),
        "lens": _perhaps(("50mm", "rf24", "ef")),
        "color": _perhaps(tuple(color.removeprefix("#") for color in _EVERY_COLOR)),
        "taken_after": _TAKEN_MOMENTS,
        "taken_before": _TAKEN_MOMENTS,
        "states": _some(tuple(State), 3),
    }
    return st.builds(
        lambda owner, order, limit, criteria: Query(owner=owner, order=order, limit=limit, **criteria),
        st.sampled_from(OWNERS),
        st.sampled_from(tuple(Order)),
        limits,
        st.sets(st.sampled_from(sorted(rarely)), max_size=4).flatmap(
            lambda chosen: st.fixed_dictionaries({criterion: rarely[criterion] for criterion in sorted(chosen)})
        ),
    )
