"""Exports as files and folders of this machine, and imports of them into data folders, served or not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from typer.testing import CliRunner

import pictures
from darkroom.catalog.documents import to_document
from darkroom.cli import command_line
from darkroom.exports import FileOrigin
from darkroom.model import Edit, State
from darkroom.transfer import records
from homes import Home
from libraries import image
from patience import eventually, ready
from rooms import OWNER
from servers import clean_environment, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def object(self) -> Any:
        (line,) = self.out.splitlines()
        return json.loads(line)


def darkroom(*arguments: object, stdin: str = "") -> Ran:
    """Run a command to its end within this process."""
    umask = os.umask(0o022)
    try:
        result = CliRunner().invoke(command_line(), list(map(str, arguments)), stdin)
    finally:
        os.umask(umask)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("DARKROOM_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """Two ready images, and one on its way."""
    made = Home(tmp_path / "data")
    made.ready(pictures.png(60, 40), tags=("Sea",), title="Ein Tag")
    made.ready(pictures.jpeg(50, 40) + b"\0" * 2_000_000)
    made.receive(pictures.jpeg(70, 30))
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "other")
    yield made
    made.close()


def said(home: Home) -> dict[str, Any]:
    """Return the documents of all images, without what belongs to a deployment."""
    documents = {image.id: to_document(image) for image in home.images().values()}
    for document in documents.values():
        document.pop("original_etag", None)
    return documents


# ------------------------------------------------------------------ there and back


def test_a_folder_with_everything(home: Home, other: Home, tmp_path: Path) -> None:
    exported = darkroom("export", tmp_path / "export", "--images", "--data", home.layout.root, "--json")
    objects = home.objects()
    extent = {"images": 3, "objects": len(objects), "bytes": sum(map(len, objects.values()))}
    assert (exported.code, exported.err, exported.object) == (0, "", extent | {"lost": []})
    beside = {
        str(path.relative_to(tmp_path / "export")): path.read_bytes()
        for path in (tmp_path / "export").rglob("*")
        if path.is_file() and path.name != "images.jsonl"
    }
    assert beside == objects
    imported = darkroom("import", tmp_path / "export", "--data", other.layout.root, "--json")
    assert (imported.code, imported.err) == (0, "")
    assert imported.object == extent | {"outcomes": {"created": 3}}
    assert said(other) == said(home)
    assert other.objects() == objects
    assert beside == {key: (tmp_path / "export" / key).read_bytes() for key in objects}, "an import took files away"
    other.work()
    assert {one.state for one in other.images().values()} == {State.READY}
    assert other.differences() == []
    assert list(other.layout.incoming.iterdir()) == []
    again = darkroom("import", tmp_path / "export", "--data", other.layout.root)
    assert again.out == "3 images: 2 unchanged, 1 skipped\n"  # that one is ready by now


def test_through_a_pipe(home: Home, other: Home) -> None:
    exported = darkroom("export", "-", "--data", home.layout.root)
    assert (exported.code, exported.err) == (0, "exported 3 images\n")
    lines = exported.out.splitlines()
    assert len(lines) == 5
    imported = darkroom("import", "-", "--data", other.layout.root, stdin=exported.out)
    assert (imported.code, imported.out) == (0, "3 images: 3 created\n")
    assert {key: one | {"original_etag": None} for key, one in said(other).items()} == {
        key: one | {"original_etag": None} for key, one in said(home).items()
    }
    assert other.objects() == {}


def test_into_a_running_service(home: Home, tmp_path: Path) -> None:
    darkroom("export", tmp_path / "export", "--images", "--data", home.layout.root)
    (tmp_path / "served").mkdir()
    with (
        serving(tmp_path / "served", originals="keep") as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client,
    ):
        mine = ready(client, pictures.jpeg(31, 31))
        path = next(f"/i/{one.id}/small.jpg" for one in home.images().values())
        assert client.get(path).status_code == 404
        assert darkroom("import", tmp_path / "export", "--data", served.data).code == 0

        def all_ready() -> bool:
            items = client.get("/v1/images").json()["items"]
            return {item["id"] for item in items} == {mine["id"], *home.images()}

        eventually(all_ready, what="the one that was on its way being ready")
        body = home.objects()[f"assets{path}"]
        eventually(lambda: client.get(path).content == body, what="the picture being delivered")
        assert [item["title"] for item in client.get("/v1/images?tag=sea").json()["items"]] == ["Ein Tag"]
        imported = next(iter(home.images()))
        assert client.delete(f"/v1/images/{imported}").status_code == 204
        assert client.get(path).status_code == 404
        again = darkroom("import", tmp_path / "export", "--data", served.data, "--json")
        assert again.object["outcomes"]["deleted"] == 1
    assert darkroom("audit", "--data", served.data).code == 0
    assert darkroom("verify", "--data", served.data).code == 0


# ------------------------------------------------------------------ what is there stays


def test_nothing_is_overwritten_unless_told(home: Home, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("mine")
    data = ("--data", home.layout.root)
    for target, given, sentence in (
        ("file", (), "is there already; remove it, or use --force"),
        ("folder", (), "is a folder; name a file, or export with images"),
        ("folder", ("--images",), "is there and no empty folder"),
        ("file", ("--images", "--force"), "is there and no empty folder"),
        ("data/export.jsonl", (), "lies within the data folder"),
        ("data/assets/export", ("--images",), "lies within the data folder"),
    ):
        ran = darkroom("export", tmp_path / target, *given, *data)
        assert (ran.code, ran.out) == (1, "")
        assert sentence in ran.err
    assert darkroom("export", "-", "--images", *data).err == ("darkroom: an export with images is a folder; name one\n")
    assert (tmp_path / "file").read_text() == "mine"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]
    assert darkroom("export", tmp_path / "file", "--force", *data).code == 0
    assert json.loads((tmp_path / "file").read_text().splitlines()[-1]) == {"end": 3}


def test_an_export_that_was_killed_is_none(home: Home, other: Home, tmp_path: Path) -> None:
    home.fill(400)
    process = subprocess.Popen(
        [sys.executable, "-m", "darkroom", "export", tmp_path / "export", "--images", "--data", home.layout.root],
        env=clean_environment(),
        stderr=subprocess.PIPE,
    )
    eventually(lambda: len(list((tmp_path / "export").rglob("v0.jpg"))) > 50, what="some objects")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ran = darkroom("import", tmp_path / "export", "--data", other.layout.root)
    assert (ran.code, ran.out) == (1, "")
    assert "is no finished export: there is no images.jsonl in it" in ran.err
    assert other.images() == {}


# ------------------------------------------------------------------ what is not followed or believed


def test_links_beside_an_export_are_not_followed(home: Home, other: Home, tmp_path: Path) -> None:
    darkroom("export", tmp_path / "export", "--images", "--data", home.layout.root)
    first = next(iter(home.images()))
    folder = tmp_path / "export" / "assets" / "i" / first
    picture = folder / "small.jpg"
    shutil.copy(picture, tmp_path / "elsewhere.jpg")
    picture.unlink()
    picture.symlink_to(tmp_path / "elsewhere.jpg")
    ran = darkroom("import", tmp_path / "export", "--data", other.layout.root)
    assert ran.code == 1
    said = f"assets/i/{first}/small.jpg is a link or no file, and is not followed"
    assert ran.err == f"darkroom: line 2: {said}; nothing was imported\n"
    picture.unlink()
    os.mkfifo(picture)
    assert darkroom("import", tmp_path / "export", "--data", other.layout.root).err == ran.err
    shutil.rmtree(folder)
    folder.symlink_to(home.layout.assets / "i" / first)
    assert "is a link or no file" in darkroom("import", tmp_path / "export", "--data", other.layout.root).err
    assert (other.images(), other.objects()) == ({}, {})


def test_lines_of_a_folder_without_the_folder_are_refused(home: Home, other: Home, tmp_path: Path) -> None:
    darkroom("export", tmp_path / "export", "--images", "--data", home.layout.root)
    ran = darkroom("import", tmp_path / "export" / "images.jsonl", "--data", other.layout.root)
    assert "line 2: objects are listed, but none came; import the folder that they are in" in ran.err
    assert other.images() == {}


def test_what_goes_wrong_is_one_sentence(home: Home, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong\n")
    for arguments, sentence in (
        (
            ("import", tmp_path / "nothing", "--data", home.layout.root),
            f"{tmp_path}/nothing: No such file or directory",
        ),
        (("import", tmp_path, "--data", home.layout.root), f"{tmp_path} is no finished export"),
        (("import", tmp_path / "wrong", "--data", home.layout.root), "line 1: it is no JSON"),
        (("import", tmp_path / "wrong", "--data", tmp_path / "new"), "new is no data folder"),
        (("export", tmp_path / "out", "--data", tmp_path / "new"), "new is no data folder"),
        (("export", "/proc/out", "--data", home.layout.root), "/proc/out.part: "),
    ):
        ran = darkroom(*arguments)
        assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
        assert sentence in ran.err
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "out").exists()


def test_damage_in_the_service_is_said_and_ends_with_one(home: Home, tmp_path: Path) -> None:
    first = next(iter(home.images()))
    (home.layout.assets / "i" / first / "small.jpg").unlink()
    ran = darkroom("export", tmp_path / "export", "--images", "--data", home.layout.root)
    assert ran.code == 1
    assert ran.out.startswith("exported 3 images, ")
    assert ran.err == (
        f"darkroom: assets/i/{first}/small.jpg is missing\n"
        "darkroom: missing or damaged in the service itself, while the rest is exported: 1\n"
    )


def test_conflicts_are_what_the_option_says(home: Home, tmp_path: Path) -> None:
    data = ("--data", home.layout.root)
    darkroom("export", tmp_path / "lines", *data)
    first = next(iter(home.images().values()))
    changed = home.service.catalog.replace(first, version=first.version)
    assert darkroom("import", tmp_path / "lines", *data).out == "3 images: 3 unchanged\n"
    home.service.edit(OWNER, first.id, Edit(title="mine"))
    assert darkroom("import", tmp_path / "lines", *data).out == "3 images: 1 skipped, 2 unchanged\n"
    failed = darkroom("import", tmp_path / "lines", "--on-conflict", "fail", *data)
    assert failed.err.startswith(f"darkroom: line 2: image {first.id} is here already, and is another")
    replaced = darkroom("import", tmp_path / "lines", "--on-conflict", "replace", *data)
    assert replaced.out == "3 images: 1 replaced, 2 unchanged\n"
    now = home.now(first)
    assert now is not None
    assert (now.title, now.version > changed.version) == ("Ein Tag", True)


# ------------------------------------------------------------------ however many


def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    def write(count: int) -> Path:
        path = tmp_path / str(count)
        with path.open("w") as file:
            file.write('{"darkroom-export": 1, "objects": false}\n')
            for number in range(count):
                file.write(json.dumps({"image": to_document(image(number))}) + "\n")
            file.write(json.dumps({"end": count}) + "\n")
        return path

    def peak(path: Path) -> int:
        with path.open("rb") as file:
            tracemalloc.start()
            try:
                assert sum(1 for _ in records(FileOrigin(file, None))) > 0
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert peak(write(4_000)) < peak(write(200)) + 100_000
