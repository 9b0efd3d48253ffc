"""What S3, SNS and SQS may do to events, and what strangers may put into a bucket, on the deployed stack.

Twice, late, in another order, about what is none of ours: the messages are real, and a test hands them over.
"""

import json
import secrets

import pytest

import pictures
from darkroom.events import EdgePurge, ImageDeleted, ObjectCreated
from darkroom.events.sqs import REASON
from hands import attribute, events_of, message
from patience import eventually, shows_default


@pytest.fixture
def mark():
    return f"m{secrets.token_hex(4)}"


def nothing_is_left(by_hand, image_id):
    originals = by_hand.keys("UploadBucketName", f"originals/{image_id}")
    return by_hand.keys("AssetsBucketName", f"i/{image_id}/") == originals == []


def test_an_event_told_twice_and_again_later_makes_one_image_once(by_hand, mark):
    image_id, arrival = by_hand.posted(pictures.jpeg(300, 200), tags=mark)
    again = message(arrival["body"])
    assert by_hand.hands.give(arrival, again) == []
    image = by_hand.image(image_id)
    assert by_hand.is_whole(image_id, mark)
    made = by_hand.stores.count("PUT", image_id)
    assert made == len(by_hand.keys("AssetsBucketName", f"i/{image_id}/"))
    assert by_hand.hands.give(message(arrival["body"]), tries=3) == []
    assert by_hand.image(image_id) == image
    assert by_hand.stores.count("PUT", image_id) == made
    assert by_hand.hands.nothing_comes()
    assert by_hand.hands.buried() == []


def test_an_arrival_that_comes_after_the_deletion_brings_nothing_back(by_hand, mark):
    image_id, arrival = by_hand.posted(pictures.jpeg(300, 200), tags=mark)
    assert by_hand.client.delete(f"/v1/images/{image_id}").status_code == 204
    assert by_hand.hands.counts() == (0, 1)
    assert by_hand.hands.give(message(ImageDeleted(image_id=image_id))) == []
    assert by_hand.hands.give(arrival) == []
    assert by_hand.client.get(f"/v1/images/{image_id}").status_code == 404
    assert nothing_is_left(by_hand, image_id)
    assert shows_default(by_hand.client.get(f"/i/{image_id}/small.jpg"), "missing")


def test_an_arrival_that_comes_before_the_deletion_it_lost_the_race_to_ends_the_same(by_hand, mark):
    image_id, arrival = by_hand.posted(pictures.jpeg(300, 200), tags=mark)
    assert by_hand.client.delete(f"/v1/images/{image_id}").status_code == 204
    deletion = ImageDeleted(image_id=image_id)
    assert by_hand.hands.give(arrival, message(deletion), message(deletion)) == []
    assert nothing_is_left(by_hand, image_id)
    assert by_hand.client.get("/v1/images", params={"tag": mark}).json()["items"] == []


def test_an_image_deleted_while_its_variants_are_put_leaves_none_of_them(by_hand, mark):
    image_id, arrival = by_hand.posted(pictures.jpeg(300, 200), tags=mark)

    def deleting(asked, forward):
        answer = forward()
        assert by_hand.client.delete(f"/v1/images/{image_id}").status_code == 204
        return answer

    by_hand.stores.on("PUT", deleting, key=image_id, times=1, skip=2)
    assert by_hand.hands.give(arrival) == []
    assert by_hand.stores.count("PUT", image_id) > 3
    assert nothing_is_left(by_hand, image_id)
    assert by_hand.client.get(f"/v1/images/{image_id}").status_code == 404


def test_events_of_two_arrivals_of_one_image_in_the_wrong_order_leave_the_first_bytes(by_hand, mark):
    """A ticket that is used again after the original has gone: what S3 tells of it may come first."""
    body = pictures.jpeg(300, 200)
    ticket = by_hand.client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(body), "tags": [mark]}).json()
    assert by_hand.client.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
    first = by_hand.hands.take_of(ticket["id"])
    assert by_hand.hands.give(first) == []
    image = by_hand.image(ticket["id"])
    assert by_hand.client.put(ticket["url"], content=body[::-1], headers=ticket["headers"]).status_code == 200
    second = by_hand.hands.take_of(ticket["id"])
    assert events_of(first) != events_of(second)
    assert by_hand.hands.give(second, message(first["body"])) == []
    assert by_hand.image(ticket["id"]) == image
    assert by_hand.is_whole(ticket["id"], mark)
    assert by_hand.keys("UploadBucketName", f"originals/{ticket['id']}") == []


def test_the_test_of_a_new_subscription_is_nothing_to_work_on(by_hand):
    told = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": by_hand.deployed.outputs["UploadBucketName"]}
    envelope = {"Type": "Notification", "MessageId": "1", "Message": json.dumps(told)}
    assert by_hand.hands.give(message(json.dumps(envelope)), message(json.dumps(told))) == []
    assert by_hand.hands.buried() == []


