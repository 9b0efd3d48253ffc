"""Doing something until it has worked out, for a bounded time."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

Found = TypeVar("Found")
Document = dict[str, Any]


def eventually(look: Callable[[], Found | None], *, seconds: float = 20.0, what: str = "that") -> Found:
    """Return the first truthy value of ``look``; fail when there is none within ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds:g} s"
        time.sleep(0.02)


def settled(client: httpx.Client, image_id: str) -> Document:
    """Return the image once it is ready or failed."""

    def look() -> Document | None:
        answer = client.get(f"/v1/images/{image_id}")
        assert answer.status_code == 200, answer.text
        image = answer.json()
        return image if image["state"] in {"ready", "failed"} else None

    return eventually(look, what=f"image {image_id} being ready or failed")


def uploaded(client: httpx.Client, body: bytes, *, filename: str = "a.jpg", **said: object) -> Document:
    """Upload by the small door and return the image once it is settled; ``said`` are form fields."""
    answer = client.post("/v1/images", files={"file": (filename, body)}, data=said, headers={"prefer": "wait=20"})
    assert answer.status_code in {201, 202}, answer.text
    return settled(client, answer.json()["id"])


def ready(client: httpx.Client, body: bytes, *, filename: str = "a.jpg", **said: object) -> Document:
    """As ``uploaded``, for a picture that must become ready."""
    image = uploaded(client, body, filename=filename, **said)
    assert image["state"] == "ready", image["error"]
    return image


def shows_default(answer: httpx.Response, why: str) -> bool:
    """Tell whether a delivery is the default image, and said to be because the image is ``missing``, ``failed`` ….

    CloudFront does not know why: there it is always ``missing``, and the emulator leaves the header away.
    """
    said = answer.headers.get("x-default-image")
    if "x-amz-cf-id" in answer.headers:
        why, said = "missing", said or "missing"
    return answer.status_code == 404 and said == why and answer.headers["content-type"].startswith("image/")
