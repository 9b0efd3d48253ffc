"""SVG, looked at in plain Python before anything draws it: how large, nothing that reaches out, nothing without end.

What is drawn may name only what is in the file itself: no other file, no address, no style sheet, no script, no
entity. What the file repeats is counted as often as it would be drawn, because the rasteriser goes on for 25 seconds
before it gives up on a file of one kilobyte. It is not made clean: what is not plain is refused, by name.

Sources: XML 1.0, SVG 2, CSS Syntax Level 3; the bounds are measured with librsvg (bench/refusals.py).
"""

from __future__ import annotations

import binascii
import math
import re
from collections import Counter, defaultdict
from enum import Enum, auto
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from darkroom.errors import TooLarge, UnreadableImage, UnsupportedFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 8 * 1024 * 1024
MOST_ELEMENTS = 100_000
MOST_DRAWN = 200_000
"""Elements, each counted as often as it is used; librsvg draws some 20,000 a second."""
_FILTER = 100
"""As how many elements a step of a filter counts, which goes over all pixels."""
MOST_DEPTH = 200
"""Of elements in elements, and of what uses what uses what; libxml2 reads 256."""

_MARK = b"\xef\xbb\xbf"
_PROLOG_BYTES = 64 * 1024
"""In which the outermost element has to begin; an editor's comments have some hundred."""
_LONGEST_NUMBER = 40
_LONGEST_DOCTYPE = 1_000

