"""How the catalog in an SQLite file carries out a plan."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import chain
from struct import Struct
from typing import TYPE_CHECKING

from darkroom.catalog import colors

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from darkroom.catalog.colors import Lab
    from darkroom.catalog.terms import Plan

_LAB = Struct("<3h")
_NEAR = colors.NEAR**2


def packed(found: tuple[Lab, ...]) -> bytes | None:
    """Return colours as the column of an image keeps them."""
    return b"".join(_LAB.pack(*color) for color in found) or None


def _any_near(found: bytes | None, lightness: int, a: int, b: int) -> bool:
    # ``colors.near``, without a call and for the lightness alone first: this is asked of every image that is looked at.
    for x, y, z in _LAB.iter_unpack(found or b""):
        if (
            -colors.NEAR < x - lightness < colors.NEAR
            and (x - lightness) * (x - lightness) + (y - a) * (y - a) + (z - b) * (z - b) < _NEAR
        ):
            return True
    return False


FUNCTIONS: Mapping[str, Callable[..., bool]] = {"any_near": _any_near}
"""What the SQL below calls by these names."""


def first_ids(
    connection: sqlite3.Connection, plan: Plan, bounds: tuple[str, str], amount: int, work: int
) -> tuple[list[str], str | None]:
    """Return the first so many ids that the plan admits within bounds (inclusive, exclusive), in its order.

    If there are fewer, and it has looked at as many as ``work`` allows, the last that it looked at comes with them.
    """
    walked, *others = sorted(_groups(connection, plan), key=lambda group: (not group.walkable, group.images))
    found: list[str] = []
    looked, image_id = 0, ""
    for image_id, is_admitted in _walk(connection, plan, walked, others, bounds, work):
        looked += 1
        if is_admitted:
            found.append(image_id)
            if len(found) == amount:
                return found, None
    return found, image_id if looked == work else None


def known_terms(connection: sqlite3.Connection, owner: str, wanted: Iterable[str]) -> list[tuple[str, int, int]]:
    """Return term, number and count of images of those terms that any image of the owner has."""
    return connection.execute(
        "SELECT term, number, images FROM terms WHERE owner = ? AND term IN (SELECT value FROM json_each(?))",
        (owner, as_json(wanted)),
    ).fetchall()


def as_json(values: Iterable[str | int]) -> str:
    """Return values as SQL takes any number of them."""
    return json.dumps(list(values))


@dataclass(frozen=True, slots=True)
class _Group:
    """The numbers of those terms of one of the plan's groups that any image has, and how many images that makes."""

    numbers: tuple[int, ...]
    images: int
    walkable: bool
    coarse: bool


def _groups(connection: sqlite3.Connection, plan: Plan) -> Iterator[_Group]:
    known = {
        term: (number, images)
        for term, number, images in known_terms(connection, plan.owner, chain.from_iterable(plan.groups))
    }
    for group in plan.groups:
        found = [known[term] for term in group if term in known]
        yield _Group(
            numbers=tuple(number for number, _ in found),
            images=sum(images for _, images in found),
            walkable=group in plan.walkable,
            coarse=group in plan.coarse,
        )


# The conditions are tested one after the other, and the rest of them no more once one does not hold.
_UNDER = "SELECT image, CASE {conditions} ELSE 1 END FROM entries AS walked WHERE term = ? AND image >= ? AND image < ?"
_NOT_UNDER = "NOT EXISTS (SELECT 1 FROM entries WHERE term = ? AND image = walked.image)"
_NOT_UNDER_ANY = (
    "NOT EXISTS (SELECT 1 FROM entries WHERE term IN (SELECT value FROM json_each(?)) AND image = walked.image)"
)
_NOT_MEASURING = "NOT EXISTS (SELECT 1 FROM images WHERE id = walked.image AND {})"


def _walk(  # all that one statement is made of
    connection: sqlite3.Connection,
    plan: Plan,
    walked: _Group,
    others: Iterable[_Group],
    bounds: tuple[str, str],
    limit: int,
) -> Iterator[tuple[str, bool]]:
    """Yield ids under any term of the walked group, in the plan's order, and whether the rest of it admits them."""
    if not walked.numbers:
        return
    tests, values = _tests(plan, others)
    conditions = " ".join(f"WHEN {test} THEN 0" for test in tests) or "WHEN 0 THEN 0"
    under = _UNDER.format(conditions=conditions)
    direction = "ASC" if plan.oldest_first else "DESC"
    sql = " UNION ".join([under] * len(walked.numbers)) + f" ORDER BY image {direction} LIMIT ?"
    every = [value for number in walked.numbers for value in (*values, number, *bounds)]
    yield from connection.execute(sql, (*every, limit))


def _tests(plan: Plan, others: Iterable[_Group]) -> tuple[list[str], list[str | int | bytes]]:
    """Return what must not hold of an image, as SQL, and its values; what excludes the most images comes first.

    So what nearly all images are under comes last, after measures and colours: those exclude most images, as a rule.
    """
    exact = [group for group in others if not group.coarse]
    found = [_not_under(group) for group in exact if group.walkable]
    measured = [f"{span.measure} BETWEEN ? AND ?" for span in plan.ranges]
    bounds: list[str | int | bytes] = [bound for span in plan.ranges for bound in (span.least, span.most)]
    if plan.color is not None:
        measured.append("any_near(colors, ?, ?, ?)")
        bounds.extend(plan.color)
    if measured:
        found.append((_NOT_MEASURING.format(" AND ".join(measured)), bounds))
    found.extend(_not_under(group) for group in exact if not group.walkable)
    return [test for test, _ in found], [value for _, values in found for value in values]


def _not_under(group: _Group) -> tuple[str, list[str | int | bytes]]:
    if len(group.numbers) == 1:
        return _NOT_UNDER, [group.numbers[0]]
    return _NOT_UNDER_ANY, [as_json(group.numbers)]
