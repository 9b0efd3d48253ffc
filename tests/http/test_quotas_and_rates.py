"""Rates of keys and quotas of owners, on a real server whose two workers must act as one."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import pictures
from patience import eventually, ready, settled
from servers import serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from servers import Served

IMAGES, BYTES, TICKETS = 6, 300_000, 3
PLENTY = {"per_second": 1000, "burst": 10_000}


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that allows little."""
    with serving(
        tmp_path_factory.mktemp("tight"),
        keys=True,
        workers="2",
        key_rate="2",
        key_burst="40",
        owner_images=str(IMAGES),
        owner_bytes=str(BYTES),
        owner_open_tickets=str(TICKETS),
    ) as served:
        yield served


@contextmanager
def caller(server: Served, owner: str, rate: Mapping[str, float] | None) -> Iterator[httpx.Client]:
    """Give a client with a new key of this owner."""
    with client_of(server, server.key) as admin:
        made = admin.post(
            "/v1/keys", json={"owner": owner, "name": "a test", "scopes": ["read", "write"], "rate": rate}
        )
        assert made.status_code == 201, made.text
        assert made.json()["rate"] == rate
    with client_of(server, made.json()["key"]) as client:
        yield client


def client_of(server: Served, key: str | None) -> httpx.Client:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=30)


@pytest.fixture
def owner(request: pytest.FixtureRequest, tight: Served) -> Iterator[httpx.Client]:
    """A client of an owner that no other test has, who may call as often as it likes."""
    with caller(tight, request.node.name.replace("[", "-").replace("]", "")[-64:], PLENTY) as client:
        yield client


def at_once(client: httpx.Client, count: int, method: str, url: str, **given: Any) -> list[httpx.Response]:
    """Send so many requests from eight threads, each by a connection of its own, so that both workers have some."""

    def send(_: int) -> httpx.Response:
        with httpx.Client(base_url=client.base_url, headers=client.headers, trust_env=False, timeout=30) as fresh:
            return fresh.request(method, url, **given)

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(send, range(count)))


def statuses(answers: list[httpx.Response]) -> dict[int, int]:
    found = [answer.status_code for answer in answers]
    return {status: found.count(status) for status in set(found)}


def picture(length: int = 0) -> bytes:
    """Return a small JPEG, at least so long."""
    body = pictures.jpeg(30, 20)
    return body + os.urandom(max(0, length - len(body)))


def ticket(length: int = 1000) -> dict[str, Any]:
    return {"json": {"filename": "a.jpg", "bytes": length}}


