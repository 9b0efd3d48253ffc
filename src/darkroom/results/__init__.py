"""Port: what was made of an image on demand: the ledger of these results, and who is making one at this moment.

A ledger of its own, beside the one in the image (``ledger.py``): results come at any time and in any number, and an
image's version must not move because somebody looked at it. The rule is the same: a name is in here before its object
is put, and stays until its object is known to be gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from darkroom.model import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One finished result: its name under its image's prefix, and the checksum (``ledger.checksum``) of its bytes.

    ``stamp`` says as what the image was when it was made (``stamp_of``): with another it counts no more, whatever else
    went wrong. ``kept_size`` is ``WIDTHxHEIGHT`` of the picture it was made from, where a larger one was asked for than
    there is.
    """

    image_id: str
    name: str
    checksum: str
    stamp: str = ""
    kept_size: str = ""


def stamp_of(image: Image) -> str:
    """Return what changes when the results of an image have to be made anew."""
    return f"{image.generation} {image.focus}"


class Results(Protocol):
    """Safe to use from several threads and processes at once. Every verb may raise ``Unavailable``, ``StorageFull``."""

    def find(self, image_id: str, name: str) -> Result | None:
        """Return a finished result, ``None`` when it is not made, being made, or void. It counts as used now."""
        ...

    def finished(self, image_id: str) -> Sequence[Result]:
        """Return all finished results of an image, by name; for upkeep: none of them counts as used by that."""
        ...

    def claim(self, image_id: str, name: str, seconds: float, *, damaged: str | None = None) -> str | None:
        """Take it upon oneself to make a result, and enter its name; of many who try at once exactly one may.

        Returns a receipt, good for ``seconds``; ``None`` when another's is still good or the result is there already:
        unless its checksum is ``damaged``, which says that it must not be shown any more.
        """
        ...

    def commit(self, receipt: str, result: Result) -> bool:
        """The object is put: the result is finished. ``False`` when the receipt is not good any more.

        That is so when another has claimed it since, or it became void.
        """
        ...

    def release(self, receipt: str, image_id: str, name: str) -> None:
        """Give a claim back: nothing was put, or what was put is gone again. The name goes; safe to call twice."""
        ...

    def void(self, image_id: str) -> tuple[str, ...]:
        """Everything made so far counts no more, and no receipt given so far is good; return all names.

        They stay entered until ``forget``, so that their objects can be removed again and again.
        """
        ...

    def owns(self, image_id: str, name: str) -> bool:
        """Tell whether a name is entered, finished or not."""
        ...

    def unused(self, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        """Return up to ``limit`` (image id, name) that nobody has used, claimed or made void since ``before``."""
        ...

    def forget(self, image_id: str, name: str, before: datetime) -> None:
        """Take a name out, unless somebody has used or claimed it since ``before``: its object is gone."""
        ...


class NoResults:
    """The ledger of a deployment that makes nothing on demand."""

    def find(self, image_id: str, name: str) -> Result | None:  # noqa: ARG002  # the port's signature, as below
        """As the port says: there is none."""
        return None

    def finished(self, image_id: str) -> Sequence[Result]:  # noqa: ARG002
        """As the port says: there is none."""
        return ()

    def claim(self, image_id: str, name: str, seconds: float, *, damaged: str | None = None) -> str | None:  # noqa: ARG002
        """As the port says: nobody may."""
        return None

    def commit(self, receipt: str, result: Result) -> bool:  # noqa: ARG002
        """As the port says: no receipt was ever given."""
        return False

    def release(self, receipt: str, image_id: str, name: str) -> None:
        """As the port says."""

    def void(self, image_id: str) -> tuple[str, ...]:  # noqa: ARG002
        """As the port says."""
        return ()

    def owns(self, image_id: str, name: str) -> bool:  # noqa: ARG002
        """As the port says."""
        return False

    def unused(self, before: datetime, limit: int) -> Sequence[tuple[str, str]]:  # noqa: ARG002
        """As the port says."""
        return ()

    def forget(self, image_id: str, name: str, before: datetime) -> None:
        """As the port says."""
