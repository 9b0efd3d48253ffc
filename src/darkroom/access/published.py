"""What an edge lets addresses in by: signing secrets, of which whatever changes them has it told, and sizes for all."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import TYPE_CHECKING

from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from darkroom.access.signing import Secrets, SigningSecret

MOST_TRIED = 16
"""Secrets of all owners that an address which names none is compared with; where there are more, it has to name one."""

ANY = "-"
"""The name under which all of them lie: no secret has it."""


def shown(secrets: Sequence[SigningSecret], unsigned: Iterable[tuple[int | None, int | None]] = ()) -> dict[str, str]:
    """Return what lies at the edge: each secret by its id, all of them where they are few, and each ``unsigned`` size.

    A size is there by its name, which no secret can have: whoever could name it as the secret would know that.
    """
    texts = {each.id: base64.urlsafe_b64encode(each.secret).rstrip(b"=").decode() for each in secrets}
    sizes = {f"{ANY}{width or 0}x{height or 0}": "1" for width, height in unsigned}
    return texts | ({ANY: ",".join(texts.values())} if 0 < len(texts) <= MOST_TRIED else {}) | sizes


class PublishedSecrets:
    """``Secrets`` that an edge knows too: from the return of each verb on, or seconds later where it is far away."""

    def __init__(self, secrets: Secrets, publish: Callable[[], None]) -> None:
        """``publish`` has the edge know what secrets there are now, and no others; raises ``Unavailable``."""
        self._secrets = secrets
        self._publish = publish

    def add(self, owner: str) -> SigningSecret:
        made = self._secrets.add(owner)
        try:
            self._publish()
        except Unavailable:
            with suppress(Unavailable):  # nobody has seen it, so nobody misses it
                self._secrets.retire(made.id)
            raise
        return made

    def list(self) -> Sequence[SigningSecret]:
        return self._secrets.list()

    def retire(self, secret_id: str) -> bool:
        was_there = self._secrets.retire(secret_id)
        self._publish()  # also if it was not: an earlier try may have come only so far
        return was_there
