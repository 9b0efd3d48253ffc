"""What Lambda does between the queue and the transform function, done by hand: any messages, in any order and batch."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from darkroom.events.sns import from_message, to_message
from patience import eventually

if TYPE_CHECKING:
    from darkroom.events import Event
    from deployed import Deployed

Record = dict[str, Any]
"""A message as Lambda's event source gives it to a function."""

FUNCTION = "TransformFunctionName"
_NO_RECEIPT = "none"


class Hands:
    """Takes messages off the stack's queue, in the place of Lambda, which is told to leave them alone."""

    def __init__(self, deployed: Deployed) -> None:
        self._deployed = deployed
        self._sqs = deployed.stack._clients("sqs")
        self._lambda = deployed.stack._clients("lambda")
        self.queue = deployed.outputs["TransformQueueUrl"]
        self.dead = deployed.outputs["DeadLetterQueueUrl"]
        self.lambda_takes(yes=False)

    def lambda_takes(self, *, yes: bool) -> None:
        """Let Lambda take messages itself, or no more."""
        found = self._lambda.list_event_source_mappings(FunctionName=self._deployed.outputs[FUNCTION])
        for each in found["EventSourceMappings"]:
            self._lambda.update_event_source_mapping(UUID=each["UUID"], Enabled=yes)

    # ------------------------------------------------------------------ messages

    def take(self, count: int = 1) -> list[Record]:
        """Take so many messages off the queue, as soon as they are there."""
        taken: list[Record] = []

        def look() -> bool:
            taken.extend(self.receive(self.queue))
            return len(taken) >= count

        eventually(look, what=f"{count} messages")
        assert len(taken) == count, [each["body"] for each in taken]
        return taken

    def take_of(self, image_id: str) -> Record:
        """Take the one message there is about an image, and see that there is no other."""
        (record,) = self.take()
        assert image_id in record["body"]
        return record

    def nothing_comes(self) -> bool:
        """Tell whether the queue has nothing to give out, now or later."""
        return self.counts() == (0, 0)

    def counts(self) -> tuple[int, int]:
        """Return how many messages wait for somebody to take them, and how many for their time."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"]
        found = self._sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)["Attributes"]
        waiting, delayed = (int(found[name]) for name in names)
        return waiting, delayed

    def buried(self) -> list[Record]:
        """Take everything out of the dead-letter queue, for good."""
        found = []
        while records := self.receive(self.dead):
            found += records
            for each in records:
                self._sqs.delete_message(QueueUrl=self.dead, ReceiptHandle=each["receiptHandle"])
        return found

    def clear(self) -> None:
        """Have nothing left over in either queue."""
        for queue in (self.queue, self.dead):
            self._sqs.purge_queue(QueueUrl=queue)

    def receive(self, queue: str) -> list[Record]:
        """Take some messages off a queue of the stack, if there are any."""
        answer = self._sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"]
        )
        return [_record(message) for message in answer.get("Messages", ())]

    # ------------------------------------------------------------------ the function

    def give(self, *records: Record, tries: int | None = None) -> list[Record]:
        """Have the function work on a batch; what it does not name is removed. Return what it names.

        With ``tries``, it is told that the messages have been given out so often.
        """
        told, error = self._invoke(_told(records, tries))
        assert not error, told
        failed = {each["itemIdentifier"] for each in told["batchItemFailures"]}
        assert failed <= {each["messageId"] for each in records}
        for each in records:
            if each["messageId"] not in failed and each["receiptHandle"] != _NO_RECEIPT:
                self._sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["receiptHandle"])
        return [each for each in records if each["messageId"] in failed]

    def dies(self, *records: Record, tries: int | None = None) -> str:
        """Have the function work on a batch and not come to its end; return what Lambda says of it."""
        told, error = self._invoke(_told(records, tries))
        assert error, told
        return str(told["errorMessage"])

    def _invoke(self, records: list[Record]) -> tuple[Any, bool]:
        answer = self._lambda.invoke(
            FunctionName=self._deployed.outputs[FUNCTION], Payload=json.dumps({"Records": records}).encode()
        )
        return json.loads(answer["Payload"].read()), "FunctionError" in answer


def message(body: str | Event) -> Record:
    """Return a message that nobody has sent, so that its receipt is good for nothing."""
    return {
        "messageId": secrets.token_hex(16),
        "receiptHandle": _NO_RECEIPT,
        "body": body if isinstance(body, str) else to_message(body),
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": str(int(time.time() * 1000))},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
    }


def events_of(record: Record) -> tuple[Event, ...]:
    """Return what a message tells of."""
    return from_message(record["body"])


def attribute(record: Record, name: str) -> str:
    """Return what was written on a message beside its body."""
    return str(record["messageAttributes"][name]["stringValue"])


def _record(message: dict[str, Any]) -> Record:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {
            name: {"stringValue": value["StringValue"], "dataType": "String"}
            for name, value in message.get("MessageAttributes", {}).items()
        },
        "eventSource": "aws:sqs",
    }


def _told(records: tuple[Record, ...], tries: int | None) -> list[Record]:
    if tries is None:
        return list(records)
    counted = {"ApproximateReceiveCount": str(tries)}
    return [each | {"attributes": each["attributes"] | counted} for each in records]
