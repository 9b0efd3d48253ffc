"""What search means: the terms an image is found under, and what a query demands of an image. Pure.

Every database keeps an index ``(owner, term) → ids, newest first`` and filters with the rest of the plan, so the
meaning is here only and the same in all of them:

* An image has ``terms`` (text it is found under) and ``measures`` (whole numbers it is filtered by).
* A query becomes a ``Plan``: groups of terms, of which the image must have at least one each, ranges of measures, and
  bounds on the id, which is the time of upload.
* A page is made by walking the images of one group, newest first, and keeping those that the rest of the plan admits.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from darkroom import names
from darkroom.errors import InvalidRequest
from darkroom.model import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from darkroom.model import Image, Query

EVERY = "every"
"""The term that every image has, so that every query has something to walk."""

WORD_LETTERS = 64
"""Longer words are cut, in images and in queries, and so compared by their beginning."""
WORDS_PER_IMAGE = 128
"""An image is found under its first so many different words of filename and title, in this order."""

QUERY_TERMS_MAX = 64
QUERY_LETTERS_MAX = 1_000
PAGE_MAX = 200

MEASURES = ("width", "height", "bytes")
MEASURE_MAX = 2**62
_FOREVER = "~"

_HEXADECIMAL = frozenset("0123456789abcdef")
_LIVING = frozenset(State) - {State.DELETED}

# Scripts written without spaces, where each letter is a word: Han and Hiragana, which the Unicode word boundary rules
# (UAX 29, https://www.unicode.org/reports/tr29/) also part after every letter.
_IDEOGRAPHS = ((0x3041, 0x309F), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


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
    is empty, and there is at least one. Ids are looked for from ``first`` (inclusive) to ``end`` (exclusive).
    """

    owner: str
    groups: tuple[tuple[str, ...], ...]
    ranges: tuple[Range, ...]
    first: str
    end: str

    def admits(self, image: Image) -> bool:
        """Tell whether the image is one that the query asks for."""
        return (
            image.owner == self.owner
            and self.first <= image.id < self.end
            and self.holds(terms(image), measures(image))
        )

    def holds(self, found: frozenset[str], measured: Mapping[str, int]) -> bool:
        """Tell whether terms and measures of an image within the bounds are what the query asks for."""
        return all(not found.isdisjoint(group) for group in self.groups) and all(
            span.measure in measured and span.least <= measured[span.measure] <= span.most for span in self.ranges
        )


def terms(image: Image) -> frozenset[str]:
    """Return all terms the image is found under; none for a tombstone."""
    if image.state is State.DELETED:
        return frozenset()
    found = {EVERY, of_state(image.state)}
    found.update(_tag(tag) for tag in image.tags)
    if image.album is not None:
        found.add(_album(image.album))
    found.update(f"word:{word}" for word in _words_of(image))
    if image.facts is not None:
        source = image.facts.source
        found.add(f"format:{source.format.value}")
        found.add(f"orientation:{source.orientation.value}")
        found.add(f"sha256:{source.sha256}")
    elif image.promised_sha256 is not None:
        # So that an uploader who comes back finds what it has begun, and what has failed, before it sends them again.
        found.add(f"sha256:{image.promised_sha256}")
    return frozenset(found)


def measures(image: Image) -> dict[str, int]:
    """Return the numbers of ``MEASURES`` for an image whose pixels were looked at, else none."""
    if image.facts is None:
        return {}
    source = image.facts.source
    return {"width": source.width, "height": source.height, "bytes": source.bytes}


def matches(image: Image, query: Query) -> bool:
    """Tell whether the query, on any of its pages, finds the image. Raises ``InvalidRequest`` like ``plan``."""
    return plan(query).admits(image)


def plan(query: Query) -> Plan:
    """Return what to carry out for a query; its cursor and limit are no part of it.

    Raises ``InvalidRequest``, naming the parameter, for a limit out of range, a checksum that is none, words without
    a word in them, a tag or album with nothing in it, and too much of anything.
    """
    if not 1 <= query.limit <= PAGE_MAX:
        msg = f"limit must be 1 to {PAGE_MAX}"
        raise InvalidRequest(msg)
    wanted_words = _query_words(query.words)
    tags = {_tag(names.clean_tag(tag)) for tag in query.tags}
    asked = len(wanted_words) + len(tags)
    if asked > QUERY_TERMS_MAX:
        msg = f"tag and q ask for {asked} different tags and words; at most {QUERY_TERMS_MAX} can be asked for"
        raise InvalidRequest(msg)
    groups: list[tuple[str, ...]] = []
    if query.sha256 is not None:
        groups.append((f"sha256:{_checksum(query.sha256)}",))
    groups.extend((tag,) for tag in sorted(tags))
    if query.album is not None:
        groups.append((_album(names.clean_tag(query.album)),))
    groups.extend((f"word:{word}",) for word in sorted(wanted_words))
    if query.formats:
        groups.append(tuple(sorted({f"format:{wanted.value}" for wanted in query.formats})))
    if query.orientation is not None:
        groups.append((f"orientation:{query.orientation.value}",))
    groups.append(_states(query.states))
    return Plan(
        owner=query.owner,
        groups=tuple(groups),
        ranges=tuple(
            Range(measure, _bounded(least, 0), _bounded(most, MEASURE_MAX))
            for measure, least, most in (
                ("width", query.min_width, query.max_width),
                ("height", query.min_height, query.max_height),
                ("bytes", query.min_bytes, query.max_bytes),
            )
            if least is not None or most is not None
        ),
        first=names.FIRST_ID if query.uploaded_after is None else names.first_id_at(query.uploaded_after),
        end=_FOREVER if query.uploaded_before is None else names.first_id_at(query.uploaded_before),
    )


def words(text: str) -> Iterator[str]:
    """Yield the words of ``text`` as they are compared, in their order, repeated ones too.

    A word is a run of letters, digits and the marks on them, at most ``WORD_LETTERS`` long; an ideograph, a Hiragana
    and a symbol such as an emoji is a word of its own. Everything else only parts words.
    """
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


def _query_words(text: str | None) -> set[str]:
    if text is None:
        return set()
    if len(text) > QUERY_LETTERS_MAX:
        msg = f"q has {len(text)} characters; at most {QUERY_LETTERS_MAX} can be asked for"
        raise InvalidRequest(msg)
    found = set(words(text))
    if not found:
        raise InvalidRequest("q has no word in it; give letters or digits of a filename or title, or leave it out")
    return found


def _checksum(text: str) -> str:
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


def _bounded(number: int | None, otherwise: int) -> int:
    """Return ``number`` within what every database can hold; no measure comes near either end."""
    return otherwise if number is None else max(-1, min(number, MEASURE_MAX))
