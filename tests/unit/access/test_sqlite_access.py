"""The keys on a disk: what is written, and what other processes see."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.access import Caller, Rate, Scope, key_text, secret_hash, split_key
from darkroom.access.sqlite import SqliteAccess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL = frozenset(Scope)

# Answers for each line it is sent whether that key is known, keeping its connection open all the while.
DOORMAN = """
import sys, pathlib
from datetime import UTC, datetime
from darkroom.access.sqlite import SqliteAccess
access = SqliteAccess(pathlib.Path(sys.argv[1]), lambda: datetime.now(UTC))
for line in sys.stdin:
    print("known" if access.identify(line.strip()) else "unknown", flush=True)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "access.sqlite"


@pytest.fixture
def access(file: Path) -> Iterator[SqliteAccess]:
    opened = SqliteAccess(file, Clock())
    yield opened
    opened.close()


def test_no_byte_on_the_disk_tells_a_secret(access: SqliteAccess, file: Path) -> None:
    _, text = access.add("alice", "her laptop", ALL)
    parts = split_key(text)
    assert parts is not None
    assert access.identify(text) is not None
    written = b"".join(path.read_bytes() for path in file.parent.iterdir())
    assert secret_hash(parts[1]).encode() in written
    assert parts[1].encode() not in written
    access.close()
    assert parts[1].encode() not in b"".join(path.read_bytes() for path in file.parent.iterdir())


def test_another_process_knows_a_key_from_the_moment_it_is_made_until_it_is_revoked(
    access: SqliteAccess, file: Path
) -> None:
    key, text = access.add("alice", "", ALL)
    with subprocess.Popen(
        [sys.executable, "-c", DOORMAN, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as doorman:
        assert ask(doorman, text) == "known"
        access.revoke(key.id)
        assert ask(doorman, text) == "unknown"
        assert ask(doorman, access.add("bob", "", ALL)[1]) == "known"
        doorman.communicate(timeout=30)


def ask(doorman: subprocess.Popen[str], text: str) -> str:
    assert doorman.stdin is not None
    assert doorman.stdout is not None
    doorman.stdin.write(text + "\n")
    doorman.stdin.flush()
    return doorman.stdout.readline().strip()


VERSION_1 = """
CREATE TABLE keys (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    secret_hash TEXT NOT NULL,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
PRAGMA user_version = 1;
"""


def test_keys_of_an_earlier_release_go_on_working(file: Path, tmp_path: Path) -> None:
    connection = sqlite3.connect(file)
    connection.executescript(VERSION_1)
    row = ("abcdefghijkl", secret_hash("secret"), "alice", "laptop", "read write", 1_795_000_000_000_000)
    connection.execute("INSERT INTO keys VALUES (1, ?, ?, ?, ?, ?, ?)", row)
    connection.commit()
    connection.close()
    access = SqliteAccess(file, Clock())
    scopes = frozenset({Scope.READ, Scope.WRITE})
    assert access.identify(key_text("abcdefghijkl", "secret")) == Caller(
        owner="alice", scopes=scopes, key_id="abcdefghijkl"
    )
    new, _ = access.add("bob", "", ALL, rate=Rate(1, 2))
    assert {key.id: key.rate for key in access.list()} == {"abcdefghijkl": None, new.id: Rate(1, 2)}
    access.close()
    SqliteAccess(tmp_path / "new.sqlite", Clock()).close()
    assert columns(file) == columns(tmp_path / "new.sqlite")


def columns(file: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(file)
    tables = ("keys", "signing_secrets")
    found = [column for table in tables for column in connection.execute(f"PRAGMA table_info({table})")]
    connection.close()
    return found


def test_keys_outlive_the_process(file: Path) -> None:
    before = SqliteAccess(file, Clock())
    key, text = before.add("alice", "her laptop", frozenset({Scope.WRITE}))
    before.close()
    after = SqliteAccess(file, Clock())
    assert after.list() == [key]
    assert after.identify(text) is not None
    after.close()


def test_a_scope_of_a_newer_release_allows_nothing_here(access: SqliteAccess, file: Path) -> None:
    _, text = access.add("alice", "", frozenset({Scope.READ}))
    connection = sqlite3.connect(file)
    connection.execute("UPDATE keys SET scopes = 'paint read'")
    connection.commit()
    connection.close()
    caller = access.identify(text)
    assert caller is not None
    assert caller.scopes == {Scope.READ}


def test_asking_who_calls_is_cheap(access: SqliteAccess) -> None:
    _, text = access.add("alice", "", ALL)
    access.identify(text)
    began = time.process_time()
    for _ in range(1000):
        access.identify(text)
    assert (time.process_time() - began) / 1000 < 100e-6
