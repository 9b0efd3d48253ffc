"""Whose signature an address of a transformation bears: verified before any option is understood."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from darkroom.edge import signatures
from darkroom.errors import BadSignature, InvalidRequest
from darkroom.transform.options import Transformation, parse
from darkroom.transform.recipes import COMPASS, SEEKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from darkroom.access.signing import SigningSecret
    from darkroom.edge.pool import Pool
    from darkroom.edge.signatures import SignedPath
    from darkroom.model import Image

FRESH_SECONDS = 5.0
"""How old what is known of the secrets may be: a retired one is good for no longer."""

NOT_SIGNED = "the address is not signed for this picture; have it signed by POST /v1/sign, and do not change it"

Size = tuple[int | None, int | None]


class Gatekeeper:
    """Knows the signing secrets, as one worker does. Used on its event loop only."""

    def __init__(
        self,
        pool: Pool,
        secrets: Callable[[], Sequence[SigningSecret]],
        image: Callable[[str], Image | None],
        *,
        widths: Iterable[int],
        unsigned: Collection[Size],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``image`` returns an image, tombstones too; it may block, as ``secrets``.

        ``widths`` are those a family's signature holds for; ``unsigned`` the sizes that need none.
        """
        self._pool = pool
        self._read_secrets = secrets
        self._image = image
        self._widths = frozenset(map(str, widths))
        self._unsigned = unsigned
        self._clock = clock
        self._secrets: dict[str, SigningSecret] = {}
        self._loaded_at = float("-inf")
        self._loading: asyncio.Task[None] | None = None

    async def let_in(self, path: str) -> tuple[SignedPath, Image | None]:
        """Return the parts of an address, and the image if there is one. Raises ``BadSignature``."""
        signed = signatures.split(path)
        if signed is None:
            raise BadSignature(NOT_SIGNED)
        if signed.signature == signatures.UNSIGNED:
            self._check_size(signed)
            return signed, await self._pool.run(self._image, signed.image_id)
        await self._reload(FRESH_SECONDS)
        kid = signed.said("kid")
        if kid is None:
            image = await self._pool.run(self._image, signed.image_id)
            tried = [each for each in self._secrets.values() if image is not None and each.owner == image.owner]
        else:
            if kid not in self._secrets:
                await self._reload_from_now_on()  # it may have been made just now
            tried = [self._secrets[kid]] if kid in self._secrets else []
        if not signatures.verify(signed, [each.secret for each in tried], self._widths):
            raise BadSignature(NOT_SIGNED)
        if kid is not None:  # only now, so that rubbish costs no look into the catalog
            image = await self._pool.run(self._image, signed.image_id)
            if image is not None and image.owner != tried[0].owner:
                raise BadSignature(NOT_SIGNED)
        return signed, image

    def _check_size(self, signed: SignedPath) -> None:
        """Raise ``BadSignature`` unless the operator allows this size without a signature."""
        with suppress(InvalidRequest):
            wanted = parse(signed.options).transformation if self._unsigned else Transformation(blur=1)
            gravity = wanted.gravity if wanted.gravity in {None, *COMPASS, *SEEKING} else None
            plain = Transformation(width=wanted.width, height=wanted.height, fit=wanted.fit, gravity=gravity)
            if wanted == plain and (wanted.width, wanted.height) in self._unsigned:
                return
        raise BadSignature(NOT_SIGNED)

    async def _reload(self, oldest: float) -> None:
        """Have the secrets be no older than ``oldest`` seconds; one reading for all who ask at a time."""
        if self._clock() - self._loaded_at < oldest:
            return
        if self._loading is None:
            self._loading = asyncio.get_running_loop().create_task(self._load())
        loading = self._loading
        try:
            await asyncio.shield(loading)
        finally:
            if loading.done():
                self._loading = None

    async def _reload_from_now_on(self) -> None:
        """Have the secrets be as they are after this call; however many ask, they are read once at a time."""
        if self._loading is not None:
            await self._reload(0.0)  # that reading began before
        await self._reload(0.0)

    async def _load(self) -> None:
        secrets = await self._pool.run(self._read_secrets)
        self._secrets = {secret.id: secret for secret in secrets}
        self._loaded_at = self._clock()
