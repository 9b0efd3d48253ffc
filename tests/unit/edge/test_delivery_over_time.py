"""What a worker keeps, shares and forgets: purges against reads, many who ask at once, a store that hangs."""

import asyncio
import contextlib
import gc
import io
import logging
import threading
import time

import pytest

from darkroom import ledger
from darkroom.edge.delivery import CHUNK_BYTES, DeliveryRules
from darkroom.edge.pictures import WHOLE_BYTES
from darkroom.errors import Unavailable
from darkroom.figures import DAMAGED_OBJECTS, DELIVERED_BYTES, DELIVERIES
from darkroom.model import State
from darkroom.names import asset_key
from deliveries import AVIF, ID, JPEG, OTHER_ID, Edge, Gate

PATH = f"/i/{ID}/medium.jpg"
KEY = asset_key(ID, "medium", "jpg")
NEWER = b"newer bytes"


@pytest.fixture
def edge(tmp_path):
    edge = Edge(tmp_path)
    edge.shelve()
    yield edge
    edge.close()


def delete(edge: Edge) -> None:
    """Do what the service does: tombstone, bucket, purge."""
    edge.states[ID] = None
    edge.bucket.delete(KEY)
    edge.purges.purge(ID)


def replace(edge: Edge) -> None:
    edge.shelve(body=NEWER)
    edge.purges.purge(ID)


# ------------------------------------------------------------------ hot


def test_a_hot_picture_is_not_read_again(edge):
    for _ in range(5):
        assert edge.get(PATH).body == JPEG
    assert edge.bucket.reads == [KEY]


def test_a_deleted_picture_is_gone_at_the_very_next_request(edge):
    edge.get(PATH)
    delete(edge)
    assert edge.get(PATH).status == 404
    assert edge.get(PATH, if_none_match="*").status == 404
    assert edge.head(PATH).status == 404


def test_a_replaced_picture_is_the_newer_one_at_the_very_next_request(edge):
    edge.get(f"/i/{ID}/medium")
    replace(edge)
    assert edge.get(f"/i/{ID}/medium").body == NEWER


def test_a_purge_forgets_nothing_of_other_images(edge):
    edge.bucket.put(asset_key(OTHER_ID, "medium", "jpg"), AVIF, content_type="image/avif")
    edge.get(f"/i/{OTHER_ID}/medium.jpg")
    edge.purges.purge(ID)
    edge.get(f"/i/{OTHER_ID}/medium.jpg")
    assert edge.bucket.reads == [asset_key(OTHER_ID, "medium", "jpg")]


# ------------------------------------------------------------------ a purge while it is being read


@pytest.mark.parametrize(("change", "status", "body"), [(delete, 404, None), (replace, 200, NEWER)])
def test_what_was_read_before_a_purge_is_neither_shown_nor_kept_after_it(edge, change, status, body):
    gate = Gate()
    # The old bytes are already in the reader's hands when the picture changes.
    edge.bucket.after_read = gate.wait

    async def story():
        asking = asyncio.create_task(edge.ask(PATH))
        await asyncio.to_thread(gate.reached.wait, 10)
        edge.bucket.after_read = lambda _: None
        change(edge)
        gate.opened.set()
        return await asking

    during = edge.runner.run(story())
    assert during.status == status
    assert body is None or during.body == body
    after = edge.get(PATH)
    assert after.status == status
    assert body is None or after.body == body


def test_who_asks_after_a_purge_is_not_given_what_others_began_to_read_before_it(edge):
    gate = Gate()
    edge.bucket.after_read = gate.wait

    async def story():
        early = asyncio.create_task(edge.ask(PATH))
        await asyncio.to_thread(gate.reached.wait, 10)
        edge.bucket.after_read = lambda _: None
        replace(edge)
        late = asyncio.create_task(edge.ask(PATH))
        await asyncio.sleep(0)
        gate.opened.set()
        await early
        return await late

    assert edge.runner.run(story()).body == NEWER


def test_a_picture_purged_again_and_again_is_not_guessed_at(edge):
    edge.bucket.after_read = lambda _: edge.purges.purge(ID)
    answer = edge.get(PATH)
    assert (answer.status, answer.headers["cache-control"]) == (503, "no-store")
    edge.bucket.after_read = lambda _: None
    assert edge.get(PATH).body == JPEG


