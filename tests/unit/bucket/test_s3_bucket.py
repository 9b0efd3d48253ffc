"""What is particular to buckets on S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from darkroom.bucket import objects
from darkroom.bucket.objects import ObjectBucket
from darkroom.errors import NotFound, Unavailable
from emulated import new_bucket, s3_of
from scripted import SILENCE, Answer, scripted

if TYPE_CHECKING:
    from emulator import Emulator

KEY = "i/01k0000000000000000000000a/small.jpg"


@pytest.fixture(autouse=True)
def credentials(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)


def test_readers_are_told_by_s3_itself_how_long_an_object_may_be_kept(emulator: Emulator) -> None:
    name = new_bucket(emulator)
    bucket = ObjectBucket.s3(name, endpoint=emulator.url, cache_control=lambda key: f"max-age={len(key)}")
    bucket.put(KEY, b"picture", content_type="image/jpeg")
    head = s3_of(emulator).head_object(Bucket=name, Key=KEY)
    assert (head["CacheControl"], head["ContentType"]) == (f"max-age={len(KEY)}", "image/jpeg")


def test_readers_and_rules_of_the_bucket_are_told_what_they_have_to_know(emulator: Emulator) -> None:
    name = new_bucket(emulator)
    bucket = ObjectBucket.s3(name, endpoint=emulator.url, tags=lambda key: {"kind": "small"} if "small" in key else {})
    bucket.put(KEY, b"picture", content_type="image/jpeg", told={"not-enlarged": "1920x480"})
    bucket.put(KEY.replace("small", "large"), b"picture", content_type="image/jpeg")
    s3 = s3_of(emulator)
    assert s3.head_object(Bucket=name, Key=KEY)["Metadata"] == {"not-enlarged": "1920x480"}
    assert s3.get_object_tagging(Bucket=name, Key=KEY)["TagSet"] == [{"Key": "kind", "Value": "small"}]
    assert s3.get_object_tagging(Bucket=name, Key=KEY.replace("small", "large"))["TagSet"] == []


def test_a_bucket_that_is_not_there_is_unavailable(emulator: Emulator) -> None:
    bucket = ObjectBucket.s3("nobody-made-this-bucket", endpoint=emulator.url)
    with pytest.raises(Unavailable):
        bucket.check()
    with pytest.raises(Unavailable):
        bucket.put(KEY, b"picture", content_type="image/jpeg")


def test_what_a_role_may_not_read_is_unavailable_and_not_missing(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = new_bucket(emulator)
    role = emulator.allowing({"Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/*"})
    for variable, value in emulator.environment(role).items():
        monkeypatch.setenv(variable, value)
    bucket = ObjectBucket.s3(name, endpoint=emulator.url)
    bucket.put(KEY, b"picture", content_type="image/jpeg")
    with pytest.raises(Unavailable):
        bucket.get(KEY)


BUSY = Answer(503, b"<Error><Code>SlowDown</Code></Error>")
PICTURE = Answer(200, b"picture", {"ETag": '"tag"', "Last-Modified": "Sun, 29 Nov 2026 00:00:00 GMT"})


def test_a_store_that_is_busy_for_a_moment_is_asked_again() -> None:
    with scripted(BUSY, Answer(500), PICTURE) as store:
        assert ObjectBucket.s3("pictures", endpoint=store.url).get(KEY).body == b"picture"


def test_a_store_that_stays_busy_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "RETRIES", 1)
    with scripted(*[BUSY] * 4) as store:
        bucket = ObjectBucket.s3("pictures", endpoint=store.url)
        with pytest.raises(Unavailable):
            bucket.get(KEY)
        with pytest.raises(Unavailable):
            bucket.put(KEY, b"picture", content_type="image/jpeg", create_only=True)
        assert store.answers == []


def test_a_store_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "RETRIES", 1)
    monkeypatch.setattr(objects, "ANSWER_SECONDS", 0.2)
    with scripted(SILENCE, SILENCE) as store, pytest.raises(Unavailable):
        ObjectBucket.s3("pictures", endpoint=store.url).get(KEY)


def test_a_missing_object_is_not_asked_for_again() -> None:
    with scripted(Answer(404), PICTURE) as store:
        with pytest.raises(NotFound):
            ObjectBucket.s3("pictures", endpoint=store.url).get(KEY)
        assert store.answers == [PICTURE]
