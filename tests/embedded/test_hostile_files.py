"""What strangers send to a running service: each file ends as ready or as failed with a code, and the service stays."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

import bombs
import mutations
import pictures
import processes
from patience import eventually, settled
from servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from servers import Served

FILES = 60
CODES = {"unreadable-image", "unsupported-format", "too-many-pixels", "too-large"}


@contextmanager
def client_of(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client:
        yield client


def by_ticket(client: httpx.Client, body: bytes, filename: str = "a.jpg") -> str:
    ticket = client.post("/v1/uploads", json={"filename": filename, "bytes": len(body)}).json()
    assert client.put(ticket["url"], content=body, headers=ticket["headers"]).is_success
    return str(ticket["id"])


def is_well(client: httpx.Client) -> bool:
    return client.get("/healthz").status_code == 200


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("hostile"), workers="1", svg="1") as served:
        yield served


def test_spoiled_files_by_ticket(served: Served) -> None:
    found = eventually(lambda: processes.service(served.process.pid), what="all processes of the service")
    lasting = [found.main, found.processor, *found.http_workers, found.zygote]
    files = [mutations.mutated(seed).content for seed in range(5_000, 5_000 + FILES)]
    with client_of(served) as client, ThreadPoolExecutor(4) as uploaders:
        ids = list(uploaders.map(lambda body: by_ticket(client, body or b"\0"), files))
        images = [settled(client, image_id) for image_id in ids]
        outcomes = Counter(image["error"]["code"] if image["error"] else image["state"] for image in images)
        assert is_well(client)
        assert settled(client, by_ticket(client, pictures.jpeg(300, 200)))["state"] == "ready"
    assert set(outcomes) <= CODES | {"ready"}
    assert len(outcomes) >= 3, outcomes
    assert all(process.is_alive for process in lasting)


def test_bombs_by_ticket(served: Served) -> None:
    small = {bomb: code for bomb, code in bombs.REFUSED.items() if bomb.__name__.split("_")[0] != "tiff"}
    with client_of(served) as client:
        ids = {
            by_ticket(client, body, bomb.__name__): code for bomb, code in small.items() if len(body := bomb()) < 5e6
        }
        for image_id, code in ids.items():
            image = settled(client, image_id)
            assert (image["state"], image["error"]["code"]) == ("failed", code), image["filename"]
        assert is_well(client)


def test_a_picture_that_takes_too_long_fails_after_a_second_try_while_others_go_on(tmp_path: Path) -> None:
    """A hundred scans of a hundred megapixels are allowed, and take longer than this operator waits."""
    slow = bombs.jpeg_of_many_scans(10_000, 10_000, scans=100)
    with serving(tmp_path, workers="1", render_seconds="1", render_workers="2") as served, client_of(served) as client:
        began = time.monotonic()
        poison = by_ticket(client, slow)
        others = [by_ticket(client, pictures.jpeg(60, 40 + number)) for number in range(6)]
        assert {settled(client, image_id)["state"] for image_id in others} == {"ready"}
        image = settled(client, poison)
        assert (image["state"], image["error"]["code"]) == ("failed", "render-failed")
        assert "longer than 1 seconds" in image["error"]["detail"]
        assert time.monotonic() - began < 20
        assert is_well(client)
