"""What the transform function, the sweep and the purges of a deployed stack do, for the table of ``permissions.py``."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from darkroom.events import EdgePurge, ImageDeleted, ObjectCreated
from darkroom.model import Original, Parts, Shelved, State
from hands import message
from patience import eventually

if TYPE_CHECKING:
    from flow_stage import Stage
    from hands import Record

GOES_OUT = 10.0
"""Seconds within which a message that is to come back in two has."""

# ------------------------------------------------------------------ the transform function


def arrive(stage: Stage) -> None:
    """have an upload made ready and its original archived"""
    image_id = stage.ready()
    assert len(stage.keys(f"i/{image_id}/")) > 1
    assert (stage.keys(f"archive/{image_id}"), stage.keys(f"originals/{image_id}")) == ([f"archive/{image_id}"], [])


def arrive_after_crashes(stage: Stage) -> None:
    """have an upload made ready after others have died while they counted"""
    image_id, arrival = stage.posted()
    stage.leave_notes()
    assert stage.hands.give(arrival) == []
    assert stage.state(image_id) == "ready"


def erase(stage: Stage) -> None:
    """erase what came back after a deletion"""
    image_id = stage.ready()
    stage.asked("DELETE", f"/v1/images/{image_id}")
    stage.hands.clear()
    stage.purging()
    planted = [f"i/{image_id}/small.jpg", f"archive/{image_id}", f"originals/{image_id}"]
    for key in planted:
        stage.put(key)
    stage.hands.take_of(image_id)
    assert stage.hands.give(message(ImageDeleted(image_id=image_id))) == []
    assert [key for key in planted if key in stage.keys(key)] == []
    assert stage.purging() == [image_id]


def erase_parts(stage: Stage) -> None:
    """erase once more the parts of an image that was deleted"""
    image_id = stage.in_parts()
    stage.asked("DELETE", f"/v1/images/{image_id}")
    stage.hands.clear()
    assert stage.hands.give(message(ImageDeleted(image_id=image_id))) == []
    assert stage.hands.counts() == (0, 0), "it has to be tried again"


def make_defaults(stage: Stage) -> None:
    """make the default images, and remove those of other recipes"""
    key = "default/ledger.json"
    kept = json.loads(stage.s3().get_object(Bucket=stage.bucket(key), Key=key)["Body"].read())
    stage.put("default/stale.jpg")
    stage.put(
        key, json.dumps({"made_from": "another", "objects": kept["objects"] | {"default/stale.jpg": None}}).encode()
    )
    stage.deployed.make_defaults()
    assert "default/stale.jpg" not in stage.keys("default/")
    stage.remove(key)
    stage.deployed.make_defaults()
    again = json.loads(stage.s3().get_object(Bucket=stage.bucket(key), Key=key)["Body"].read())
    assert again == kept


def cross(stage: Stage) -> None:
    """set right that two functions made one image differently at the same time"""
    image_id, arrival = stage.posted()

    def overtaken(asked: Any, forward: Any) -> Any:
        with stage.catalog() as catalog:
            image = catalog.get(image_id)
            assert image is not None
            other = tuple(Shelved(name=one.name, checksum="0" * 8) for one in image.objects)
            done = dataclasses.replace(image, state=State.READY, objects=other, original=Original.KEPT)
            catalog.replace(done, version=image.version)
        return forward()

    stage.table.on("PutItem", overtaken, key="", times=1)
    try:
        assert stage.hands.give(arrival) == []
    finally:
        stage.table.heal()
    assert stage.state(image_id) == "processing"
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.state(image_id) == "ready"


def set_aside(stage: Stage) -> None:
    """set aside a message that nobody should have sent"""
    assert stage.hands.give(message("hello")) == []
    assert [each["body"] for each in stage.hands.buried()] == ["hello"]


def job(stage: Stage) -> None:
    """have a tag taken off all images of a search, by a job"""
    image_id, word = stage.ready(), f"t{secrets.token_hex(4)}"
    stage.asked("PATCH", f"/v1/images/{image_id}", json={"add_tags": [word]})
    begun = stage.asked("POST", "/v1/bulk", json={"action": "remove_tags", "tags": [word], "search": f"tag:{word}"})
    for _ in range(10):
        assert stage.hands.give(*stage.hands.take()) == []
        done = stage.asked("GET", f"/v1/jobs/{begun['id']}")
        if done["state"] not in {"counting", "running"}:
            break
    assert (done["state"], done["matched"], done["done"], done["failed"]) == ("done", 1, 1, 0)
    assert not stage.counts_tag(word)


def job_of_renders(stage: Stage) -> None:
    """have all images of a search made anew, by a job"""
    image_id, word = stage.ready(), f"t{secrets.token_hex(4)}"
    stage.asked("PATCH", f"/v1/images/{image_id}", json={"add_tags": [word]})
    begun = stage.asked("POST", "/v1/bulk", json={"action": "reprocess", "search": f"tag:{word}"})
    for _ in range(10):
        if stage.hands.nothing_comes():
            break
        assert stage.hands.give(*stage.hands.receive(stage.hands.queue)) == []
    done = stage.asked("GET", f"/v1/jobs/{begun['id']}")
    assert (done["state"], done["done"], stage.state(image_id)) == ("done", 1, "ready")


def come_again(stage: Stage) -> None:
    """try an event again soon that failed"""
    image_id, _ = stage.posted()
    gone = ObjectCreated(key=f"originals/{image_id}", etag="gone")
    stage.remove(gone.key)
    sqs = stage.deployed.stack._clients("sqs")
    sqs.send_message(QueueUrl=stage.hands.queue, MessageBody=message(gone)["body"])
    (record,) = stage.hands.take()
    assert stage.hands.give(record) == [record]
    until = time.monotonic() + GOES_OUT
    while stage.hands.counts() == (0, 0) and time.monotonic() < until:
        time.sleep(0.1)
    assert stage.hands.counts() == (1, 0), "it comes back in half an hour"
    stage.hands.clear()


def give_up(stage: Stage) -> None:
    """give up an image of which only the original cannot be read, and say so"""
    image_id, arrival = stage.posted()
    with stage.without("TransformRole", "ReadOriginals"):
        assert stage.hands.give(arrival, tries=5) == []
    assert stage.state(image_id) == "failed"
    assert len(stage.hands.buried()) == 1


def go_on_trying(stage: Stage) -> None:
    """go on trying to erase what cannot be erased yet"""
    image_id = stage.ready()
    stage.asked("DELETE", f"/v1/images/{image_id}")
    stage.hands.clear()
    with stage.without("TransformRole", "DeleteVariants"):
        assert stage.hands.give(message(ImageDeleted(image_id=image_id))) == []
    assert stage.hands.counts() == (0, 1)
    stage.hands.clear()


# ------------------------------------------------------------------ the sweep and the purges


def sweep_missing(stage: Stage) -> None:
    """find by a sweep that a variant is lost, and have it made anew"""
    image_id = stage.ready()
    stage.remove(f"i/{image_id}/small.jpg")
    stage.sweeps()
    assert stage.state(image_id) == "processing"
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.keys(f"i/{image_id}/small.jpg")


def sweep_lost_original(stage: Stage) -> None:
    """find by a sweep that an upload has got nothing to process"""
    image_id = stage.planted(state=State.PROCESSING, original=Original.KEPT, asked_at=None)
    stage.sweeps()
    assert stage.state(image_id) == "failed"


def sweep_expired(stage: Stage) -> None:
    """forget by a sweep an upload that never came"""
    image_id = stage.planted(state=State.AWAITING, promised_bytes=10, asked_at=None)
    stage.sweeps()
    assert stage.client.get(f"/v1/images/{image_id}").status_code == 404


def sweep_parts(stage: Stage) -> None:
    """forget by a sweep an upload of which only parts came"""
    until = datetime.now(UTC) - timedelta(days=10)
    parts = Parts(upload="long-gone", token="t", bytes=8_388_608, until=until)
    image_id = stage.planted(state=State.AWAITING, promised_bytes=20_000_000, asked_at=None, parts=parts)
    stage.sweeps()
    assert stage.client.get(f"/v1/images/{image_id}").status_code == 404


def sweep_after_crashes(stage: Stage) -> None:
    """forget by a sweep an upload that never came, after others have died while they counted"""
    image_id = stage.planted(state=State.AWAITING, promised_bytes=10, asked_at=None)
    stage.leave_notes()  # after that: who plants it looks at notes, too
    stage.sweeps()
    assert stage.client.get(f"/v1/images/{image_id}").status_code == 404


def sweep_undeleted(stage: Stage) -> None:
    """remove by a sweep what is left of a deleted image"""
    then = datetime.now(UTC) - timedelta(days=10)
    image_id = stage.planted(state=State.DELETED, original=Original.DELETED, deleted_at=then)
    planted = [f"i/{image_id}/small.jpg", f"archive/{image_id}", f"originals/{image_id}"]
    for key in planted:
        stage.put(key)
    stage.purging()
    stage.sweeps()
    assert [key for key in planted if stage.keys(key)] == []
    assert image_id in stage.purging()


def purge(stage: Stage) -> None:
    """have CloudFront forget an image"""
    record = message(EdgePurge(image_id=stage.ready(), names=()))
    assert _purge(stage, record) == []
    cloudfront = stage.deployed.stack._clients("cloudfront")
    found = cloudfront.list_invalidations(DistributionId=stage.deployed.resource("CloudFrontDistribution"))
    assert found["InvalidationList"]["Quantity"] > 0


def purge_later(stage: Stage) -> None:
    """have CloudFront asked again soon when it is busy"""
    sqs = stage.deployed.stack._clients("sqs")
    sqs.purge_queue(QueueUrl=stage.purge_queue())
    sqs.send_message(QueueUrl=stage.purge_queue(), MessageBody=message(EdgePurge(image_id="x", names=()))["body"])
    (record,) = [*eventually(lambda: stage.hands.receive(stage.purge_queue()), what="the purge")]
    with stage.without("PurgeRole", "Invalidate"):
        assert _purge(stage, record) == [record["messageId"]]
    sqs.purge_queue(QueueUrl=stage.purge_queue())


def _purge(stage: Stage, record: Record) -> list[str]:
    client = stage.deployed.stack._clients("lambda")
    answer = client.invoke(
        FunctionName=stage.deployed.resource("PurgeFunction"), Payload=json.dumps({"Records": [record]}).encode()
    )
    told = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, told
    return [each["itemIdentifier"] for each in told["batchItemFailures"]]
