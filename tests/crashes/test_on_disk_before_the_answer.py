"""Acknowledged means on the disk: the order of system calls of the running service, as the kernel sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

import pictures
import processes
from outages import Machine
from patience import eventually, ready
from syscalls import traced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from syscalls import Call, Trace

BODY = pictures.jpeg()
PART = 65_536
LONG = BODY.ljust(2 * PART + 1, b"\0")
"""Comes in three parts."""
PLACED = "link|linkat|rename|renameat|renameat2"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("traced"), workers="1", render_workers="1", part_bytes=str(PART))
    machine.start()
    try:
        yield machine
    finally:
        machine.stop()


@pytest.fixture
def client(machine: Machine) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=machine.url, trust_env=False, timeout=60) as client:
        yield client


def service(machine: Machine) -> processes.Service:
    return eventually(lambda: processes.service(machine.pid), what="all processes")


def stored_before(trace: Trace, image_id: str, answer: str, *, after: int = -1) -> Call:
    """See that the original, its name, and its event were on the disk before the answer began."""
    placed = trace.where("link|linkat", f"/uploads/originals/{image_id}", after=after)
    data = trace.where("fsync|fdatasync", "/uploads/put#", after=after)
    assert data.ended < placed.began, "the object could be seen before its bytes were on the disk"
    name = trace.where("fsync|fdatasync", "/uploads/originals>", after=placed.ended)
    event = trace.where("pwrite64", "queue.sqlite3-wal", after=name.ended)
    durable = trace.where("fsync|fdatasync", "queue.sqlite3-wal", after=event.ended)
    said = trace.where("write|writev|sendto|sendmsg", "HTTP/1.1 ", answer, after=placed.ended)
    assert durable.ended < said.began, "the uploader was answered before the event was on the disk"
    return placed


def test_the_small_door(machine: Machine, client: httpx.Client, tmp_path: Path) -> None:
    with traced(service(machine).http_workers[0].pid, tmp_path) as trace:
        answer = client.post("/v1/images", content=BODY, headers={"content-type": "image/jpeg"})
        assert answer.status_code == 202
    image_id = answer.json()["id"]
    placed = stored_before(trace, image_id, f"/v1/images/{image_id}")
    row = trace.where("pwrite64", "catalog.sqlite3-wal")
    durable = trace.where("fsync|fdatasync", "catalog.sqlite3-wal", after=row.ended)
    assert durable.ended < placed.began, "there were bytes before there was an owner"


def test_the_door_of_tickets(machine: Machine, client: httpx.Client, tmp_path: Path) -> None:
    with traced(service(machine).http_workers[0].pid, tmp_path) as trace:
        ticket = client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(BODY)}).json()
        answer = client.put(ticket["url"], content=BODY, headers=ticket["headers"])
        assert answer.status_code == 200
    row = trace.where("pwrite64", "catalog.sqlite3-wal")
    durable = trace.where("fsync|fdatasync", "catalog.sqlite3-wal", after=row.ended)
    given = trace.where("write|writev|sendto|sendmsg", "HTTP/1.1 201 ", ticket["id"])
    assert durable.ended < given.began, "a ticket was given before its image was on the disk"
    stored_before(trace, ticket["id"], answer.headers["etag"].strip('"'))


def test_the_door_of_parts(machine: Machine, client: httpx.Client, tmp_path: Path) -> None:
    with traced(service(machine).http_workers[0].pid, tmp_path) as trace:
        ticket = client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(LONG)}).json()
        etags = []
        for number, part in enumerate(ticket["parts"]):
            answer = client.put(part["url"], content=LONG[number * PART : (number + 1) * PART])
            assert answer.status_code == 200
            etags.append(answer.headers["etag"].strip('"'))
        assert client.post(ticket["complete_url"]).status_code == 200
    answered = -1
    for number, etag in enumerate(etags, start=1):
        placed = trace.where(PLACED, f"/uploads/parts/{ticket['id']}/{number:05}", after=answered)
        data = trace.where("fsync|fdatasync", "/uploads/put#", after=answered)
        assert data.ended < placed.began, "a part could be seen before its bytes were on the disk"
        name = trace.where("fsync|fdatasync", f"/uploads/parts/{ticket['id']}>", after=placed.ended)
        said = trace.where("write|writev|sendto|sendmsg", "HTTP/1.1 200 ", etag, after=placed.ended)
        assert name.ended < said.began, "a part was acknowledged before its name was on the disk"
        if number == 1:
            above = trace.where("fsync|fdatasync", "/uploads/parts>", after=answered)
            assert above.ended < said.began, "a part was acknowledged before its folder was on the disk"
        answered = said.began
    stored_before(trace, ticket["id"], f"/v1/images/{ticket['id']}", after=answered)
    event = trace.where("fsync|fdatasync", "queue.sqlite3-wal", after=answered)
    removed = trace.where("unlink|unlinkat", f"/uploads/parts/{ticket['id']}/", after=answered)
    assert event.ended < removed.began, "parts went before the arrival of the whole was on the disk"


def test_a_change_and_a_delete(machine: Machine, client: httpx.Client, tmp_path: Path) -> None:
    image_id = ready(client, BODY)["id"]
    with traced(service(machine).http_workers[0].pid, tmp_path) as trace:
        assert client.patch(f"/v1/images/{image_id}", json={"title": "new"}).status_code == 200
        assert client.delete(f"/v1/images/{image_id}").status_code == 204
    written = trace.where("fsync|fdatasync", "catalog.sqlite3-wal")
    changed = trace.where("write|writev|sendto|sendmsg", "HTTP/1.1 200 ")
    assert written.ended < changed.began
    promised = trace.where("fsync|fdatasync", "queue.sqlite3-wal", after=changed.began)
    tombstone = trace.where("fsync|fdatasync", "catalog.sqlite3-wal", after=promised.ended)
    erased = trace.where("unlink|unlinkat", f"/assets/i/{image_id}/", after=tombstone.ended)
    deleted = trace.where("write|writev|sendto|sendmsg", "HTTP/1.1 204 ", after=tombstone.ended)
    assert erased.ended < deleted.began


def test_an_original_is_removed_only_once_what_was_made_of_it_is_on_the_disk(
    machine: Machine, client: httpx.Client, tmp_path: Path
) -> None:
    with traced(service(machine).processor.pid, tmp_path) as trace:
        image = ready(client, BODY)
        eventually(lambda: not list((machine.data / "uploads" / "originals").glob("*")), what="the original's removal")
    prefix = f"/assets/i/{image['id']}"
    placed = [
        trace.where("rename|renameat|renameat2", f"{prefix}/{name}.{extension}").ended
        for name in ("large", "medium", "small")
        for extension in ("avif", "jpg")
    ]
    folder = trace.where("fsync|fdatasync", f"{prefix}>", after=max(placed))
    above = trace.where("fsync|fdatasync", "/assets/i>")
    row = trace.where("pwrite64", "catalog.sqlite3-wal", after=folder.ended)
    durable = trace.where("fsync|fdatasync", "catalog.sqlite3-wal", after=row.ended)
    removed = trace.where("unlink|unlinkat", f"/uploads/originals/{image['id']}")
    assert max(durable.ended, above.ended) < removed.began, "the original went before its variants were safe"
    staged = [call for call in trace.calls if call.name in {"fsync", "fdatasync"} and "/assets/put#" in call.said]
    assert len(staged) == len(placed), "a variant's bytes were not brought to the disk"
