"""How workers learn what was purged, whatever happens to the file."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from darkroom.edge import purgelog
from darkroom.edge.purgelog import LINES, PurgeLog
from darkroom.errors import Unavailable
from purge_worker import PURGES, purged_id

WORKER = Path(__file__).parents[2] / "support" / "purge_worker.py"
FIRST, SECOND = "01k3v9m0c4qdhsyx7g6e8rb2tz", "01k3v9m0c4qdhsyx7g6e8rb2v0"


@pytest.fixture
def log(tmp_path):
    return PurgeLog(tmp_path / "purges")


@pytest.fixture
def reader(log):
    reader = log.reader()
    yield reader
    reader.close()


def test_a_reader_sees_each_purge_once(log, reader):
    assert not reader.changed()
    log.purge(FIRST)
    log.purge(SECOND)
    assert reader.changed()
    assert reader.read() == {FIRST, SECOND}
    assert not reader.changed()
    assert reader.read() == frozenset()


def test_every_reader_sees_it(log, reader):
    other = log.reader()
    log.purge(FIRST)
    assert reader.read() == {FIRST}
    assert other.read() == {FIRST}
    other.close()


def test_a_new_reader_does_not_see_what_was_before(log, tmp_path):
    log.purge(FIRST)
    again = PurgeLog(tmp_path / "purges").reader()
    assert not again.changed()
    log.purge(SECOND)
    assert again.read() == frozenset({SECOND})
    again.close()


def test_the_file_does_not_grow(log, tmp_path):
    before = (tmp_path / "purges").stat().st_size
    for number in range(50):
        log.purge(purged_id(number))
    assert (tmp_path / "purges").stat().st_size == before


def test_it_goes_round_without_losing_any(log, reader):
    for number in range(0, 2 * LINES + 500, 500):
        ids = {purged_id(number + step) for step in range(500)}
        for image_id in ids:
            log.purge(image_id)
        assert reader.read() == ids


def test_a_reader_that_slept_through_more_than_is_kept_forgets_everything(log, reader):
    for number in range(LINES + 1):
        log.purge(purged_id(number))
    assert reader.read() is None
    log.purge(FIRST)
    assert reader.read() == {FIRST}


def test_a_reader_overtaken_while_it_reads_forgets_everything(log, reader, monkeypatch):
    log.purge(FIRST)
    place = purgelog._place

    def meanwhile(number):
        monkeypatch.setattr(purgelog, "_place", place)
        for other in range(LINES):
            log.purge(purged_id(other))
        return place(number)

    monkeypatch.setattr(purgelog, "_place", meanwhile)
    assert reader.read() is None


def test_a_file_that_was_cut_off_means_forget_everything(log, reader, tmp_path):
    log.purge(FIRST)
    assert reader.read() == {FIRST}
    os.truncate(tmp_path / "purges", 0)
    assert reader.changed()
    assert reader.read() is None


def test_purges_of_threads_at_once_are_all_seen(log, reader):
    ids = [purged_id(number) for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(log.purge, ids))
    assert reader.read() == set(ids)


def test_purges_of_processes_at_once_are_all_seen(log, reader, tmp_path):
    starts = [0, PURGES, 2 * PURGES]
    workers = [subprocess.Popen([sys.executable, WORKER, tmp_path / "purges", str(start)]) for start in starts]
    assert [worker.wait(30) for worker in workers] == [0, 0, 0]
    assert reader.read() == {purged_id(number) for number in range(3 * PURGES)}


def test_a_reader_among_many_writers_misses_none(log, reader):
    ids = [purged_id(number) for number in range(2_000)]
    writers = [threading.Thread(target=lambda part=part: [log.purge(i) for i in ids[part::4]]) for part in range(4)]
    for writer in writers:
        writer.start()
    seen = set()
    while any(writer.is_alive() for writer in writers):
        if reader.changed():
            seen |= reader.read()
    seen |= reader.read()
    assert seen == set(ids)


def test_a_disk_without_room_does_not_keep_a_purge_from_being_seen(log, reader, tmp_path):
    subprocess.run([sys.executable, WORKER, tmp_path / "purges", "0", "full"], check=True, timeout=30)
    assert reader.read() == {purged_id(number) for number in range(PURGES)}


def test_workers_that_cannot_be_told_are_an_error_and_no_silence(log, tmp_path):
    (tmp_path / "purges").unlink()
    with pytest.raises(Unavailable, match="could not be told"):
        log.purge(FIRST)


def test_only_an_id_is_purged(log):
    with pytest.raises(ValueError, match="no id"):
        log.purge("../../etc/passwd")
