"""What every store of signing secrets promises, whatever keeps it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from clock import Clock
from darkroom.access.dynamodb import DynamoSecrets
from darkroom.access.memory import MemorySecrets
from darkroom.access.published import PublishedSecrets
from darkroom.access.signing import MOST_SECRETS, SECRET_BYTES, signing
from darkroom.access.sqlite import SqliteAccess, SqliteSecrets
from darkroom.errors import Conflict, InvalidRequest
from darkroom.transform.options import is_kid
from tables import tables_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from darkroom.access.signing import Secrets
    from emulator import Emulator
    from tables import Tables


@pytest.fixture(scope="module")
def tables(emulator: Emulator) -> Iterator[Tables]:
    with tables_in(emulator) as it:
        yield it


@pytest.fixture(params=["memory", "sqlite", "dynamodb", "published"])
def secrets(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Secrets]:
    if request.param == "memory":
        yield MemorySecrets(Clock())
    elif request.param == "published":
        yield PublishedSecrets(MemorySecrets(Clock()), lambda: None)
    elif request.param == "dynamodb":
        tables = request.getfixturevalue("tables")
        with closing(DynamoSecrets(tables.client, tables.make(), Clock())) as on_table:
            yield on_table
    else:
        durable = SqliteSecrets(tmp_path / "access.sqlite3", Clock())
        yield durable
        durable.close()


def test_a_secret_is_listed_as_it_was_made(secrets):
    made = secrets.add("local")
    assert list(secrets.list()) == [made]
    assert (made.owner, len(made.secret), is_kid(made.id)) == ("local", SECRET_BYTES, True)
    assert made.text.startswith(f"{made.id}.")


def test_no_two_are_alike(secrets):
    made = [secrets.add("local") for _ in range(MOST_SECRETS)]
    assert len({each.secret for each in made}) == len({each.id for each in made}) == MOST_SECRETS


def test_the_newest_signs_and_whoever_has_none_is_given_one(secrets):
    first = signing(secrets, "local")
    assert signing(secrets, "local") == first
    second = secrets.add("local")
    assert signing(secrets, "local") == second
    assert signing(secrets, "another").owner == "another"
    secrets.retire(second.id)
    assert signing(secrets, "local") == first


def test_a_retired_secret_is_gone(secrets):
    made, kept = secrets.add("local"), secrets.add("local")
    assert secrets.retire(made.id)
    assert not secrets.retire(made.id)
    assert not secrets.retire("é\ud800")
    assert list(secrets.list()) == [kept]


def test_an_owner_has_only_so_many(secrets):
    for _ in range(MOST_SECRETS):
        secrets.add("local")
    with pytest.raises(Conflict, match="retire one"):
        secrets.add("local")
    assert secrets.add("another")


def test_what_is_no_owner_has_none(secrets):
    with pytest.raises(InvalidRequest):
        secrets.add("No One")
    assert list(secrets.list()) == []


def test_secrets_outlive_the_process_and_live_beside_the_keys(tmp_path):
    path = tmp_path / "access.sqlite3"
    keys = SqliteAccess(path, Clock())
    first = SqliteSecrets(path, Clock())
    made = first.add("local")
    first.close()
    again = SqliteSecrets(path, Clock())
    assert list(again.list()) == [made]
    assert list(keys.list()) == []
    again.close()
    keys.close()
