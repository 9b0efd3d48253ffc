"""The disk under a running service fills up, and gets room again: who is refused, what works, what becomes of work."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

import pictures
import processes
from outages import Machine
from patience import eventually, ready, settled
from smalldisk import MEBIBYTE, Disk, small_disk
from studio import Studio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESERVE = 8 * MEBIBYTE
LARGE = pictures.png(1000, 1000, compress_level=0)
PHOTO = pictures.encode(pictures.photo(1000, 750), "JPEG", quality=90)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "data", 48 * MEBIBYTE) as disk:
        yield disk


@pytest.fixture
def machine(disk: Disk, tmp_path: Path) -> Iterator[Machine]:
    recipes = str(Studio(tmp_path).recipes)
    machine = Machine(tmp_path, recipes=recipes, reserve_bytes=str(RESERVE), originals="keep", log_level="warning")
    machine.start()
    try:
        yield machine
    finally:
        machine.stop()


@contextmanager
def client_of(machine: Machine) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=machine.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def client(machine: Machine) -> Iterator[httpx.Client]:
    with client_of(machine) as client:
        yield client


def post(client: httpx.Client, body: bytes = PHOTO) -> httpx.Response:
    return client.post("/v1/images", content=body, headers={"content-type": "image/jpeg"})


def ticket_for(client: httpx.Client, body: bytes) -> dict[str, object]:
    answer = client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(body)})
    assert answer.status_code == 201, answer.text
    ticket: dict[str, object] = answer.json()
    return ticket


def put(client: httpx.Client, ticket: dict[str, object], body: object = PHOTO) -> httpx.Response:
    headers = dict(ticket["headers"]) | {"content-length": str(len(PHOTO))}  # type: ignore[call-overload]
    return client.put(str(ticket["url"]), content=body, headers=headers)  # type: ignore[arg-type]


def is_refused(answer: httpx.Response) -> bool:
    assert answer.status_code == 507, answer.text
    problem = answer.json()
    assert problem["code"] == "storage-full"
    assert "room" in problem["detail"] or "full" in problem["detail"]
    assert int(answer.headers["retry-after"]) > 0
    return True


def is_healthy(client: httpx.Client) -> bool:
    return client.get("/healthz").status_code == 200


def stored(machine: Machine) -> set[str]:
    """Return every file of a picture, whole or half."""
    folders = [machine.data / name for name in ("uploads", "assets/i", "incoming")]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(machine.data)) for path in [*files, *machine.data.rglob("put#*")]}


def test_uploads_are_refused_by_both_doors_and_nothing_of_them_is_kept(
    disk: Disk, machine: Machine, client: httpx.Client
) -> None:
    ticket = ticket_for(client, PHOTO)
    before = stored(machine)
    disk.fill(leaving=RESERVE // 2)
    assert is_refused(post(client))
    assert is_refused(client.post("/v1/images", files={"file": ("a.jpg", PHOTO)}))
    assert is_refused(put(client, ticket))
    assert stored(machine) == before
    begun = client.get("/v1/images", params={"state": ["processing", "ready", "failed"]})
    assert begun.json()["items"] == []
    disk.relieve()
    assert put(client, ticket).status_code == 200, "the ticket was used up by a put that was refused"
    assert settled(client, str(ticket["id"]))["state"] == "ready"
    ready(client, PHOTO)


def test_a_form_that_does_not_fit_is_refused_and_nothing_of_it_is_kept(disk: Disk, tmp_path: Path) -> None:
    """A form lies there twice for a moment: as it came, and the file in it."""
    machine = Machine(tmp_path, reserve_bytes="0")
    machine.start()
    try:
        with client_of(machine) as client:
            before = stored(machine)
            disk.fill(leaving=len(LARGE) * 3 // 2)
            assert is_refused(client.post("/v1/images", files={"file": ("a.png", LARGE)}))
            assert stored(machine) == before
    finally:
        machine.stop()


def test_an_upload_in_parts_goes_on_where_the_disk_was_full(disk: Disk, tmp_path: Path) -> None:
    """Both for a part that does not fit and for the whole, which lies there beside its parts for a moment."""
    body = PHOTO.ljust(6 * MEBIBYTE, b"\0")
    machine = Machine(tmp_path, reserve_bytes=str(RESERVE), part_bytes=str(MEBIBYTE), originals="keep")
    machine.start()
    try:
        with client_of(machine) as client:
            ticket = client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(body)}).json()

            def put_part(number: int) -> httpx.Response:
                part = ticket["parts"][number - 1]
                return client.put(part["url"], content=body[(number - 1) * MEBIBYTE : number * MEBIBYTE])

            assert [put_part(number).status_code for number in (1, 2, 3)] == [200] * 3
            before = stored(machine)
            disk.fill(leaving=RESERVE + MEBIBYTE // 2)
            assert is_refused(put_part(4))
            assert stored(machine) == before
            assert client.get(ticket["resume_url"]).json()["received"] == [1, 2, 3]
            disk.relieve()
            assert [put_part(number).status_code for number in (4, 5, 6)] == [200] * 3
            before = stored(machine)
            disk.fill(leaving=RESERVE + len(body) // 2)
            assert is_refused(client.post(ticket["complete_url"]))
            assert stored(machine) == before
            disk.relieve()
            assert client.post(ticket["complete_url"]).status_code == 200
            image = settled(client, ticket["id"])
            assert (image["state"], image["source"]["bytes"]) == ("ready", len(body))
            assert f"uploads/originals/{ticket['id']}" in stored(machine)
            assert not any("parts" in name for name in stored(machine))
    finally:
        machine.stop()


@pytest.mark.parametrize("door", ["small", "ticket"])
def test_a_disk_that_fills_up_while_a_body_arrives(
    disk: Disk, machine: Machine, client: httpx.Client, door: str
) -> None:
    half = len(LARGE) // 2
    ticket = client.post("/v1/uploads", json={"filename": "a.png", "bytes": len(LARGE)}).json()
    before = stored(machine)

    def parts() -> Iterator[bytes]:
        yield LARGE[:half]
        eventually(lambda: stored(machine) > before, what="half a body on the disk")
        disk.fill(leaving=RESERVE + half // 2)
        yield LARGE[half:]

    headers = {"content-length": str(len(LARGE)), "content-type": "image/png"}
    if door == "small":
        answer = client.post("/v1/images", content=parts(), headers=headers)
    else:
        answer = client.put(ticket["url"], content=parts(), headers=headers)
    assert is_refused(answer)
    assert stored(machine) == before


def test_what_is_there_is_delivered_found_changed_and_deleted(
    disk: Disk, machine: Machine, client: httpx.Client
) -> None:
    kept, changed, deleted = (ready(client, pictures.jpeg(60 + number, 40))["id"] for number in range(3))
    disk.fill(leaving=RESERVE // 2)
    assert client.get(f"/i/{kept}/small.jpg").status_code == 200
    assert len(client.get("/v1/images").json()["items"]) == 3
    assert client.patch(f"/v1/images/{changed}", json={"title": "new"}).json()["title"] == "new"
    assert client.delete(f"/v1/images/{deleted}").status_code == 204
    assert client.get(f"/i/{deleted}/small.jpg").status_code == 404
    assert not any(deleted in name for name in stored(machine))


def test_health_says_what_is_wrong_and_deleting_images_sets_it_right(
    disk: Disk, machine: Machine, client: httpx.Client
) -> None:
    large = ready(client, LARGE, filename="a.png")["id"]
    assert is_healthy(client)
    disk.fill(leaving=RESERVE - MEBIBYTE)
    assert is_refused(client.get("/healthz"))
    assert client.delete(f"/v1/images/{large}").status_code == 204
    eventually(lambda: is_healthy(client), what="health")
    ready(client, PHOTO)


def test_it_starts_on_a_full_disk_to_deliver_and_to_delete(disk: Disk, machine: Machine) -> None:
    with client_of(machine) as client:
        kept, deleted = (ready(client, pictures.jpeg(60 + number, 40))["id"] for number in range(2))
    machine.cut_off()
    disk.fill(leaving=RESERVE // 2)
    machine.start(health=507)
    with client_of(machine) as client:
        assert client.get(f"/i/{kept}/small.jpg").status_code == 200
        assert client.delete(f"/v1/images/{deleted}").status_code == 204
        assert is_refused(post(client))
        disk.relieve()
        ready(client, PHOTO)


def test_images_in_work_wait_for_room_however_long_and_become_ready(
    disk: Disk, machine: Machine, client: httpx.Client
) -> None:
    service = eventually(lambda: processes.service(machine.pid), what="all processes")
    service.processor.kill(signal.SIGSTOP)
    ids = [post(client, pictures.jpeg(60 + number, 40)).json()["id"] for number in range(12)]
    disk.fill(leaving=RESERVE // 2)
    service.processor.kill(signal.SIGCONT)
    eventually(lambda: machine.said().count("stores do not answer") > 2, what="tries in vain")
    assert "image failed" not in machine.said()
    disk.resize(96 * MEBIBYTE)
    for image_id in ids:
        assert settled(client, image_id)["state"] == "ready"
        assert client.get(f"/i/{image_id}/small.jpg").status_code == 200
    assert 'darkroom_queue_events{state="buried"} 0.0' in client.get("/metrics").text
    assert service.processor.is_alive


def test_with_no_byte_left_nothing_that_was_acknowledged_is_lost(
    disk: Disk, machine: Machine, client: httpx.Client
) -> None:
    """Somebody else has taken the reserve, too: then writes are refused as they come, and reading goes on."""
    ids = [ready(client, pictures.jpeg(60 + number, 40))["id"] for number in range(8)]
    disk.fill()
    titles: dict[str, set[str | None]] = {image_id: {None} for image_id in ids}
    deleted = set()
    refused = 0
    for number in range(200):
        image_id = ids[number % len(ids)]
        if image_id not in deleted:
            title = f"{number} " * 50
            answer = client.patch(f"/v1/images/{image_id}", json={"title": title})
            titles[image_id] = {title.strip()} if answer.status_code == 200 else titles[image_id]
            refused += answer.status_code != 200 and is_refused(answer)
            assert client.get(f"/i/{image_id}/small.jpg").status_code == 200
    for image_id in ids[:4]:
        answer = client.delete(f"/v1/images/{image_id}")
        if answer.status_code == 204:
            deleted.add(image_id)
        else:
            assert is_refused(answer)
    assert is_refused(post(client, pictures.jpeg()))
    assert len(client.get("/v1/images").json()["items"]) == len(ids) - len(deleted)
    assert refused > 0, "the disk was not full"
    assert '"level": "error"' not in machine.said()
    machine.cut_off()
    disk.relieve()
    machine.start()
    with client_of(machine) as again:
        found = {image["id"]: image["title"] for image in again.get("/v1/images").json()["items"]}
        assert found.keys() == set(ids) - deleted
        for image_id, title in found.items():
            assert title in titles[image_id]
        ready(again, PHOTO)
