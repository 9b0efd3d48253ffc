"""What one has stored, and how often a key may call, at the command line."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from darkroom.client import Client, Labels
from servers import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from servers import Served


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server on which nobody may have more than two images, or three million bytes."""
    with serving(
        tmp_path_factory.mktemp("bounded"), workers="1", owner_images="2", owner_bytes="3000000", originals="keep"
    ) as served:
        yield served


def test_usage_says_what_is_stored_and_what_may_be(
    invoke: Callable[..., Any], bounded: Served, picture: Callable[[], bytes], tmp_path: Path
) -> None:
    assert invoke("usage", url=bounded.url).out.splitlines() == [
        "Owner local",
        "              USED     LIMIT",
        "images        0        2",
        "bytes         0 bytes  3.0 MB",
        "open uploads  0        no limit",
    ]
    with Client(bounded.url) as client:
        images = [client.upload(picture(), Labels(), wait=60) for _ in range(2)]
        used = client.usage()
    length = sum(image.source.bytes for image in images if image.source)
    length += sum(variant.bytes for image in images for variant in image.variants)
    assert (used.images.used, used.bytes.used, used.open_tickets.used) == (2, length, 0)
    (told,) = invoke("usage", "--json", url=bounded.url).objects
    assert told["bytes"] == {"used": length, "limit": 3_000_000}

    (tmp_path / "third.jpg").write_bytes(picture())
    put = invoke("put", tmp_path / "third.jpg", url=bounded.url)
    assert put.code == 1
    assert "2 images of 2 allowed" in put.err
    assert "over-quota" in put.err


def test_a_key_is_given_a_rate_of_its_own(invoke: Callable[..., Any], keyed_server: Served) -> None:
    given = {"url": keyed_server.url, "key": keyed_server.key}
    name = uuid.uuid4().hex
    (made,) = invoke("keys", "add", name, "--rate", "0.5", "--burst", "3", "--json", **given).objects
    assert made["rate"] == {"per_second": 0.5, "burst": 3}
    line = next(line for line in invoke("keys", "list", **given).out.splitlines() if name in line)
    assert "0.5/s, 3 at once" in line
    refused = invoke("keys", "add", name, "--rate", "0", **given)
    assert refused.code == 1
    assert "rate" in refused.err
    assert invoke("keys", "revoke", made["id"], **given).code == 0
