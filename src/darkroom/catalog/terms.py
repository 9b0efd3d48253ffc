"""What search means: the terms an image is found under, and what a query demands of an image. Pure.

Every database keeps an index ``(owner, term) → ids, newest first`` and filters with the rest of the plan, so the
meaning is here only and the same in all of them:

* An image has ``terms`` (text it is found under), ``measures`` (whole numbers it is filtered by) and ``colors``.
* A query becomes a ``Plan``: groups of terms, of which the image must have at least one each, ranges of measures, a
  colour, and bounds on the id, which is the time of upload.
* A page is made by walking the images of one group in the query's order, and keeping those that the rest of the plan
  admits.

Terms are exact, or coarse and then there is an exact criterion beside them: a span of time, a part of the colours.
Kinds of terms that cost much can be left out of an index (``Kind``); what they are for cannot be asked for then.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.catalog import colors as palette
from darkroom.catalog import perceptual_hash
from darkroom.errors import InvalidRequest
from darkroom.model import Order, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from darkroom.catalog.colors import Lab
    from darkroom.model import Facts, Image, Query

REVISION = 1
"""Counts the changes of what an image is found under. An index says by which it was made, and is made anew."""

EVERY = "every"
"""The term that every image has, so that every query has something to walk."""
UNTAGGED = "untagged"
"""The term of an image without tags."""

WORD_LETTERS = 64
"""Longer words are cut, in images and in queries, and so compared by their beginning."""
WORDS_PER_IMAGE = 128
"""An image is found under its first so many different words of filename and title, in this order."""

QUERY_TERMS_MAX = 64
QUERY_LETTERS_MAX = 1_000
PAGE_MAX = 200

MEASURES = ("width", "height", "bytes", "taken")
"""``taken`` is in seconds since 1970; what the camera says without a zone is taken for UTC."""
MEASURE_MAX = 2**62
TAKEN_SPAN = 32 * 86_400
"""Seconds that have one term of when a picture was taken. Any month lies in two of them."""
TAKEN_SPANS_MAX = 13
"""The spans of a year. When more time is asked for, there is no group of terms for it."""
_FOREVER = "~"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEXADECIMAL = frozenset("0123456789abcdef")
_LIVING = frozenset(State) - {State.DELETED}

# Scripts written without spaces, where each letter is a word: Han and Hiragana, which the Unicode word boundary rules
# (UAX 29, https://www.unicode.org/reports/tr29/) also part after every letter.
_PLAIN_WORD = re.compile("[a-z0-9]+")
_IDEOGRAPHS = ((0x3041, 0x309F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


class Kind(StrEnum):
    """The kinds of terms that cost much, because a typical image has many of them."""

    WORDS = "words"
    """Words of filename and title."""
    CAMERA = "camera"
    """Words of what camera and lens call themselves."""
    COLORS = "colors"
    """Parts of the colours that the main colours lie in."""
    LIKENESS = "likeness"
    """Bands of the perceptual hash."""


ALL_KINDS = frozenset(Kind)


@dataclass(frozen=True, slots=True)
class Range:
    """The bounds of one measure, both inclusive."""

    measure: str
    least: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A query in the form in which it is carried out and compared: equal plans find equal images.

    ``groups`` are in the order of how few images they usually have; a group is walked by merging its terms, none of it
    is empty, and there is at least one. Those in ``coarse`` say nothing that a range or the colour do not say exactly:
    they are there to be walked. Ids are looked for from ``first`` (inclusive) to ``end`` (exclusive), upwards if
    ``oldest_first``.
    """

    owner: str
    groups: tuple[tuple[str, ...], ...]
    coarse: tuple[tuple[str, ...], ...]
    ranges: tuple[Range, ...]
    color: Lab | None
    first: str
    end: str
    oldest_first: bool

    def bounds(self, after: str | None) -> tuple[str, str]:
        """Return between which ids (inclusive, exclusive) the page lies that begins after one, or the first page."""
        if after is None:
            return self.first, self.end
        return (f"{after}{_FOREVER}", self.end) if self.oldest_first else (self.first, after)

    @property
    def walkable(self) -> tuple[tuple[str, ...], ...]:
        """The groups of which the one with the fewest images is walked: not what nearly all images have, if others."""
        return tuple(group for group in self.groups if group not in _NEARLY_ALL) or self.groups

    def admits(self, image: Image) -> bool:
        """Tell whether the image is one that the query asks for."""
        return (
            image.owner == self.owner
            and self.first <= image.id < self.end
            and self._in_ranges(measures(image))
            and self._near_color(colors(image))
            and self._under(terms(image))
        )

    def _under(self, found: frozenset[str]) -> bool:
        return all(not found.isdisjoint(group) for group in self.groups if group not in self.coarse)

    def _in_ranges(self, measured: Mapping[str, int]) -> bool:
        return all(
            span.measure in measured and span.least <= measured[span.measure] <= span.most for span in self.ranges
        )

    def _near_color(self, found: tuple[Lab, ...]) -> bool:
        return self.color is None or any(palette.near(self.color, one) for one in found)


