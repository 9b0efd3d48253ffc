"""Ports: who is calling, what they may do and how often. A key is shown once; only its hash is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from darkroom.errors import InvalidRequest
from darkroom.names import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

LOCAL_OWNER = "local"
"""The owner of everything while keys are switched off, and of the first key."""

OWNER_MAX = 64
KEY_NAME_MAX = 100
_OWNER_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


NANOSECONDS = 1_000_000_000
SLOWEST_RATE, FASTEST_RATE = 0.001, 1_000_000
"""Requests a second. Within these bounds every moment of a bucket fits into 64 bits of nanoseconds."""
LARGEST_BURST = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """How often something may be done: ``per_second`` on average, ``burst`` times at once after a pause.

    In any ``t`` seconds that is at most ``burst + per_second * t`` times. Raises ``InvalidRequest`` out of bounds.
    """

    per_second: float
    burst: int

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not (SLOWEST_RATE <= self.per_second <= FASTEST_RATE and 1 <= self.burst <= LARGEST_BURST):
            msg = (
                f"a rate is {SLOWEST_RATE:g} to {FASTEST_RATE:,} requests a second, "
                f"with a burst of 1 to {LARGEST_BURST:,}"
            )
            raise InvalidRequest(msg)

    @property
    def interval(self) -> int:
        """Nanoseconds from one time to the next, rounded up, so that rounding never allows more."""
        return math.ceil(NANOSECONDS / self.per_second)


class Scope(StrEnum):
    """What a key is allowed to do: look, change, and govern keys and figures."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who is asking. ``key_id`` is public and names the key in logs; ``None`` while keys are switched off.

    ``rate`` is the key's own, where it has one.
    """

    owner: str
    scopes: frozenset[Scope]
    key_id: str | None
    rate: Rate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is listed: everything but its secret. Without a ``rate`` of its own it has that of the settings."""

    id: str
    owner: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    rate: Rate | None = None


KEY_PREFIX = "dk"
_KEY_ID_LENGTH = 12
_SECRET_BYTES = 32
_NOBODYS_HASH = "0" * 64


def make_key(
    owner: str, name: str, scopes: Iterable[Scope], created_at: datetime, rate: Rate | None = None
) -> tuple[Key, str]:
    """Return a new key and its secret, 32 bytes from the system's secure source; raises ``InvalidRequest``."""
    allowed = frozenset(scopes)
    if not allowed:
        msg = "scopes are empty; a key needs at least one of read, write and admin"
        raise InvalidRequest(msg)
    key = Key(
        id=base64.b32encode(secrets.token_bytes(8)).decode().lower()[:_KEY_ID_LENGTH],
        owner=clean_owner(owner),
        name=clean_line(name, "a key's name", KEY_NAME_MAX),
        scopes=allowed,
        created_at=created_at,
        rate=rate,
    )
    return key, secrets.token_urlsafe(_SECRET_BYTES)


def key_text(key_id: str, secret: str) -> str:
    """Return the text a caller sends: ``dk_ID_SECRET``; the prefix lets secret scanners find a leaked one."""
    return f"{KEY_PREFIX}_{key_id}_{secret}"


_SECRET = re.compile(rf"({KEY_PREFIX}_[a-z2-7]+_)[A-Za-z0-9_-]+")


def redacted(text: str) -> str:
    """Return a text without the secret parts of keys: people paste one where an id belongs, and it is in a path."""
    return _SECRET.sub(r"\1...", text)


def split_key(text: str) -> tuple[str, str] | None:
    """Return ``(id, secret)`` of a key's text, or ``None`` when it is not of that form. A secret may contain ``_``."""
    if len(text) > 200 or not text.isascii():
        return None
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == KEY_PREFIX and key_id and secret else None


def secret_hash(secret: str) -> str:
    """Return what is kept of a secret: plain SHA-256 is enough for 256 random bits, not for a person's word."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret(secret: str, kept_hash: str | None) -> bool:
    """Tell whether ``secret`` is the one of which ``kept_hash`` was kept, in constant time.

    ``None``, for a key that is not known, takes as long as a wrong secret, so that time tells no key ids.
    """
    return hmac.compare_digest(secret_hash(secret), kept_hash or _NOBODYS_HASH) and kept_hash is not None


def clean_owner(text: str) -> str:
    """Return an owner's name; raises ``InvalidRequest`` unless it is 1–64 of ``a-z 0-9 - _``."""
    if not 0 < len(text) <= OWNER_MAX or not _OWNER_LETTERS.issuperset(text):
        msg = f"owner must be 1 to {OWNER_MAX} characters of a-z, 0-9, - and _"
        raise InvalidRequest(msg)
    return text


class Access(Protocol):
    """The keys. A key that was revoked is unknown to every process from then on."""

    def add(self, owner: str, name: str, scopes: frozenset[Scope], *, rate: Rate | None = None) -> tuple[Key, str]:
        """Make a key and return it with its text, which is never to be had again. Raises ``InvalidRequest``.

        ``name`` says what the key is for; it may be empty.
        """
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


def once_more(full_at: int, now: int, rate: Rate) -> tuple[int, int]:
    """Take one token of a bucket that will be full at ``full_at``; return when it is full again, and the wait.

    All in nanoseconds. With a wait above zero nothing is taken, and ``full_at`` stays. A token bucket needs no more
    state than this one moment: it is the virtual scheduling form of the generic cell rate algorithm (ITU-T I.371,
    annex A), where ``full_at`` is the theoretical arrival time.
    """
    then = max(full_at, now) + rate.interval
    wait = then - (now + rate.burst * rate.interval)
    return (then, 0) if wait <= 0 else (full_at, wait)


class Rates(Protocol):
    """A token bucket for each key, shared by every process of the service on this machine.

    No more is ever allowed than the rates say. It is kept in memory or as good as that: a machine that starts again
    begins with full buckets. An implementation may have room for a bounded number of keys that call within the same
    moments; when they are more, some are made to wait too early, but none is allowed too much.
    """

    def take(self, key_id: str, rate: Rate) -> float:
        """Count one request of a key if its rate allows it; return 0, or the seconds until it would be allowed.

        A request that is not allowed does not count. Raises ``Unavailable``.
        """
        ...
