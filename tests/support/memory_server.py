"""The whole service in one process that keeps nothing, for a real server: ``granian --factory memory_server:app``.

``MEMORY_FOLDER`` is where bodies are received, ``MEMORY_URL`` the address, ``MEMORY_ORIGINALS`` the policy.
"""

import asyncio
import os
import secrets
import threading
from typing import TYPE_CHECKING

from darkroom import settings as configuration
from darkroom.access.memory import MemoryAccess, MemorySecrets
from darkroom.bucket.notifying import NotifyingBucket
from darkroom.bucket.objects import ObjectBucket
from darkroom.catalog.memory import MemoryCatalog
from darkroom.edge.purgelog import PurgeLog
from darkroom.embedded import wire
from darkroom.embedded.layout import Layout
from darkroom.embedded.processor import Processor
from darkroom.events.memory import MemoryQueue
from darkroom.figures.memory import MemoryFigures
from darkroom.jobs.memory import MemoryJobs
from darkroom.model import OriginalPolicy
from darkroom.ondemand import OnDemand
from darkroom.results.memory import MemoryResults
from darkroom.service import Rules, Service, utc_now
from darkroom.transform.headers import dimensions
from darkroom.transform.inline import InlineTransform
from darkroom.transform.options import EXTENSIONS, parse
from darkroom.transform.recipes import load_recipes
from darkroom.uploads.signed import SignedTickets

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def app() -> "ASGIApp":
    """Return the service, its events being worked on by a thread."""
    settings = configuration.from_mapping(
        {"DARKROOM_DATA": os.environ["MEMORY_FOLDER"], "DARKROOM_PUBLIC_URL": os.environ["MEMORY_URL"]}, keys=False
    )
    layout = Layout(settings.data)
    layout.prepare()
    queue = MemoryQueue(utc_now)
    uploads = NotifyingBucket(ObjectBucket.memory(), queue)
    service = Service(
        catalog=MemoryCatalog(),
        uploads=uploads,
        assets=ObjectBucket.memory(),
        parted=wire.staged_parts(settings, uploads),
        tickets=SignedTickets(layout.secret("tickets"), settings.base_url, utc_now),
        queue=queue,
        jobs=MemoryJobs(utc_now),
        transform=InlineTransform(),
        inspect=dimensions,
        purges=PurgeLog(layout.purges),
        figures=MemoryFigures(),
        results=MemoryResults(utc_now),
        recipes=load_recipes(None),
        rules=Rules(originals=OriginalPolicy(os.environ["MEMORY_ORIGINALS"])),
        clock=utc_now,
        randomness=secrets.token_bytes,
    )
    processor = Processor(service, queue, threads=1, attempts=2)
    threading.Thread(target=processor.run, daemon=True).start()
    return wire.application(settings, service, MemoryAccess(utc_now), MemorySecrets(utc_now), ThreadMaker(service))


class ThreadMaker:
    """Makes pictures on demand in threads of this process."""

    def __init__(self, service: Service) -> None:
        self._make = OnDemand(service).make

    async def make(self, image_id: str, options: str, extension: str) -> None:
        """As the port says."""
        wanted = parse(options).transformation
        await asyncio.to_thread(self._make, image_id, wanted, EXTENSIONS[extension])
