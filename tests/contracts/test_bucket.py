"""What every bucket promises, whatever keeps it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import pictures
from darkroom.bucket.objects import ObjectBucket
from darkroom.errors import AlreadyExists, NotFound
from emulated import new_bucket

if TYPE_CHECKING:
    from pathlib import Path

    from darkroom.bucket import Bucket
    from emulator import Emulator

ANY = "application/octet-stream"
KEY = "originals/01k0000000000000000000000a"


@pytest.fixture(params=["memory", "folder", "s3"])
def bucket(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    if request.param == "memory":
        return ObjectBucket.memory()
    if request.param == "folder":
        return ObjectBucket.folder(tmp_path / "bucket")
    emulator: Emulator = request.getfixturevalue("emulator")
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    return ObjectBucket.s3(new_bucket(emulator), endpoint=emulator.url)


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "incoming"
    folder.mkdir()
    return folder


def keys(bucket: Bucket, prefix: str = "") -> list[str]:
    return [stat.key for stat in bucket.list(prefix)]


@pytest.mark.parametrize("lasting", [True, False])
def test_an_object_comes_out_as_it_went_in(bucket: Bucket, lasting: bool) -> None:  # noqa: FBT001  # a parameter
    body = pictures.png()
    bucket.put(KEY, body, content_type="image/png", lasting=lasting)
    stored = bucket.get(KEY)
    assert stored.body == body
    assert stored.content_type == "image/png"
    assert (stored.stat.key, stored.stat.bytes) == (KEY, len(body))


def test_a_file_is_stored_like_bytes(bucket: Bucket, incoming: Path) -> None:
    body = pictures.jpeg()
    file = incoming / "upload"
    file.write_bytes(body)
    stat = bucket.put(KEY, file, content_type="image/jpeg")
    stored = bucket.get(KEY)
    assert (stored.body, stored.content_type) == (body, "image/jpeg")
    assert stat.bytes == len(body)


def test_an_object_may_be_empty(bucket: Bucket) -> None:
    bucket.put(KEY, b"", content_type=ANY)
    assert bucket.get(KEY).body == b""
    assert bucket.stat(KEY).bytes == 0


def test_every_verb_tells_the_same_of_an_object(bucket: Bucket) -> None:
    put = bucket.put(KEY, b"body", content_type=ANY)
    stat = bucket.stat(KEY)
    opened, file = bucket.open(KEY)
    file.close()
    assert stat == opened == bucket.get(KEY).stat == next(bucket.list("originals/"))
    assert (put.key, put.bytes, put.etag) == (stat.key, stat.bytes, stat.etag)
    assert stat.etag
    assert '"' not in stat.etag


def test_the_time_of_an_object_is_when_it_was_put(bucket: Bucket) -> None:
    put = bucket.put(KEY, b"body", content_type=ANY)
    for modified in (put.modified, bucket.stat(KEY).modified):
        assert abs(datetime.now(UTC) - modified) < timedelta(seconds=30)


def test_putting_again_replaces(bucket: Bucket) -> None:
    bucket.put(KEY, pictures.png(), content_type="image/png")
    second = pictures.gif()
    bucket.put(KEY, second, content_type="image/gif")
    stored = bucket.get(KEY)
    assert (stored.body, stored.content_type) == (second, "image/gif")
    assert keys(bucket) == [KEY]


def test_no_entity_tag_comes_twice_under_a_key(bucket: Bucket) -> None:
    tags = [bucket.put(KEY, f"{number:03}".encode(), content_type=ANY).etag for number in range(60)]
    assert len(set(tags)) == 60
    assert bucket.stat(KEY).etag == tags[-1]


def test_create_only_leaves_what_is_there(bucket: Bucket, incoming: Path) -> None:
    first = bucket.put(KEY, b"first", content_type=ANY, create_only=True)
    file = incoming / "upload"
    file.write_bytes(b"third")
    for body in (b"second", file):
        with pytest.raises(AlreadyExists):
            bucket.put(KEY, body, content_type=ANY, create_only=True)
    assert bucket.get(KEY).body == b"first"
    assert bucket.stat(KEY).etag == first.etag
    assert keys(bucket) == [KEY]


def test_create_only_holds_for_large_files(bucket: Bucket, incoming: Path) -> None:
    for name in ("first", "second"):
        (incoming / name).write_bytes(name.encode() * 1_200_000)
    bucket.put(KEY, incoming / "first", content_type=ANY, create_only=True)
    with pytest.raises(AlreadyExists):
        bucket.put(KEY, incoming / "second", content_type=ANY, create_only=True)
    assert bucket.stat(KEY).bytes == 6_000_000


def test_of_many_who_create_at_once_one_succeeds(bucket: Bucket, incoming: Path) -> None:
    def create(number: int) -> int | None:
        body: bytes | Path = f"body {number}".encode()
        if number % 2:
            file = incoming / str(number)
            file.write_bytes(f"body {number}".encode())
            body = file
        together.wait()
        try:
            bucket.put(KEY, body, content_type=ANY, create_only=True)
        except AlreadyExists:
            return None
        return number

    together = threading.Barrier(16)
    with ThreadPoolExecutor(16) as pool:
        (winner,) = (number for number in pool.map(create, range(16)) if number is not None)
    assert bucket.get(KEY).body == f"body {winner}".encode()


def test_a_reader_sees_one_whole_version(bucket: Bucket) -> None:
    versions = [letter * 300_000 for letter in (b"a", b"b")]
    bucket.put(KEY, versions[0], content_type=ANY)
    stop = threading.Event()

    def replace() -> None:
        while not stop.is_set():
            for version in versions:
                bucket.put(KEY, version, content_type=ANY)

    writer = threading.Thread(target=replace)
    writer.start()
    try:
        for _ in range(60):
            assert bucket.get(KEY).body in versions
            _, file = bucket.open(KEY)
            with file:
                assert file.read() in versions
    finally:
        stop.set()
        writer.join()


@pytest.mark.parametrize("key", [KEY, "originals", "originals/01k0000000000000000000000b/deeper"])
def test_what_is_not_there_is_not_found(bucket: Bucket, key: str) -> None:
    bucket.put("originals/01k0000000000000000000000b.jpg", b"another", content_type=ANY)
    with pytest.raises(NotFound):
        bucket.get(key)
    with pytest.raises(NotFound):
        bucket.stat(key)
    with pytest.raises(NotFound):
        bucket.open(key)


def test_deleting_leaves_the_others(bucket: Bucket) -> None:
    for name in ("large.avif", "large.jpg", "small.jpg"):
        bucket.put(f"i/01k/{name}", b"body", content_type=ANY)
    bucket.delete("i/01k/large.jpg")
    with pytest.raises(NotFound):
        bucket.get("i/01k/large.jpg")
    assert keys(bucket) == ["i/01k/large.avif", "i/01k/small.jpg"]


@pytest.mark.parametrize("key", [KEY, "i/01k", "i/01k/large.jpg/deeper"])
def test_deleting_what_is_not_there_is_no_error(bucket: Bucket, key: str) -> None:
    bucket.put("i/01k/large.jpg", b"body", content_type=ANY)
    bucket.delete(key)
    assert keys(bucket) == ["i/01k/large.jpg"]


def test_a_key_can_be_created_again_after_it_was_deleted(bucket: Bucket) -> None:
    bucket.put("i/01k/large.jpg", b"first", content_type=ANY)
    bucket.delete("i/01k/large.jpg")
    assert keys(bucket) == []
    bucket.put("i/01k/large.jpg", b"second", content_type=ANY, create_only=True)
    assert bucket.get("i/01k/large.jpg").body == b"second"


def test_an_open_file_outlives_its_object(bucket: Bucket) -> None:
    bucket.put(KEY, b"first", content_type=ANY)
    stat, file = bucket.open(KEY)
    with file:
        bucket.put(KEY, b"second, longer", content_type=ANY)
        bucket.delete(KEY)
        assert file.read() == b"first"
        assert stat.bytes == 5


def test_an_open_file_is_a_real_one_at_its_beginning(bucket: Bucket) -> None:
    body = os.urandom(1_000_000)
    bucket.put(KEY, body, content_type=ANY)
    _, file = bucket.open(KEY)
    with file:
        assert os.fstat(file.fileno()).st_size == len(body)
        assert file.read(64) == body[:64]
        file.seek(0)
        assert os.read(file.fileno(), 100) == body[:100]
        file.seek(-3, os.SEEK_END)
        assert file.read() == body[-3:]


def test_a_listing_is_ordered_by_key(bucket: Bucket) -> None:
    mixed = ["i/b/x", "i/b.jpg", "i/b-c/x", "i/a", "i/b/t/w.jpg", "i/b/A", "i/b0", "z", "a/1"]
    for key in mixed:
        bucket.put(key, b"body", content_type=ANY)
    assert keys(bucket) == sorted(mixed)
    assert keys(bucket, "i/b/") == ["i/b/A", "i/b/t/w.jpg", "i/b/x"]


def test_a_listing_is_of_a_folder_not_of_its_namesakes(bucket: Bucket) -> None:
    for key in ("i/1/a", "i/10/a", "i/11"):
        bucket.put(key, b"body", content_type=ANY)
    assert keys(bucket, "i/1/") == ["i/1/a"]
    assert keys(bucket, "i/2/") == []


def test_a_long_listing_is_whole(bucket: Bucket) -> None:
    wanted = [f"i/{number:04}/{name}" for number in range(60) for name in ("large.jpg", "small.jpg")]
    for key in wanted:
        bucket.put(key, b"", content_type=ANY)
    assert keys(bucket, "i/") == wanted


def test_the_roots_are_what_keys_begin_with(bucket: Bucket) -> None:
    assert bucket.roots() == ()
    for key in ("originals/01k", "archive/01k/deeper", "originals/01m", "alone.txt", "i-1/x"):
        bucket.put(key, b"body", content_type=ANY)
    assert bucket.roots() == ("alone.txt", "archive/", "i-1/", "originals/")


def test_a_listing_goes_on_while_objects_go(bucket: Bucket) -> None:
    wanted = [f"i/{number:03}/large.jpg" for number in range(120)]
    for key in wanted:
        bucket.put(key, b"", content_type=ANY)
    seen = []
    for stat in bucket.list("i/"):
        seen.append(stat.key)
        bucket.delete(stat.key)
    assert seen == wanted
    assert keys(bucket) == []


def test_putting_and_deleting_in_one_place_do_not_disturb_each_other(bucket: Bucket) -> None:
    def come_and_go(number: int) -> None:
        for _ in range(30):
            key = f"i/01k/t/{number}.jpg"
            bucket.put(key, b"body", content_type=ANY, create_only=True)
            assert bucket.get(key).body == b"body"
            bucket.delete(key)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    assert keys(bucket) == []


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/./b",
        "a b",
        "a\\b",
        "a\0b",
        "a\n",
        "ä",
        "put#12",
        "a?b",
        "x" * 201,
        "/".join("x" * 600),
    ],
)
def test_what_is_no_key_is_refused_by_every_verb(bucket: Bucket, key: str) -> None:
    for verb in (
        lambda: bucket.put(key, b"", content_type=ANY),
        lambda: bucket.get(key),
        lambda: bucket.open(key),
        lambda: bucket.stat(key),
        lambda: bucket.delete(key),
    ):
        with pytest.raises(ValueError, match="no object key"):
            verb()


@pytest.mark.parametrize("prefix", ["i", "../", "/", "i//", "i/#/"])
def test_what_is_no_prefix_is_refused(bucket: Bucket, prefix: str) -> None:
    with pytest.raises(ValueError, match=r"no prefix|no object key"):
        keys(bucket, prefix)


def test_a_bucket_in_order_says_so(bucket: Bucket) -> None:
    bucket.check()
    bucket.put(KEY, b"body", content_type=ANY)
    bucket.check()
