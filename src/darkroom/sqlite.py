"""How every SQLite file of the service is opened: write-ahead log, fsync on commit, one connection a thread.

Used by the adapters named ``sqlite.py``; they hold the SQL, this holds what they all must agree on.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from darkroom.errors import StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

SqlValue = str | bytes | int | float | None
BUSY_SECONDS = 10.0
MAPPED_BYTES = 2 * 1024**3
"""How much of a file is read through a mapping, which all connections share, rather than through a cache of each."""
COPIED_PAGES = 1000
"""How much of a file is copied in one step."""


_LEAST = (3, 38)
"""The first with all that the SQL of the adapters asks for: JSON, RETURNING."""


class Engine(NamedTuple):
    """What SQLite is here. ``least`` is the oldest version that will do."""

    version: str
    least: str
    options: tuple[str, ...]
    is_new_enough: bool
    is_threadsafe: bool
    may_lose_writes: bool
    """It has the fault that sqlite.org/wal.html calls the WAL-reset bug."""


def engine() -> Engine:
    """Return what SQLite is here."""
    version = sqlite3.sqlite_version_info
    with closing(sqlite3.connect(":memory:")) as connection:
        options = tuple(row[0] for row in connection.execute("PRAGMA compile_options"))
    mended = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return Engine(
        version=sqlite3.sqlite_version,
        least=".".join(map(str, _LEAST)),
        options=options,
        is_new_enough=version >= _LEAST,
        is_threadsafe="THREADSAFE=0" not in options,
        may_lose_writes=not mended,
    )


class Database:
    """One SQLite file. Safe to share between threads and, opened anew in each, between processes."""

    def __init__(
        self,
        path: Path,
        schema: str,
        *,
        version: int,
        steps: Sequence[str] = (),
        functions: Mapping[str, Callable[..., SqlValue]] | None = None,
        lasting: bool = True,
    ) -> None:
        """Open ``path``, making it with ``schema`` when it is new and bringing it up to ``version`` when it is older.

        ``steps`` are SQL: the first leads from version 1 to 2, the last to ``version``, and each is carried out whole
        or not at all. Statements end with a semicolon at the end of a line. ``functions`` are pure ones that SQL may
        call by these names. What is not ``lasting`` may forget its last writes when the machine loses its power, though
        not when a process dies. Raises ``Unavailable`` when the file is of a later version or cannot be opened.
        """
        if len(steps) != version - 1:
            msg = f"{len(steps)} steps do not lead from version 1 to {version}"
            raise ValueError(msg)
        self._path = path
        self._functions = functions or {}
        self._synchronous = "FULL" if lasting else "NORMAL"
        self._begin()
        found = self._set_up(schema, version)
        while found < version:
            found = self._step_on(steps)
        if found > version:
            self.close()
            msg = f"{path.name} is of data format {found}, this program reads {version}; run the matching release"
            raise Unavailable(msg, code="data-format")

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for one or more reads."""
        with self._translated():
            yield self._connection()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Give a connection inside a transaction that holds the write lock; durable when the block ends, if lasting."""
        with self._translated():
            connection = self._connection()
            with self._writing:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.commit()
                except BaseException:
                    connection.rollback()
                    raise

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._threads, "connection", None)
        if connection is not None:
            connection.close()
            del self._threads.connection

    def _set_up(self, schema: str, version: int) -> int:
        """Make the tables of a new file; return the version the file is of."""
        with self.write() as connection:
            found = _version(connection)
            if found == 0:
                _carry_out(connection, schema, version)
                return version
            return found

    def _step_on(self, steps: Sequence[str]) -> int:
        """Bring the file up by one version, unless another process has done it already; return its version."""
        with self.write() as connection:
            found = _version(connection)
            if found > len(steps):
                return found
            _carry_out(connection, steps[found - 1], found + 1)
            return found + 1

    def _begin(self) -> None:
        """Start with nothing, as every process must: neither a connection nor a lock may be carried over a fork."""
        self._threads = threading.local()
        # SQLite has those who wait for its write lock poll for it, and some poll in vain for seconds; threads of one
        # process had better queue (measured with 16 of them: p99 of a write 37 ms instead of 180 ms).
        self._writing = threading.Lock()
        self._pid = os.getpid()

    def _connection(self) -> sqlite3.Connection:
        if os.getpid() != self._pid:
            self._begin()
        connection: sqlite3.Connection | None = getattr(self._threads, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            _write_ahead(connection)
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
            for name, function in self._functions.items():
                connection.create_function(name, -1, function, deterministic=True)
            self._threads.connection = connection
        return connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        with _explained(self._path):
            yield


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what SQLite raises about a file into errors of ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if _primary_code(error) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
            msg = "the disk is full or failing; free some room and send the request again"
            raise StorageFull(msg) from error
        msg = f"the database {path.name} does not answer ({error}); try again"
        raise Unavailable(msg) from error
    except sqlite3.IntegrityError:
        raise
    except sqlite3.DatabaseError as error:
        msg = f"the database {path.name} is damaged ({error}); restore it from a backup"
        raise Unavailable(msg, code="data-damaged") from error


def copy(source: Path, target: Path) -> None:
    """Copy a database, which may be in use, as it is at one moment; ``target`` must not be there yet.

    On disk when it returns. Raises ``Unavailable`` when ``source`` is not there or damaged, ``StorageFull``.
    """
    if not source.is_file():
        msg = f"there is no {source.name} in {source.parent}"
        raise Unavailable(msg)
    with _explained(source), closing(sqlite3.connect(source, timeout=BUSY_SECONDS, isolation_level=None)) as original:
        # Steps that do not lie in one transaction begin anew whenever somebody writes in between, so for ever.
        original.execute("BEGIN")
        original.execute("SELECT 1 FROM sqlite_schema").fetchone()
        with closing(sqlite3.connect(target, isolation_level=None)) as made:
            made.execute("PRAGMA journal_mode = OFF")
            original.backup(made, pages=COPIED_PAGES)
            found = made.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        msg = f"the database {source.name} is damaged ({found}); restore it from a backup"
        raise Unavailable(msg, code="data-damaged")
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def data_format(path: Path) -> int:
    """Return of which version the data in a file are, without changing any. Raises ``Unavailable``."""
    with _explained(path), closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        return _version(connection)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _carry_out(connection: sqlite3.Connection, sql: str, version: int) -> None:
    for statement in sql.split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log. SQLite's busy timeout does not cover several processes doing so to a new file."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if _primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _primary_code(error: sqlite3.OperationalError) -> int:
    """Return the code without its extension: ``SQLITE_IOERR_FSYNC``, say, is an ``SQLITE_IOERR``."""
    return error.sqlite_errorcode & 0xFF