def test_purges_at_random_moments_never_leave_an_old_picture(edge):
    """The writer counts up; whoever asks after a purge has returned must see at least that number."""
    last = 0
    stop = threading.Event()

    def write():
        nonlocal last
        for number in range(1, 400):
            edge.shelve(body=b"%d" % number)
            edge.purges.purge(ID)
            last = number
            time.sleep(0.001)  # on a busy machine, too, something is read between two purges
        stop.set()

    async def read():
        asked = 0
        while not stop.is_set():
            least = last
            answers = await asyncio.gather(*(edge.ask(PATH) for _ in range(4)))
            for answer in answers:
                if answer.status == 200 and answer.body != JPEG:
                    assert int(answer.body) >= least
                    asked += 1
                else:
                    assert answer.status == 503 or least == 0
        assert asked
        return await edge.ask(PATH)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert edge.runner.run(read()).body == b"399"
    finally:
        stop.set()
        writer.join()


# ------------------------------------------------------------------ damaged


def vouch(edge: Edge, body: bytes, name: str = "medium.jpg") -> None:
    edge.ledger[name] = ledger.checksum(body)


def test_a_whole_picture_is_shown_and_one_that_is_not_vouched_for_yet_too(edge):
    edge.shelve("small", body=b"anything")
    vouch(edge, JPEG)
    assert edge.get(PATH).body == JPEG
    assert edge.get(f"/i/{ID}/small.jpg").body == b"anything"


@pytest.mark.parametrize("length", [20, WHOLE_BYTES + 1], ids=["small", "large"])
def test_a_damaged_picture_is_never_shown_and_is_reported_once(tmp_path, caplog, length):
    edge = Edge(tmp_path, rules=DeliveryRules(hot_cache_bytes=0))
    with contextlib.closing(edge):
        never_shown_and_reported_once(edge, caplog, bytes(length))


def never_shown_and_reported_once(edge, caplog, whole):
    edge.shelve(body=whole[:-1] + b"\x01")
    vouch(edge, whole)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            for method in ("GET", "HEAD"):
                answer = edge.runner.run(edge.ask(PATH, method))
                assert (answer.status, answer.headers["cache-control"]) == (503, "no-store")
                assert "etag" not in answer.headers
    assert [(record.msg, record.key) for record in caplog.records] == [("object damaged", KEY)]
    assert edge.figures.total(DAMAGED_OBJECTS, finder="delivery") == 1

    edge.shelve(body=whole)
    edge.purges.purge(ID)
    assert edge.get(PATH).body == whole


def test_a_picture_that_is_made_anew_while_it_is_read_is_not_taken_for_damaged(edge):
    vouch(edge, JPEG)

    def make_anew(_key):
        edge.bucket.after_read = lambda _: None
        edge.shelve(body=NEWER)
        vouch(edge, NEWER)  # the purge comes a moment later

    edge.bucket.after_read = make_anew
    assert edge.get(PATH).body == NEWER
    assert edge.figures.total(DAMAGED_OBJECTS, finder="delivery") == 0


# ------------------------------------------------------------------ many at once


def test_those_who_ask_at_once_share_one_reading(edge):
    gate = Gate()
    edge.bucket.before_read = gate.wait

    async def story():
        asking = [asyncio.create_task(edge.ask(PATH)) for _ in range(50)]
        await asyncio.to_thread(gate.reached.wait, 10)
        gate.opened.set()
        return await asyncio.gather(*asking)

    assert {answer.body for answer in edge.runner.run(story())} == {JPEG}
    assert edge.bucket.reads == [KEY]


def test_a_reader_who_goes_away_does_not_end_the_reading_for_others(edge):
    gate = Gate()
    edge.bucket.before_read = gate.wait

    async def story():
        first, second = (asyncio.create_task(edge.ask(PATH)) for _ in range(2))
        await asyncio.to_thread(gate.reached.wait, 10)
        first.cancel()
        gate.opened.set()
        return await second

    assert edge.runner.run(story()).body == JPEG


# ------------------------------------------------------------------ missing


