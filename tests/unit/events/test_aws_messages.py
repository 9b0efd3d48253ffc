"""What messages of a queue on AWS mean, whoever wrote them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from darkroom.events import BulkStep, EdgePurge, ImageDeleted, ObjectCreated
from darkroom.events.sns import from_message, to_message

ID = "01k0000000000000000000000a"


def record(key: str, **members: Any) -> dict[str, Any]:
    """Return a record as S3 writes it (https://docs.aws.amazon.com/AmazonS3/latest/userguide/)."""
    told = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "uploads"}, "object": {"key": key, "size": 7, "eTag": "abc", "sequencer": "0A"}},
    }
    return told | members


def in_envelope(told: object) -> str:
    return json.dumps({"Type": "Notification", "MessageId": "1", "Message": json.dumps(told), "Signature": "x"})


@pytest.mark.parametrize(
    "event",
    [
        ObjectCreated(key=f"originals/{ID}", etag="abc-2"),
        ImageDeleted(image_id=ID),
        BulkStep(owner="anna", job_id=ID),
        EdgePurge(image_id=ID, names=("large.avif", "small.jpg")),
    ],
)
def test_our_own_events_come_out_as_they_went_in(event: Any) -> None:
    assert from_message(to_message(event)) == (event,)


@pytest.mark.parametrize("body", [in_envelope, json.dumps], ids=["by SNS", "raw"])
@pytest.mark.parametrize("name", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
def test_an_arrival_is_an_event_however_the_object_came(body: Any, name: str) -> None:
    told = {"Records": [record(f"originals/{ID}", eventName=f"ObjectCreated:{name}")]}
    assert from_message(body(told)) == (ObjectCreated(key=f"originals/{ID}", etag="abc"),)


def test_keys_are_read_as_they_were_before_they_were_escaped() -> None:
    told = {"Records": [record("originals/a+b%2Bc%C3%A4")]}
    assert from_message(in_envelope(told)) == (ObjectCreated(key="originals/a b+cä", etag="abc"),)


def test_several_records_are_several_events() -> None:
    told = {
        "Records": [
            record("originals/1"),
            record("originals/2"),
            record("originals/3", eventName="ObjectRemoved:Delete"),
        ]
    }
    assert [event.key for event in from_message(in_envelope(told)) if isinstance(event, ObjectCreated)] == [
        "originals/1",
        "originals/2",
    ]


def test_the_test_of_a_new_subscription_means_nothing() -> None:
    told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "uploads"}
    assert from_message(in_envelope(told)) == from_message(json.dumps(told)) == ()


def test_what_a_later_release_tells_of_is_left_to_it() -> None:
    assert from_message(json.dumps({"kind": "image-shared", "event": {"with": "all"}})) == ()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "7",
        "null",
        "{}",
        "hello",
        '{"Type": "Notification"}',
        '{"Records": [{}]}',
        '{"Records": 7}',
        '{"kind": "object-created", "event": {}}',
        in_envelope("text"),
        in_envelope({"Records": [record("k", s3={})]}),
    ],
)
def test_what_nobody_should_have_sent_is_said_to_be_that(body: str) -> None:
    with pytest.raises(ValueError, match="neither an event nor a notification"):
        from_message(body)
