"""What the messages of a queue on AWS mean: arrivals that S3 tells of, by way of SNS or not, and events of our own.

S3 to SNS to SQS: a message's body is an envelope of SNS whose ``Message`` is a notification of S3 (both JSON), unless
the subscription delivers raw. https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from darkroom.events import ObjectCreated
from darkroom.events.documents import KINDS, from_document, to_document

if TYPE_CHECKING:
    from darkroom.events import Event

_CREATED = "ObjectCreated:"
"""Put, Post, Copy and CompleteMultipartUpload: however an object has come."""


def to_message(event: Event) -> str:
    """Return the body of a message that says what ``event`` says."""
    kind, document = to_document(event)
    return json.dumps({"kind": kind, "event": document})


def from_message(body: str) -> tuple[Event, ...]:
    """Return the events that a message tells of: none for S3's test of a new subscription, and for what is no arrival.

    Raises ``ValueError`` for a message that nobody should have sent.
    """
    try:
        told = json.loads(body)
        if told.get("Type") == "Notification":
            told = json.loads(told["Message"])
        if "kind" in told:
            return (from_document(told["kind"], told["event"]),) if told["kind"] in KINDS else ()
        if told.get("Event") == "s3:TestEvent":
            return ()
        return tuple(
            _arrival(record["s3"]["object"])
            for record in told["Records"]
            if record["eventSource"] == "aws:s3" and record["eventName"].removeprefix("s3:").startswith(_CREATED)
        )
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        msg = f"a message that is neither an event nor a notification of S3: {body[:200]!r}"
        raise ValueError(msg) from error


def _arrival(told: dict[str, Any]) -> ObjectCreated:
    # Keys come as in a form: spaces as plus signs, and what is not ASCII escaped.
    return ObjectCreated(key=unquote_plus(str(told["key"])), etag=str(told["eTag"]).strip('"'))
