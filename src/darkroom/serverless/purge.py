"""What has CloudFront forget pictures, as a Lambda function: many purges are one invalidation."""

from __future__ import annotations

import logging
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from darkroom import settings as configuration
from darkroom.errors import Unavailable
from darkroom.events import EdgePurge, backoff
from darkroom.serverless import wire
from darkroom.serverless.logs import start_logging

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from darkroom.events import Lease

log = logging.getLogger("darkroom.purges")


class Edge(Protocol):
    """CloudFront: ``edge/cloudfront.py``."""

    def forget_all(self, image_ids: Iterable[str]) -> None:
        """Have it forget everything of these images. Raises ``Unavailable``."""
        ...


class Messages(Protocol):
    """What can be done about a message that a batch has brought: ``events/sqs.py``."""

    def held(self, record: Mapping[str, Any]) -> Sequence[Lease]:
        """Return the events that the message tells of. Raises ``ValueError`` when it tells nothing known."""
        ...

    def delay(self, receipt: str, seconds: float) -> None:
        """Have the message come back after ``seconds`` once it is reported as failed."""
        ...


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 # Lambda's way to call
    """Tell CloudFront of a batch of purges at once; the answer names all of them when it could not be told."""
    return purged(event["Records"], *_made())


def purged(records: Sequence[Mapping[str, Any]], messages: Messages, edge: Edge) -> dict[str, Any]:
    """Have everything forgotten that a batch names, and return what has to come back."""
    leases: list[Lease] = []
    names: list[str] = []
    for record in records:
        try:
            held = [lease for lease in messages.held(record) if isinstance(lease.event, EdgePurge)]
        except ValueError as error:
            log.warning("message passed over", extra={"reason": str(error)})
            continue
        leases += held
        names += [record["messageId"]] * bool(held)
    if not leases:
        return {"batchItemFailures": []}
    images = {lease.event.image_id for lease in leases}
    try:
        edge.forget_all(images)
    except Unavailable as error:
        log.warning("purge failed", extra={"images": len(images), "reason": error.detail})
        for lease in leases:
            messages.delay(lease.receipt, backoff(lease.attempt))
        return {"batchItemFailures": [{"itemIdentifier": name} for name in names]}
    log.info("purged", extra={"images": len(images)})
    return {"batchItemFailures": []}


@cache
def _made() -> tuple[Messages, Edge]:
    settings = configuration.load_cloud()
    start_logging(settings.log_level)
    return wire.purge_queue_of(settings), wire.edge(settings)
