"""Every permission of the stack's roles, and what ends when it is taken away: a flow, or a rule of the contract.

A flow is a function that does on a deployed stack what somebody would, and asserts what they would notice. Run as a
program, this writes the table in ``docs/deploy-aws.md``.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.exceptions

import pictures
from darkroom import names
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.catalog.dynamodb_entries import new_writer
from darkroom.catalog.dynamodb_usage import NOTES_KEPT
from darkroom.events import EdgePurge, ImageDeleted, ObjectCreated
from darkroom.model import Original, Parts, Shelved, State
from flows_on_demand import (
    delete_made,
    make_changed,
    renew_secrets,
    see,
    see_changed,
    see_early,
    see_later,
    see_whole,
    sweep_unused,
)
from hands import message
from libraries import image as invented
from patience import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx

    from between import Between
    from deployed import Deployed
    from hands import Hands, Record

    Flow = Callable[["Stage"], None]

PAGE = Path(__file__).parents[2] / "docs" / "deploy-aws.md"
BEGIN, END = "<!-- permissions: written by `make docs` -->\n", "<!-- end of permissions -->\n"
NOBODY = "01k3v9m0c4qdhsyx7g6e8rb2tz"
LONG_AGO = timedelta(days=400)
GOES_OUT = 10.0
"""Seconds within which a message that is to come back in two has."""


@dataclass
class Stage:
    """A stack that archives originals, whose messages are handed over, and what an operator and a stranger see."""

    deployed: Deployed
    client: httpx.Client
    hands: Hands
    table: Between
    """What lies between the transform function and the table."""

    # ------------------------------------------------------------------ what people do

    def posted(self) -> tuple[str, Record]:
        """Upload, and return the id and the message of the arrival."""
        answer = self.client.post("/v1/images", files={"file": ("a.jpg", pictures.jpeg(60, 40))})
        assert answer.status_code == 202, answer.text
        image_id = str(answer.json()["id"])
        return image_id, self.hands.take_of(image_id)

    def ready(self) -> str:
        """Upload a picture and have it made ready; return its id."""
        image_id, arrival = self.posted()
        assert self.hands.give(arrival) == []
        assert self.state(image_id) == "ready"
        return image_id

    def asked(self, method: str, path: str, **given: Any) -> Any:
        """Ask the API for what has to work; return the answer's document, if it has one."""
        answer = self.client.request(method, path, **given)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def state(self, image_id: str) -> str:
        return str(self.asked("GET", f"/v1/images/{image_id}")["state"])

    # ------------------------------------------------------------------ what lies there

    def s3(self) -> Any:
        return self.deployed.stack._clients("s3")

    def bucket(self, key: str) -> str:
        is_public = key.startswith((names.ASSETS, names.DEFAULTS))
        return self.deployed.outputs["AssetsBucketName" if is_public else "UploadBucketName"]

    def keys(self, prefix: str) -> list[str]:
        found = self.s3().list_objects_v2(Bucket=self.bucket(prefix), Prefix=prefix)
        return [each["Key"] for each in found.get("Contents", [])]

    def opened(self) -> list[str]:
        """Return what of the upload bucket comes in parts and is not complete."""
        bucket = self.deployed.outputs["UploadBucketName"]
        return [each["Key"] for each in self.s3().list_multipart_uploads(Bucket=bucket).get("Uploads", [])]

    def put(self, key: str, body: bytes = b"planted") -> None:
        self.s3().put_object(Bucket=self.bucket(key), Key=key, Body=body)

    def remove(self, key: str) -> None:
        self.s3().delete_object(Bucket=self.bucket(key), Key=key)

    def counts_tag(self, word: str) -> bool:
        """Tell whether it is still counted how many images have a tag."""
        items = self.deployed.stack._clients("dynamodb").query(
            TableName=self.deployed.outputs["FilesTableName"],
            KeyConditionExpression="pk = :pk AND sk = :sk",
            ExpressionAttributeValues={":pk": {"S": "l#local#tag"}, ":sk": {"S": word}},
            ConsistentRead=True,
        )["Items"]
        return bool(items)

    @contextmanager
    def catalog(self) -> Iterator[DynamoCatalog]:
        """Give the catalog as its operator has it."""
        table = self.deployed.outputs["FilesTableName"]
        with closing(DynamoCatalog(self.deployed.stack._clients("dynamodb"), table)) as catalog:
            yield catalog

    def planted(self, **members: Any) -> str:
        """Put an image into the catalog that was begun long ago; return its id."""
        then = datetime.now(UTC) - LONG_AGO
        image_id = names.new_id(then, secrets.token_bytes(names.RANDOM_BYTES))
        one = dataclasses.replace(invented(0), id=image_id, owner="local", uploaded_at=then, **members)
        with self.catalog() as catalog:
            catalog.create(one)
        return image_id

    @property
    def refused(self) -> type[Exception]:
        """What a client of AWS raises."""
        return botocore.exceptions.ClientError

    def leave_purges_alone(self) -> None:
        """Have nobody take purges off their queue."""
        client = self.deployed.stack._clients("lambda")
        found = client.list_event_source_mappings(FunctionName=self.deployed.resource("PurgeFunction"))
        for each in found["EventSourceMappings"]:
            client.update_event_source_mapping(UUID=each["UUID"], Enabled=False)

    def leave_notes(self) -> None:
        """Leave behind what functions leave that die between counting an image and writing it."""
        dynamodb = self.deployed.stack._clients("dynamodb")
        for number in range(NOTES_KEPT + 1):
            dynamodb.update_item(
                TableName=self.deployed.outputs["FilesTableName"],
                Key={"pk": {"S": "u#local"}, "sk": {"S": "usage"}},
                UpdateExpression="SET #n = :n ADD counted_images :one",
                ExpressionAttributeNames={"#n": f"p#{new_writer(0.0)}{number}"},
                ExpressionAttributeValues={":n": {"S": f"{NOBODY} 1 1 0 0"}, ":one": {"N": "1"}},
            )

    def sweeps(self) -> None:
        self.deployed.invoke("SweepFunctionName", {})

    def purge_queue(self) -> str:
        return self.deployed.resource("PurgeQueue")

    def purging(self) -> list[str]:
        """Return the images whose purges wait, and take them off the queue."""
        sqs, found = self.deployed.stack._clients("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self.purge_queue(), MaxNumberOfMessages=10).get("Messages"):
            for each in messages:
                found.append(json.loads(each["Body"])["event"]["image_id"])
                sqs.delete_message(QueueUrl=self.purge_queue(), ReceiptHandle=each["ReceiptHandle"])
        return found

    # ------------------------------------------------------------------ what is taken away

    @contextmanager
    def without(self, role: str, policy: str, permission: str | None = None) -> Iterator[None]:
        """Take a policy away from a role, or one permission from the policy, until the end of the ``with``."""
        iam, name = self.deployed.stack._clients("iam"), self.deployed.resource(role)
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        changed = lacking(document, permission)
        assert len(changed["Statement"]) < len(each_of(document["Statement"])), f"{role} {policy} has no {permission}"
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
        if changed["Statement"]:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(changed))
        try:
            yield
        finally:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(document))


