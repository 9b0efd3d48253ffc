"""Tags and albums with their counts in SQLite: changed in the transaction that changes the image, so always exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from darkroom.catalog.labels import Label, changes, end_of, spelled

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from darkroom.catalog.labels import LabelKind
    from darkroom.model import Image

SCHEMA = """
CREATE TABLE labels (
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    images INTEGER NOT NULL,
    PRIMARY KEY (owner, kind, key)
) WITHOUT ROWID"""

# The keys are told from the terms; how they were spelled, from the newest image, as far as SQL can tell the same name.
STEP = """
CREATE TABLE labels (
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    images INTEGER NOT NULL,
    PRIMARY KEY (owner, kind, key)
) WITHOUT ROWID;
INSERT INTO labels (owner, kind, key, name, images)
SELECT found.owner, found.kind, found.key, coalesce(
    CASE found.kind
        WHEN 'album' THEN json_extract(documents.document, '$.album')
        ELSE (SELECT value FROM json_each(documents.document, '$.tags')
            WHERE value = found.key OR lower(value) = found.key)
    END, found.key), found.counted
FROM (
    SELECT tagged.owner AS owner,
        iif(tagged.term GLOB 'tag:*', 'tag', 'album') AS kind,
        substr(tagged.term, instr(tagged.term, ':') + 1) AS key,
        max(entries.image) AS newest,
        count(*) AS counted
    FROM terms AS tagged
    JOIN terms AS ready ON ready.owner = tagged.owner AND ready.term = 'state:ready'
    JOIN entries ON entries.term = tagged.number
    JOIN entries AS also ON also.term = ready.number AND also.image = entries.image
    WHERE tagged.term GLOB 'tag:*' OR tagged.term GLOB 'album:*'
    GROUP BY tagged.number
) AS found JOIN images ON images.id = found.newest JOIN documents ON documents.number = images.document"""


_MORE = (
    "INSERT INTO labels (owner, kind, key, name, images) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET images = images + excluded.images, name = excluded.name"
)


def count(connection: sqlite3.Connection, owner: str, before: Image | None, after: Image | None) -> None:
    """Bring the counts from one state of an image to the next."""
    for one in changes(spelled(before), spelled(after)):
        where = (owner, one.kind.value, one.key)
        if one.name is not None:
            connection.execute(_MORE, (*where, one.name, one.more))
            continue
        connection.execute(
            "UPDATE labels SET images = images + ? WHERE owner = ? AND kind = ? AND key = ?", (one.more, *where)
        )
        connection.execute("DELETE FROM labels WHERE owner = ? AND kind = ? AND key = ? AND images = 0", where)


def count_new(connection: sqlite3.Connection, images: Iterable[Image]) -> None:
    """Count images that were not there: what ``count`` does for one after the other, each name written once."""
    found: dict[tuple[str, str, str], tuple[str, int]] = {}
    for image in images:
        for (kind, key), name in spelled(image).items():
            where = (image.owner, kind.value, key)
            found[where] = (name, found[where][1] + 1 if where in found else 1)
    connection.executemany(_MORE, ((*where, *more) for where, more in sorted(found.items())))


def listed(
    connection: sqlite3.Connection, owner: str, kind: LabelKind, prefix: str, after: str, limit: int
) -> tuple[Label, ...]:
    """Return the first labels that begin with ``prefix`` and come after ``after``."""
    rows = connection.execute(
        "SELECT key, name, images FROM labels"
        " WHERE owner = ? AND kind = ? AND key > ? AND key >= ? AND key < ? ORDER BY key LIMIT ?",
        (owner, kind.value, after, prefix, end_of(prefix), limit),
    )
    return tuple(Label(key=key, name=name, images=images) for key, name, images in rows)
