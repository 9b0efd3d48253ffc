"""What works on events as a Lambda function: of arrivals S3 tells, by SNS and SQS, of the rest the service itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response

from darkroom import settings as configuration
from darkroom.errors import DarkroomError
from darkroom.events import PATIENT, backoff
from darkroom.serverless import wire
from darkroom.serverless.logs import start_logging
from darkroom.trials import judged, trouble_of_the_stores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from darkroom.events import Lease
    from darkroom.service import Service
    from darkroom.settings import CloudSettings

log = logging.getLogger("darkroom.processor")

TROUBLE_SECONDS = 60.0
"""Before an event is tried again that failed because the stores do not answer."""

NEVER_ENDED = "the function that processed it was ended each time before it had finished"


class Messages(Protocol):
    """What can be done about a message that a batch has brought; the methods are those of ``events/sqs.py``."""

    def held(self, record: Mapping[str, Any]) -> Sequence[Lease]:
        """Return the events that the message tells of. Raises ``ValueError`` when it tells nothing known."""
        ...

    def delay(self, receipt: str, seconds: float) -> None:
        """Have the message come back after ``seconds`` once it is reported as failed."""
        ...

    def again(self, lease: Lease, seconds: float, *, attempts: int) -> None:
        """Have the event come back, as a message of its own, ``attempts`` being counted."""
        ...

    def bury(self, lease: Lease, reason: str, *, attempts: int) -> None:
        """Keep the event where a person finds it."""
        ...

    def set_aside(self, record: Mapping[str, Any], reason: str) -> None:
        """Keep a message that tells nothing known where a person finds it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Works on one message after the other. Raising means: this one has failed, and comes back."""

    service: Service
    messages: Messages
    attempts: int

    def take(self, record: Mapping[str, Any]) -> None:
        """Do what a message asks."""
        try:
            leases = self.messages.held(record)
        except ValueError as error:
            log.warning("message set aside", extra={"reason": str(error)})
            self.messages.set_aside(record, str(error))
            return
        for lease in leases:
            self._work(lease)

    def _work(self, lease: Lease) -> None:
        if lease.attempt > self.attempts and not isinstance(lease.event, PATIENT):
            self._give_up(lease, NEVER_ENDED, NEVER_ENDED)
            return
        try:
            self.service.handle(lease.event)
        except Exception as error:
            _complain(error, lease)
            if trouble_of_the_stores(self.service, error) is not None:
                self.messages.again(lease, TROUBLE_SECONDS, attempts=lease.attempt - 1)
                return
            verdict = judged(lease, error, attempts=self.attempts)
            if verdict.is_final:
                self._give_up(lease, verdict.reason, verdict.told, code=verdict.code)
            elif isinstance(lease.event, PATIENT):  # more often than SQS gives out one message
                self.messages.again(lease, backoff(lease.attempt), attempts=lease.attempt)
            else:
                self.messages.delay(lease.receipt, backoff(lease.attempt))
                raise

    def _give_up(self, lease: Lease, reason: str, told: str, **code: str) -> None:
        """Say so where the uploader looks, then where operators do."""
        self.service.give_up(lease.event, told, **code)
        self.messages.bury(lease, reason, attempts=lease.attempt)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Work on a batch of messages; the answer names those that failed, and only those come back.

    ``{"darkroom": "shelve-defaults"}`` instead, from whoever deploys, has the default images made.
    """
    made = _made()
    made.logger.append_keys(function_request_id=context.aws_request_id)
    try:
        if event.get("darkroom") == "shelve-defaults":
            return {"made": wire.make_defaults(made.settings, made.worker.service)}

        def take(record: SQSRecord) -> None:
            made.worker.take(record.raw_event)

        return dict(
            process_partial_response(
                event=event,
                record_handler=take,
                processor=BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False),
                context=context,
            )
        )
    finally:
        made.figures.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What stays from one batch to the next."""

    settings: CloudSettings
    logger: Logger
    figures: wire.Figures
    worker: Worker


@cache
def _made() -> _Made:
    settings = configuration.load_cloud()
    logger = start_logging(settings.log_level)
    figures = wire.figures()
    parts = wire.service(settings, figures, wire.jail(settings))
    messages = wire.queue_of(settings)
    return _Made(
        settings=settings,
        logger=logger,
        figures=figures,
        worker=Worker(service=parts, messages=messages, attempts=settings.attempts),
    )


def _complain(error: Exception, lease: Lease) -> None:
    about = {"subject": lease.event.image_id, "attempt": lease.attempt}
    if isinstance(error, DarkroomError):
        log.warning("event failed", extra=about | {"reason": error.detail})
    else:
        log.error("event failed", extra=about, exc_info=error)