def each_of(statement: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return every action of a statement with every resource it is allowed on."""
    actions, resources = statement["Action"], statement["Resource"]
    return [
        (action, resource)
        for action in (actions if isinstance(actions, list) else [actions])
        for resource in (resources if isinstance(resources, list) else [resources])
    ]


def lacking(document: dict[str, Any], permission: str | None) -> dict[str, Any]:
    """Return a policy without one of its permissions, or without any."""
    statement = document["Statement"]
    left = [
        {"Effect": "Allow", "Action": action, "Resource": resource}
        for action, resource in each_of(statement)
        if permission is not None and permission_of(statement, (action, resource)) != permission
    ]
    return document | {"Statement": left}


def permission_of(statement: dict[str, Any], one: tuple[str, Any]) -> str:
    """Return a permission by its name here: its action, and of several prefixes of a bucket which."""
    action, resource = one
    if not isinstance(statement["Resource"], list):
        return action
    text = resource["Fn::Sub"] if isinstance(resource, dict) else str(resource)
    return f"{action} {text.partition('/')[2]}"


# ------------------------------------------------------------------ the API


def upload(stage: Stage) -> None:
    """upload a small file"""
    image_id, arrival = stage.posted()
    assert arrival
    assert stage.state(image_id) == "processing"
    found = stage.asked("GET", "/v1/images", params={"state": "processing"})["items"]
    assert image_id in {one["id"] for one in found}


def upload_by_ticket(stage: Stage) -> None:
    """upload by a ticket"""
    body = pictures.jpeg(60, 40)
    ticket = stage.asked("POST", "/v1/uploads", json={"filename": "a.jpg", "bytes": len(body)})
    assert stage.client.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
    stage.hands.take_of(ticket["id"])


def _in_parts(stage: Stage) -> str:
    """Open an upload in parts; return the image's id."""
    ticket = stage.asked("POST", "/v1/uploads", json={"filename": "a.jpg", "bytes": 20_000_000})
    assert len(ticket["parts"]) > 1
    return str(ticket["id"])


def go_on_with_parts(stage: Stage) -> None:
    """go on with an upload in parts"""
    ticket = stage.asked("GET", f"/v1/uploads/{_in_parts(stage)}")
    assert ticket["received"] == []


def delete_parts(stage: Stage) -> None:
    """delete an image of which only parts are there"""
    image_id = _in_parts(stage)
    stage.asked("DELETE", f"/v1/images/{image_id}")
    assert f"originals/{image_id}" not in stage.opened()
    stage.hands.clear()


def search(stage: Stage) -> None:
    """search"""
    assert "items" in stage.asked("GET", "/v1/images")


def download(stage: Stage) -> None:
    """fetch an original, before and after it went to the archive"""
    image_id, arrival = stage.posted()
    assert stage.client.get(f"/v1/images/{image_id}/original").status_code == 200
    assert stage.hands.give(arrival) == []
    assert stage.client.get(f"/v1/images/{image_id}/original").status_code == 200


def download_of_nothing(stage: Stage) -> None:
    """be told that an original is gone"""
    image_id = stage.ready()
    stage.remove(f"archive/{image_id}")
    assert stage.client.get(f"/v1/images/{image_id}/original").status_code in {404, 409}


def tag(stage: Stage) -> None:
    """tag, and take the tag away again"""
    image_id, word = stage.ready(), f"t{secrets.token_hex(4)}"
    stage.asked("PATCH", f"/v1/images/{image_id}", json={"add_tags": [word]})
    assert stage.asked("GET", "/v1/images", params={"tag": word})["items"]
    stage.asked("PATCH", f"/v1/images/{image_id}", json={"tags": []})
    assert not stage.asked("GET", "/v1/images", params={"tag": word})["items"]
    assert not stage.counts_tag(word)


def delete(stage: Stage) -> None:
    """delete an image"""
    image_id = stage.ready()
    stage.purging()
    stage.asked("DELETE", f"/v1/images/{image_id}")
    assert stage.keys(f"i/{image_id}/") == stage.keys(f"archive/{image_id}") == []
    assert stage.purging() == [image_id]
    assert stage.hands.counts() == (0, 1), "nobody looks a second time"
    stage.hands.clear()


def delete_early(stage: Stage) -> None:
    """delete an image that is not made yet"""
    image_id, _ = stage.posted()
    stage.asked("DELETE", f"/v1/images/{image_id}")
    assert stage.keys(f"originals/{image_id}") == []
    stage.hands.clear()


def reprocess(stage: Stage) -> None:
    """have an image made anew"""
    image_id = stage.ready()
    stage.asked("POST", f"/v1/images/{image_id}/reprocess")
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.state(image_id) == "ready"


def reprocess_from_rendition(stage: Stage) -> None:
    """have an image made anew whose original is lost"""
    image_id = stage.ready()
    stage.remove(f"archive/{image_id}")
    stage.asked("POST", f"/v1/images/{image_id}/reprocess", params={"from": "rendition"})
    assert stage.hands.give(stage.hands.take_of(image_id)) == []
    assert stage.state(image_id) == "ready"


def reprocess_from_nothing(stage: Stage) -> None:
    """be told that there is nothing left to make an image from"""
    image_id = stage.ready()
    stage.remove(f"archive/{image_id}")
    for key in stage.keys(f"i/{image_id}/"):
        stage.remove(key)
    answer = stage.client.post(f"/v1/images/{image_id}/reprocess", params={"from": "rendition"})
    assert answer.status_code == 409, answer.text


def keys(stage: Stage) -> None:
    """make a key, use it, list keys and take it back"""
    made = stage.asked("POST", "/v1/keys", json={"owner": "local", "name": "k", "scopes": ["read"]})
    with stage.deployed.client(made["key"]) as client:
        assert client.get("/v1/images").status_code == 200
    listed = stage.asked("GET", "/v1/keys")["items"]
    assert made["id"] in {one["id"] for one in listed}
    stage.asked("DELETE", f"/v1/keys/{made['id']}")


def rate(stage: Stage) -> None:
    """be held to a key's own rate"""
    asked = {"owner": "local", "name": "k", "scopes": ["read"], "rate": {"per_second": 0.1, "burst": 1}}
    made = stage.asked("POST", "/v1/keys", json=asked)
    with stage.deployed.client(made["key"]) as client:
        assert [client.get("/v1/images").status_code for _ in range(2)] == [200, 429]


def be_healthy(stage: Stage) -> None:
    """say that everything is well"""
    assert stage.client.get("/healthz").status_code == 200


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
    image_id = _in_parts(stage)
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
    while stage.hands.counts()[0]:
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
    stage.leave_notes()
    sweep_expired(stage)


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


LAMBDA_READS = "event_sources_can_work"
LAMBDA_LOGS = "functions_can_write_their_logs"
OF_THE_SWEEP = "test_the_sweep_may_remove_whatever_it_may_find"

LISTS = "readers_are_told_what_is_not_there"
TAGS = "results_are_tagged"
SELDOM = "what_is_seldom_done_is_allowed"

Needed = dict[str, "Flow | str"]

NEEDED: dict[tuple[str, str], Needed] = {
    ("ApiRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("ApiRole", "ReadImages"): {
        "dynamodb:GetItem": upload,
        "dynamodb:BatchGetItem": search,
        "dynamodb:Query": search,
    },
    ("ApiRole", "WriteImages"): {
        "dynamodb:PutItem": upload,
        "dynamodb:UpdateItem": upload,
        "dynamodb:DeleteItem": tag,
        "dynamodb:BatchWriteItem": upload,
    },
    ("ApiRole", "ReadResults"): {"dynamodb:Query": delete},
    ("ApiRole", "WriteResults"): {"dynamodb:UpdateItem": delete_made, "dynamodb:BatchWriteItem": delete_made},
    ("ApiRole", "ReadSigningSecrets"): {"dynamodb:Query": see},
    ("ApiRole", "WriteSigningSecrets"): {"dynamodb:PutItem": renew_secrets, "dynamodb:DeleteItem": renew_secrets},
    ("ApiRole", "PublishSecrets"): {"lambda:InvokeFunction": renew_secrets},
    ("ApiRole", "ReadKeys"): {"dynamodb:GetItem": search, "dynamodb:BatchGetItem": keys, "dynamodb:Query": keys},
    ("ApiRole", "WriteKeys"): {
        "dynamodb:PutItem": keys,
        "dynamodb:UpdateItem": rate,
        "dynamodb:DeleteItem": keys,
        "dynamodb:BatchWriteItem": keys,
    },
    ("ApiRole", "PutOriginals"): {
        "s3:PutObject originals/*": upload_by_ticket,
        "s3:PutObject archive/*": reprocess_from_rendition,
    },
    ("ApiRole", "ListParts"): {"s3:ListMultipartUploadParts": go_on_with_parts},
    ("ApiRole", "AbortParts"): {"s3:AbortMultipartUpload": delete_parts},
    ("ApiRole", "ReadOriginals"): {"s3:GetObject originals/*": download, "s3:GetObject archive/*": download},
    ("ApiRole", "ListOriginals"): {"s3:ListBucket": be_healthy},
    ("ApiRole", "DeleteOriginals"): {
        "s3:DeleteObject originals/*": delete_early,
        "s3:DeleteObject archive/*": delete,
    },
    ("ApiRole", "ReadVariants"): {"s3:GetObject": reprocess_from_rendition},
    ("ApiRole", "ListVariants"): {"s3:ListBucket": be_healthy},
    ("ApiRole", "DeleteVariants"): {"s3:DeleteObject": delete},
    ("ApiRole", "SendEvents"): {"sqs:SendMessage": reprocess},
    ("ApiRole", "SendPurges"): {"sqs:SendMessage": delete},
    ("TransformRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("TransformRole", "ReceiveEvents"): {
        "sqs:ReceiveMessage": LAMBDA_READS,
        "sqs:DeleteMessage": LAMBDA_READS,
        "sqs:GetQueueAttributes": LAMBDA_READS,
        "sqs:ChangeMessageVisibility": come_again,
    },
    ("TransformRole", "ReadImages"): {
        "dynamodb:GetItem": arrive,
        "dynamodb:BatchGetItem": arrive_after_crashes,
        "dynamodb:Query": job,
    },
    ("TransformRole", "WriteImages"): {
        "dynamodb:PutItem": arrive,
        "dynamodb:UpdateItem": arrive,
        "dynamodb:DeleteItem": job,
        "dynamodb:BatchWriteItem": arrive,
    },
    ("TransformRole", "ReadResults"): {"dynamodb:GetItem": see_later, "dynamodb:Query": erase},
    ("TransformRole", "WriteResults"): {
        "dynamodb:UpdateItem": see_later,
        "dynamodb:DeleteItem": make_changed,
        "dynamodb:BatchWriteItem": see_later,
    },
    ("TransformRole", "ReadOriginals"): {"s3:GetObject originals/*": arrive, "s3:GetObject archive/*": reprocess},
    ("TransformRole", "ListOriginals"): {"s3:ListBucket": give_up},
    ("TransformRole", "ArchiveOriginals"): {"s3:PutObject": arrive},
    ("TransformRole", "DeleteOriginals"): {"s3:DeleteObject originals/*": arrive, "s3:DeleteObject archive/*": erase},
    ("TransformRole", "AbortParts"): {"s3:AbortMultipartUpload": erase_parts},
    ("TransformRole", "ReadVariants"): {"s3:GetObject i/*": cross, "s3:GetObject default/*": make_defaults},
    ("TransformRole", "ListVariants"): {"s3:ListBucket": give_up},
    ("TransformRole", "PutVariants"): {"s3:PutObject i/*": arrive, "s3:PutObject default/*": make_defaults},
    ("TransformRole", "TagResults"): {"s3:PutObjectTagging": TAGS},
    ("TransformRole", "DeleteVariants"): {"s3:DeleteObject i/*": erase, "s3:DeleteObject default/*": make_defaults},
    ("TransformRole", "SendEvents"): {"sqs:SendMessage": go_on_trying},
    ("TransformRole", "BuryEvents"): {"sqs:SendMessage": set_aside},
    ("TransformRole", "CountDeadLetters"): {"sqs:GetQueueAttributes": job_of_renders},
    ("TransformRole", "SendPurges"): {"sqs:SendMessage": erase},
    ("SweepRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("SweepRole", "ReadImages"): {
        "dynamodb:GetItem": sweep_expired,
        "dynamodb:BatchGetItem": sweep_after_crashes,
        "dynamodb:Query": sweep_expired,
    },
    ("SweepRole", "WriteImages"): {
        "dynamodb:PutItem": sweep_missing,
        "dynamodb:UpdateItem": sweep_expired,
        "dynamodb:DeleteItem": sweep_expired,
        "dynamodb:BatchWriteItem": sweep_lost_original,
    },
    ("SweepRole", "ReadResults"): {
        "dynamodb:GetItem": SELDOM,
        "dynamodb:BatchGetItem": sweep_unused,
        "dynamodb:Query": sweep_unused,
    },
    ("SweepRole", "WriteResults"): {"dynamodb:DeleteItem": sweep_unused, "dynamodb:BatchWriteItem": sweep_unused},
    ("SweepRole", "ReadOriginals"): {
        "s3:GetObject originals/*": sweep_lost_original,
        "s3:GetObject archive/*": sweep_lost_original,
    },
    ("SweepRole", "ListOriginals"): {"s3:ListBucket": sweep_expired},
    ("SweepRole", "DeleteOriginals"): {
        "s3:DeleteObject originals/*": sweep_undeleted,
        "s3:DeleteObject archive/*": sweep_undeleted,
    },
    ("SweepRole", "AbortParts"): {"s3:AbortMultipartUpload": sweep_parts},
    ("SweepRole", "ReadDefaults"): {"s3:GetObject": sweep_expired},
    ("SweepRole", "ListVariants"): {"s3:ListBucket": sweep_expired},
    ("SweepRole", "DeleteVariants"): {
        "s3:DeleteObject i/*": sweep_undeleted,
        "s3:DeleteObject default/*": OF_THE_SWEEP,
    },
    ("SweepRole", "CountEvents"): {"sqs:GetQueueAttributes": sweep_expired},
    ("SweepRole", "SendEvents"): {"sqs:SendMessage": sweep_missing},
    ("SweepRole", "SendPurges"): {"sqs:SendMessage": sweep_undeleted},
    ("RenderRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("RenderRole", "ReadSigningSecrets"): {"dynamodb:Query": renew_secrets},
    ("RenderRole", "ReadImages"): {"dynamodb:GetItem": see},
    ("RenderRole", "ReadResults"): {"dynamodb:GetItem": see},
    ("RenderRole", "WriteResults"): {
        "dynamodb:UpdateItem": see,
        "dynamodb:DeleteItem": see_changed,
        "dynamodb:BatchWriteItem": see,
    },
    ("RenderRole", "ReadOriginals"): {"s3:GetObject originals/*": see_early, "s3:GetObject archive/*": see_whole},
    ("RenderRole", "ListOriginals"): {"s3:ListBucket": LISTS},
    ("RenderRole", "ReadVariants"): {"s3:GetObject": see},
    ("RenderRole", "ListVariants"): {"s3:ListBucket": LISTS},
    ("RenderRole", "PutResults"): {"s3:PutObject": see, "s3:PutObjectTagging": TAGS},
    ("RenderRole", "DeleteResults"): {"s3:DeleteObject": see_changed},
    ("RenderRole", "SendEvents"): {"sqs:SendMessage": see_later},
    ("SecretsRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("SecretsRole", "ReadSigningSecrets"): {"dynamodb:Query": renew_secrets},
    ("SecretsRole", "ReadEdge"): {
        "cloudfront-keyvaluestore:DescribeKeyValueStore": renew_secrets,
        "cloudfront-keyvaluestore:ListKeys": renew_secrets,
    },
    ("SecretsRole", "WriteEdge"): {"cloudfront-keyvaluestore:UpdateKeys": renew_secrets},
    ("PurgeRole", "WriteLogs"): {"logs:CreateLogStream": LAMBDA_LOGS, "logs:PutLogEvents": LAMBDA_LOGS},
    ("PurgeRole", "ReceivePurges"): {
        "sqs:ReceiveMessage": LAMBDA_READS,
        "sqs:DeleteMessage": LAMBDA_READS,
        "sqs:GetQueueAttributes": LAMBDA_READS,
        "sqs:ChangeMessageVisibility": purge_later,
    },
    ("PurgeRole", "Invalidate"): {"cloudfront:CreateInvalidation": purge},
}
"""What needs each permission: a flow that ends without it, or the rule of the contract that it breaks to lack it.

Lambda itself reads queues and writes logs with a function's role; S3 asks for a permission of its own for the tags that
come with an object, and for saying that one is not there. The emulator lets both do without.
"""

FLOWS: tuple[Flow, ...] = tuple(
    dict.fromkeys(flow for needed in NEEDED.values() for flow in needed.values() if not isinstance(flow, str))
)


def table() -> str:
    """Return the table of the document."""
    lines = ["| role | policy | permission | without it nobody can |", "|---|---|---|---|"]
    for (role, policy), needed in NEEDED.items():
        for permission, by in needed.items():
            ends = f"`{by}`" if isinstance(by, str) else str(by.__doc__)
            lines.append(f"| {role.removesuffix('Role')} | {policy} | `{permission}` | {ends} |")
    return "\n".join(lines) + "\n"


def written(page: str) -> str:
    """Return a page with the table as it has to be."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
