"""Port: who is calling and what they may do. A key is shown once; only its hash is kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from darkroom.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

LOCAL_OWNER = "local"
"""The owner of everything while keys are switched off, and of the first key."""

OWNER_MAX = 64
_OWNER_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


class Scope(StrEnum):
    """What a key is allowed to do: look, change, and govern keys and figures."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking. ``key_id`` is public and names the key in logs; ``None`` while keys are switched off."""

    owner: str
    scopes: frozenset[Scope]
    key_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is listed: everything but its secret."""

    id: str
    owner: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime


KEY_PREFIX = "dk"


def key_text(key_id: str, secret: str) -> str:
    """Return the text a caller sends: ``dk_ID_SECRET``; the prefix lets secret scanners find a leaked one."""
    return f"{KEY_PREFIX}_{key_id}_{secret}"


def split_key(text: str) -> tuple[str, str] | None:
    """Return ``(id, secret)`` of a key's text, or ``None`` when it is not of that form."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == KEY_PREFIX and key_id and secret and len(text) <= 200 else None


def secret_hash(secret: str) -> str:
    """Return what is kept of a secret: SHA-256 is enough, because the secret has 256 random bits, not a person's word."""
    return hashlib.sha256(secret.encode()).hexdigest()


def clean_owner(text: str) -> str:
    """Return an owner's name; raises ``InvalidRequest`` unless it is 1–64 of ``a-z 0-9 - _``."""
    if not 0 < len(text) <= OWNER_MAX or not _OWNER_LETTERS.issuperset(text):
        msg = f"owner must be 1 to {OWNER_MAX} characters of a-z, 0-9, - and _"
        raise InvalidRequest(msg)
    return text


class Access(Protocol):
    """The keys. A key that was revoked is unknown to every process from then on."""

    def add(self, owner: str, name: str, scopes: frozenset[Scope]) -> tuple[Key, str]:
        """Make a key and return it with its text, which is never to be had again. Raises ``InvalidRequest``."""
        ...

    def identify(self, text: str) -> Caller | None:
        """Return whose key this is, comparing in constant time, or ``None``. Any text may be given."""
        ...

    def list(self) -> Sequence[Key]:
        """Return all keys, oldest first."""
        ...

    def revoke(self, key_id: str) -> bool:
        """Forget a key; ``False`` when there is none of that id."""
        ...
