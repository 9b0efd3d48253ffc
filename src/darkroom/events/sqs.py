"""The queue on SQS, its dead-letter queue being where events are buried.

Who gives the events out is not this program but Lambda, which takes them off in batches and removes what a batch did
not report as failed. So this is a ``Queue`` without leases; what a worker does about the one message it holds is here
too (``held``, ``delay``, ``again``, ``bury``).

SQS cannot be listed. Looking at what is buried takes messages as any receiver does, and lets go of them at once.
Deciding about one takes them all, and holds them for the next decision, so that many are decided about in one look.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from darkroom.aws import answered
from darkroom.errors import Unavailable
from darkroom.events import Buried, Depth, Event, Lease
from darkroom.events.sns import from_message, to_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_DELAY_SECONDS = 900
"""The longest that SQS keeps a new message back."""
_BATCH = 10
"""What one request takes."""
_LOOK_SECONDS = 60
"""How long a look at the buried may take before others can look at the same ones."""
_HELD_SECONDS = 45
"""How long a buried message counts as held: less, because the request that took it was under way for some of it."""
_WAIT_SECONDS = 1
"""Without any, SQS asks some of its machines only, and may say that there is nothing."""
_REASON_MAX = 1000

ATTEMPTS, REASON = "darkroom-attempts", "darkroom-reason"
"""Names of message attributes: the tries before those that SQS itself has counted; why an event was buried."""

UNKNOWN_REASON = "it was tried as often as it may be, and nobody wrote down what went wrong"


class SqsQueue:
    """A ``Queue`` on the SQS queue at ``url``, burying into that at ``failed_url``."""

    def __init__(self, client: Any, url: str, failed_url: str = "") -> None:  # noqa: ANN401 # botocore has no types
        """``failed_url`` may be left away where nobody buries, or looks after what is buried."""
        self._client = client
        self._url = url
        self._failed_url = failed_url
        self._held: dict[str, tuple[dict[str, Any], float]] = {}
        """Buried messages that nobody else is given now, by their ids, and until when by this machine's clock."""

    def publish(self, event: Event, *, delay_seconds: float = 0.0) -> None:
        self._send(self._url, to_message(event), {}, delay_seconds)

    # ------------------------------------------------------------------ what a worker does about a message it holds

    @staticmethod
    def held(record: Mapping[str, Any]) -> tuple[Lease, ...]:
        """Return what a record of Lambda's event source gives out. Raises ``ValueError`` as ``from_message``."""
        tried = int(record["attributes"]["ApproximateReceiveCount"])
        told = record["messageAttributes"].get(ATTEMPTS, {}).get("stringValue", "0")
        attempt = tried + int(told)
        return tuple(
            Lease(event=event, receipt=record["receiptHandle"], attempt=attempt)
            for event in from_message(record["body"])
        )

    def delay(self, receipt: str, seconds: float) -> None:
        """Have a message that is reported as failed come back after ``seconds``, with the next attempt."""
        with answered("SQS"):
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt, VisibilityTimeout=round(seconds)
            )

    def again(self, lease: Lease, seconds: float, *, attempts: int) -> None:
        """Put the event into the queue anew, ``attempts`` being counted: the message at hand has done its work.

        For events that are tried more often than SQS gives out one message.
        """
        self._send(self._url, to_message(lease.event), {ATTEMPTS: str(attempts)}, seconds)

    def bury(self, lease: Lease, reason: str, *, attempts: int) -> None:
        """Keep the event, with the reason, where a person finds it: the message at hand has done its work."""
        self._send(self._failed_url, to_message(lease.event), {REASON: _printable(reason), ATTEMPTS: str(attempts)}, 0)

    def set_aside(self, record: Mapping[str, Any], reason: str) -> None:
        """As ``bury``, for a message that tells of no event."""
        attempts = record["attributes"]["ApproximateReceiveCount"]
        self._send(self._failed_url, record["body"], {REASON: _printable(reason), ATTEMPTS: attempts}, 0)

    # ------------------------------------------------------------------ what is buried

    def buried(self, limit: int) -> Sequence[Buried]:
        self._take(limit)
        graves = []
        for message, _ in self._held.values():
            with suppress(ValueError):
                graves += [_grave(message, event) for event in from_message(message["Body"])]
        self.let_go()
        return sorted(graves, key=lambda grave: grave.buried_at, reverse=True)[:limit]

    def let_go(self) -> None:
        """Let others have the buried messages that are held; else they do a minute later."""
        held = [message for message, _ in self._held.values()]
        self._held.clear()
        for message in held:
            with suppress(Unavailable), answered("SQS"):
                self._client.change_message_visibility(
                    QueueUrl=self._failed_url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
                )

    def redrive(self, count: int) -> int:
        graves = sorted(self.buried(10**6), key=lambda grave: grave.buried_at)[:count]
        return sum(self.revive(grave) for grave in graves)

    def revive(self, grave: Buried) -> bool:
        if not self._finds(grave):
            return False
        self.publish(grave.event)
        return self._forget(grave)

    def discard(self, grave: Buried) -> bool:
        return self._finds(grave) and self._forget(grave)

    def depth(self) -> Depth:
        waiting, leased = self._counts(self._url)
        buried = sum(self._counts(self._failed_url)) if self._failed_url else 0
        return Depth(waiting=waiting, leased=leased, buried=buried, oldest_seconds=None)

    def _counts(self, url: str) -> tuple[int, int]:
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesDelayed",
            "ApproximateNumberOfMessagesNotVisible",
        )
        with answered("SQS"):
            told = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))["Attributes"]
        waiting, delayed, leased = (int(told.get(name, 0)) for name in names)
        return waiting + delayed, leased

    def _take(self, limit: int) -> None:
        """Hold up to ``limit`` buried messages, about, which others then are not given for a while."""
        now = time.monotonic()
        self._held = {name: (message, until) for name, (message, until) in self._held.items() if until > now}
        while len(self._held) < limit:
            now = time.monotonic()
            with answered("SQS"):
                answer = self._client.receive_message(
                    QueueUrl=self._failed_url,
                    MaxNumberOfMessages=_BATCH,
                    VisibilityTimeout=_LOOK_SECONDS,
                    WaitTimeSeconds=_WAIT_SECONDS,
                    AttributeNames=["All"],
                    MessageAttributeNames=["All"],
                )
            messages = answer.get("Messages", ())
            is_news = any(message["MessageId"] not in self._held for message in messages)
            self._held |= {message["MessageId"]: (message, now + _HELD_SECONDS) for message in messages}
            if not is_news:
                return

    def _finds(self, grave: Buried) -> bool:
        """Hold the buried message, so that of two people who decide about it only one does."""
        if grave.receipt not in self._held or self._held[grave.receipt][1] <= time.monotonic():
            self._take(10**6)
        return grave.receipt in self._held

    def _forget(self, grave: Buried) -> bool:
        message, _ = self._held.pop(grave.receipt)
        with answered("SQS"):
            self._client.delete_message(QueueUrl=self._failed_url, ReceiptHandle=message["ReceiptHandle"])
        return True

    def _send(self, url: str, body: str, attributes: Mapping[str, str], delay_seconds: float) -> None:
        with answered("SQS"):
            self._client.send_message(
                QueueUrl=url,
                MessageBody=body,
                DelaySeconds=min(LONGEST_DELAY_SECONDS, round(delay_seconds)),
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )


def _grave(message: Mapping[str, Any], event: Event) -> Buried:
    told = {name: value.get("StringValue", "") for name, value in message.get("MessageAttributes", {}).items()}
    sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
    return Buried(
        event=event,
        receipt=message["MessageId"],
        reason=told.get(REASON, UNKNOWN_REASON),
        attempts=int(told.get(ATTEMPTS, "0")),
        buried_at=sent,
    )


def _printable(text: str) -> str:
    """Return what SQS takes as an attribute: something, and nothing that XML does not know."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:_REASON_MAX]) or "?"
