"""The text of a key: made, taken apart, compared."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from clock import Clock
from darkroom.access import Scope, is_secret, key_text, make_key, secret_hash, split_key

KEY_IDS = st.text(string.ascii_lowercase + "234567", min_size=1, max_size=20)
SECRETS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=100)


@given(KEY_IDS, SECRETS)
def test_what_is_put_together_comes_apart_again(key_id: str, secret: str) -> None:
    assert split_key(key_text(key_id, secret)) == (key_id, secret)


@given(st.text())
def test_any_text_is_either_taken_apart_whole_or_refused(text: str) -> None:
    parts = split_key(text)
    assert parts is None or key_text(*parts) == text


def test_every_key_that_is_made_comes_apart_again() -> None:
    for _ in range(500):
        key, secret = make_key("alice", "", frozenset({Scope.READ}), Clock().now)
        assert split_key(key_text(key.id, secret)) == (key.id, secret)


def test_only_the_secret_itself_has_its_hash() -> None:
    kept = secret_hash("right")
    assert is_secret("right", kept)
    assert not is_secret("wrong", kept)
    assert not is_secret("right", None)
    assert not is_secret(kept, kept)
