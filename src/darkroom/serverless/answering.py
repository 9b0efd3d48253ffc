"""What the functions that answer with pictures have in common: who makes one, and how an answer is told to Lambda."""

from __future__ import annotations

import asyncio
import base64
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from darkroom import settings as configuration
from darkroom.errors import RenderFailed, Unavailable
from darkroom.serverless import wire
from darkroom.serverless.logs import start_logging
from darkroom.transform.options import EXTENSIONS, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from aws_lambda_powertools import Logger
    from aws_lambda_powertools.utilities.typing import LambdaContext

    from darkroom.edge import Maker
    from darkroom.model import Format
    from darkroom.service import Service
    from darkroom.settings import CloudSettings
    from darkroom.transform.options import Transformation

    Make = Callable[[str, Transformation, Format], None]

AnyWindow = TypeVar("AnyWindow")

log = logging.getLogger("darkroom.results")

SOON = 5
"""Seconds after which a picture may be there that the transform function was asked for."""


@dataclass(frozen=True, slots=True)
class ThreadMaker:
    """``edge.Maker`` of this very process. What takes longer than readers can wait is left to another function."""

    make_here: Make
    promise: Callable[[str, str, str], None]
    threads: ThreadPoolExecutor

    async def make(self, image_id: str, options: str, extension: str) -> None:
        """As the port says."""
        wanted, transformation = EXTENSIONS[extension], parse(options).transformation
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self.threads, self.make_here, image_id, transformation, wanted)
        except RenderFailed as error:
            log.warning("result not made", extra={"image": image_id, "options": options, "reason": error.detail})
            with suppress(Unavailable):  # it is asked for again
                await loop.run_in_executor(self.threads, self.promise, image_id, options, extension)
            raise Unavailable(error.detail, retry_after=SOON) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering(Generic[AnyWindow]):
    """What stays from one request to the next."""

    logger: Logger
    figures: wire.Figures
    window: AnyWindow
    runner: asyncio.Runner

    def tell(self, answer: Coroutine[Any, Any, wire.Shown], context: LambdaContext) -> dict[str, Any]:
        """Return an answer as Lambda takes it, in payload format 2.0."""
        self.logger.append_keys(function_request_id=context.aws_request_id)
        try:
            shown = self.runner.run(answer)
        finally:
            self.figures.flush()
        self.logger.info("answered", extra={"status": shown.status, "bytes": len(shown.body)})
        return {
            "statusCode": shown.status,
            "headers": dict(shown.headers),
            "body": base64.b64encode(shown.body).decode(),
            "isBase64Encoded": True,
        }


def start(window: Callable[[CloudSettings, Service, Maker], AnyWindow]) -> Answering[AnyWindow]:
    """Return what a function begins with; ``window`` makes what answers."""
    settings = configuration.load_cloud()
    logger = start_logging(settings.log_level)
    figures = wire.figures()
    parts = wire.service(settings, figures, wire.jail(settings))
    threads = ThreadPoolExecutor(2, thread_name_prefix="result")
    maker = ThreadMaker(wire.on_demand(parts).make, partial(wire.promise, parts), threads)
    return Answering(logger=logger, figures=figures, window=window(settings, parts, maker), runner=asyncio.Runner())
