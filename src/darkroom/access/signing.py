"""Port: what addresses of transformations are signed with.

An owner has several secrets at once, so that a new one is in use before the old one is retired.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from darkroom.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

SECRET_BYTES = 32
MOST_SECRETS = 8
"""Live secrets of one owner: a signature without a ``kid`` is compared with all of them."""

_ID_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningSecret:
    """One secret: 32 bytes of the system's secure source. ``id`` is public: the ``kid`` of an address."""

    id: str
    owner: str
    secret: bytes
    created_at: datetime

    @property
    def text(self) -> str:
        """The id and the secret as one word, for who signs elsewhere: ``ID.SECRET``."""
        return f"{self.id}.{base64.urlsafe_b64encode(self.secret).rstrip(b'=').decode()}"


def make_secret(owner: str, created_at: datetime) -> SigningSecret:
    """Return a new secret of an owner."""
    return SigningSecret(
        id=base64.b32encode(secrets.token_bytes(5)).decode().lower()[:_ID_LENGTH],
        owner=owner,
        secret=secrets.token_bytes(SECRET_BYTES),
        created_at=created_at,
    )


def check_count(there: int) -> None:
    """Raise ``Conflict`` when an owner that has so many secrets cannot have another."""
    if there >= MOST_SECRETS:
        msg = f"an owner has at most {MOST_SECRETS} live signing secrets; retire one first"
        raise Conflict(msg)


class Secrets(Protocol):
    """The signing secrets. Unlike of a key, the secret itself is kept: whoever verifies needs it."""

    def add(self, owner: str) -> SigningSecret:
        """Make a secret for an owner; from now on it is the one that signs. Raises ``Conflict`` over ``MOST_SECRETS``.

        Raises ``InvalidRequest`` for what is no owner.
        """
        ...

    def list(self) -> Sequence[SigningSecret]:
        """Return all live secrets of all owners, oldest first."""
        ...

    def retire(self, secret_id: str) -> bool:
        """Take a secret out; what was signed with it is signed no more. Tells whether there was one."""
        ...


def signing(secrets_: Secrets, owner: str) -> SigningSecret:
    """Return the secret that signs for an owner: the newest; one is made for who has none."""
    own = [each for each in secrets_.list() if each.owner == owner]
    return own[-1] if own else secrets_.add(owner)
