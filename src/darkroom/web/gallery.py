"""A search as it stands in an address: what it asks for, and in words. Pure.

``q`` is a search in one line, as the command line takes it; beside it stand the criteria of the contract.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from darkroom.catalog import questions
from darkroom.catalog.terms import PAGE_MAX
from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from darkroom.model import Query

PAGE_SIZE = 60
SHOWN = (questions.Visible.READY, questions.Visible.PROCESSING, questions.Visible.FAILED)
"""The states that are shown unless a search says which."""

WORDS = {
    "q": "“{}”",
    "tag": "tag {}",
    "album": "album {}",
    "format": "{}",
    "orientation": "{}",
    "state": "{}",
    "min_width": "at least {} wide",
    "max_width": "at most {} wide",
    "min_height": "at least {} high",
    "max_height": "at most {} high",
    "min_bytes": "at least {} bytes",
    "max_bytes": "at most {} bytes",
    "uploaded_after": "since {}",
    "uploaded_before": "before {}",
}
NO_CRITERIA = frozenset({"cursor", "limit"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One criterion in words, and where it leads to take it away."""

    words: str
    without: str


def parameters_of(given: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what was given in an address; what a form sends empty was not."""
    return [(name, value.strip()) for name, value in given if value.strip()]


def query_of(owner: str, given: list[tuple[str, str]]) -> Query:
    """Return what is searched for. Raises ``InvalidRequest`` naming what is wrong."""
    values = dict(given)
    asked: dict[str, Any] = questions.read_line(values.pop("q", ""))
    for name, value in given:
        criterion = questions.CRITERIA.get(name)
        if criterion is None and name not in NO_CRITERIA:
            msg = f"{name[:60]} is nothing that can be searched for; {', '.join(questions.CRITERIA)} are"
            raise InvalidRequest(msg)
        if criterion is None or name == "q":
            continue
        try:
            read = criterion.read(value)
        except ValueError as error:
            msg = f"{name}: {error}"
            raise InvalidRequest(msg) from error
        if criterion.repeated:
            asked.setdefault(name, []).append(read)
        else:
            asked[name] = read
    asked.setdefault("state", list(SHOWN))
    limit = values.get("limit", str(PAGE_SIZE))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= PAGE_MAX):
        msg = f"limit must be a whole number from 1 to {PAGE_MAX}"
        raise InvalidRequest(msg)
    return questions.query(owner, asked, limit=int(limit), cursor=values.get("cursor"))


def chips(given: list[tuple[str, str]]) -> list[Chip]:
    """Return the criteria of a search."""
    criteria = [(name, value) for name, value in given if name not in NO_CRITERIA]
    return [
        Chip(
            words=WORDS.get(name, f"{name.replace('_', ' ')} {{}}").format(value),
            without=url_of("/", criteria[:at] + criteria[at + 1 :]),
        )
        for at, (name, value) in enumerate(criteria)
    ]


def url_of(path: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Return an address."""
    query = urlencode(list(parameters))
    return f"{path}?{query}" if query else path
