r"""What is searched for, read: values as the contract names them, and a whole search in one line of text. Pure.

The one reading for the HTTP interface, the command line and pages, so that a value means the same everywhere.

A line is words that are separated by spaces. A word is looked for in filename and title; ``name:value`` is a criterion
by its name in the contract, ``after`` and ``before`` standing for ``uploaded_after`` and ``uploaded_before``. In
quotes, a value may have spaces in it and a word may have colons; in there ``\"`` is a quote and ``\\`` a backslash.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from darkroom import names
from darkroom.catalog.terms import QUERY_LETTERS_MAX, read_checksum, read_color
from darkroom.errors import InvalidRequest
from darkroom.model import Format, Order, Orientation, Query, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Place = Callable[[datetime], datetime]

LINE_MAX = 4_000
"""Letters that a search in one line may have."""
SIDE_MAX = 2**31 - 1
BYTES_MAX = 2**53 - 1


class WrongWord(InvalidRequest):
    """A word of a search in one line is wrong: whoever shows the line marks it from ``begin`` to before ``end``."""

    def __init__(self, detail: str, begin: int, end: int) -> None:
        super().__init__(detail)
        self.begin, self.end = begin, end


class Visible(StrEnum):
    """The states that a search can ask for."""

    AWAITING = "awaiting"
    PROCESSING = "processing"
    READY = "ready"
    FAILED = "failed"


# ------------------------------------------------------------------ values


def moment(text: str) -> datetime:
    """Return a moment as RFC 3339 writes it. Raises ``ValueError``."""
    try:
        read = datetime.fromisoformat(text.upper())
        if read.tzinfo is not None and "T" in text.upper():
            return read.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = "must be a moment as RFC 3339 writes it, with its zone, such as 2026-11-23T10:00:00Z"
    raise ValueError(msg)


def loose_moment(text: str, place: Place) -> datetime:
    """Return a moment that may be without a zone, or a date, which is its midnight. Raises ``ValueError``."""
    try:
        read = datetime.fromisoformat(text.upper())
        return (read if read.tzinfo is not None else place(read)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    msg = "must be a date such as 2026-11-23, or a moment such as 2026-11-23T10:00:00Z"
    raise ValueError(msg)


def side(text: str) -> int:
    """Return a number of pixels. Raises ``ValueError``."""
    return _whole(text, SIDE_MAX)


def length(text: str) -> int:
    """Return a number of bytes. Raises ``ValueError``."""
    return _whole(text, BYTES_MAX)


def flag(text: str) -> bool:
    """Return ``True`` for ``1``. Raises ``ValueError``."""
    if text != "1":
        msg = "must be 1, or left out"
        raise ValueError(msg)
    return True


def words(text: str) -> str:
    """Return text that is not too long. Raises ``ValueError``."""
    if not 0 < len(text) <= QUERY_LETTERS_MAX:
        msg = f"must have 1 to {QUERY_LETTERS_MAX} characters"
        raise ValueError(msg)
    return text


def _whole(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20 and int(text) <= most):
        msg = f"must be a whole number from 0 to {most}"
        raise ValueError(msg)
    return int(text)


def _one_of(kind: type[StrEnum]) -> Callable[[str], Any]:
    def read(text: str) -> StrEnum:
        try:
            return kind(text)
        except ValueError:
            msg = f"must be one of {', '.join(kind)}"
            raise ValueError(msg) from None

    return read


@dataclass(frozen=True, slots=True)
class Criterion:
    """What can be asked for under a name: which member of ``Query`` it is, and how its value is read."""

    member: str
    read: Callable[[str], Any]
    repeated: bool = False

    def read_loosely(self, text: str, place: Place) -> object:
        """Return a value as people write it: a moment may be a date, or without a zone. Raises as ``read`` does."""
        return loose_moment(text, place) if self.read is moment else self.read(text)


CRITERIA: Mapping[str, Criterion] = {
    "tag": Criterion("tags", names.clean_tag, repeated=True),
    "untagged": Criterion("untagged", flag),
    "album": Criterion("album", names.clean_tag),
    "q": Criterion("words", words),
    "camera": Criterion("camera", words),
    "lens": Criterion("lens", words),
    "color": Criterion("color", read_color),
    "format": Criterion("formats", _one_of(Format), repeated=True),
    "orientation": Criterion("orientation", _one_of(Orientation)),
    "min_width": Criterion("min_width", side),
    "max_width": Criterion("max_width", side),
    "min_height": Criterion("min_height", side),
    "max_height": Criterion("max_height", side),
    "min_bytes": Criterion("min_bytes", length),
    "max_bytes": Criterion("max_bytes", length),
    "uploaded_after": Criterion("uploaded_after", moment),
    "uploaded_before": Criterion("uploaded_before", moment),
    "taken_after": Criterion("taken_after", moment),
    "taken_before": Criterion("taken_before", moment),
    "sha256": Criterion("sha256", read_checksum),
    "state": Criterion("states", _one_of(Visible), repeated=True),
    "order": Criterion("order", _one_of(Order)),
}
"""Every criterion of the contract, by its name there."""

SHORT = {"after": "uploaded_after", "before": "uploaded_before"}
"""What a line may say for short."""

_RANGES = (
    *((f"min_{measure}", f"max_{measure}") for measure in ("width", "height", "bytes")),
    *((f"{did}_after", f"{did}_before") for did in ("uploaded", "taken")),
)


# ------------------------------------------------------------------ a query


def query(owner: str, asked: Mapping[str, Any], *, limit: int = 50, cursor: str | None = None) -> Query:
    """Return the query for values as they were read, by the names of the contract.

    Raises ``InvalidRequest`` for what contradicts itself, so that nothing could be found.
    """
    contradiction = next(_contradictions(asked), None)
    if contradiction is not None:
        raise InvalidRequest(contradiction[1])
    given = members(asked)
    if "states" in given:
        given["states"] = tuple(State(state) for state in given["states"])
    return Query(owner=owner, limit=limit, cursor=cursor, **given)


def members(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by the names of the contract as those of the members of ``Query``."""
    return {CRITERIA[name].member: tuple(v) if isinstance(v, list) else v for name, v in asked.items()}


