"""The keys as a table, read anew for each call: that is what makes a revoked key unknown everywhere at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from darkroom.access import (
    Caller,
    Key,
    Rate,
    Scope,
    clean_owner,
    is_secret,
    key_text,
    make_key,
    secret_hash,
    split_key,
)
from darkroom.access.signing import SigningSecret, check_count, make_secret
from darkroom.sqlite import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_VERSION = 3
# Times are microseconds since 1970.
_SCHEMA = """
CREATE TABLE keys (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    secret_hash TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    per_second REAL,
    burst INTEGER
);
CREATE TABLE signing_secrets (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    secret BLOB NOT NULL,
    created_at INTEGER NOT NULL
)"""
_STEPS = (
    "ALTER TABLE keys ADD COLUMN per_second REAL;\nALTER TABLE keys ADD COLUMN burst INTEGER",
    """
CREATE TABLE signing_secrets (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    secret BLOB NOT NULL,
    created_at INTEGER NOT NULL
)""",
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class SqliteAccess:
    """An ``Access`` in the file ``path``. ``clock`` returns the present as an aware moment."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._database = Database(path, _SCHEMA, version=_VERSION, steps=_STEPS)
        self._clock = clock

    def add(self, owner: str, name: str, scopes: frozenset[Scope], *, rate: Rate | None = None) -> tuple[Key, str]:
        key, secret = make_key(owner, name, scopes, self._clock(), rate)
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO keys (id, secret_hash, owner, name, scopes, created_at, per_second, burst)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    key.id,
                    secret_hash(secret),
                    key.owner,
                    key.name,
                    " ".join(sorted(key.scopes)),
                    (key.created_at - _EPOCH) // _MICROSECOND,
                    rate and rate.per_second,
                    rate and rate.burst,
                ),
            )
        return key, key_text(key.id, secret)

    def identify(self, text: str) -> Caller | None:
        parts = split_key(text)
        if parts is None:
            return None
        key_id, secret = parts
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT secret_hash, owner, scopes, per_second, burst FROM keys WHERE id = ?", (key_id,)
            ).fetchone()
        kept_hash, owner, scopes, per_second, burst = row or (None, "", "", None, None)
        if not is_secret(secret, kept_hash):
            return None
        return Caller(owner=owner, scopes=_scopes(scopes), key_id=key_id, rate=_rate(per_second, burst))

    def list(self) -> Sequence[Key]:
        with self._database.read() as connection:
            return [
                Key(
                    id=key_id,
                    owner=owner,
                    name=name,
                    scopes=_scopes(scopes),
                    created_at=_EPOCH + created_at * _MICROSECOND,
                    rate=_rate(per_second, burst),
                )
                for key_id, owner, name, scopes, created_at, per_second, burst in connection.execute(
                    "SELECT id, owner, name, scopes, created_at, per_second, burst FROM keys"
                    " ORDER BY created_at, number"
                )
            ]

    def revoke(self, key_id: str) -> bool:
        if not key_id.isascii():  # SQLite takes no text that is not Unicode, such as half a surrogate pair
            return False
        with self._database.write() as connection:
            return connection.execute("DELETE FROM keys WHERE id = ?", (key_id,)).rowcount == 1

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()


class SqliteSecrets:
    """``Secrets`` in the same file as the keys, which nobody but the service may read."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._database = Database(path, _SCHEMA, version=_VERSION, steps=_STEPS)
        self._clock = clock

    def add(self, owner: str) -> SigningSecret:
        made = make_secret(clean_owner(owner), self._clock())
        with self._database.write() as connection:
            query = "SELECT count(*) FROM signing_secrets WHERE owner = ?"
            check_count(connection.execute(query, (made.owner,)).fetchone()[0])
            connection.execute(
                "INSERT INTO signing_secrets (id, owner, secret, created_at) VALUES (?, ?, ?, ?)",
                (made.id, made.owner, made.secret, (made.created_at - _EPOCH) // _MICROSECOND),
            )
        return made

    def list(self) -> Sequence[SigningSecret]:
        with self._database.read() as connection:
            return [
                SigningSecret(id=id_, owner=owner, secret=secret, created_at=_EPOCH + created_at * _MICROSECOND)
                for id_, owner, secret, created_at in connection.execute(
                    "SELECT id, owner, secret, created_at FROM signing_secrets ORDER BY number"
                )
            ]

    def retire(self, secret_id: str) -> bool:
        if not secret_id.isascii():
            return False
        with self._database.write() as connection:
            return connection.execute("DELETE FROM signing_secrets WHERE id = ?", (secret_id,)).rowcount == 1

    def close(self) -> None:
        """Close this thread's connection."""
        self._database.close()


def _rate(per_second: float | None, burst: int | None) -> Rate | None:
    return None if per_second is None or burst is None else Rate(per_second, burst)


def _scopes(text: str) -> frozenset[Scope]:
    """Return the scopes this release knows; one of a later release allows nothing here."""
    return frozenset(scope for scope in Scope if scope in text.split())