def refused(answer: httpx.Response, naming: str, retry_after: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (429, "over-quota"), answer.text
    assert naming in answer.json()["detail"]
    assert answer.headers["retry-after"] == str(retry_after)


def used(client: httpx.Client) -> tuple[int, int, int]:
    told = client.get("/v1/usage").json()
    return told["images"]["used"], told["bytes"]["used"], told["open_tickets"]["used"]


# ------------------------------------------------------------------ rates


def test_both_workers_count_the_requests_of_a_key_together(tight: Served) -> None:
    rate = {"per_second": 0.5, "burst": 30}
    with caller(tight, "together", rate) as client:
        began = time.monotonic()
        answers = at_once(client, 80, "GET", "/v1/limits")
        elapsed = time.monotonic() - began
    found = statuses(answers)
    assert 30 <= found[200] <= 30 + math.ceil(0.5 * elapsed)
    assert found == {200: found[200], 429: 80 - found[200]}
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["code"] == "rate-limited"
            assert "0.5 requests a second" in answer.json()["detail"]
            assert answer.headers["retry-after"] in {"1", "2"}


def test_whoever_waits_as_told_is_answered(tight: Served) -> None:
    with caller(tight, "patient", {"per_second": 1.25, "burst": 2}) as client:
        for _ in range(2):
            answers = [client.get("/v1/limits") for _ in range(4)]
            assert [answer.status_code for answer in answers[-2:]] == [429, 429]
            time.sleep(int(answers[-1].headers["retry-after"]))
            assert client.get("/v1/limits").status_code == 200


def test_a_key_has_the_rate_of_the_settings_unless_it_has_its_own(tight: Served) -> None:
    with caller(tight, "both", None) as client:
        assert client.get("/v1/limits").json()["rate"] == {"per_second": 2, "burst": 40}
        assert statuses(at_once(client, 90, "GET", "/v1/images"))[429] > 20
        assert client.get("/healthz").status_code == 200, "nobody asks who looks at the health"
    with caller(tight, "both", PLENTY) as client:
        assert client.get("/v1/limits").json()["rate"] == PLENTY
        assert statuses(at_once(client, 90, "GET", "/v1/images")) == {200: 90}


@pytest.mark.parametrize("rate", [{"per_second": 0, "burst": 1}, {"per_second": 1, "burst": 0}, {"per_second": 1}, 5])
def test_a_rate_that_is_none_is_refused(tight: Served, rate: Any) -> None:
    with client_of(tight, tight.key) as admin:
        told = {"owner": "a", "name": "a", "scopes": ["read"], "rate": rate}
        answer = admin.post("/v1/keys", json=told)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert "rate" in answer.json()["detail"]


def test_tickets_and_delivery_ask_no_key_and_have_no_rate(tight: Served) -> None:
    body = picture()
    with caller(tight, "delivered", PLENTY) as client:
        image = ready(client, body)
        opened = client.post("/v1/uploads", **ticket(len(body))).json()
    with caller(tight, "delivered", {"per_second": 0.001, "burst": 1}) as client:
        client.get("/v1/limits")
        assert client.get("/v1/limits").status_code == 429
        assert statuses(at_once(client, 60, "GET", f"/i/{image['id']}/small.jpg")) == {200: 60}
        assert client.put(opened["url"], content=body, headers=opened["headers"]).status_code == 200


# ------------------------------------------------------------------ quotas


@pytest.mark.parametrize("door", ["small", "ticket"])
def test_images_are_counted_at_both_doors(owner: httpx.Client, door: str) -> None:
    images = [ready(owner, picture()) for _ in range(IMAGES - 1)]
    opened = owner.post("/v1/uploads", **ticket()).json()
    answer = owner.post("/v1/uploads", **ticket()) if door == "ticket" else owner.post("/v1/images", content=picture())
    refused(answer, f"{IMAGES} images of {IMAGES}", 3600)
    assert used(owner)[0] == IMAGES
    assert owner.delete(f"/v1/images/{images[0]['id']}").status_code == 204
    ready(owner, picture())
    assert owner.delete(f"/v1/images/{opened['id']}").status_code == 204
    assert owner.post("/v1/uploads", **ticket()).status_code == 201


@pytest.mark.parametrize("door", ["small", "ticket"])
def test_bytes_are_counted_at_both_doors_before_they_come(owner: httpx.Client, door: str) -> None:
    opened = owner.post("/v1/uploads", **ticket(BYTES - 20_000)).json()
    assert used(owner) == (1, BYTES - 20_000, 1)
    body = picture(30_000)
    send = {"small": lambda: owner.post("/v1/images", content=body)}
    send["ticket"] = lambda: owner.post("/v1/uploads", **ticket(30_000))
    refused(send[door](), f"30000 bytes, and you have {BYTES - 20_000} of {BYTES}", 3600)
    assert owner.get("/v1/images", params={"state": ["awaiting", "processing", "ready"]}).json()["items"] == [
        owner.get(f"/v1/images/{opened['id']}").json()
    ]
    assert owner.delete(f"/v1/images/{opened['id']}").status_code == 204
    assert used(owner) == (0, 0, 0)
    assert send[door]().status_code in {201, 202}


def test_open_tickets_are_counted_until_their_images_are_ready(owner: httpx.Client) -> None:
    body = picture()
    opened = [owner.post("/v1/uploads", **ticket(len(body))).json() for _ in range(TICKETS)]
    refused(owner.post("/v1/uploads", **ticket()), f"{TICKETS} open uploads of {TICKETS}", 10)
    assert owner.post("/v1/images", content=body).status_code == 202, "the small door opens no ticket"
    assert owner.put(opened[0]["url"], content=body, headers=opened[0]["headers"]).status_code == 200
    assert settled(owner, opened[0]["id"])["state"] == "ready"
    assert owner.post("/v1/uploads", **ticket()).status_code == 201
    refused(owner.post("/v1/uploads", **ticket()), "open uploads", 10)


def test_usage_is_what_the_images_say(owner: httpx.Client) -> None:
    images = [ready(owner, picture()), ready(owner, pictures.png(60, 50, alpha=True))]
    length = sum(variant["bytes"] for image in images for variant in image["variants"])
    assert owner.get("/v1/usage").json() == {
        "owner": images[0]["owner"],
        "images": {"used": 2, "limit": IMAGES},
        "bytes": {"used": length, "limit": BYTES},
        "open_tickets": {"used": 0, "limit": TICKETS},
    }
    limits = owner.get("/v1/limits").json()
    assert [limits[f"owner_{what}"] for what in ("images", "bytes", "open_tickets")] == [IMAGES, BYTES, TICKETS]
    owner.post(f"/v1/images/{images[0]['id']}/reprocess", params={"from": "rendition"})
    again = settled(owner, images[0]["id"])
    length += sum(variant["bytes"] for variant in again["variants"])
    length -= sum(variant["bytes"] for variant in images[0]["variants"])
    assert used(owner) == (2, length, 0)


def test_an_image_that_fails_counts_until_it_is_deleted(owner: httpx.Client) -> None:
    body = picture()[:-200]
    opened = owner.post("/v1/uploads", **ticket(len(body))).json()
    owner.put(opened["url"], content=body, headers=opened["headers"])
    assert settled(owner, opened["id"])["state"] == "failed"
    assert used(owner) == (1, len(body), 0)
    owner.delete(f"/v1/images/{opened['id']}")
    assert used(owner) == (0, 0, 0)


def test_a_picture_refused_at_once_counts_nothing(owner: httpx.Client) -> None:
    assert owner.post("/v1/images", content=b"no image").status_code == 415
    assert used(owner) == (0, 0, 0)


def test_of_many_uploads_at_once_no_more_get_in_than_there_is_room_for(owner: httpx.Client) -> None:
    answers = at_once(owner, 24, "POST", "/v1/uploads", **ticket())
    assert statuses(answers) == {201: TICKETS, 429: 24 - TICKETS}
    answers = at_once(owner, 24, "POST", "/v1/images", content=picture())
    assert statuses(answers) == {202: IMAGES - TICKETS, 429: 24 - IMAGES + TICKETS}
    eventually(lambda: used(owner)[::2] == (IMAGES, TICKETS), what="usage")


def test_a_repeated_request_gets_its_answer_though_there_is_no_room(owner: httpx.Client) -> None:
    headers = {"idempotency-key": "one"}
    first = owner.post("/v1/uploads", **ticket(), headers=headers)
    for _ in range(TICKETS - 1):
        owner.post("/v1/uploads", **ticket())
    refused(owner.post("/v1/uploads", **ticket(), headers={"idempotency-key": "two"}), "open uploads", 10)
    assert owner.post("/v1/uploads", **ticket(), headers=headers).json() == first.json()
    owner.delete(f"/v1/images/{first.json()['id']}")
    second = owner.post("/v1/uploads", **ticket(), headers={"idempotency-key": "two"})
    assert second.status_code == 201
    assert second.json()["id"] > first.json()["id"]


def test_owners_do_not_share_a_quota(owner: httpx.Client, tight: Served) -> None:
    for _ in range(TICKETS):
        owner.post("/v1/uploads", **ticket())
    refused(owner.post("/v1/uploads", **ticket()), "open uploads", 10)
    with caller(tight, "somebody-else", PLENTY) as other:
        assert other.post("/v1/uploads", **ticket()).status_code == 201
        assert used(other) == (1, 1000, 1)
