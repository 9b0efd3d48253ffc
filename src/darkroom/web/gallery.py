"""A search as it stands in an address: what it asks for, in words and in one line. Pure.

``q`` is a search in one line, as the command line takes it; beside it stand the criteria of the contract. A day may be
given where the contract asks for a moment: forms send days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from darkroom.catalog import questions
from darkroom.catalog.terms import PAGE_MAX, read_color
from darkroom.errors import InvalidRequest
from darkroom.web.views import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from darkroom.model import Query

PAGE_SIZE = 60
SHOWN = (questions.Visible.READY, questions.Visible.PROCESSING, questions.Visible.FAILED)
"""The states that are shown unless a search says which."""
NO_CRITERIA = frozenset({"cursor", "limit"})

Given = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One criterion in words, where it leads to take it away, and the colour it is about, if one."""

    words: str
    without: str
    color: str | None = None


# ------------------------------------------------------------------ what was given


def parameters_of(given: Iterable[tuple[str, str]]) -> Given:
    """Return what was given in an address; what a form sends empty was not."""
    return [(name, value.strip()) for name, value in given if value.strip()]


def tidy(given: Given) -> Given:
    """Return a search with each value once, and of what can be asked for once the last: a button after a field."""
    last = {name: at for at, (name, _) in enumerate(given)}
    kept: dict[tuple[str, str], None] = {}
    for at, (name, value) in enumerate(given):
        criterion = questions.CRITERIA.get(name)
        if at == last[name] or (criterion is not None and criterion.repeated):
            kept[name, value] = None
    return list(kept)


def asked_of(given: Given) -> dict[str, Any]:
    """Return what is searched for, by the names of the contract. Raises ``InvalidRequest`` naming what is wrong."""
    asked: dict[str, Any] = questions.read_line(dict(given).get("q", ""))
    for name, value in given:
        criterion = questions.CRITERIA.get(name)
        if criterion is None and name not in NO_CRITERIA:
            msg = f"{name[:60]} is nothing that can be searched for; {', '.join(questions.CRITERIA)} are"
            raise InvalidRequest(msg)
        if criterion is None or name == "q":
            continue
        try:
            read = criterion.read_loosely(value, questions.in_utc)
        except ValueError as error:
            msg = f"{name}: {error}"
            raise InvalidRequest(msg) from error
        if criterion.repeated:
            asked.setdefault(name, []).append(read)
        else:
            asked[name] = read
    return {"state": list(SHOWN)} | asked


def query_of(owner: str, given: Given) -> Query:
    """Return what is searched for. Raises ``InvalidRequest`` naming what is wrong."""
    values = dict(given)
    limit = values.get("limit", str(PAGE_SIZE))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= PAGE_MAX):
        msg = f"limit must be a whole number from 1 to {PAGE_MAX}"
        raise InvalidRequest(msg)
    return questions.query(owner, asked_of(given), limit=int(limit), cursor=values.get("cursor"))


def everything(given: Given, now: datetime) -> str:
    """Return the line that finds all that a search finds ``now``, and nothing that comes later. Raises likewise."""
    asked = asked_of(given)
    if now > asked.get("uploaded_after", datetime.min.replace(tzinfo=UTC)):
        asked["uploaded_before"] = min(now, asked.get("uploaded_before", now))
    return questions.line_of(asked)


def url_of(path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Return an address."""
    query = urlencode(list(parameters))
    return f"{path}?{query}" if query else path


# ------------------------------------------------------------------ in words


def chips(given: Given) -> list[Chip]:
    """Return the criteria of a search that can be read, those of the line in its place."""
    criteria = [(name, value) for name, value in given if name not in NO_CRITERIA]
    return [chip for at in range(len(criteria)) for chip in _chips_at(criteria, at)]


def _chips_at(criteria: Given, at: int) -> Iterator[Chip]:
    name, value = criteria[at]
    before, after = criteria[:at], criteria[at + 1 :]
    if name != "q":
        yield _chip(name, value, url_of("/", before + after))
        return
    for word in questions.words_of(value):
        rest = f"{value[: word.begin].rstrip()} {value[word.begin + len(word.text) :].lstrip()}".strip()
        yield _chip(word.name or "q", word.value, url_of("/", [*before, *([("q", rest)] if rest else []), *after]))


def _chip(name: str, value: str, without: str) -> Chip:
    color = f"#{read_color(value)}" if name == "color" else None
    return Chip(words=_WORDS[name](value), without=without, color=color)


def _moment(text: str) -> str:
    moment = questions.loose_moment(text, questions.in_utc)
    day = f"{moment.day} {moment:%B %Y}"
    return day if moment.time() == datetime.min.time() else f"{day}, {moment:%H:%M:%S} UTC"


def _said(words: str, told: Callable[[str], str] = str) -> Callable[[str], str]:
    return lambda value: words.format(told(value))


def _bytes(text: str) -> str:
    return size(int(text))


_WORDS: dict[str, Callable[[str], str]] = {
    "q": _said("“{}”"),
    "tag": _said("tag {}"),
    "untagged": lambda _: "without tags",
    "album": _said("album {}"),
    "camera": _said("camera {}"),
    "lens": _said("lens {}"),
    "color": _said("near #{}", read_color),
    "format": _said("{}", str.upper),
    "orientation": _said("{}"),
    "min_width": _said("at least {} px wide"),
    "max_width": _said("at most {} px wide"),
    "min_height": _said("at least {} px high"),
    "max_height": _said("at most {} px high"),
    "min_bytes": _said("at least {}", _bytes),
    "max_bytes": _said("at most {}", _bytes),
    "uploaded_after": _said("uploaded from {}", _moment),
    "uploaded_before": _said("uploaded before {}", _moment),
    "taken_after": _said("taken from {}", _moment),
    "taken_before": _said("taken before {}", _moment),
    "sha256": lambda value: f"checksum {value[:8].lower()}…",
    "state": _said("{}"),
    "order": _said("{} first"),
}
