"""Addresses of strangers: refused or served within bounds of time and memory, and never two renders of one result."""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest

import pictures
import processes
from darkroom.edge.signatures import path_of, sign
from patience import eventually, ready
from servers import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MEBIBYTE = 1024 * 1024
AVIF = {"accept": "image/avif,image/webp,*/*;q=0.8"}


@dataclass
class House:
    """A server with one image, and a secret to sign with."""

    served: Served
    client: httpx.Client
    image: str
    kid: str
    secret: bytes

    @staticmethod
    def of(served: Served, client: httpx.Client, body: bytes) -> House:
        kid, _, text = client.post("/v1/secrets", json={"owner": "local"}).json()["secret"].partition(".")
        return House(served, client, ready(client, body)["id"], kid, base64.urlsafe_b64decode(text + "="))

    def path(self, options: str, ext: str = "jpg") -> str:
        whole = f"{options},kid={self.kid}"
        return path_of(self.image, whole, sign(self.secret, self.image, whole, ext), ext)

    def get(self, options: str, ext: str = "jpg", **headers: str) -> httpx.Response:
        return self.client.get(self.path(options, ext), headers=headers)

    def stored(self) -> list[str]:
        folder = self.served.data / "assets" / "i" / self.image / "t"
        return sorted(each.name for each in folder.iterdir()) if folder.exists() else []

    def made(self) -> float:
        """Return how many results were rendered so far, whoever asked."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(
            float(line.split()[-1]) for line in lines if line.startswith("darkroom_results_total{") and '"made"' in line
        )

    def memory(self) -> int:
        return sum(each.memory for each in processes.process(self.served.process.pid).family())


@contextmanager
def opened(folder: Path, body: bytes, **settings: str) -> Iterator[House]:
    with (
        serving(folder, originals="keep", workers="2", **settings) as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client,
    ):
        yield House.of(served, client, body)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with opened(tmp_path_factory.mktemp("hostile-addresses"), pictures.jpeg(400, 300)) as house:
        yield house


# ------------------------------------------------------------------ every option, at its bounds and past them


@pytest.mark.parametrize(
    "options",
    [
        *("width=1", "width=8192", "height=1", "height=8192", "width=1,height=8192,fit=cover"),
        *("width=2048,dpr=4", "width=400,dpr=1", "width=8192,height=8192", "width=3,height=3,enlarge=1"),
        *(f"width=30,height=40,fit={fit}" for fit in ("inside", "cover", "contain", "fill")),
        *(f"width=30,height=40,fit=cover,gravity={gravity}" for gravity in ("0:0", "1:1", "0.9999:0.0001", "entropy")),
        *("crop=0:0:1:1", "crop=399:299:1:1", "crop=0:0:65535:65535", "crop=399:0:65535:1"),
        *("rotate=90", "rotate=180", "rotate=270", "flip=h", "flip=v"),
        *("quality=1", "quality=100", "background=000000", "background=FFFFFF"),
        *("blur=0.3", "blur=100", "sharpen=0.1", "sharpen=10", "grayscale=1", "bitonal=1", "exp=99999999999"),
    ],
)
def test_an_option_at_its_bounds_is_served(house, options):
    answer = house.get(options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("width", value) for value in ("0", "8193", "-1", "1e3", "", "9" * 30)),
        *(("height", value) for value in ("0", "8193")),
        *(("fit", value) for value in ("", "outside")),
        *(("gravity", value) for value in ("1.0001:0", "-0:0", "middle", "0:0:0")),
        *(("crop", value) for value in ("0:0:0:1", "400:0:1:1", "0:300:1:1", "0:0:65536:1", "0:0:1")),
        *(("rotate", value) for value in ("0", "45", "360")),
        *(("flip", value) for value in ("x", "hv")),
        *(("quality", value) for value in ("0", "101")),
        *(("background", value) for value in ("fff", "gggggg", "ffffff00")),
        *(("blur", value) for value in ("0.29", "100.01", "nan", "inf")),
        *(("sharpen", value) for value in ("0.09", "10.01")),
        *((name, value) for name in ("grayscale", "bitonal", "enlarge") for value in ("0", "2")),
        *(("dpr", value) for value in ("0.99", "4.01")),
        *(("exp", value) for value in ("-1", "999999999999")),
        ("nonsense", "1"),
    ],
)
def test_an_option_past_its_bounds_is_refused_and_named(house, name, value):
    before = house.stored()
    answer = house.get(f"{name}={value}" + (",width=5" if name == "dpr" else ""))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert name in answer.json()["detail"]
    assert answer.headers["cache-control"] == "no-store"
    assert house.stored() == before


def test_the_largest_of_all_is_refused_unmade(house):
    before = house.made()
    for ext in ("jpg", "avif", "auto"):
        assert house.get("width=8192,height=8192,dpr=4", ext).status_code == 422
    assert house.made() == before


# ------------------------------------------------------------------ very many at once


@dataclass
class Rush:
    """Many readers at once, each with a connection of its own, over and over."""

    house: House
    readers: int
    answers: Counter[int] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    most_memory: int = 0

    def ask(self, paths: list[str]) -> None:
        asyncio.run(self._ask(paths))

    async def _ask(self, paths: list[str]) -> None:
        left = iter(paths)
        watching = asyncio.create_task(self._watch())
        await asyncio.gather(*(self._read(left) for _ in range(self.readers)))
        watching.cancel()

    async def _watch(self) -> None:
        while True:
            self.most_memory = max(self.most_memory, await asyncio.to_thread(self.house.memory))
            await asyncio.sleep(0.5)

    async def _read(self, paths: Iterator[str]) -> None:
        address = urlsplit(self.house.served.url)
        for path in paths:
            reader, writer = await asyncio.open_connection(address.hostname, address.port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n".encode())
                head, _, body = (await asyncio.wait_for(reader.read(-1), 60)).partition(b"\r\n\r\n")
            finally:
                writer.close()
            self._note(path, head.decode("latin-1").lower(), body)

    def _note(self, path: str, head: str, body: bytes) -> None:
        status = int(head.split(" ", 2)[1])
        self.answers[status] += 1
        if status == 200:
            self.served.add(path)
            right = body.startswith(b"\xff\xd8")
        else:
            right = status == 503 and "retry-after:" in head and "cache-control: no-store" in head
        if not right:
            self.odd.append(f"{path}: {head}")


def rush(house: House, count: int, readers: int) -> None:
    """Ask for ``count`` distinct results at once; all are served or told to come again, and come to be served."""
    house.get("width=7")
    idle, made, stored = house.memory(), house.made(), len(house.stored())
    paths = [house.path(f"width={width},height={height},fit=fill") for width, height in _sizes(count)]
    crowd = Rush(house, readers)
    began = time.monotonic()
    crowd.ask(paths)
    spent = time.monotonic() - began
    assert not crowd.odd, crowd.odd[:3]
    assert set(crowd.answers) <= {200, 503}, crowd.answers
    assert sum(crowd.answers.values()) == count
    assert crowd.served, "somebody is served meanwhile"
    # No picture waits longer than its patience, and the readers come one after the other.
    assert spent < 60 + count / readers * 15, crowd.answers
    assert crowd.most_memory < idle + 200 * MEBIBYTE
    assert house.client.get("/healthz").status_code == 200
    again = crowd.served | set(paths[:20])
    for path in paths[:20]:
        eventually(lambda path=path: house.client.get(path).status_code == 200, seconds=60, what=path)
    settled = eventually(lambda: _at_rest(house), seconds=60, what="all that was begun being finished")
    assert len(again) <= settled - stored
    eventually(
        lambda: len(house.stored()) - stored == house.made() - made, what="each being rendered once, and no more"
    )


def _sizes(count: int) -> Iterator[tuple[int, int]]:
    return itertools.islice(itertools.product(range(10, 300), range(10, 200)), count)


def _at_rest(house: House) -> int | None:
    """Return how many results are stored once that does not change any more."""
    before = len(house.stored()), house.made()
    time.sleep(1.5)
    return before[0] if (len(house.stored()), house.made()) == before else None


def test_many_distinct_results_at_once_are_served_or_told_to_come_again(tmp_path):
    with opened(tmp_path, pictures.jpeg(120, 90), result_queue="10", result_workers="1") as house:
        rush(house, count=400, readers=200)


@pytest.mark.soak
def test_ten_thousand_distinct_results_at_once_take_no_more(tmp_path):
    with opened(tmp_path, pictures.jpeg(800, 600)) as house:
        rush(house, count=10_000, readers=2_000)


# ------------------------------------------------------------------ never a stored error


def test_what_cannot_be_made_leaves_nothing_and_is_made_once_it_can_be(house):
    image = ready(house.client, pictures.jpeg(500, 300))
    one = House(house.served, house.client, image["id"], house.kid, house.secret)
    kept = [*(house.served.data / "assets" / "i" / image["id"]).iterdir(), *_original(house, image["id"])]
    bodies = {path: path.read_bytes() for path in kept}
    for path, body in bodies.items():
        path.write_bytes(body[: len(body) // 2])
    answer = one.get("width=77")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer.headers["cache-control"] == "no-store"
    assert int(answer.headers["retry-after"]) > 0
    assert one.stored() == []
    for path, body in bodies.items():
        path.write_bytes(body)
    served = eventually(lambda: one.get("width=77").status_code == 200, seconds=40, what="the picture being made")
    assert served
    assert one.stored() == ["width=77.jpg"]


def _original(house: House, image_id: str) -> Iterator[Path]:
    yield house.served.data / "uploads" / "originals" / image_id


def test_a_hundred_who_ask_for_an_avif_that_comes_later_have_it_made_once(tmp_path):
    with opened(tmp_path, pictures.jpeg(300, 200), avif_budget_seconds="0") as house:
        address = house.path("width=90", "auto")

        async def ask() -> list[httpx.Response]:
            limits = httpx.Limits(max_connections=100)
            async with httpx.AsyncClient(base_url=house.served.url, trust_env=False, timeout=60, limits=limits) as many:
                return await asyncio.gather(*(many.get(address, headers=AVIF) for _ in range(100)))

        kinds = {answer.headers["content-type"] for answer in asyncio.run(ask())}
        assert "image/webp" in kinds
        eventually(lambda: house.stored() == ["width=90.avif", "width=90.webp"], what="the AVIF")
        eventually(lambda: house.made() == 2, what="the figure being given on")
        assert house.client.get(address, headers=AVIF).headers["content-type"] == "image/avif"
