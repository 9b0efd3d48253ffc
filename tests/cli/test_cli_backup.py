"""``darkroom backup`` and ``restore``: what is printed, for people and programs, and how they end."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

import pictures
from darkroom.cli import command_line
from darkroom.embedded.vault import Vault
from homes import Home

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


MARK = "darkroom-backup.json"


@dataclass(frozen=True)
class Ran:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def objects(self):
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture
def darkroom(monkeypatch):
    """Run a command to its end within this process."""
    for name in [name for name in os.environ if name.startswith("DARKROOM_")]:
        monkeypatch.delenv(name)
    umask = os.umask(0o022)

    def run(*arguments, environment=None):
        result = CliRunner().invoke(command_line(), list(map(str, arguments)), env=environment)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    yield run
    os.umask(umask)


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def test_for_people(darkroom, home, vault, tmp_path):
    home.ready(pictures.jpeg(50, 40))
    objects = len(home.objects())
    first = darkroom("backup", vault, "--data", home.layout.root)
    assert (first.code, first.err) == (0, "")
    name = first.out.split()[0]
    total = sum(map(len, home.objects().values()))
    said = f"1 image, {objects} objects, {total / 1000:.1f} kB"
    assert first.out == f"{name}  {said}; new: {objects} objects, {total / 1000:.1f} kB\n"
    second = darkroom("backup", vault, "--data", home.layout.root)
    assert second.out.endswith("; new: 0 objects, 0 bytes\n")
    listed = darkroom("restore", vault, "--list").out.splitlines()
    assert [line.split()[0] for line in listed] == ["BACKUP", name, second.out.split()[0]]
    assert darkroom("restore", vault, "--check", "--snapshot", name).out == f"{name}  {said}: whole\n"
    restored = darkroom("restore", vault, "--data", tmp_path / "new")
    assert restored.out == f"{second.out.split()[0]}  {said}: restored to {tmp_path / 'new'}\n"


def test_for_programs(darkroom, home, vault, tmp_path):
    home.ready(pictures.jpeg(50, 40))
    (made,) = darkroom("backup", vault, "--data", home.layout.root, "--json").objects
    assert made["images"] == {"ready": 1}
    assert (made["objects"], made["new_objects"], made["damaged"]) == (len(home.objects()), len(home.objects()), [])
    assert darkroom("restore", vault, "--list", "--json").objects == [made]
    assert darkroom("restore", vault, "--check", "--json").objects == [{"backup": made, "data": None, "lost": []}]
    new = str(tmp_path / "new")
    assert darkroom("restore", vault, "--data", new, "--json").objects == [{"backup": made, "data": new, "lost": []}]


def test_the_data_folder_of_the_environment(darkroom, home, vault):
    ran = darkroom("backup", vault, "--json", environment={"DARKROOM_DATA": str(home.layout.root)})
    assert ran.objects[0]["images"] == {}


def test_damage_in_the_service_is_said_and_ends_with_one(darkroom, home, vault):
    image = home.ready(pictures.jpeg(50, 40))
    (home.layout.assets / "i" / image.id / "small.jpg").unlink()
    ran = darkroom("backup", vault, "--data", home.layout.root)
    assert ran.code == 1
    assert ran.out.split()[1:3] == ["1", "image,"]
    assert ran.err == (
        f"darkroom: assets/i/{image.id}/small.jpg is missing\n"
        "darkroom: missing or damaged in the service itself, while the rest is backed up: 1 object\n"
    )


def test_damage_in_the_backup_is_said_and_ends_with_one(darkroom, home, vault, tmp_path):
    image = home.ready(pictures.jpeg(50, 40))
    name = darkroom("backup", vault, "--data", home.layout.root, "--json").objects[0]["name"]
    body = (home.layout.assets / "i" / image.id / "small.jpg").read_bytes()
    Vault(vault).path(hashlib.sha256(body).hexdigest()).write_bytes(b"?" * len(body))
    checked = darkroom("restore", vault, "--check")
    assert checked.code == 1
    assert checked.out.endswith(": damaged\n")
    assert f"assets/i/{image.id}/small.jpg) is damaged" in checked.err
    refused = darkroom("restore", vault, "--data", tmp_path / "new")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith(f"darkroom: the backup {name} is damaged, and nothing was restored: ")
    assert not (tmp_path / "new").exists()
    accepted = darkroom("restore", vault, "--data", tmp_path / "new", "--accept-losses")
    assert accepted.code == 1
    assert accepted.out.endswith(f"restored to {tmp_path / 'new'}\n")
    assert (tmp_path / "new" / "catalog.sqlite3").is_file()


@pytest.mark.parametrize("given", [(), ("--data", "new", "--check"), ("--data", "new", "--list")])
def test_what_is_to_be_done_has_to_be_said(darkroom, vault, given):
    ran = darkroom("restore", vault, *given)
    assert ran.code == 2
    assert "--check or --list" in ran.err


def test_what_goes_wrong_is_one_sentence(darkroom, home, vault, tmp_path):
    for arguments, said in (
        (("backup", vault, "--data", tmp_path), f"{tmp_path} is no data folder: there is no catalog.sqlite3 in it"),
        (("backup", "/proc/backups", "--data", home.layout.root), "/proc/backups: No such file or directory"),
        (
            ("restore", vault, "--list"),
            f"{vault} is no folder of backups: darkroom-backup.json is not in it, or damaged",
        ),
    ):
        ran = darkroom(*arguments)
        assert (ran.code, ran.out, ran.err) == (1, "", f"darkroom: {said}\n")


def test_copies_are_for_their_own_user_only(darkroom, home, vault, tmp_path):
    home.ready()
    darkroom("backup", vault, "--data", home.layout.root)
    darkroom("restore", vault, "--data", tmp_path / "new")
    for folder in (vault, tmp_path / "new"):
        for path in [folder, *folder.rglob("*")]:
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
