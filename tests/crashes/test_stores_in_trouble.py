"""Buckets that answer errors, half of what they have, or nothing for a while: who is refused, what goes on, what comes.

The buckets are in memory; catalog, queue, HTTP and the processor are those of the real service.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import pictures
from deployments import client_of
from patience import eventually, ready, settled
from servers import clean_environment, free_port, stop
from troubled_server import FAILS, HALVES, HANGS

if TYPE_CHECKING:
    from collections.abc import Iterator

SUPPORT = Path(__file__).parents[1] / "support"
PATIENT_SECONDS = 8
"""Within which health has to say that a store hangs."""
THREADS_MAX = 60
"""Of the whole process, whatever hangs in it: HTTP, SQLite, uploads, delivery and events."""


@dataclass(frozen=True)
class Troubled:
    """A running service and what its buckets do."""

    folder: Path
    url: str
    pid: int
    said: Path

    def have(self, *, uploads: str = "", assets: str = "") -> None:
        (self.folder / "uploads.does").write_text(uploads)
        (self.folder / "assets.does").write_text(assets)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Return what was written down of one kind."""
        lines = [json.loads(line) for line in self.said.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def threads(self) -> int:
        """Count the threads of the process and of those that it has started."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in [self.pid, *children])


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Troubled]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    said = tmp_path / "server.log"
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(port)]
    for name in ("uploads.does", "assets.does"):
        (tmp_path / name).touch()
    with said.open("wb") as output:
        process = subprocess.Popen(
            [*command, "troubled_server:app"],
            cwd=SUPPORT,
            env=clean_environment() | {"TROUBLE_FOLDER": str(tmp_path), "TROUBLE_URL": url},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    troubled = Troubled(tmp_path, url, process.pid, said)
    try:
        with client_of(url) as client:
            eventually(lambda: health(client) == (200, None), what="the service answering")
        yield troubled
    finally:
        troubled.have()
        stop(process)


@pytest.fixture
def client(troubled: Troubled) -> Iterator[httpx.Client]:
    with client_of(troubled.url) as client:
        yield client


def health(client: httpx.Client) -> tuple[int, str | None]:
    """Return the status and, when it is no good one, what is said about it."""
    try:
        answer = client.get("/healthz")
    except httpx.TransportError:
        return 0, None
    return answer.status_code, answer.json().get("detail")


def post(client: httpx.Client, number: int = 0) -> httpx.Response:
    body = pictures.jpeg(50 + number % 50, 40)
    return client.post("/v1/images", content=body, headers={"content-type": "image/jpeg"})


def posted(client: httpx.Client, count: int) -> list[str]:
    answers = [post(client, number) for number in range(count)]
    assert {answer.status_code for answer in answers} == {202}
    return [answer.json()["id"] for answer in answers]


def all_come(client: httpx.Client, ids: list[str]) -> None:
    """See that everything that was acknowledged becomes ready, and that nothing was given up."""
    for image_id in ids:
        image = settled(client, image_id)
        assert image["state"] == "ready", image["error"]
        assert client.get(f"/i/{image_id}/small.jpg").status_code == 200
    eventually(lambda: health(client) == (200, None), what="health")
    metrics = client.get("/metrics").text
    assert 'darkroom_queue_events{state="buried"} 0.0' in metrics


@pytest.mark.parametrize("assets", [FAILS, HANGS])
def test_while_variants_cannot_be_put_images_wait(troubled: Troubled, client: httpx.Client, assets: str) -> None:
    hot, cold = (ready(client, pictures.jpeg(70 + number, 40))["id"] for number in range(2))
    picture = client.get(f"/i/{hot}/small.jpg")
    troubled.have(assets=assets)
    ids = posted(client, 12)
    with ThreadPoolExecutor(1) as another, client_of(troubled.url) as other:
        not_seen = another.submit(other.get, f"/i/{cold}/small.jpg")
        began = time.monotonic()
        eventually(lambda: health(client)[0] == 503, seconds=PATIENT_SECONDS, what="health saying so")
        assert time.monotonic() - began < PATIENT_SECONDS
        reason = str(health(client)[1])
        assert reason == "catalog and buckets have not answered for 5 s" if assets == HANGS else "reset" in reason
        assert client.get(f"/i/{hot}/small.jpg").content == picture.content
        assert len(client.get("/v1/images").json()["items"]) == 2
        assert client.patch(f"/v1/images/{hot}", json={"title": "new"}).status_code == 200
        refused = not_seen.result(20)
        assert refused.status_code == 503
        assert "retry-after" in refused.headers
    if assets == FAILS:
        eventually(lambda: len(troubled.lines("stores do not answer")) > 6, what="tries")
        waits = [line["again_in"] for line in troubled.lines("stores do not answer")]
        assert max(waits) == 1.0, "the delay does not grow, or without bound"
        assert len(troubled.lines("event failed")) <= 4, "events were tried in vain"
    assert troubled.threads() < THREADS_MAX
    assert troubled.lines("image failed") == []
    troubled.have()
    all_come(client, ids)
    assert client.get(f"/i/{cold}/small.jpg").status_code == 200


def test_while_originals_cannot_be_put_uploaders_are_told_and_may_come_again(
    troubled: Troubled, client: httpx.Client
) -> None:
    body = pictures.jpeg()
    ticket = client.post("/v1/uploads", json={"filename": "a.jpg", "bytes": len(body)}).json()
    troubled.have(uploads=FAILS)
    for answer in (post(client), client.put(ticket["url"], content=body, headers=ticket["headers"])):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert "retry-after" in answer.headers
    assert health(client)[0] == 503
    assert client.get("/v1/images", params={"state": ["processing", "failed", "ready"]}).json()["items"] == []
    troubled.have()
    assert client.put(ticket["url"], content=body, headers=ticket["headers"]).status_code == 200
    all_come(client, [ticket["id"], *posted(client, 1)])


def test_a_bucket_that_hangs_holds_up_a_bounded_number_of_uploads_and_nobody_else(
    troubled: Troubled, client: httpx.Client
) -> None:
    image_id = ready(client, pictures.jpeg())["id"]
    troubled.have(uploads=HANGS)
    answered: list[int] = []

    def upload(number: int) -> None:
        with httpx.Client(base_url=troubled.url, trust_env=False, timeout=60) as uploader:
            answered.append(post(uploader, number).status_code)

    with ThreadPoolExecutor(100) as uploaders:
        for number in range(100):
            uploaders.submit(upload, number)
        eventually(lambda: len(answered) >= 36, what="those for whom there is no place being told so")
        assert set(answered) == {503}
        assert troubled.threads() < THREADS_MAX
        began = time.monotonic()
        assert len(client.get("/v1/images").json()["items"]) == 1
        assert client.get(f"/i/{image_id}/small.jpg").status_code == 200
        assert time.monotonic() - began < 2
        assert health(client)[0] == 503
        troubled.have()
    assert sorted(answered) == [202] * 64 + [503] * 36
    eventually(lambda: len(client.get("/v1/images", params={"limit": 200}).json()["items"]) == 65, what="all images")
    all_come(client, posted(client, 1))


@pytest.mark.parametrize("bucket", ["uploads", "assets"])
def test_half_an_answer_is_neither_judged_nor_shown(troubled: Troubled, client: httpx.Client, bucket: str) -> None:
    image_id = ready(client, pictures.jpeg())["id"]
    whole = [variant["bytes"] for variant in client.get(f"/v1/images/{image_id}").json()["variants"]]
    ids = []
    if bucket == "uploads":
        troubled.have(assets=HANGS)
        ids = posted(client, 3)
        troubled.have(uploads=HALVES)
        eventually(lambda: len(troubled.lines("event failed")) > 2, what="tries in vain")
    else:
        troubled.have(assets=HALVES)
        answer = client.get(f"/i/{image_id}/medium.jpg")
        assert answer.status_code != 200 or len(answer.content) in whole
    assert troubled.lines("image failed") == []
    troubled.have()
    all_come(client, [image_id, *ids])
