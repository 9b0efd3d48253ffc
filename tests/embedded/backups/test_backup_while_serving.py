"""A real service, backed up by the command while it works, restored into an empty folder and served from there."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import aftermath
import pictures
from darkroom import ledger, names
from darkroom.model import Image, Original, OriginalPolicy, State
from mixedload import UNSIGNED_SIZES, Load, Memory
from patience import eventually, ready, settled, uploaded
from servers import clean_environment, free_port, serving
from studio import Studio, sha256

if TYPE_CHECKING:
    from pathlib import Path

PICTURES = ("large", "small.jpg", "medium.avif", "medium.webp")
LOAD_SECONDS = 1.5
"""Of work before each backup, and after the last."""


def darkroom(*arguments: object) -> dict[str, Any]:
    """Run a command with ``--json`` and return the object it printed."""
    command = [sys.executable, "-m", "darkroom", *map(str, arguments), "--json"]
    ran = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    answer: dict[str, Any] = json.loads(ran.stdout)
    return answer


def client_of(url: str, key: str | None = None) -> httpx.Client:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    return httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30)


# ------------------------------------------------------------------ a quiet service: equal in every answer


def answers(client: httpx.Client, paths: list[str]) -> dict[str, tuple[int, str, bytes]]:
    """Return what the service answers, without what is said of the moment or of this copy of a file."""
    found = ((path, client.get(path)) for path in paths)
    return {path: (said.status_code, said.headers["content-type"], said.content) for path, said in found}


def test_a_restored_service_answers_as_the_first_did(tmp_path: Path) -> None:
    serve = partial(serving, port=free_port(), keys=True, originals="keep", workers="1")
    with serve(tmp_path) as served, client_of(served.url, served.key) as client:
        images = [
            ready(client, pictures.jpeg(300, 200), filename="harbour at night.jpg", tags="Sea,Boat", album="Summer"),
            ready(client, pictures.png(120, 240, alpha=True), filename="tall.png", tags="boat", title="Straße"),
            ready(client, pictures.animated_gif(), filename="moving.gif"),
            uploaded(client, pictures.jpeg(200, 150)[:1500], filename="broken.jpg"),
        ]
        gone = ready(client, pictures.jpeg(64, 64))
        assert client.delete(f"/v1/images/{gone['id']}").status_code == 204
        other = client.post("/v1/keys", json={"owner": "anna", "name": "hers", "scopes": ["read", "write"]}).json()
        said = {"filename": "late.jpg", "bytes": len(pictures.jpeg(32, 32)), "content_type": "image/jpeg"}
        ticket = client.post("/v1/uploads", json=said).json()
        searches = [
            "/v1/images",
            "/v1/images?limit=1",
            "/v1/images?tag=boat",
            "/v1/images?album=summer&format=jpeg",
            "/v1/images?q=strasse&state=ready",
            "/v1/images?state=failed",
            "/v1/images?min_width=200&orientation=landscape",
            f"/v1/images?sha256={images[0]['source']['sha256']}",
            "/v1/usage",
        ]
        paths = [
            *searches,
            *(f"/v1/images/{image['id']}" for image in [*images, gone, ticket]),
            *(f"/v1/images/{image['id']}/original" for image in images),
            *(
                f"/i/{image['id']}/{name}"
                for image in [*images, gone]
                for name in ("large", "small.jpg", "medium.webp")
            ),
        ]
        first = answers(client, paths)
        darkroom("backup", tmp_path / "backups", "--data", served.data)
        cursor = client.get("/v1/images?limit=1").json()["next"]
    assert {first[f"/v1/images/{image['id']}"][0] for image in images} == {200}
    (tmp_path / "elsewhere").mkdir()
    restored = darkroom("restore", tmp_path / "backups", "--data", tmp_path / "elsewhere" / "data")
    assert restored["lost"] == []
    with serve(tmp_path / "elsewhere"), client_of(served.url, served.key) as client:
        assert answers(client, paths) == first
        assert client.get("/v1/images", params={"limit": 1, "cursor": cursor}).json()["items"]
        hers = client.get("/v1/images", headers={"authorization": f"Bearer {other['key']}"})
        assert (hers.status_code, hers.json()["items"]) == (200, [])
        assert client.get("/v1/images", headers={"authorization": f"Bearer {other['key']}x"}).status_code == 401
        put = client.put(ticket["url"], content=pictures.jpeg(32, 32), headers=ticket["headers"])
        assert put.status_code == 200, put.text
        assert settled(client, ticket["id"])["state"] == "ready"
        assert client.post(f"/v1/images/{images[0]['id']}/reprocess").status_code == 202
        assert settled(client, images[0]["id"])["state"] == "ready"


# ------------------------------------------------------------------ a service at work: whole at one moment


def moment(data: Path, load: Load) -> tuple[dict[str, Image], dict[str, Memory]]:
    """Return the catalog as it is, and what people had been promised just before, by the names of their files."""
    promised = {memory.filename: copy.copy(memory) for memory in load.all()}
    return {image.id: image for image in aftermath.everything(data)}, promised


def files_of(data: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(data)): path.read_bytes()
        for bucket in ("uploads", "assets")
        for path in (data / bucket).rglob("*")
        if path.is_file() and path.relative_to(data).parts[1] != "default"
    }


def faults_of_objects(data: Path) -> list[str]:
    """Compare every image's ledger and original with what lies there, to the byte."""
    files, faults = files_of(data), []
    for image in aftermath.everything(data):
        keys = [f"uploads/{names.original_key(image.id)}", f"uploads/{names.archive_key(image.id)}"]
        originals = [files.pop(key) for key in keys if key in files]
        if image.state is State.READY and image.original is Original.KEPT:
            assert image.facts is not None
            if [sha256(body) for body in originals] != [image.facts.source.sha256]:
                faults.append(f"{image.id} lacks its original")
        elif image.state is State.PROCESSING and not originals:
            faults.append(f"{image.id} is being processed and has no original")
        for key in ledger.keys(image):
            body, expected = files.pop(f"assets/{key}", None), ledger.expected(image, key)
            if image.state is not State.DELETED and expected not in {None, body and ledger.checksum(body)}:
                faults.append(f"{key} is not what the ledger says")
    return [*faults, *(f"nobody owns {key}" for key in files)]


