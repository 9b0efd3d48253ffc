"""CloudFront's key value store comes to hold what it should, whoever else changes it at the same moment."""

from __future__ import annotations

import secrets
from contextlib import closing
from typing import TYPE_CHECKING, Any

import botocore.config
import pytest

from darkroom.access.keyvaluestore import AT_ONCE, TRIES, KeyValueStore
from darkroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from emulator import Emulator


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Iterator[Any]:
    # As the service wants it, only awscrt could sign, which the package of one function has.
    config = botocore.config.Config(signature_version="v4", proxies={})
    url = emulator.url.replace("//", "//user@")
    with closing(emulator.session().client("cloudfront-keyvaluestore", endpoint_url=url, config=config)) as opened:
        yield opened


@pytest.fixture
def arn(emulator: Emulator) -> str:
    with closing(emulator.client("cloudfront")) as cloudfront:
        made = cloudfront.create_key_value_store(Name=f"store-{secrets.token_hex(4)}")
    return str(made["KeyValueStore"]["ARN"])


def held(client: Any, arn: str) -> dict[str, str]:
    pages = client.get_paginator("list_keys").paginate(KvsARN=arn)
    return {each["Key"]: each["Value"] for page in pages for each in page["Items"]}


def test_it_holds_what_is_wanted_and_nothing_else(client, arn):
    store = KeyValueStore(client, arn)
    store.bring_to(lambda: {"a": "1", "b": "2", "-": "1,2"})
    assert held(client, arn) == {"a": "1", "b": "2", "-": "1,2"}
    store.bring_to(lambda: {"a": "1", "b": "3"})
    assert held(client, arn) == {"a": "1", "b": "3"}
    store.bring_to(dict)
    assert held(client, arn) == {}


def test_what_is_so_already_is_not_written(client, arn):
    store = KeyValueStore(client, arn)
    store.bring_to(lambda: {"a": "1"})
    before = client.describe_key_value_store(KvsARN=arn)["ETag"]
    store.bring_to(lambda: {"a": "1"})
    assert client.describe_key_value_store(KvsARN=arn)["ETag"] == before


def test_more_than_one_request_can_change(client, arn):
    many = {f"k{number}": str(number) for number in range(2 * AT_ONCE + 7)}
    store = KeyValueStore(client, arn)
    store.bring_to(lambda: many)
    assert held(client, arn) == many
    store.bring_to(lambda: {"k0": "0"})
    assert held(client, arn) == {"k0": "0"}


def test_of_two_at_once_the_one_that_asked_last_wins(client, arn):
    truth = {"a": "old"}

    def overtaken():
        seen = dict(truth)
        if truth["a"] == "old":  # at the first try another one comes before
            truth["a"] = "new"
            KeyValueStore(client, arn).bring_to(lambda: truth)
        return seen

    KeyValueStore(client, arn).bring_to(overtaken)
    assert held(client, arn) == {"a": "new"}


def test_it_is_not_tried_for_ever(client, arn):
    asked = []

    def always_overtaken():
        asked.append(1)
        KeyValueStore(client, arn).bring_to(lambda: {"other": str(len(asked))})
        return {"mine": "1"}

    with pytest.raises(Unavailable, match="try again"):
        KeyValueStore(client, arn).bring_to(always_overtaken)
    assert len(asked) == TRIES


def test_a_store_that_is_not_there_is_said_so(client, arn):
    with pytest.raises(Unavailable, match="ResourceNotFound"):
        KeyValueStore(client, f"{arn}-gone").bring_to(dict)
