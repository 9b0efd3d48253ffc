"""A deployed stack as the flows of ``permissions.py`` have it, and how a permission is taken away from it."""

from __future__ import annotations

import dataclasses
import json
import secrets
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import botocore.exceptions

import pictures
from darkroom import names
from darkroom.catalog.dynamodb import DynamoCatalog
from darkroom.catalog.dynamodb_entries import new_writer
from darkroom.catalog.dynamodb_usage import NOTES_KEPT
from libraries import image as invented

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from between import Between
    from deployed import Deployed
    from hands import Hands, Record

NOBODY = "01k3v9m0c4qdhsyx7g6e8rb2tz"
LONG_AGO = timedelta(days=400)


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

    def in_parts(self) -> str:
        """Open an upload in parts; return the image's id."""
        ticket = self.asked("POST", "/v1/uploads", json={"filename": "a.jpg", "bytes": 20_000_000})
        assert len(ticket["parts"]) > 1
        return str(ticket["id"])

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