@pytest.mark.parametrize("key", ["originals/my photo + ä (1).jpg", "originals/no-id", "originals/deeper/still/x.jpg"])
def test_an_object_under_a_key_that_is_none_of_ours_is_left_alone_and_said(by_hand, key):
    s3, bucket = by_hand.deployed.stack._clients("s3"), by_hand.deployed.outputs["UploadBucketName"]
    s3.put_object(Bucket=bucket, Key=key, Body=pictures.jpeg(30, 20))
    (arrival,) = by_hand.hands.take()
    assert " " not in json.loads(arrival["body"])["Message"].partition('"key"')[2].partition(",")[0].strip(': "')
    (event,) = events_of(arrival)
    assert event.key == key
    assert by_hand.hands.give(arrival) == []
    assert by_hand.hands.nothing_comes()
    assert by_hand.hands.buried() == []
    assert s3.head_object(Bucket=bucket, Key=key)
    s3.delete_object(Bucket=bucket, Key=key)


def test_an_object_of_an_image_nobody_has_opened_is_left_to_the_sweep(by_hand):
    stranger = "01k3v9m0c4qdhsyx7g6e8rb2tz"
    s3, bucket = by_hand.deployed.stack._clients("s3"), by_hand.deployed.outputs["UploadBucketName"]
    s3.put_object(Bucket=bucket, Key=f"originals/{stranger}", Body=pictures.jpeg(30, 20))
    assert by_hand.hands.give(by_hand.hands.take_of(stranger)) == []
    assert by_hand.keys("AssetsBucketName", f"i/{stranger}/") == []
    assert by_hand.client.get(f"/v1/images/{stranger}").status_code == 404
    assert by_hand.keys("UploadBucketName", f"originals/{stranger}") != []
    s3.delete_object(Bucket=bucket, Key=f"originals/{stranger}")


def test_an_empty_object_fails_with_the_reason(by_hand, mark):
    """No door takes one; but whoever may write to the bucket may put one."""
    opened = by_hand.client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": 10, "tags": [mark]}).json()
    s3, bucket = by_hand.deployed.stack._clients("s3"), by_hand.deployed.outputs["UploadBucketName"]
    s3.put_object(Bucket=bucket, Key=f"originals/{opened['id']}", Body=b"")
    assert by_hand.hands.give(by_hand.hands.take_of(opened["id"])) == []
    image = by_hand.image(opened["id"])
    assert image["state"] == "failed"
    assert image["error"]["code"] in {"unsupported-format", "unreadable-image"}
    assert by_hand.is_unseen(opened["id"], mark)


@pytest.mark.parametrize("body", ["hello", '{"Records": [{}]}', '{"kind": "object-created", "event": {"key": 7}}'])
def test_a_message_nobody_should_have_sent_is_set_aside_with_the_reason_and_holds_up_nobody(by_hand, mark, body):
    image_id, arrival = by_hand.posted(pictures.jpeg(60, 40), tags=mark)
    assert by_hand.hands.give(message(body), arrival) == []
    assert by_hand.image(image_id)["state"] == "ready"
    (dead,) = by_hand.hands.buried()
    assert dead["body"] == body
    assert "neither an event nor a notification of S3" in attribute(dead, REASON)


def test_events_of_a_later_release_and_of_another_queue_are_left_alone(by_hand):
    later = json.dumps({"kind": "image-shared", "event": {"with": "all"}})
    assert by_hand.hands.give(message(later)) == []
    assert by_hand.hands.buried() == []


def test_lambda_itself_takes_what_came_in_one_go_and_every_image_becomes_ready(by_hand, mark):
    by_hand.hands.lambda_takes(yes=True)
    try:
        ids = set()
        for number in range(5):
            body = pictures.jpeg(60 + number, 40)
            answer = by_hand.client.post("/v1/images", files={"file": ("a.jpg", body)}, data={"tags": mark})
            ids.add(answer.json()["id"])

        def all_ready():
            found = by_hand.client.get("/v1/images", params={"tag": mark, "limit": 50}).json()["items"]
            return {each["id"] for each in found if each["state"] == "ready"} == ids

        eventually(all_ready, seconds=60, what="all of them being ready")
        eventually(by_hand.hands.nothing_comes, what="an empty queue")
        assert by_hand.hands.buried() == []
    finally:
        by_hand.hands.lambda_takes(yes=False)


def test_what_is_told_of_an_image_by_several_kinds_of_event_in_one_batch_is_done(by_hand, mark):
    image_id, arrival = by_hand.posted(pictures.jpeg(60, 40), tags=mark)
    stale = message(ObjectCreated(key=f"originals/{image_id}", etag="another"))
    purge = message(EdgePurge(image_id=image_id, names=("small.jpg",)))
    gone = message(ImageDeleted(image_id="01k3v9m0c4qdhsyx7g6e8rb2tz"))
    assert by_hand.hands.give(gone, arrival, stale, purge) == []
    assert by_hand.is_whole(image_id, mark)
    assert by_hand.hands.buried() == []