def test_a_missing_picture_is_looked_for_at_most_once_a_second(edge):
    path = f"/i/{OTHER_ID}/medium.jpg"
    looked: list[str] = []
    edge.delivery._pictures._lookup = looked.append
    for _ in range(3):
        assert edge.get(path).headers["x-default-image"] == "missing"
    assert len(looked) == 1
    edge.seconds += 1.01
    edge.get(path)
    assert len(looked) == 2


def test_a_picture_is_there_from_the_moment_its_image_is_ready(edge):
    path = f"/i/{OTHER_ID}/medium.jpg"
    edge.states[OTHER_ID] = State.PROCESSING
    assert edge.get(path).headers["x-default-image"] == "processing"
    edge.bucket.put(asset_key(OTHER_ID, "medium", "jpg"), JPEG, content_type="image/jpeg")
    edge.states[OTHER_ID] = State.READY
    assert edge.get(path).body == JPEG


def test_a_failed_picture_that_was_made_after_all_is_there_at_once(edge):
    path = f"/i/{OTHER_ID}/medium.jpg"
    edge.states[OTHER_ID] = State.FAILED
    assert edge.get(path).headers["x-default-image"] == "failed"
    edge.bucket.put(asset_key(OTHER_ID, "medium", "jpg"), JPEG, content_type="image/jpeg")
    edge.states[OTHER_ID] = State.READY
    edge.purges.purge(OTHER_ID)
    assert edge.get(path).body == JPEG


def test_a_picture_that_becomes_ready_while_it_is_looked_for_is_found(edge):
    edge.bucket.delete(KEY)

    def lookup(image_id):
        edge.shelve()
        return edge.image(image_id, State.READY)

    edge.delivery._pictures._lookup = lookup
    assert edge.get(PATH).body == JPEG


def test_who_asks_once_it_is_ready_is_not_told_what_others_found_before(edge):
    gate = Gate()
    edge.bucket.delete(KEY)

    def lookup(image_id):
        if gate.reached.is_set():
            return edge.image(image_id, State.READY)
        gate.wait()
        return edge.image(image_id, State.PROCESSING)

    edge.delivery._pictures._lookup = lookup

    async def story():
        early = asyncio.create_task(edge.ask(PATH))
        await asyncio.to_thread(gate.reached.wait, 10)
        edge.shelve()
        late = asyncio.create_task(edge.ask(PATH))
        await asyncio.sleep(0)
        gate.opened.set()
        return await early, await late

    early, late = edge.runner.run(story())
    assert early.headers["x-default-image"] == "processing"
    assert late.body == JPEG


def test_no_number_of_missing_pictures_fills_the_memory(edge, monkeypatch):
    monkeypatch.setattr("darkroom.edge.pictures._MISSES_MAX", 100)

    async def story():
        for number in range(350):
            await edge.delivery.answer("GET", f"/i/{ID}/v{number}.jpg", [])

    edge.runner.run(story())
    assert 0 < len(edge.delivery._pictures._misses) <= 100


# ------------------------------------------------------------------ a store that hangs


def test_nobody_waits_for_ever_and_what_is_hot_is_served_meanwhile(tmp_path):
    edge = Edge(tmp_path, rules=DeliveryRules(patience_seconds=0.05))
    edge.shelve()
    edge.get(PATH)
    edge.shelve("small")
    gate = Gate()
    edge.bucket.before_read = gate.wait
    assert edge.get(f"/i/{ID}/small.jpg").status == 503
    assert edge.get(PATH).body == JPEG
    gate.opened.set()
    edge.bucket.before_read = lambda _: None
    assert edge.get(f"/i/{ID}/small.jpg").body == JPEG
    edge.close()


def test_a_store_that_is_down_is_logged_but_not_for_every_request(edge, caplog):
    edge.bucket.failure = Unavailable("the disk is on fire")
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            edge.get(PATH)
        edge.seconds += 2
        edge.get(PATH)
    assert [record.reason for record in caplog.records] == ["the disk is on fire"] * 2


# ------------------------------------------------------------------ larger than memory

