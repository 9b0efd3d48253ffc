"""What a folder adds to the promises of a bucket: what lies where, what survives, what a full disk leaves."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pictures
from darkroom.bucket import objects
from darkroom.bucket.objects import LEFTOVER_SECONDS, FolderBucket
from darkroom.errors import AlreadyExists, StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANY = "application/octet-stream"
KEY = "originals/01k0000000000000000000000a"
WORKER = Path(__file__).parents[2] / "support" / "bucket_worker.py"
MEBIBYTE = 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data" / "uploads"


@pytest.fixture
def bucket(folder: Path) -> FolderBucket:
    return FolderBucket(folder)


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_an_object_is_a_file_under_its_key_and_nothing_else_is_left(bucket: FolderBucket, folder: Path) -> None:
    bucket.put(KEY, b"body", content_type=ANY)
    bucket.put(KEY, b"other", content_type=ANY)
    with pytest.raises(AlreadyExists):
        bucket.put(KEY, b"third", content_type=ANY, create_only=True)
    assert files(folder) == [KEY]
    assert (folder / KEY).read_bytes() == b"other"


def test_another_process_sees_the_same_objects_and_tags(bucket: FolderBucket, folder: Path) -> None:
    bucket.put(KEY, b"body", content_type=ANY)
    assert list(FolderBucket(folder).list("")) == list(bucket.list(""))


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (pictures.webp(), "image/webp"),
        (pictures.avif(), "image/avif"),
        (pictures.tiff(), "image/tiff"),
        (b"<script>alert(1)</script>", "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_media_type_is_told_from_the_bytes(bucket: FolderBucket, body: bytes, content_type: str) -> None:
    bucket.put(KEY, body, content_type="image/jpeg")
    assert bucket.get(KEY).content_type == content_type


def test_a_large_file_is_taken_over_without_a_copy(bucket: FolderBucket, folder: Path, tmp_path: Path) -> None:
    large = tmp_path / "upload"
    with large.open("wb") as file:
        file.truncate(64 * MEBIBYTE)
    number = large.stat().st_ino
    tracemalloc.start()
    try:
        bucket.put(KEY, large, content_type=ANY, create_only=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (folder / KEY).stat().st_ino == number
    assert not large.exists()
    assert peak < MEBIBYTE


def test_a_file_of_another_file_system_is_taken_over_too(bucket: FolderBucket, folder: Path) -> None:
    elsewhere = Path("/dev/shm")
    if not elsewhere.is_dir() or elsewhere.stat().st_dev == folder.stat().st_dev:
        pytest.skip("there is no second file system here to take a file from")
    with tempfile.NamedTemporaryFile(dir=elsewhere, delete=False) as file:
        file.write(b"body")
    bucket.put(KEY, Path(file.name), content_type=ANY, create_only=True)
    assert bucket.get(KEY).body == b"body"
    assert not Path(file.name).exists()
    assert files(folder) == [KEY]


def test_of_many_processes_that_create_at_once_one_succeeds(bucket: FolderBucket, folder: Path) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, WORKER, folder, KEY, f"body {number}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "open\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    said = [worker.communicate(timeout=30)[0].strip() for worker in workers]
    assert sorted(said) == ["AlreadyExists", "AlreadyExists", "AlreadyExists", "stored"]
    assert bucket.get(KEY).body == f"body {said.index('stored')}".encode()


def test_what_a_dead_process_left_half_written_is_never_seen(bucket: FolderBucket, folder: Path) -> None:
    (folder / "put#123456789").write_bytes(b"half an obj")
    bucket.put(KEY, b"body", content_type=ANY)
    assert [stat.key for stat in FolderBucket(folder).list("")] == [KEY]


def test_what_a_dead_process_left_is_cleared_away_once_it_is_old(
    bucket: FolderBucket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "put#123456789").write_bytes(b"half an obj")
    now = (folder / "put#123456789").stat().st_ctime
    monkeypatch.setattr("time.time", lambda: now + LEFTOVER_SECONDS - 1)
    FolderBucket(folder)
    assert files(folder) == ["put#123456789"]
    monkeypatch.setattr("time.time", lambda: now + LEFTOVER_SECONDS + 1)
    FolderBucket(folder)
    assert files(folder) == []


@pytest.mark.parametrize("at_once", [1, 3, 10, 11])
def test_a_folder_of_more_names_than_are_sorted_at_once_is_listed_in_order(
    bucket: FolderBucket, folder: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(objects, "NAMES_AT_ONCE", at_once)
    keys = [f"i/{name}" for name in ("a", "b-c/x", "b.jpg", "b/t/w", "b/x", "b0", "c", "d", "e", "f", "g")]
    for key in keys:
        bucket.put(key, b"body", content_type=ANY)
    (folder / "i" / "no key").touch()
    assert [stat.key for stat in bucket.list("")] == keys
    assert [stat.key for stat in bucket.list("i/b/")] == ["i/b/t/w", "i/b/x"]
    assert files(folder) == sorted([*keys, "i/no key"])


def test_a_listing_takes_no_more_memory_for_many_objects(
    bucket: FolderBucket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "NAMES_AT_ONCE", 1_000)
    (folder / "i").mkdir()
    for number in range(10_000):
        (folder / "i" / f"{number:060}").touch()
    tracemalloc.start()
    try:
        assert sum(1 for _ in bucket.list("i/")) == 10_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 600_000, "the names alone are 1.1 MB"


def test_a_folder_is_removed_with_its_last_object(bucket: FolderBucket, folder: Path) -> None:
    bucket.put("i/01k/large.jpg", b"body", content_type=ANY)
    bucket.put("i/01k/t/w.jpg", b"body", content_type=ANY)
    bucket.delete("i/01k/t/w.jpg")
    assert [path.name for path in (folder / "i" / "01k").iterdir()] == ["large.jpg"]
    bucket.delete("i/01k/large.jpg")
    assert list((folder / "i").iterdir()) == []


def test_a_folder_removed_at_the_worst_moment_is_made_again(
    bucket: FolderBucket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link
    times = iter(range(3))

    def link_too_late(source: Path, target: Path) -> None:
        if next(times, None) is not None:
            target.parent.rmdir()
        link(source, target)

    monkeypatch.setattr(os, "link", link_too_late)
    bucket.put("i/01k/large.jpg", b"body", content_type=ANY, create_only=True)
    assert files(folder) == ["i/01k/large.jpg"]


def test_a_folder_removed_while_it_is_made_is_made_again(
    bucket: FolderBucket, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_dir = Path.is_dir
    times = iter(range(3))

    def gone_when_looked_at(path: Path) -> bool:
        return is_dir(path) and next(times, None) is None

    bucket.put("i/01k/large.jpg", b"body", content_type=ANY)
    monkeypatch.setattr(Path, "is_dir", gone_when_looked_at)
    bucket.put("i/01k/small.jpg", b"body", content_type=ANY)
    assert bucket.get("i/01k/small.jpg").body == b"body"


def test_a_folder_that_went_away_makes_the_bucket_unavailable(bucket: FolderBucket, folder: Path) -> None:
    shutil.rmtree(folder)
    with pytest.raises(Unavailable):
        bucket.check()
    with pytest.raises(Unavailable):
        list(bucket.list(""))
    with pytest.raises(Unavailable):
        bucket.put(KEY, b"body", content_type=ANY)


def failing(call: Callable[..., object], code: int) -> Callable[..., object]:
    def fail(*args: object, **kwargs: object) -> object:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize("call", ["fsync", "link", "rename", "utime"])
@pytest.mark.parametrize(
    ("code", "error"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EIO, Unavailable)]
)
def test_a_put_that_fails_keeps_nothing(
    bucket: FolderBucket,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    code: int,
    error: type[Exception],
) -> None:
    upload = tmp_path / "upload"
    upload.write_bytes(b"body")
    with monkeypatch.context() as patched:
        patched.setattr(os, call, failing(getattr(os, call), code))
        with pytest.raises(error):
            bucket.put(KEY, upload, content_type=ANY, create_only=True)
    assert files(folder) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("mount is not installed")
    if subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, check=False
    ).returncode:
        pytest.skip("mounting a small disk is not allowed here")
    try:
        yield place
    finally:
        subprocess.run([umount, place], check=True)


def test_a_full_disk_keeps_nothing_and_still_serves(small_disk: Path) -> None:
    bucket = FolderBucket(small_disk / "bucket")
    bucket.put("i/a", b"a" * 300_000, content_type=ANY)
    with pytest.raises(StorageFull):
        bucket.put("i/b", b"b" * 900_000, content_type=ANY)
    with pytest.raises(StorageFull):
        bucket.put("i/a", b"b" * 900_000, content_type=ANY)
    assert files(small_disk) == ["bucket/i/a"]
    assert bucket.get("i/a").body == b"a" * 300_000
    bucket.put("i/c", b"c" * 300_000, content_type=ANY)


def traced_put(folder: Path, key: str) -> list[str]:
    """Return the calls of a put in another process, in order, up to the moment it says ``stored``."""
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed, so nobody can tell what is brought to the disk and when")
    calls = "openat,write,fsync,link,linkat,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat"
    traced = subprocess.run(
        [strace, "-f", "-y", "-s", "64", "-e", f"trace={calls}", sys.executable, WORKER, folder, key, "the body"],
        input="\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "stored" not in traced.stdout:
        pytest.skip(f"strace cannot trace here: {traced.stderr.splitlines()[:1]}")
    lines = [re.sub(r"^\[pid +\d+\] ", "", line) for line in traced.stderr.splitlines()]
    opened = next(at for at, line in enumerate(lines) if line.startswith("write(1") and '"open' in line)
    stored = next(at for at, line in enumerate(lines) if line.startswith("write(1") and '"stored' in line)
    return lines[opened + 1 : stored]


def test_the_bytes_are_on_the_disk_before_the_object_is_seen_and_its_name_before_put_returns(folder: Path) -> None:
    calls = traced_put(folder, "i/01k/t/w.jpg")

    def position(pattern: str) -> int:
        found = [at for at, call in enumerate(calls) if re.search(pattern, call)]
        assert len(found) == 1, f"{pattern}: {len(found)} times in {calls}"
        return found[0]

    root = re.escape(str(folder))
    written = position(r'^write\(.*"the body"')
    on_disk = position(rf"^fsync\(\d+<{root}/put#\d+>\)")
    visible = position(r"^link(at)?\(.*w\.jpg")
    names = [position(rf"^fsync\(\d+<{root}{level}>\)") for level in ("/i/01k/t", "/i/01k", "/i", "")]
    assert written < on_disk < visible < min(names)
