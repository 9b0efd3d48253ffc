import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from darkroom import sqlite
from darkroom.errors import Unavailable
from darkroom.sqlite import Database, copy, data_format

SCHEMA = "CREATE TABLE notes (text TEXT) STRICT"
STEPS = (
    "ALTER TABLE notes ADD COLUMN length INTEGER NOT NULL DEFAULT 0;\nUPDATE notes SET length = length(text)",
    "ALTER TABLE notes ADD COLUMN state TEXT NOT NULL DEFAULT 'new'",
)
NEWER_SCHEMA = (
    "CREATE TABLE notes (text TEXT, length INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'new') STRICT"
)


def texts(database):
    with database.read() as connection:
        return [text for (text,) in connection.execute("SELECT text FROM notes")]


def test_a_block_that_fails_leaves_nothing(tmp_path):
    database = Database(tmp_path / "notes.sqlite3", SCHEMA, version=1)

    def write_half():
        with database.write() as connection:
            connection.execute("INSERT INTO notes VALUES ('half')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    with database.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('whole')")
    assert texts(Database(tmp_path / "notes.sqlite3", SCHEMA, version=1)) == ["whole"]


def test_data_of_a_later_release_is_refused_with_both_numbers_and_left_alone(tmp_path):
    path = tmp_path / "notes.sqlite3"
    Database(path, NEWER_SCHEMA, version=3, steps=STEPS).close()
    before = path.read_bytes()
    for version in (1, 2):
        with pytest.raises(Unavailable, match=f"format 3, this program reads {version}") as refused:
            Database(path, SCHEMA, version=version, steps=STEPS[: version - 1])
        assert refused.value.code == "data-format"
    assert path.read_bytes() == before


def test_data_of_an_earlier_release_is_brought_up_step_by_step(tmp_path):
    path = tmp_path / "notes.sqlite3"
    old = Database(path, SCHEMA, version=1)
    with old.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('kept')")
    old.close()
    for version, columns in ((2, ("kept", 4)), (3, ("kept", 4, "new"))):
        newer = Database(path, NEWER_SCHEMA, version=version, steps=STEPS[: version - 1])
        with newer.read() as connection:
            assert connection.execute("SELECT * FROM notes").fetchall() == [columns]
            assert connection.execute("PRAGMA user_version").fetchone() == (version,)
        newer.close()


def test_several_versions_are_made_up_for_at_once(tmp_path):
    Database(tmp_path / "notes.sqlite3", SCHEMA, version=1).close()
    newest = Database(tmp_path / "notes.sqlite3", NEWER_SCHEMA, version=3, steps=STEPS)
    with newest.write() as connection:
        connection.execute("INSERT INTO notes (text, length) VALUES ('a', 1)")
    with newest.read() as connection:
        assert connection.execute("SELECT * FROM notes").fetchall() == [("a", 1, "new")]


def test_a_step_that_fails_leaves_the_version_before_it_whole(tmp_path):
    path = tmp_path / "notes.sqlite3"
    old = Database(path, SCHEMA, version=1)
    with old.write() as connection:
        connection.execute("INSERT INTO notes VALUES ('kept')")
    half = "DELETE FROM notes;\nINSERT INTO nowhere VALUES (1)"
    with pytest.raises(Unavailable, match="nowhere"):
        Database(path, NEWER_SCHEMA, version=3, steps=(STEPS[0], half))
    again = Database(path, NEWER_SCHEMA, version=3, steps=STEPS)
    with again.read() as connection:
        assert connection.execute("SELECT * FROM notes").fetchall() == [("kept", 4, "new")]


def test_of_several_who_open_an_old_file_each_step_is_done_by_one(tmp_path):
    path = tmp_path / "notes.sqlite3"
    Database(path, SCHEMA, version=1).close()
    together = threading.Barrier(6)

    def open_it(_number):
        together.wait()
        newest = Database(path, NEWER_SCHEMA, version=3, steps=STEPS)
        newest.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(open_it, range(6)))


def test_steps_that_lead_elsewhere_are_a_mistake_of_ours(tmp_path):
    with pytest.raises(ValueError, match="version 1 to 3"):
        Database(tmp_path / "notes.sqlite3", NEWER_SCHEMA, version=3, steps=STEPS[:1])


def test_a_damaged_file_is_said_to_be_damaged(tmp_path):
    path = tmp_path / "notes.sqlite3"
    path.write_bytes(b"this is no database at all, whatever its name says" * 100)
    with pytest.raises(Unavailable, match=r"notes.sqlite3 is damaged") as refused:
        Database(path, SCHEMA, version=1)
    assert refused.value.code == "data-damaged"


def test_many_threads_may_write_at_once(tmp_path):
    database = Database(tmp_path / "notes.sqlite3", SCHEMA, version=1)

    def write(name):
        for number in range(20):
            with database.write() as connection:
                connection.execute("INSERT INTO notes VALUES (?)", (f"{name} {number}",))
        database.close()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(texts(database))) == 160


def test_a_database_is_copied_as_it_is_at_one_moment_while_others_write(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "COPIED_PAGES", 10)  # many steps, with writes in between
    path, ended = tmp_path / "notes.sqlite3", threading.Event()
    database = Database(path, SCHEMA, version=1)
    with database.write() as connection:
        connection.executemany("INSERT INTO notes VALUES (?)", (("x" * 4000,) for _ in range(2000)))

    def write():
        while not ended.is_set():
            with database.write() as connection:
                connection.executemany("INSERT INTO notes VALUES (?)", [("pair",), ("pair",)])
        database.close()

    writer = threading.Thread(target=write)
    copier = threading.Thread(target=copy, args=(path, tmp_path / "copy"))
    writer.start()
    copier.start()
    copier.join(20)
    in_time = not copier.is_alive()
    ended.set()
    writer.join()
    copier.join()
    assert in_time
    with Database(tmp_path / "copy", SCHEMA, version=1).read() as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone()[0] % 2 == 0
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_copy_is_one_file_of_the_same_format(tmp_path):
    Database(tmp_path / "notes.sqlite3", NEWER_SCHEMA, version=3, steps=STEPS).close()
    (tmp_path / "copies").mkdir()
    copy(tmp_path / "notes.sqlite3", tmp_path / "copies" / "notes.sqlite3")
    assert [file.name for file in (tmp_path / "copies").iterdir()] == ["notes.sqlite3"]
    assert data_format(tmp_path / "copies" / "notes.sqlite3") == 3


def test_what_cannot_be_copied_is_named(tmp_path):
    with pytest.raises(Unavailable, match=r"no notes.sqlite3 in "):
        copy(tmp_path / "notes.sqlite3", tmp_path / "copy")
    Database(tmp_path / "notes.sqlite3", SCHEMA, version=1).close()
    content = bytearray((tmp_path / "notes.sqlite3").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / "notes.sqlite3").write_bytes(content)
    with pytest.raises(Unavailable, match=r"notes.sqlite3 is damaged"):
        copy(tmp_path / "notes.sqlite3", tmp_path / "copy")