def terms(image: Image, kinds: frozenset[Kind] = ALL_KINDS) -> frozenset[str]:
    """Return all terms the image is found under, of the costly kinds those in ``kinds``; none for a tombstone."""
    if image.state is State.DELETED:
        return frozenset()
    found = {EVERY, of_state(image.state)}
    found.update(_tag(tag) for tag in image.tags)
    if not image.tags:
        found.add(UNTAGGED)
    if image.album is not None:
        found.add(_album(image.album))
    if Kind.WORDS in kinds:
        found.update(f"word:{word}" for word in _words_of(image))
    if image.facts is not None:
        found.update(_of_facts(image.facts, kinds))
    elif image.promised_sha256 is not None:
        # So that an uploader who comes back finds what it has begun, and what has failed, before it sends them again.
        found.add(f"sha256:{image.promised_sha256}")
    return frozenset(found)


def _of_facts(facts: Facts, kinds: frozenset[Kind]) -> Iterator[str]:
    source, exif = facts.source, facts.exif
    yield f"format:{source.format.value}"
    yield f"orientation:{source.orientation.value}"
    yield f"sha256:{source.sha256}"
    taken = _taken(exif.taken_at)
    if taken is not None:
        yield _taken_in(taken // TAKEN_SPAN)
    if Kind.CAMERA in kinds:
        yield from _of_device("camera", exif.camera or "")
        yield from _of_device("lens", exif.lens or "")
    if Kind.COLORS in kinds:
        yield from (f"color:{palette.cell(color)}" for color in _colors_of(facts))
    if Kind.LIKENESS in kinds and facts.perceptual_hash is not None:
        yield from perceptual_hash.terms(facts.perceptual_hash)


@lru_cache(maxsize=1024)
def _of_device(kind: str, name: str) -> tuple[str, ...]:
    # There are few cameras, and many pictures of each.
    return tuple(f"{kind}:{word}" for word in words(name))


def measures(image: Image) -> dict[str, int]:
    """Return the numbers of ``MEASURES`` for an image whose pixels were looked at, else none."""
    if image.facts is None:
        return {}
    source, taken = image.facts.source, _taken(image.facts.exif.taken_at)
    measured = {"width": source.width, "height": source.height, "bytes": source.bytes}
    return measured if taken is None else measured | {"taken": taken}


def colors(image: Image) -> tuple[Lab, ...]:
    """Return the main colours of an image whose pixels were looked at, else none."""
    return () if image.facts is None else _colors_of(image.facts)


def _colors_of(facts: Facts) -> tuple[Lab, ...]:
    return tuple(map(palette.lab, facts.colors or (facts.color,)))


def matches(image: Image, query: Query) -> bool:
    """Tell whether the query, on any of its pages, finds the image. Raises ``InvalidRequest`` like ``plan``."""
    return plan(query).admits(image)


def plan(query: Query, kinds: frozenset[Kind] = ALL_KINDS) -> Plan:
    """Return what to carry out for a query on an index of these kinds; its cursor and limit are no part of it.

    Raises ``InvalidRequest``, naming the parameter, for a limit out of range, a checksum that is none, words without
    a word in them, a tag or album with nothing in it, a colour that is none, too much of anything, and with the code
    ``not-searchable`` for what the index has no terms for.
    """
    if not 1 <= query.limit <= PAGE_MAX:
        msg = f"limit must be 1 to {PAGE_MAX}"
        raise InvalidRequest(msg)
    tags = {_tag(names.clean_tag(tag)) for tag in query.tags}
    wanted_words = [
        f"{term}:{word}"
        for parameter, term, text, kind in (
            ("camera", "camera", query.camera, Kind.CAMERA),
            ("lens", "lens", query.lens, Kind.CAMERA),
            ("q", "word", query.words, Kind.WORDS),
        )
        if text is not None
        for word in sorted(_query_words(parameter, text, kind, kinds))
    ]
    asked = len(wanted_words) + len(tags)
    if asked > QUERY_TERMS_MAX:
        msg = (
            f"tag and q with camera and lens ask for {asked} different tags and words; "
            f"at most {QUERY_TERMS_MAX} can be asked for"
        )
        raise InvalidRequest(msg)
    color = None if query.color is None else _query_color(query.color, kinds)
    ranges = _ranges(query)
    groups: list[tuple[str, ...]] = []
    if query.sha256 is not None:
        groups.append((f"sha256:{read_checksum(query.sha256)}",))
    groups.extend((tag,) for tag in sorted(tags))
    if query.album is not None:
        groups.append((_album(names.clean_tag(query.album)),))
    groups.extend((word,) for word in wanted_words)
    coarse = [spans for span in ranges if span.measure == "taken" and (spans := _spans(span))]
    if color is not None:
        coarse.append(tuple(sorted(f"color:{cell}" for cell in palette.cells_near(color))))
    groups.extend(coarse)
    if query.untagged:
        groups.append((UNTAGGED,))
    if query.formats:
        groups.append(tuple(sorted({f"format:{wanted.value}" for wanted in query.formats})))
    if query.orientation is not None:
        groups.append((f"orientation:{query.orientation.value}",))
    groups.append(_states(query.states))
    return Plan(
        owner=query.owner,
        groups=tuple(groups),
        coarse=tuple(coarse),
        ranges=ranges,
        color=color,
        first=names.FIRST_ID if query.uploaded_after is None else names.first_id_at(query.uploaded_after),
        end=_FOREVER if query.uploaded_before is None else names.first_id_at(query.uploaded_before),
        oldest_first=query.order is Order.OLDEST,
    )


def words(text: str) -> Iterator[str]:
    """Yield the words of ``text`` as they are compared, in their order, repeated ones too.

    A word is a run of letters, digits and the marks on them, at most ``WORD_LETTERS`` long; an ideograph, a Hiragana
    and a symbol such as an emoji is a word of its own. Everything else only parts words.
    """
    if text.isascii():  # most names of files and cameras, ten times as fast
        yield from (word[:WORD_LETTERS] for word in _PLAIN_WORD.findall(text.lower()))
        return
    run: list[str] = []
    for letter in names.fold(text):
        category = unicodedata.category(letter)
        alone = category == "So" or (category == "Lo" and _is_ideograph(letter))
        if not alone and (category[0] in "LN" or (category[0] == "M" and run)):
            run.append(letter)
            continue
        if run:
            yield "".join(run[:WORD_LETTERS])
            run.clear()
        if alone:
            yield letter
    if run:
        yield "".join(run[:WORD_LETTERS])


def _is_ideograph(letter: str) -> bool:
    return any(first <= ord(letter) <= last for first, last in _IDEOGRAPHS)


def _words_of(image: Image) -> set[str]:
    found: set[str] = set()
    for text in (image.filename, image.title or ""):
        for word in words(text):
            if len(found) == WORDS_PER_IMAGE:
                return found
            found.add(word)
    return found


def _query_words(parameter: str, text: str, kind: Kind, kinds: frozenset[Kind]) -> set[str]:
    check_kind(parameter, kind, kinds)
    if len(text) > QUERY_LETTERS_MAX:
        msg = f"{parameter} has {len(text)} characters; at most {QUERY_LETTERS_MAX} can be asked for"
        raise InvalidRequest(msg)
    found = set(words(text))
    if not found:
        msg = f"{parameter} has no word in it; give letters or digits of what to look for, or leave it out"
        raise InvalidRequest(msg)
    return found


def _query_color(text: str, kinds: frozenset[Kind]) -> Lab:
    check_kind("color", Kind.COLORS, kinds)
    return palette.lab(f"#{read_color(text)}")


def check_kind(parameter: str, kind: Kind, kinds: frozenset[Kind]) -> None:
    """Raise ``InvalidRequest`` when what is asked for takes a kind of terms that this index is without."""
    if kind not in kinds:
        msg = f"{parameter} cannot be searched for here: the operator keeps no index of {kind.value}; leave it out"
        raise InvalidRequest(msg, code="not-searchable")


def _ranges(query: Query) -> tuple[Range, ...]:
    bounds = (
        ("width", query.min_width, query.max_width),
        ("height", query.min_height, query.max_height),
        ("bytes", query.min_bytes, query.max_bytes),
        ("taken", _seconds(query.taken_after), _before(_seconds(query.taken_before))),
    )
    return tuple(
        Range(measure, _bounded(least, -MEASURE_MAX), _bounded(most, MEASURE_MAX))
        for measure, least, most in bounds
        if least is not None or most is not None
    )


def _before(seconds: int | None) -> int | None:
    return None if seconds is None else seconds - 1


def _seconds(moment: datetime | None) -> int | None:
    """Return the first whole second that is not before the moment."""
    return None if moment is None else -((_EPOCH - moment) // timedelta(seconds=1))


def _taken(text: str | None) -> int | None:
    """Return when a picture was taken, in seconds since 1970, if the camera says so intelligibly."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(seconds=1)


def _taken_in(span: int) -> str:
    return f"taken:{span}"


def _spans(taken: Range) -> tuple[str, ...]:
    """Return the terms of all spans that the range touches, none if there are too many of them."""
    first, last = taken.least // TAKEN_SPAN, taken.most // TAKEN_SPAN
    return tuple(map(_taken_in, range(first, last + 1))) if last - first < TAKEN_SPANS_MAX else ()


def read_color(text: str) -> str:
    """Return ``rrggbb`` in small letters; it may be given with a ``#``. Raises ``InvalidRequest``."""
    color = text.lower().removeprefix("#")
    if not palette.is_color(f"#{color}"):
        raise InvalidRequest("color must be rrggbb, six hexadecimal digits such as ff8800")
    return color


def read_checksum(text: str) -> str:
    """Return a SHA-256 in small letters. Raises ``InvalidRequest``."""
    lowered = text.lower()
    if len(lowered) != 64 or not _HEXADECIMAL.issuperset(lowered):
        raise InvalidRequest("sha256 must be 64 hexadecimal digits")
    return lowered


def _tag(text: str) -> str:
    return f"tag:{names.fold(text)}"


def _album(text: str) -> str:
    return f"album:{names.fold(text)}"


def of_state(state: State) -> str:
    """Return the term of every image in this state."""
    return f"state:{state.value}"


def _states(wanted: tuple[State, ...]) -> tuple[str, ...]:
    living = _LIVING.intersection(wanted)
    if not wanted or living == _LIVING:
        return (EVERY,)
    return tuple(sorted(of_state(state) for state in living)) or (of_state(State.DELETED),)


_NEARLY_ALL = frozenset({(EVERY,), (of_state(State.READY),)})


def _bounded(number: int | None, otherwise: int) -> int:
    """Return ``number`` within what every database can hold; no measure comes near either end."""
    return otherwise if number is None else max(-MEASURE_MAX, min(number, MEASURE_MAX))
