"""The replay of the article's workload: what people look at, what is sent, and how it is counted."""

import asyncio
import io
import math
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

import pictures
from servers import clean_environment

ROOM = 128 * 2**20
ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "bench"))

from replay.expected import Seen, expected_hits  # noqa: E402 # found by the line above
from replay.people import PEAK_UPLOADS, PEAK_VIEWS, Library, Photos  # noqa: E402
from replay.tally import Tally  # noqa: E402
from replay.wire import Pool  # noqa: E402


def test_a_replay_against_a_service_tells_what_it_took(server):
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "bench" / "load.py", "--url", server.url, "--factor", "3", "--seconds", "2"),
            *("--library", "2", "--drain", "1", "--photos", "photos"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=_folder_with_photos(server.data.parent),
        env=clean_environment(),
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "errors: 0" in done.stdout
    for shown in ("view", "accepted", "p99 ms", "of the pictures from memory"):
        assert shown in done.stdout


def _folder_with_photos(folder):
    (folder / "photos").mkdir(exist_ok=True)
    (folder / "photos" / "one.jpg").write_bytes(pictures.jpeg(200, 150))
    return folder


def test_the_peak_is_three_times_the_article_s_mean_35_views_to_an_upload():
    assert pytest.approx(35) == PEAK_VIEWS / PEAK_UPLOADS
    assert pytest.approx(3 * 360_000 / 2_592_000) == PEAK_UPLOADS


def test_new_images_are_looked_at_most_and_popular_ones_more():
    library = Library(random.Random(3))
    for number in range(1_000):
        library.add(f"{number:026d}")
    library.add(f"{999:026d}")  # known
    assert len(library.ids) == 1_000
    seen = Counter(library.view()[0].split("/")[2] for _ in range(20_000))
    newest = sum(seen[image_id] for image_id in library.ids[-100:])
    oldest = sum(seen[image_id] for image_id in library.ids[:100])
    assert newest > 10 * oldest
    assert oldest > 0


def test_each_upload_is_a_file_of_its_own_and_the_same_picture():
    photos = Photos((pictures.jpeg(64, 48),))
    one, other = photos.make(1), photos.make(2)
    assert one != other
    assert Image.open(io.BytesIO(one)).tobytes() == Image.open(io.BytesIO(other)).tobytes()


def test_percentiles_are_those_of_what_went_well():
    tally = Tally()
    for number in range(1, 101):
        tally.took("view", number / 1000)
    tally.failed("view", "404")
    assert tally.percentile("view", 0.5) == 0.05
    assert tally.percentile("view", 0.99) == 0.099
    assert tally.percentile("view", 1) == 0.1
    assert math.isnan(tally.percentile("search", 0.5))
    assert "errors: 1" in tally.table(10)


def test_the_model_expects_of_a_cache_what_a_cache_does():
    chance = random.Random(1)
    views = [Seen(number, f"{number % 4}", 1_000) for number in range(4_000)]
    assert expected_hits(views, chance, ROOM) == pytest.approx(1 - 8 / 4_000)  # each once in each of two caches
    never_again = [Seen(number, f"{number}", 1_000) for number in range(500)]
    assert expected_hits(never_again, chance, ROOM) == 0
    # In turn 3,000 pictures of 100 kB, of which a cache has room for 1,290: an LRU has always just let go of it.
    in_turn = [Seen(number, f"{number % 3_000}", 100_000) for number in range(12_000)]
    assert expected_hits(in_turn, chance, ROOM) < 0.1


def test_connections_are_used_again_and_replaced_when_the_server_closes_them():
    async def scenario():
        connections = 0

        async def serve(reader, writer):
            nonlocal connections
            connections += 1
            for answer in (
                b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n",
            ):
                try:
                    await reader.readuntil(b"\r\n\r\n")
                except asyncio.IncompleteReadError:
                    break
                writer.write(answer)
            writer.close()

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        pool = Pool("127.0.0.1", listener.sockets[0].getsockname()[1], 1)
        answers = [(await pool.ask("GET", "/", {})).body for _ in range(5)]
        await pool.close()
        listener.close()
        return answers, connections

    answers, connections = asyncio.run(scenario())
    assert answers == [b"one", b"two", b"one", b"two", b"one"]
    assert connections == 3
