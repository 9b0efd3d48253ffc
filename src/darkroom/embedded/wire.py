"""Settings → the parts of the one-machine deployment. The only place that names the adapters."""

from __future__ import annotations

import secrets
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from darkroom.access.sqlite import SqliteAccess
from darkroom.bucket.notifying import NotifyingBucket
from darkroom.bucket.objects import ObjectBucket
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.edge.purgelog import PurgeLog
from darkroom.embedded.layout import Layout
from darkroom.events.sqlite import SqliteQueue
from darkroom.figures.prometheus import PrometheusFigures
from darkroom.service import Rules, Service, utc_now
from darkroom.transform import Elsewhere, Limits
from darkroom.transform.headers import dimensions
from darkroom.transform.recipes import load_recipes
from darkroom.uploads.signed import SignedTickets

if TYPE_CHECKING:
    from darkroom.settings import Settings
    from darkroom.transform import Transform


def access(settings: Settings) -> SqliteAccess:
    """Return the keys."""
    return SqliteAccess(Layout(settings.data).access, utc_now)


def service(settings: Settings, transform: Transform | None = None) -> Service:
    """Return the service; without ``transform`` it answers people but works on no events."""
    layout = Layout(settings.data)
    queue = SqliteQueue(layout.queue, utc_now)
    return Service(
        catalog=SqliteCatalog(layout.catalog),
        uploads=NotifyingBucket(ObjectBucket.folder(layout.uploads), queue),
        assets=ObjectBucket.folder(layout.assets),
        tickets=tickets(settings),
        queue=queue,
        transform=transform or Elsewhere(),
        inspect=dimensions,
        purges=PurgeLog(layout.purges),
        figures=PrometheusFigures(layout.figures),
        recipes=load_recipes(settings.recipes),
        rules=Rules(
            originals=settings.originals,
            limits=Limits(
                bytes=settings.max_upload_bytes,
                pixels=settings.max_pixels,
                side=settings.max_side,
                frames=settings.max_frames,
            ),
            max_post_bytes=settings.max_post_bytes,
            max_tags=settings.max_tags,
            ticket_life=timedelta(seconds=settings.ticket_seconds),
        ),
        clock=utc_now,
        randomness=secrets.token_bytes,
    )


def tickets(settings: Settings) -> SignedTickets:
    """Return what makes and checks upload tickets."""
    return SignedTickets(Layout(settings.data).secret("tickets"), settings.base_url, utc_now)