_DOCTYPE = re.compile(r"<!DOCTYPE(?:[^\[\]<>\"']|\"[^\"]*\"|'[^']*')*>")
_NAME = re.compile(r"[^\s<>/=\"'&]{1,200}")
_ATTRIBUTE = re.compile(r"\s+([^\s<>/=\"'&]{1,200})\s*=\s*(?:\"([^\"<]*)\"|'([^'<]*)')")
_TAG_END = re.compile(r"\s*(/?)>")
_ENCODING = re.compile(r"encoding\s*=\s*[\"']([^\"']*)[\"']")
_NUMBER = re.compile(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([a-z%]*)\s*")
_CHARACTER = re.compile(r"&#(x[0-9a-fA-F]{1,6}|[0-9]{1,7});")
_URL = re.compile(r"url\(", re.IGNORECASE)
_WORD = re.compile(r"[-\w]+")

_PIXELS = {"": 1.0, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "pt": 96 / 72, "pc": 16.0}
"""Of CSS, in each unit; what is said in others is taken from the ``viewBox``."""
_PICTURES = ("data:image/png;base64,", "data:image/jpeg;base64,", "data:image/jpg;base64,")

_DAMAGED = "the file begins like svg but is damaged or cut off; save the picture anew and upload that"
_TOO_MUCH = f"the SVG draws more than {MOST_DRAWN} elements, by using some over and over; save it as PNG"
_NO_SIZE = "the SVG says no size; give its outermost element width and height, or a viewBox"


class _Kind(Enum):
    OPEN = auto()
    EMPTY = auto()
    CLOSE = auto()
    TEXT = auto()
    INSTRUCTION = auto()
    DOCTYPE = auto()


class _Piece(NamedTuple):
    """A part of a file: the name of an element, in lower case and without prefix, or a text, and where it lies."""

    kind: _Kind
    text: str
    attributes: tuple[tuple[str, str], ...]
    start: int
    end: int


# ------------------------------------------------------------------ how large


def extent(file: BinaryIO) -> tuple[int, int]:
    """Return width and height in CSS pixels, whole ones, from the beginning of a file. Raises ``UnreadableImage``."""
    file.seek(0)
    head = file.read(_PROLOG_BYTES)
    return _extent(_root(head.removeprefix(_MARK).decode("utf-8", "replace")))


def _root(text: str) -> dict[str, str]:
    for piece in _pieces(text):
        if piece.kind in {_Kind.OPEN, _Kind.EMPTY}:
            return dict(piece.attributes)
    raise UnreadableImage(_DAMAGED)


def _extent(root: dict[str, str]) -> tuple[int, int]:
    width, height = _length(root.get("width", "")), _length(root.get("height", ""))
    box = [_number(each) for each in re.split(r"[\s,]+", root.get("viewBox", "").strip()[: 5 * _LONGEST_NUMBER])]
    across, down = (box[2], box[3]) if len(box) == 4 else (None, None)
    if across and down:
        # As the rasteriser does: a side that is not said follows from the other one and the shape.
        if width is None and height is None:
            width, height = across, down
        elif width is None and height is not None:
            width = height * across / down
        elif height is None and width is not None:
            height = width * down / across
    if not width or not height:
        raise UnreadableImage(_NO_SIZE)
    return max(1, math.ceil(width)), max(1, math.ceil(height))


def _length(said: str) -> float | None:
    found = _NUMBER.fullmatch(said[:_LONGEST_NUMBER])
    pixels = None if found is None else _PIXELS.get(found[2])
    number = None if found is None or pixels is None else _number(found[1])
    return None if number is None or pixels is None else number * pixels


def _number(said: str) -> float | None:
    try:
        number = float(said)
    except ValueError:
        return None
    return number if 0 <= number < 1e9 else None


# ------------------------------------------------------------------ what is in it


def pictures_within(content: bytes) -> list[bytes]:
    """Go through a whole file, and return the pictures of pixels that lie in it.

    Raises ``UnsupportedFormat`` for what is not drawn, ``UnreadableImage`` for what is damaged or has no end,
    ``TooLarge``.
    """
    if len(content) > MOST_BYTES:
        msg = f"the SVG has {len(content)} bytes; {MOST_BYTES} are accepted at most, so save it as PNG"
        raise TooLarge(msg)
    survey = _Survey()
    for piece in _pieces(_decoded(content)):
        survey.take(piece)
    survey.check_end()
    return survey.pictures


def without_doctype(content: bytes) -> bytes:
    """Return a file to hand to the rasteriser: to one that has no document type, no entity is known."""
    text = _decoded(content)
    for piece in _pieces(text):
        if piece.kind is _Kind.DOCTYPE:
            return (text[: piece.start] + text[piece.end :]).encode()
        if piece.kind is not _Kind.INSTRUCTION and piece.text.strip():
            break
    return text.encode()


def _decoded(content: bytes) -> str:
    try:
        return content.removeprefix(_MARK).decode()
    except UnicodeDecodeError:
        raise UnreadableImage("the SVG is not in UTF-8; save it anew in that encoding") from None


def _pieces(text: str) -> Iterator[_Piece]:
    """Yield the parts of a file but for its comments; each is looked at once. Raises ``UnreadableImage``."""
    at = 0
    while (start := text.find("<", at)) >= 0:
        if start > at:
            yield _Piece(_Kind.TEXT, text[at:start], (), at, start)
        if text.startswith("<!--", start):
            at = _after(text, "-->", start + 4)
        elif text.startswith("<![CDATA[", start):
            at = _after(text, "]]>", start)
            yield _Piece(_Kind.TEXT, text[start + 9 : at - 3], (), start, at)
        elif text.startswith("<?", start):
            at = _after(text, "?>", start)
            yield _Piece(_Kind.INSTRUCTION, text[start + 2 : at - 2], (), start, at)
        elif text.startswith("<!", start):
            at = _end_of_doctype(text, start)
            yield _Piece(_Kind.DOCTYPE, "", (), start, at)
        elif text.startswith("</", start):
            at = _after(text, ">", start)
            yield _Piece(_Kind.CLOSE, "", (), start, at)
        else:
            piece = _tag(text, start)
            at = piece.end
            yield piece


def _after(text: str, mark: str, start: int) -> int:
    at = text.find(mark, start)
    if at < 0:
        raise UnreadableImage(_DAMAGED)
    return at + len(mark)


def _end_of_doctype(text: str, start: int) -> int:
    found = _DOCTYPE.match(text, start, start + _LONGEST_DOCTYPE)
    if found is None:
        msg = "the SVG declares entities or a document type of its own, which are not read; save it as plain SVG"
        raise UnsupportedFormat(msg)
    return found.end()


def _tag(text: str, start: int) -> _Piece:
    name = _NAME.match(text, start + 1)
    if name is None:
        raise UnreadableImage(_DAMAGED)
    at, attributes = name.end(), []
    while (found := _ATTRIBUTE.match(text, at)) is not None:
        attributes.append((found[1], found[2] if found[2] is not None else found[3]))
        at = found.end()
    end = _TAG_END.match(text, at)
    if end is None:
        raise UnreadableImage(_DAMAGED)
    kind = _Kind.EMPTY if end[1] else _Kind.OPEN
    return _Piece(kind, _local(name[0]), tuple(attributes), start, end.end())


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()


class _Survey:
    """What was seen of a file: refuses what reaches out, and counts what would be drawn.

    A group is everything from an element with an id to its end but for the groups in it; number 0 is the whole file.
    A group draws its own elements, the groups in it, and whatever any of its elements refers to.
    """

    def __init__(self) -> None:
        self.pictures: list[bytes] = []
        self._open: list[tuple[str, int]] = []
        self._elements = self._doctypes = 0
        self._own = [0]
        self._inner: list[list[int]] = [[]]
        self._named: list[Counter[str]] = [Counter()]
        self._words: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._links = self._weight = 0
        self._ids: defaultdict[str, list[int]] = defaultdict(list)
        self._styles: list[str] = []

    def take(self, piece: _Piece) -> None:
        """Look at the next part of the file."""
        match piece.kind:
            case _Kind.OPEN | _Kind.EMPTY:
                self._take_element(piece)
            case _Kind.CLOSE:
                if not self._open:
                    raise UnreadableImage(_DAMAGED)
                self._open.pop()
            case _Kind.TEXT if self._open and self._open[-1][0] == "style":
                self._styles.append(_without_comments(piece.text))
            case _Kind.INSTRUCTION:
                _check_instruction(piece.text)
            case _Kind.DOCTYPE:
                if self._elements or self._doctypes:
                    raise UnreadableImage(_DAMAGED)
                self._doctypes += 1

    def check_end(self) -> None:
        """Refuse a file that is cut off, or that draws more than it may."""
        if self._open or not self._elements:
            raise UnreadableImage(_DAMAGED)
        for style in self._styles:
            self._read_rules(style)
        if self._drawn({}, 0, 0) > MOST_DRAWN:
            raise UnreadableImage(_TOO_MUCH)

    def _take_element(self, piece: _Piece) -> None:
        self._elements += 1
        if self._elements > MOST_ELEMENTS or len(self._open) >= MOST_DEPTH:
            msg = f"the SVG has more than {MOST_ELEMENTS} elements, or {MOST_DEPTH} in one another; save it as PNG"
            raise UnreadableImage(msg)
        _check_element(piece.text)
        group = self._open[-1][1] if self._open else 0
        attributes = dict(piece.attributes)
        if "id" in attributes:
            self._own.append(0)
            self._inner.append([])
            self._named.append(Counter())
            self._inner[group].append(len(self._own) - 1)
            group = len(self._own) - 1
            self._ids[attributes["id"]].append(group)
        weight = _FILTER if piece.text.startswith("fe") else 1
        self._own[group] += weight
        self._weight += weight
        if self._weight > MOST_DRAWN:
            raise UnreadableImage(_TOO_MUCH)
        for word in {piece.text, "*", attributes.get("id", "*"), *attributes.get("class", "").split()}:
            self._words[word][group] += 1
        for name, value in piece.attributes:
            self._named[group].update(self._references(piece.text, name, value))
        if piece.kind is _Kind.OPEN:
            self._open.append((piece.text, group))

    def _references(self, element: str, name: str, value: str) -> list[str]:
        """Return the ids that an attribute refers to."""
        local = _local(name)
        if local.startswith("on") and ":" not in name:
            raise UnsupportedFormat("the SVG has scripts in it, which are not run; save it without")
        if name == "xml:base":
            raise _reaches_out(value)
        if local == "href" and element != "a":
            return self._target(value.strip())
        if local == "style" or _URL.search(_characters(value)):
            return _targets(value)
        return []

    def _target(self, value: str) -> list[str]:
        if value.startswith("#"):
            return [value[1:]]
        kind = next((each for each in _PICTURES if value[: len(each)].lower() == each), None)
        if kind is None:
            raise _reaches_out(value)
        try:
            self.pictures.append(binascii.a2b_base64(value[len(kind) :]))
        except ValueError:
            raise UnreadableImage(_DAMAGED) from None
        return []

    def _read_rules(self, style: str) -> None:
        """Let the groups whose elements a rule may mean refer to what it names; rather one too many than one less."""
        _targets(style)
        for rule in style.split("}"):
            selectors, _, declarations = rule.rpartition("{")
            targets = _targets(declarations)
            if not targets:
                continue
            words = {"*"} if set(selectors) & set("*[:") else set(_WORD.findall(selectors))
            for word in words | {word.lower() for word in words}:
                for group, matching in self._words[word].items():
                    self._links += len(targets)
                    if self._links > MOST_DRAWN:
                        raise UnreadableImage(_TOO_MUCH)
                    for target in targets:
                        self._named[group][target] += matching

    def _drawn(self, known: dict[int, int], group: int, depth: int) -> int:
        """Return how many elements a group draws. What refers to itself is drawn once: the rasteriser sees to that."""
        if depth > MOST_DEPTH:
            msg = f"more than {MOST_DEPTH} elements of the SVG use one another; save it as PNG"
            raise UnreadableImage(msg)
        if group not in known:
            known[group] = 0
            parts = Counter(self._inner[group])
            for name, times in self._named[group].items():
                parts.update(dict.fromkeys(self._ids.get(name, ()), times))
            inner = sum(times * self._drawn(known, part, depth + 1) for part, times in parts.items())
            known[group] = min(self._own[group] + inner, MOST_DRAWN + 1)
        return known[group]


def _check_element(name: str) -> None:
    if name == "script":
        raise UnsupportedFormat("the SVG has scripts in it, which are not run; save it without")
    if name == "text":
        # No font can be opened where it is drawn; a picture without its words would be the wrong one.
        raise UnsupportedFormat("the SVG has text in it, for which there are no fonts here; convert it into paths")
    if name == "include":
        raise UnsupportedFormat("the SVG includes another file, which is not read; save it as one")


def _check_instruction(text: str) -> None:
    if not text.startswith("xml"):
        return
    if text.startswith("xml-"):
        raise UnsupportedFormat("the SVG has a style sheet outside, which is not read; save it as one file")
    encoding = _ENCODING.search(text)
    if encoding is not None and encoding[1].lower() not in {"utf-8", "us-ascii"}:
        raise UnreadableImage("the SVG is not in UTF-8; save it anew in that encoding")


def _targets(css: str) -> list[str]:
    """Return the ids that CSS refers to. Raises ``UnsupportedFormat`` when it refers to anything else."""
    css = _characters(css)
    if "\\" in css or "@import" in css.lower() or "@font-face" in css.lower():
        raise UnsupportedFormat("the SVG has a style that cannot be looked through; save it as plain SVG")
    found = []
    for part in _URL.split(css)[1:]:
        target = part.partition(")")[0].strip().strip("\"'").strip()
        if not target.startswith("#"):
            raise _reaches_out(target)
        found.append(target[1:])
    return found


def _characters(text: str) -> str:
    """Return a text with its numbered characters as such; those with a name are none that matter here."""
    if "&#" not in text:
        return text
    return _CHARACTER.sub(lambda found: _character(found[1]), text)


def _character(number: str) -> str:
    code = int(number[1:], 16) if number[0] == "x" else int(number)
    return chr(code) if code < 0x110000 else ""


def _without_comments(css: str) -> str:
    first, *others = css.split("/*")
    return " ".join([first, *(each.partition("*/")[2] for each in others)])


def _reaches_out(target: str) -> UnsupportedFormat:
    shown = "".join(character for character in target[:60] if character.isprintable())
    msg = f"the SVG refers to something outside of it ({shown}), which is not read; save it as one file"
    return UnsupportedFormat(msg)
