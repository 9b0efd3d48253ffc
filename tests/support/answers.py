"""What an answer to a request for a picture is: a picture, or a refusal that says why."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import httpx


def picture_of(answer: httpx.Response) -> Image.Image:
    """Return the picture that was answered, decoded."""
    assert answer.status_code == 200, answer.text
    found = Image.open(io.BytesIO(answer.content))
    found.load()
    return found


def refused(answer: httpx.Response, status: int, code: str) -> str:
    """Return why a request was refused; no cache may keep that, and no default image stands in for the picture."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["code"] == code
    assert answer.headers["cache-control"] == "no-store"
    assert "x-default-image" not in answer.headers
    return str(answer.json()["detail"])


def refused_openly(answer: httpx.Response, status: int, code: str) -> str:
    """Return why a request was refused that pages of any host may send."""
    assert answer.headers["access-control-allow-origin"] == "*"
    return refused(answer, status, code)
