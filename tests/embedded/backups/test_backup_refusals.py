"""What a backup does not do: touch other folders, follow links, pass over damage. How an interrupted one goes on."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

import pictures
from darkroom.access.sqlite import SqliteAccess
from darkroom.embedded.backup import back_up
from darkroom.embedded.layout import Layout
from darkroom.embedded.restore import check
from darkroom.embedded.vault import Vault
from darkroom.errors import BadConfiguration, Conflict, Refused, Unavailable
from darkroom.service import utc_now
from patience import eventually
from servers import clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from darkroom.embedded.snapshot import Manifest
    from homes import Home

# ------------------------------------------------------------------ where


def test_a_backup_into_the_data_folder_is_refused(home: Home, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(home.layout.assets)
    for folder in (home.layout.root, home.layout.root / "backups", tmp_path / "link" / "deep"):
        with pytest.raises(Refused, match="lies within the data folder"):
            back_up(home.layout, folder, clock=utc_now)
    assert sorted(path.name for path in home.layout.assets.iterdir()) == []


def test_a_bucket_that_lies_elsewhere_is_no_place_for_backups_either(home: Home, tmp_path: Path) -> None:
    home.layout.assets.rename(tmp_path / "elsewhere")
    home.layout.assets.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="lies within the data folder"):
        back_up(home.layout, tmp_path / "elsewhere" / "backups", clock=utc_now)


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(home: Home, vault: Path) -> None:
    vault.mkdir()
    (vault / "diary.txt").write_text("dear diary")
    with pytest.raises(Refused, match=r"no folder of backups"):
        back_up(home.layout, vault, clock=utc_now)
    assert [path.name for path in vault.iterdir()] == ["diary.txt"]


def test_what_is_no_data_folder_is_named(tmp_path: Path, vault: Path) -> None:
    with pytest.raises(Refused, match="is no data folder"):
        back_up(Layout(tmp_path / "nothing"), vault, clock=utc_now)
    assert not vault.exists()
    assert not (tmp_path / "nothing").exists()


def test_two_at_a_time_are_refused(home: Home, run: Callable[..., Manifest], vault: Path) -> None:
    run()
    held = Vault(vault)
    with pytest.raises(Conflict, match="at work on"):
        run()
    held.close()
    run()


def test_a_folder_of_a_later_release_is_refused(run: Callable[..., Manifest], vault: Path) -> None:
    run()
    (vault / "darkroom-backup.json").write_text('{"format": 2}')
    with pytest.raises(Unavailable, match="format 2, this program reads 1"):
        run()


def test_data_of_an_earlier_release_is_left_as_it_is(
    home: Home, run: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SqliteAccess.__init__

    def later(self: SqliteAccess, *given: object) -> None:
        original(self, *given)  # type: ignore[arg-type] # as it was called
        with self._database.write() as connection:
            connection.execute("PRAGMA user_version = 7")

    monkeypatch.setattr(SqliteAccess, "__init__", later)
    with pytest.raises(BadConfiguration, match="is of an earlier release"):
        run()
    monkeypatch.undo()
    run()


def test_everything_is_for_its_own_user_only(run: Callable[..., Manifest], vault: Path) -> None:
    run()
    for path in [vault, *vault.iterdir()]:
        assert path.is_file() or path.stat().st_mode & 0o077 == 0, path


# ------------------------------------------------------------------ links and damage


def test_links_are_not_followed_and_are_said(
    home: Home, run: Callable[..., Manifest], vault: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"nobody's business")
    (tmp_path / "folder").mkdir()
    file, folder, fifo = home.ready(pictures.jpeg(50, 40)), home.ready(pictures.jpeg(40, 50)), home.ready()
    picture = home.layout.assets / "i" / file.id / "small.jpg"
    picture.unlink()
    picture.symlink_to(secret)
    (home.layout.assets / "i" / folder.id).rename(tmp_path / "folder" / "moved")
    (home.layout.assets / "i" / folder.id).symlink_to(tmp_path / "folder" / "moved")
    original = home.layout.uploads / "originals" / fifo.id
    original.unlink()
    os.mkfifo(original)
    (home.layout.secrets / "link").symlink_to(secret)
    manifest = run()
    assert sorted(manifest.damaged) == sorted(
        f"{path} is a link or no file, and is not followed"
        for path in (
            f"assets/i/{file.id}/small.jpg",
            *(f"assets/i/{folder.id}/{one.name}" for one in folder.objects),
            f"uploads/originals/{fifo.id}",
        )
    )
    assert b"nobody's business" not in {path.read_bytes() for path in vault.rglob("*") if path.is_file()}


def test_what_the_service_has_lost_is_said_and_the_rest_is_there(
    home: Home, run: Callable[..., Manifest], restored: Callable[[], Home]
) -> None:
    lost, altered, fine = home.ready(pictures.jpeg(50, 40)), home.ready(pictures.jpeg(40, 50)), home.ready()
    (home.layout.assets / "i" / lost.id / "card.webp").unlink()
    (home.layout.assets / "i" / altered.id / "small.jpg").write_bytes(b"rotten")
    manifest = run()
    assert manifest.damaged == (
        f"assets/i/{lost.id}/card.webp is missing",
        f"assets/i/{altered.id}/small.jpg has other bytes than recorded",
    )
    again = restored()
    assert again.objects() == home.objects()
    assert again.now(fine) == fine


def test_what_cannot_be_read_is_said_and_the_rest_is_there(
    home: Home, run: Callable[..., Manifest], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, fine = home.ready(pictures.jpeg(50, 40)), home.ready()
    (home.layout.assets / "i" / bad.id / "card.webp").unlink()
    (home.layout.assets / "i" / bad.id / "card.webp").mkdir()
    manifest = run()
    assert len(manifest.damaged) == 1
    assert manifest.objects == len(home.objects())
    assert fine.state == "ready"


def test_a_damaged_catalog_is_said_and_earlier_backups_stay(
    home: Home, run: Callable[..., Manifest], vault: Path
) -> None:
    home.fill(50)
    run()
    home.close()
    catalog = bytearray(home.layout.catalog.read_bytes())
    catalog[8192:20000] = b"\xa5" * (20000 - 8192)
    home.layout.catalog.write_bytes(catalog)
    with pytest.raises(Unavailable, match=r"catalog.sqlite3 is damaged"):
        run()
    assert check(vault).lost == ()


# ------------------------------------------------------------------ interrupted


def test_a_killed_backup_is_none_and_the_next_goes_on(home: Home, vault: Path) -> None:
    home.fill(300, objects=4)
    command = [sys.executable, "-m", "darkroom", "backup", str(vault), "--data", str(home.layout.root), "--json"]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def has_copied(least: int) -> bool:
        return len(list((vault / "objects").glob("*/*"))) > least

    for least in (100, 400):
        process = start()
        eventually(partial(has_copied, least), what="some objects")
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with pytest.raises(Refused, match="no finished backup"):
            check(vault)
    copied = len(list((vault / "objects").glob("*/*")))
    process = start()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    manifest = json.loads(out)
    assert manifest["objects"] == 1200
    assert manifest["new_objects"] == 1200 - copied
    assert check(vault).lost == ()
    assert sorted(path.name for path in vault.iterdir()) == ["darkroom-backup.json", "lock", "objects", "snapshots"]


def test_what_an_interrupted_one_has_read_is_not_read_again(home: Home, vault: Path) -> None:
    home.fill(100)
    seen = []

    def stop_half_way(tally: object) -> None:
        seen.append(tally)
        if len(seen) == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(home.layout, vault, clock=utc_now, told=stop_half_way)
    for path in sorted((home.layout.assets / "i").iterdir())[:40]:  # their tags stay, and only reading would tell
        for file in path.iterdir():
            facts = file.stat()
            file.write_bytes(b"x" * facts.st_size)
            os.utime(file, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
    assert back_up(home.layout, vault, clock=utc_now).damaged == ()


def test_a_full_disk_is_said_and_the_next_goes_on(home: Home, vault: Path) -> None:
    home.fill(40)
    big = home.fill(1, objects=1, size=3_000_000, seed=1)

    def small_files_only() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    command = [sys.executable, "-m", "darkroom", "backup", str(vault), "--data", str(home.layout.root)]
    ran = subprocess.run(
        command, env=clean_environment(), capture_output=True, preexec_fn=small_files_only, check=False, timeout=60
    )
    assert ran.returncode == 1
    assert b"File too large" in ran.stderr
    assert b"Traceback" not in ran.stderr
    manifest = back_up(home.layout, vault, clock=utc_now)
    assert (manifest.objects, manifest.new_objects) == (121, 1)
    assert big[0].state == "ready"


# ------------------------------------------------------------------ room


def test_only_the_newest_are_kept_with_what_they_need(
    home: Home, run: Callable[..., Manifest], vault: Path, restored: Callable[[], Home]
) -> None:
    first = home.ready(pictures.jpeg(50, 40))
    oldest = run()
    home.service.delete("local", first.id)
    second = home.ready(pictures.jpeg(60, 40))
    run()
    home.ready(pictures.jpeg(70, 40))
    newest = run(keep=2)
    names = [snapshot.name for snapshot in Vault(vault).snapshots()]
    assert oldest.name not in names
    assert (len(names), names[-1]) == (2, newest.name)
    assert len(list((vault / "objects").glob("*/*"))) == newest.objects
    for name in names:
        assert check(vault, name=name).lost == ()
    again = restored()
    assert again.now(second) == second
    assert again.differences() == []


def test_nothing_is_removed_when_it_is_not_known_what_is_needed(
    home: Home, run: Callable[..., Manifest], vault: Path
) -> None:
    home.ready()
    damaged = run()
    listed = vault / "snapshots" / damaged.name / "objects.jsonl"
    listed.write_text("not a line\n")
    before = sorted((vault / "objects").glob("*/*"))
    with pytest.raises(Refused, match=r"line 1 of .*objects.jsonl is damaged"):
        run(keep=2)
    assert sorted((vault / "objects").glob("*/*")) == before


def test_backups_begun_in_the_same_second_have_names_of_their_own(home: Home, vault: Path) -> None:
    moment = utc_now()
    made = [back_up(home.layout, vault, clock=lambda: moment).name for _ in range(3)]
    assert made == [(moment + timedelta(seconds=n)).strftime("%Y%m%dT%H%M%SZ") for n in range(3)]
