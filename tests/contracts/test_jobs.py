"""What every store of jobs promises."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from catalogs import KINDS, TABLES
from darkroom import names
from darkroom.errors import AlreadyExists, NotFound, VersionMoved
from darkroom.jobs import LISTED_MAX, Action, ImageError, Job, JobState
from darkroom.jobs.dynamodb import DynamoJobs
from darkroom.jobs.memory import MemoryJobs
from darkroom.jobs.sqlite import SqliteJobs
from darkroom.model import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from darkroom.jobs import Jobs

pytestmark = pytest.mark.usefixtures("catalogs_on_aws")
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
LIFE = timedelta(days=30)


@pytest.fixture(params=KINDS)
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jobs]:
    if request.param == "memory":
        yield MemoryJobs(lambda: NOW)
    elif request.param == "sqlite":
        with closing(SqliteJobs(tmp_path / "jobs.sqlite3", lambda: NOW)) as in_file:
            yield in_file
    else:
        tables = TABLES[0]
        assert tables is not None
        name = tables.make()
        with closing(DynamoJobs(tables.client, name, life=LIFE)) as on_table:
            yield on_table
        tables.drop(name)


def job(number: int = 0, **members: object) -> Job:
    created_at = NOW - timedelta(seconds=1000 - number)
    given: dict[str, object] = {
        "id": names.derived_id(f"job {number}"),
        "owner": "local",
        "action": Action.ADD_TAGS,
        "created_at": created_at,
        "changed_at": created_at,
        "search": "tag:cat",
    }
    return Job(**given | members)  # type: ignore[arg-type]  # as many kinds as members


FULL = job(
    tags=("a", "Straße"),
    album="Été",
    from_rendition=True,
    search=None,
    ids=("x", "y"),
    dry_run=True,
    state=JobState.RUNNING,
    matched=3,
    done=1,
    failed=2,
    errors=(ImageError(image_id="x", code="not-found", detail="there is no image of this id"),),
    after="x",
    at=7,
    found_all=True,
    pending=("x",),
    error=Failure(code="gave-up", detail="why"),
    version=5,
)


@pytest.mark.parametrize("whole", [job(), FULL])
def test_a_job_comes_out_as_it_went_in_and_is_its_owners(jobs: Jobs, whole: Job) -> None:
    jobs.create(whole)
    assert jobs.get("local", whole.id) == whole
    assert jobs.get("anna", whole.id) is None
    with pytest.raises(AlreadyExists):
        jobs.create(dataclasses.replace(whole, done=9))
    assert jobs.get("local", whole.id) == whole


@pytest.mark.parametrize("text", ["", "x", "é" * 26, "\x00", "\ud800", "0" * 10**6])
def test_any_text_may_be_asked_for(jobs: Jobs, text: str) -> None:
    assert jobs.get("local", text) is None


def test_a_job_is_written_on_the_stored_version_only(jobs: Jobs) -> None:
    jobs.create(job())
    assert jobs.replace(job(done=5), version=1) == job(done=5, version=2)
    for version in (1, 3):
        with pytest.raises(VersionMoved):
            jobs.replace(job(done=6), version=version)
    with pytest.raises(NotFound):
        jobs.replace(job(7), version=1)
    with pytest.raises(NotFound):
        jobs.replace(job(owner="anna"), version=2)
    assert jobs.get("local", job().id) == job(done=5, version=2)


def test_of_many_who_write_a_version_one_does(jobs: Jobs) -> None:
    jobs.create(job())
    together = threading.Barrier(8)

    def write(number: int) -> bool:
        together.wait()
        try:
            jobs.replace(job(done=number), version=1)
        except VersionMoved:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(8)))
    assert written.count(True) == 1
    assert jobs.get("local", job().id) == job(done=written.index(True), version=2)


def test_an_owners_jobs_are_listed_the_newest_first(jobs: Jobs) -> None:
    for number in range(LISTED_MAX + 3):
        jobs.create(job(number))
    jobs.create(job(500, owner="anna"))
    assert [one.id for one in jobs.list("local")] == [job(number).id for number in range(LISTED_MAX + 2, 2, -1)]
    assert [one.id for one in jobs.list("anna")] == [job(500).id]
    assert list(jobs.list("nobody")) == []


def test_what_is_old_is_forgotten(jobs: Jobs) -> None:
    old = dataclasses.replace(job(), created_at=NOW - LIFE - timedelta(seconds=1))
    jobs.create(old)
    jobs.create(job(1))
    jobs.create(dataclasses.replace(old, owner="anna"))
    jobs.forget("local", life=LIFE)
    tables = TABLES[0]
    assert tables is not None
    if isinstance(jobs, DynamoJobs):  # the table does so by itself, by an attribute that says when
        expires = {int(item["expires"]["N"]) for item in tables.items(jobs._table._name)}
        assert int((old.created_at + LIFE).timestamp()) in expires
    else:
        assert [one.id for one in jobs.list("local")] == [job(1).id]
        assert [one.id for one in jobs.list("anna")] == [old.id]
