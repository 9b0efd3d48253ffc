"""Where a backup is restored to and where not; what is damaged is found, named, and restores nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

import pictures
from darkroom import settings
from darkroom.embedded import maintenance
from darkroom.embedded import restore as module
from darkroom.embedded.layout import Layout
from darkroom.embedded.restore import check, restore
from darkroom.embedded.vault import Vault
from darkroom.errors import BadConfiguration, Conflict, DarkroomError, Refused, Unavailable
from homes import Home
from servers import clean_environment, command, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from darkroom.embedded.snapshot import Manifest


@pytest.fixture
def made(home: Home, run: Callable[..., Manifest], vault: Path) -> Path:
    """The folder of a finished backup of two images."""
    home.ready(pictures.jpeg(50, 40))
    home.ready(pictures.jpeg(40, 50))
    return vault / "snapshots" / run().name


@pytest.fixture
def target(tmp_path: Path) -> Layout:
    (tmp_path / "new").mkdir()
    return Layout(tmp_path / "new" / "data")


def flip(path: Path, at: int = -1) -> None:
    body = bytearray(path.read_bytes())
    body[at] ^= 1
    path.write_bytes(body)


# ------------------------------------------------------------------ where


def test_into_a_new_folder_or_an_empty_one(made: Path, vault: Path, target: Layout, tmp_path: Path) -> None:
    restore(vault, target)
    (tmp_path / "empty").mkdir()
    restore(vault, Layout(tmp_path / "empty"))
    for folder in (target.root, tmp_path / "empty"):
        assert sorted(path.name for path in folder.iterdir()) == [
            "access.sqlite3",
            "assets",
            "catalog.sqlite3",
            "lock",
            "queue.sqlite3",
            "secrets",
            "uploads",
        ]


def test_what_was_restored_can_be_looked_at_before_it_is_served(made: Path, vault: Path, target: Layout) -> None:
    restore(vault, target)
    chosen = settings.from_mapping({"DARKROOM_DATA": str(target.root)})
    with maintenance.opened(chosen) as library:
        assert library.audit(tell=lambda _: None).agrees
        assert library.verify(repair=False, tell=lambda *_: None).sound
        assert library.sweep(dry=False, force=False, tell=lambda *_: None).whole


def test_into_a_folder_that_holds_anything_is_refused(
    home: Home, made: Path, vault: Path, target: Layout, tmp_path: Path
) -> None:
    target.root.mkdir()
    (target.root / "diary.txt").write_text("dear diary")
    objects = home.objects()
    for layout in (target, home.layout):
        with pytest.raises(Refused, match="is not empty"):
            restore(vault, layout)
    assert [path.name for path in target.root.iterdir()] == ["diary.txt"]
    assert home.objects() == objects
    with pytest.raises(Refused, match="is no folder"):
        restore(vault, Layout(target.root / "diary.txt"))
    with pytest.raises(Refused, match="within the folder of backups"):
        restore(vault, Layout(vault / "data"))


def test_into_a_folder_that_a_service_holds_is_refused(made: Path, vault: Path, target: Layout) -> None:
    held = target.lock()
    with pytest.raises(BadConfiguration, match="another service"):
        restore(vault, target)
    os.close(held)
    restore(vault, target)


def test_while_a_backup_is_made_is_refused_and_two_restores_are_not(
    made: Path, vault: Path, target: Layout, tmp_path: Path
) -> None:
    writing = Vault(vault, write=True)
    with pytest.raises(Conflict, match="at work on"):
        restore(vault, target)
    writing.close()
    reading = Vault(vault)
    restore(vault, target)
    reading.close()


def test_from_what_is_no_folder_of_backups(tmp_path: Path, home: Home, target: Layout) -> None:
    for folder in (tmp_path / "nothing", home.layout.root):
        with pytest.raises(Refused, match="no folder of backups"):
            restore(folder, target)
    assert not target.root.exists()


def test_an_earlier_one_by_its_name(
    home: Home, made: Path, run: Callable[..., Manifest], vault: Path, target: Layout
) -> None:
    before = home.images()
    home.ready(pictures.jpeg(70, 70))
    run()
    restore(vault, target, name=made.name)
    again = Home(target.root)
    assert again.images() == before
    again.close()
    with pytest.raises(Refused, match=f"no backup 2020 in .*; there are {made.name}, "):
        check(vault, name="2020")


# ------------------------------------------------------------------ cut off


def test_half_a_restore_is_not_served_and_the_next_begins_anew(made: Path, vault: Path, target: Layout) -> None:
    target.restoring.mkdir(parents=True)
    (target.restoring / "catalog.sqlite3").write_bytes(b"half")
    ran = subprocess.run(
        command(target.root.parent, free_port(), keys=False),
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "was not restored to the end" in ran.stderr
    restore(vault, target)
    again = Home(target.root)
    assert again.differences() == []
    again.close()


def test_a_restore_that_fails_leaves_nothing(
    made: Path, vault: Path, target: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "sync", full)
    with pytest.raises(OSError, match="No space left"):
        restore(vault, target)
    assert not target.root.exists()


# ------------------------------------------------------------------ damage


@pytest.mark.parametrize("act", ["flip", "cut", "remove", "link", "folder"])
def test_a_damaged_object_is_named_and_nothing_is_restored(
    home: Home, made: Path, vault: Path, target: Layout, act: str
) -> None:
    image = next(iter(home.images().values()))
    body = (home.layout.assets / "i" / image.id / "card.webp").read_bytes()
    path = Vault(vault).path(hashlib.sha256(body).hexdigest())
    if act == "flip":
        flip(path)
    elif act == "cut":
        os.truncate(path, 10)
    else:
        path.unlink()
    if act == "link":
        path.symlink_to("/dev/zero")
    elif act == "folder":
        path.mkdir()
    said = rf"{path} \(assets/i/{image.id}/card.webp\) is "
    with pytest.raises(Refused, match=said) as refused:
        restore(vault, target)
    assert refused.value.code == "data-damaged"
    assert not target.root.exists()
    (lost,) = check(vault).lost
    assert lost.startswith(f"{path} (assets/i/{image.id}/card.webp) is ")
    restored = restore(vault, target, accept_losses=True)
    assert restored.lost == (lost,)
    again = Home(target.root)
    assert again.images() == home.images()
    assert again.objects() == {
        key: body for key, body in home.objects().items() if not key.endswith(f"{image.id}/card.webp")
    }
    again.close()


@pytest.mark.parametrize(
    "name", ["catalog.sqlite3", "queue.sqlite3", "access.sqlite3", "objects.jsonl", "secrets/tickets", "manifest.json"]
)
@pytest.mark.parametrize("act", ["flip", "cut", "remove", "empty"])
def test_a_damaged_file_is_named_and_nothing_is_restored(
    made: Path, vault: Path, target: Layout, name: str, act: str
) -> None:
    path = made / name
    size = path.stat().st_size
    if act == "flip":
        flip(path, size // 2)
    elif act == "remove":
        path.unlink()
    else:
        os.truncate(path, size // 2 if act == "cut" else 0)
    for accept_losses in (False, True):
        with pytest.raises(Refused, match=str(path)):
            restore(vault, target, accept_losses=accept_losses)
    with pytest.raises(Refused, match=str(path)):
        check(vault)
    assert not target.root.exists()


def test_a_backup_of_a_later_release_is_refused(made: Path, vault: Path, target: Layout) -> None:
    rewrite(made / "manifest.json", format=2)
    with pytest.raises(Unavailable, match=r"manifest.json is of backup format 2, this program reads 1"):
        restore(vault, target)


def test_what_a_later_release_says_besides_is_passed_over(made: Path, vault: Path, target: Layout) -> None:
    rewrite(made / "manifest.json", mood="good")
    restore(vault, target)


# ------------------------------------------------------------------ made up by somebody


def rewrite(path: Path, **members: object) -> None:
    """Change a manifest, and make its checksum right again."""
    document = json.loads(path.read_text()) | members
    del document["sha256"]
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(document | {"sha256": digest}))


def replace_list(made: Path, lines: list[object]) -> None:
    """Put other lines into the list of objects, and make all checksums right again."""
    text = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (made / "objects.jsonl").write_bytes(text)
    files = json.loads((made / "manifest.json").read_text())["files"]
    rewrite(made / "manifest.json", files=files | {"objects.jsonl": [len(text), hashlib.sha256(text).hexdigest()]})


@pytest.mark.parametrize(
    "key",
    [
        "../../../escaped",
        "/tmp/escaped",
        "i/OTHER/large.jpg",
        "i/ID/../../../../escaped",
        "i/ID/./large.jpg",
        "i/ID/",
        "i/ID/a\x00b",
        "i/ID//large.jpg",
        "originals/ID",
    ],
)
def test_a_key_that_leads_elsewhere_is_refused(
    made: Path, vault: Path, target: Layout, tmp_path: Path, key: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    (line,) = [json.loads(text) for text in (made / "objects.jsonl").read_text().splitlines()][:1]
    row = [*line["objects"][1]]
    row[1] = key.replace("ID", line["image"])
    replace_list(made, [{"image": line["image"], "objects": [row]}])
    for accept_losses in (False, True):
        with pytest.raises(Refused, match="is no object of"):
            restore(vault, target, accept_losses=accept_losses)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "line",
    [
        [],
        {},
        {"image": "../x", "objects": []},
        {"image": 7, "objects": []},
        {"image": "01m84phrk0ajcvme0n7bzb5q2r", "objects": [["assets", "i/x", 1, "e", "2026-01-01T00:00:00+00:00"]]},
        {"image": "01m84phrk0ajcvme0n7bzb5q2r", "objects": [["attic", "i/x", 1, "e", "2026-01-01", "ab" * 32]]},
        {"image": "01m84phrk0ajcvme0n7bzb5q2r", "objects": [["assets", "i/x", 1, "e", "yesterday", "ab" * 32]]},
        {"image": "01m84phrk0ajcvme0n7bzb5q2r", "objects": [["assets", "i/x", 1, "e", "2026-01-01", "../../../x"]]},
    ],
)
def test_a_line_that_makes_no_sense_is_named(made: Path, vault: Path, target: Layout, line: object) -> None:
    replace_list(made, [line])
    with pytest.raises(Refused, match=r"line 1 of .*objects.jsonl is damaged"):
        restore(vault, target)
    assert not target.root.exists()


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "secrets/../../evil", "secrets/a/b", "run/purges.log", ""])
def test_a_file_that_no_backup_has_is_refused(made: Path, vault: Path, target: Layout, name: str) -> None:
    files = json.loads((made / "manifest.json").read_text())["files"]
    rewrite(made / "manifest.json", files=files | {name: [0, hashlib.sha256(b"").hexdigest()]})
    with pytest.raises(DarkroomError, match="is damaged"):
        restore(vault, target)
    assert not target.root.exists()


def test_checking_needs_no_room_and_writes_nothing(made: Path, vault: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in vault.rglob("*")}
    assert check(vault).lost == ()
    assert {path: path.stat().st_mtime_ns for path in vault.rglob("*")} == before


def test_a_copy_of_the_folder_is_as_good(made: Path, vault: Path, target: Layout, tmp_path: Path) -> None:
    subprocess.run(["cp", "-r", vault, tmp_path / "copy"], check=True)
    (tmp_path / "copy" / "lock").unlink()
    restore(tmp_path / "copy", target)
    assert sorted(path.name for path in (target.root / "secrets").iterdir()) == ["tickets"]