def _contradictions(asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield names whose values no image can have together with those of others, and a sentence."""
    for least, most in _RANGES:
        if least in asked and most in asked:
            low, high = asked[least], asked[most]
            if low > high or (low == high and isinstance(low, datetime)):
                yield most, f"{least} is not less than {most}, so there is nothing between them; swap or change them"
    if asked.get("untagged") and asked.get("tag"):
        yield "untagged", "untagged and tag exclude each other; leave one of them out"


# ------------------------------------------------------------------ a line


def in_utc(moment: datetime) -> datetime:
    """Return what a moment without a zone means where everybody's is UTC: a ``Place``."""
    return moment.replace(tzinfo=UTC)


def read_line(line: str, place: Place = in_utc) -> dict[str, Any]:
    """Return the values that a search in one line asks for, by the names of the contract.

    ``place`` says what a moment without a zone means. Raises ``WrongWord`` for the first word that is wrong, and
    ``InvalidRequest`` for a line that is too long.
    """
    if len(line) > LINE_MAX:
        msg = f"the search has {len(line)} characters; at most {LINE_MAX} can be read, so shorten it"
        raise InvalidRequest(msg)
    asked: dict[str, Any] = {}
    where: dict[str, Word] = {}
    plain: list[str] = []
    for word in words_of(line):
        if word.name is None:
            plain.append(word.value)
            where.setdefault("q", word)
            continue
        criterion = CRITERIA[word.name]
        if word.name in asked and not criterion.repeated:
            sentence = f"{word.name} can be asked for once"
            raise word.wrong(sentence)
        value = _read(criterion, word, place)
        if criterion.repeated:
            asked.setdefault(word.name, []).append(value)
        else:
            asked[word.name] = value
        where[word.name] = word
    if plain:
        text = " ".join(plain)
        try:
            asked["q"] = words(text)
        except ValueError as error:
            msg = f"the words together {error}"
            raise where["q"].wrong(msg) from error
    for name, sentence in _contradictions(asked):
        raise where[name].wrong(sentence)
    return asked


def line_of(asked: Mapping[str, Any]) -> str:
    """Return the line that ``read_line`` reads as these values."""
    return " ".join(
        _quoted(value) if name == "q" else f"{name}:{_quoted(value)}"
        for name, given in asked.items()
        for value in (given if isinstance(given, list) else [given])
    )


def _quoted(value: object) -> str:
    text = "1" if value is True else value.isoformat() if isinstance(value, datetime) else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a line: the criterion it names, if one, its value, and where in the line it stands as which text."""

    name: str | None
    value: str
    text: str
    begin: int

    def wrong(self, sentence: str) -> WrongWord:
        """Return the error that says what is wrong with this word."""
        shown = self.text if len(self.text) <= 60 else f"{self.text[:59]}…"
        return WrongWord(f"{shown}: {sentence}", self.begin, self.begin + len(self.text))


def _read(criterion: Criterion, word: Word, place: Place) -> object:
    try:
        return criterion.read_loosely(word.value, place)
    except ValueError as error:
        raise word.wrong(str(error)) from error
    except InvalidRequest as error:
        raise word.wrong(error.detail) from error


def words_of(line: str) -> Iterator[Word]:
    """Yield the words of a line. Raises ``WrongWord``."""
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        begin = at
        name, at = _name(line, at)
        value, at = _value(line, at, begin)
        word = Word(name, value, line[begin:at], begin)
        yield _checked(word)


def _name(line: str, begin: int) -> tuple[str | None, int]:
    """Return the name before a colon, if there is one, and where what comes after it begins."""
    at = begin + 1 if line[begin] == "-" else begin
    while at < len(line) and (line[at].isascii() and (line[at].isalpha() or line[at] in "_0123456789")):
        at += 1
    name = line[begin:at]
    if not name.lstrip("-")[:1].isalpha() or line[at : at + 1] != ":":
        return None, begin
    lower = name.lower()
    return SHORT.get(lower, lower), at + 1


def _value(line: str, begin: int, word: int) -> tuple[str, int]:
    """Return the value that begins at ``begin``, and where it ends."""
    if line[begin : begin + 1] != '"':
        end = begin
        while end < len(line) and not line[end].isspace():
            end += 1
        return line[begin:end], end
    letters: list[str] = []
    at = begin + 1
    while at < len(line) and line[at] != '"':
        at += line[at] == "\\" and line[at + 1 : at + 2] in {'"', "\\"}
        letters.append(line[at])
        at += 1
    if at == len(line):
        raise Word(None, "", line[word:], word).wrong("the quote is not closed; add one at its end")
    end = at + 1
    if end < len(line) and not line[end].isspace():
        while end < len(line) and not line[end].isspace():
            end += 1
        raise Word(None, "", line[word:end], word).wrong('a quote ends within a word; write \\" for one that is meant')
    return "".join(letters), end


def _checked(word: Word) -> Word:
    """Return the word, if it may be one."""
    if word.name is None:
        return word
    if word.name.startswith("-") and word.name[1:] in {*CRITERIA, *SHORT}:
        raise word.wrong("nothing can be left out of a search; say what there should be")
    if word.name not in CRITERIA or word.name == "q":
        known = ", ".join(name for name in CRITERIA if name != "q")
        sentence = f'there is no {word.name}, only {known}. To look for the word itself, put it in "quotes"'
        raise word.wrong(sentence)
    if not word.value:
        raise word.wrong("there is nothing after the colon; a value follows it without a space")
    return word
