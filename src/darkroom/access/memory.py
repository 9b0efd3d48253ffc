"""The keys, and how often they call, in this process only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from darkroom.access import (
    NANOSECONDS,
    Caller,
    clean_owner,
    is_secret,
    key_text,
    make_key,
    once_more,
    secret_hash,
    split_key,
)
from darkroom.access.signing import check_count, make_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from darkroom.access import Key, Rate, Scope
    from darkroom.access.signing import SigningSecret


class MemoryAccess:
    """An ``Access`` that lasts as long as the process. ``clock`` returns the present as an aware moment."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, tuple[Key, str]] = {}

    def add(self, owner: str, name: str, scopes: frozenset[Scope], *, rate: Rate | None = None) -> tuple[Key, str]:
        key, secret = make_key(owner, name, scopes, self._clock(), rate)
        with self._lock:
            self._keys[key.id] = key, secret_hash(secret)
        return key, key_text(key.id, secret)

    def identify(self, text: str) -> Caller | None:
        parts = split_key(text)
        if parts is None:
            return None
        key_id, secret = parts
        key, kept_hash = self._keys.get(key_id, (None, None))
        if not is_secret(secret, kept_hash) or key is None:
            return None
        return Caller(owner=key.owner, scopes=key.scopes, key_id=key.id, rate=key.rate)

    def list(self) -> Sequence[Key]:
        with self._lock:
            return sorted((key for key, _ in self._keys.values()), key=lambda key: key.created_at)

    def revoke(self, key_id: str) -> bool:
        with self._lock:
            return self._keys.pop(key_id, None) is not None


class MemoryRates:
    """``Rates`` for the threads of one process. ``clock`` returns nanoseconds and never goes back."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at: dict[str, int] = {}

    def take(self, key_id: str, rate: Rate) -> float:
        with self._lock:
            full_at, wait = once_more(self._full_at.get(key_id, 0), self._clock(), rate)
            self._full_at[key_id] = full_at
        return wait / NANOSECONDS


class MemorySecrets:
    """``Secrets`` of one process. ``clock`` returns the present as an aware moment."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._secrets: list[SigningSecret] = []

    def add(self, owner: str) -> SigningSecret:
        with self._lock:
            made = make_secret(clean_owner(owner), self._clock())
            check_count(sum(each.owner == owner for each in self._secrets))
            self._secrets.append(made)
            return made

    def list(self) -> Sequence[SigningSecret]:
        with self._lock:
            return tuple(self._secrets)

    def retire(self, secret_id: str) -> bool:
        with self._lock:
            before = len(self._secrets)
            self._secrets = [each for each in self._secrets if each.id != secret_id]
            return len(self._secrets) < before