GIF = b"GIF89a" + bytes(range(256)) * (WHOLE_BYTES // 256 + 1_000)
LARGE = f"/i/{ID}/large.jpg"


@pytest.fixture
def tight(tmp_path):
    """Return delivery with hardly any memory, over a picture that does not fit."""
    edge = Edge(tmp_path, rules=DeliveryRules(hot_cache_bytes=64 * 1024))
    edge.shelve("large", "jpg", GIF)
    yield edge
    edge.close()
    gc.collect()  # a file that was not closed warns here, and warnings are errors


def test_a_picture_larger_than_memory_is_served_all_the_same(tight):
    for _ in range(2):
        found = tight.get(LARGE)
        assert (found.status, found.body) == (200, GIF)
        assert found.headers["content-type"] == "image/gif"
        assert found.headers["content-length"] == str(len(GIF))
    assert tight.get(LARGE, if_none_match=found.headers["etag"]).status == 304
    assert tight.head(LARGE).headers == found.headers
    part = tight.get(LARGE, range="bytes=1000000-1000009")
    assert (part.status, part.body) == (206, GIF[1_000_000:1_000_010])


def test_a_body_is_handed_on_in_pieces(tight):
    async def pieces():
        answer = await tight.delivery.answer("GET", LARGE, [])
        return [len(chunk) async for chunk in tight.delivery.chunks(answer)]

    lengths = tight.runner.run(pieces())
    assert sum(lengths) == len(GIF)
    assert max(lengths) <= CHUNK_BYTES


def test_of_a_large_picture_no_bytes_are_kept(tight):
    tight.get(LARGE)
    tight.shelve("large", "jpg", GIF[:-1])  # not purged: seen by its etag alone
    assert tight.get(LARGE).body == GIF[:-1]


def test_a_large_picture_that_loses_a_bit_after_it_was_read_is_not_shown(tight):
    vouch(tight, GIF, "large.jpg")
    tight.get(LARGE)
    read = tight.bucket.open

    def damaged(key):
        stat, file = read(key)
        with file:
            body = bytearray(file.read())
        body[-1] ^= 1
        return stat, io.BytesIO(body)

    tight.bucket.open = damaged
    for asked in ({}, {"range": "bytes=0-9"}):
        assert tight.get(LARGE, **asked).status == 503
    tight.bucket.open = read
    assert tight.get(LARGE).body == GIF


def test_a_large_picture_that_is_deleted_is_gone(tight):
    tight.get(LARGE)
    tight.bucket.delete(asset_key(ID, "large", "jpg"))
    assert tight.get(LARGE).status == 404
    assert tight.head(LARGE).status == 404


def test_with_no_memory_at_all_everything_is_served(tmp_path):
    edge = Edge(tmp_path, rules=DeliveryRules(hot_cache_bytes=0))
    edge.shelve()
    edge.shelve("large", "jpg", GIF)
    for _ in range(2):
        assert edge.get(PATH).body == JPEG
        assert edge.get(LARGE).body == GIF
    edge.close()


# ------------------------------------------------------------------ counted


def test_deliveries_are_counted_by_outcome_and_logged_together(edge, caplog):
    with caplog.at_level(logging.INFO):
        edge.get(PATH)
        edge.get(PATH)
        edge.get(PATH)
        edge.head(PATH)
        edge.get(PATH, if_none_match="*")
        edge.get(PATH, range="bytes=0-9")
        edge.get("/i/nonsense")
        edge.runner.run(edge.ask(PATH, "POST"))
        assert not caplog.records
        edge.delivery._tally.close()
    figures = edge.figures
    assert figures.total(DELIVERIES, outcome="cold", status="200") == 1
    assert figures.total(DELIVERIES, outcome="hot", status="200") == 3
    assert figures.total(DELIVERIES, outcome="hot", status="304") == 1
    assert figures.total(DELIVERIES, outcome="hot", status="206") == 1
    assert figures.total(DELIVERIES, outcome="default", status="404") == 1
    assert figures.total(DELIVERIES, outcome="error", status="405") == 1
    default = int(edge.head("/i/nonsense").headers["content-length"])
    assert figures.total(DELIVERED_BYTES) == 3 * len(JPEG) + 10 + default
    (line,) = caplog.records
    assert (line.getMessage(), line.hot, line.cold) == ("deliveries", 5, 1)
