import threading

import pytest

from darkroom.errors import Unavailable
from darkroom.sqlite import Database

SCHEMA = "CREATE TABLE notes (text TEXT) STRICT"


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


def test_data_of_another_release_is_refused_with_both_numbers(tmp_path):
    Database(tmp_path / "notes.sqlite3", SCHEMA, version=2).close()
    with pytest.raises(Unavailable, match="format 2, this program reads 1") as refused:
        Database(tmp_path / "notes.sqlite3", SCHEMA, version=1)
    assert refused.value.code == "data-format"


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
