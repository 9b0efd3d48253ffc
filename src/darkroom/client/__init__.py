"""A small typed client: what ``darkroom put`` and other people's programs speak to a Darkroom server with.

    with Client("http://127.0.0.1:8000", key) as client:
        image = client.upload(Path("cat.jpg"), Labels(tags=("cat",)), wait=30)
        print(image.variants[0].url)

Every call raises ``ApiError`` (the server refused), ``Unreachable`` (no answer) or ``UnexpectedAnswer`` (not the
contract's answer), all of them ``ClientError``. What may pass is tried again first, as ``Patience`` says: a connection
that was not made, "later" (429, 503), and a broken connection where sending twice does no harm.
"""

from __future__ import annotations

from darkroom.client.addresses import SecretSigner, picture, srcset
from darkroom.client.answers import (
    Changes,
    Criteria,
    Failure,
    Image,
    Key,
    Labels,
    Level,
    Page,
    PartedTicket,
    Rate,
    Recipe,
    SigningSecret,
    Source,
    Ticket,
    Usage,
    Variant,
)
from darkroom.client.calls import Client
from darkroom.client.connection import Patience
from darkroom.client.errors import ApiError, ClientError, Damaged, SourceChanged, UnexpectedAnswer, Unreachable
from darkroom.client.library import Job, Label, Likeness

__all__ = [
    "ApiError",
    "Changes",
    "Client",
    "ClientError",
    "Criteria",
    "Damaged",
    "Failure",
    "Image",
    "Job",
    "Key",
    "Label",
    "Labels",
    "Level",
    "Likeness",
    "Page",
    "PartedTicket",
    "Patience",
    "Rate",
    "Recipe",
    "SecretSigner",
    "SigningSecret",
    "Source",
    "SourceChanged",
    "Ticket",
    "UnexpectedAnswer",
    "Unreachable",
    "Usage",
    "Variant",
    "picture",
    "srcset",
]
