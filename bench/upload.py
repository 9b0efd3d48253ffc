"""How long a person waits for a photo: from the first byte of the request until all variants are ready.

    python bench/upload.py [--photo FILE] [--uploads 20]

Method. A service with default settings on a new data folder and one client on loopback, one photo after the other
with a pause of 0.2 s between, the first two not counted. The photo is a JPEG of 8 megapixels, made like a camera's in
what costs time: texture on every scale, and grain. By the door for small files: one `POST /v1/images` with
`Prefer: wait=20`, until the whole answer `201` is there. By ticket: `POST /v1/uploads`, the `PUT`, then
`GET /v1/images/{id}` every ten milliseconds until it says `ready`. Where the time goes is what the service wrote into
the line of each image; the rest is receiving, bringing to the disk, and noticing that it is done.

The target is a median of less than 0.5 s on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import httpx

import pictures
from machine import print_load, print_machine
from patience import eventually
from servers import serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Served

WARM_UP = 2
PAUSE_SECONDS = 0.2
POLL_SECONDS = 0.01
STEPS = {"waited": "in the queue", "render": "rendering", "shelve": "shelving", "commit": "committing"}


def main() -> None:
    """Read the command line, upload by both doors and print how long it took."""
    arguments = argparse.ArgumentParser(description="from the first byte of a photo until its variants are ready")
    arguments.add_argument("--photo", type=Path, help="another JPEG than the one that is made")
    arguments.add_argument("--uploads", type=int, default=20)
    chosen = arguments.parse_args()
    print_machine()
    if chosen.photo:
        body = chosen.photo.read_bytes()
    else:
        body = pictures.encode(pictures.photo(3264, 2448), "JPEG", quality=90)
    with tempfile.TemporaryDirectory() as name, serving(Path(name)) as served:
        print(f"A photo of {len(body) / 1e6:.2f} MB, {chosen.uploads} times by each door, seconds")
        print(f"  {'':18}{'median':>8}{'p95':>8}{'best':>8}   median of each part")
        doors: dict[str, Callable[[httpx.Client, bytes], str]] = {
            "POST, Prefer: wait": by_the_small_door,
            "ticket and polling": by_ticket,
        }
        for door, upload in doors.items():
            measure(served, door, upload, body, chosen.uploads)
    print()
    print_load()


def measure(served: Served, door: str, upload: Callable[[httpx.Client, bytes], str], body: bytes, uploads: int) -> None:
    """Upload over and over, and print how long it took and where the time went."""
    took: list[float] = []
    parts: list[dict[str, float]] = []
    with httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client:
        for number in range(WARM_UP + uploads):
            time.sleep(PAUSE_SECONDS)
            began = time.monotonic()
            image_id = upload(client, body)
            seconds = time.monotonic() - began
            if number >= WARM_UP:
                line = line_of(served, image_id)
                took.append(seconds)
                part = {title: line[f"{step}_seconds"] for step, title in STEPS.items()}
                parts.append(part | {"the rest": seconds - sum(part.values())})
    p95 = sorted(took)[math.ceil(0.95 * len(took)) - 1]
    shares = ", ".join(f"{title} {statistics.median(part[title] for part in parts):.3f}" for title in parts[0])
    print(f"  {door:18}{statistics.median(took):8.3f}{p95:8.3f}{min(took):8.3f}   {shares}")


def by_the_small_door(client: httpx.Client, body: bytes) -> str:
    """Upload in one request, and return the id once the image is ready."""
    answer = client.post("/v1/images", content=body, headers={"content-type": "image/jpeg", "prefer": "wait=20"})
    if answer.status_code != 201:
        sys.exit(f"not ready: {answer.text}")
    return str(answer.json()["id"])


def by_ticket(client: httpx.Client, body: bytes) -> str:
    """Upload by ticket, and return the id once the image is ready."""
    ticket = client.post("/v1/uploads", json={"filename": "photo.jpg", "bytes": len(body)}).json()
    client.put(ticket["url"], content=body, headers=ticket["headers"]).raise_for_status()
    while client.get(f"/v1/images/{ticket['id']}").json()["state"] != "ready":
        time.sleep(POLL_SECONDS)
    return str(ticket["id"])


def line_of(served: Served, image_id: str) -> dict[str, Any]:
    """Return what the service wrote down of an image."""

    def look() -> dict[str, Any] | None:
        for text in served.said.read_text().splitlines():
            if image_id in text and '"image ready"' in text:
                found: dict[str, Any] = json.loads(text)
                return found
        return None

    return eventually(look, what="the line of the image")


if __name__ == "__main__":
    main()