def is_finished(data: Path) -> bool:
    """Tell whether no image is on its way."""
    for image in aftermath.everything(data):
        arrived = (data / "uploads" / names.original_key(image.id)).exists()
        if image.state is State.PROCESSING or (image.state is State.AWAITING and arrived):
            return False
    return True


@pytest.mark.parametrize("policy", [OriginalPolicy.DELETE, pytest.param(OriginalPolicy.KEEP, marks=pytest.mark.soak)])
def test_whatever_people_do_meanwhile(tmp_path: Path, policy: OriginalPolicy) -> None:
    studio = Studio(tmp_path)
    serve = partial(
        serving,
        originals=policy.value,
        recipes=str(studio.recipes),
        unsigned_sizes=UNSIGNED_SIZES,
        log_level="warning",
    )
    made = []
    with serve(tmp_path) as served:
        load = Load(served.url, studio, seed=f"backup-{policy}", policy=policy)
        load.start()
        load.open()
        try:
            for _ in range(2):
                time.sleep(LOAD_SECONDS)
                before = moment(served.data, load)
                backup = darkroom("backup", tmp_path / "backups", "--data", served.data)
                made.append((backup, before, moment(served.data, load)[0]))
            time.sleep(LOAD_SECONDS)
        finally:
            load.stop()
    assert load.faults == []
    finally_ = {memory.filename: memory for memory in load.all()}
    for number, (backup, (known, promised), now) in enumerate(made):
        assert backup["damaged"] == []
        folder = tmp_path / f"restored {number}"
        folder.mkdir()
        data = folder / "data"
        darkroom("restore", tmp_path / "backups", "--snapshot", backup["name"], "--data", data)
        assert faults_of_objects(data) == []
        restored = {image.id: image for image in aftermath.everything(data)}
        for image_id, image in known.items():
            if image_id in now and now[image_id] == image:
                assert restored[image_id] == image
            elif image_id in restored and image_id in now:
                assert image.version <= restored[image_id].version <= now[image_id].version
        with serve(folder) as served:
            eventually(partial(is_finished, data), seconds=60, what="all work being done")
            with client_of(served.url) as client:
                found = search_all(client)
        settled_images = {image.id: image for image in aftermath.everything(data)}
        assert found == {image.id for image in settled_images.values() if image.state is State.READY}
        assert faults_of_objects(data) == []
        assert faults_of_promises(data, load, promised, finally_, settled_images) == []
        assert darkroom("audit", "--data", data)["agrees"]
        assert darkroom("verify", "--data", data)["sound"]


def search_all(client: httpx.Client) -> set[str]:
    found: set[str] = set()
    cursor: str | None = None
    while True:
        page = client.get("/v1/images", params={"limit": 50} | ({"cursor": cursor} if cursor else {})).json()
        found |= {item["id"] for item in page["items"]}
        cursor = page["next"]
        if cursor is None:
            return found


def faults_of_promises(
    data: Path, load: Load, promised: dict[str, Memory], finally_: dict[str, Memory], images: dict[str, Image]
) -> list[str]:
    """Compare what is there with what people had been promised before the backup was begun."""
    faults = []
    for memory in promised.values():
        image = images.get(memory.id or "")
        is_there = image is not None and image.state is not State.DELETED
        if memory.removal == "promised" and is_there:
            faults.append(f"{memory.filename} had been deleted and is there")
        if memory.taken and finally_[memory.filename].removal == "none":
            if image is None or not is_there:
                faults.append(f"{memory.filename} is lost")
            elif image.state is not (State.READY if memory.sample.code is None else State.FAILED):
                faults.append(f"{memory.filename}, {memory.sample.name}, is {image.state}: {image.error}")
            elif image.state is State.READY:
                folder = data / "assets" / "i" / image.id
                found = {path.name: sha256(path.read_bytes()) for path in folder.iterdir()}
                if found not in load.looks(finally_[memory.filename]):
                    faults.append(f"{memory.filename} looks like nothing that was ever to be made")
    return faults
