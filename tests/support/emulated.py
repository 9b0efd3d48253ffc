"""Things made in the AWS emulator for one test each, told apart by their names."""

from __future__ import annotations

import atexit
import json
import secrets
from functools import cache
from typing import TYPE_CHECKING, Any

from emulator import REGION

if TYPE_CHECKING:
    from emulator import Emulator


@cache
def s3_of(emulator: Emulator) -> Any:
    """Return a client for all who need one; making one takes as long as a hundred requests."""
    client = emulator.client("s3")
    atexit.register(client.close)
    return client


def new_bucket(emulator: Emulator, *, cors_origins: tuple[str, ...] = ()) -> str:
    """Make an empty bucket and return its name; pages of ``cors_origins`` may put into it."""
    name = f"bucket-{secrets.token_hex(8)}"
    s3 = s3_of(emulator)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    if cors_origins:
        rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": list(cors_origins), "AllowedHeaders": ["*"]}
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": [rule | {"ExposeHeaders": ["ETag"]}]})
    return name


@cache
def sqs_of(emulator: Emulator) -> Any:
    """As ``s3_of``, for SQS."""
    client = emulator.client("sqs")
    atexit.register(client.close)
    return client


def new_queue(emulator: Emulator, **attributes: str) -> str:
    """Make an empty queue and return its url."""
    made = sqs_of(emulator).create_queue(QueueName=f"queue-{secrets.token_hex(8)}", Attributes=attributes)
    return str(made["QueueUrl"])


def arn_of(emulator: Emulator, queue_url: str) -> str:
    """Return the name that policies know a queue by."""
    answer = sqs_of(emulator).get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def announcing(emulator: Emulator, bucket: str) -> str:
    """Have a bucket announce what arrives to a new queue, and return the queue's url."""
    url = new_queue(emulator)
    arn = arn_of(emulator, url)
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    sqs_of(emulator).set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    s3_of(emulator).put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    return url


def received(emulator: Emulator, queue_url: str, *, wait_seconds: int = 0) -> list[dict[str, Any]]:
    """Take all messages off a queue, for good."""
    sqs, taken = sqs_of(emulator), []
    while messages := sqs.receive_message(
        QueueUrl=queue_url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=wait_seconds,
        AttributeNames=["All"],
        MessageAttributeNames=["All"],
    ).get("Messages"):
        taken += messages
        for message in messages:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        wait_seconds = 0
    return taken
