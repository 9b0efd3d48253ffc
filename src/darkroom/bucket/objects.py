"""Buckets on obstore: any of its stores, and a folder, where being durable takes more than its store does.

What obstore leaves different between its stores, or undone, and where that is levelled:

- its folder store shows an object before the bytes are on the disk, and never asks for them to be: ``FolderBucket.put``
  writes by itself;
- its folder store keeps no media type: ``FolderBucket`` tells it from the bytes;
- it lists a folder in no order, and all of it in memory: ``FolderBucket.list`` walks by itself, level by level;
- deleting what is not there is an error in some stores only;
- a body above 5 MiB goes in parts, where "only if there is none" is lost: never in parts here;
- entity tags come in the quotes that HTTP puts around them.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import secrets
import shutil
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import merge
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, S3Store

from darkroom.bucket import Stat, Stored
from darkroom.errors import AlreadyExists, NotFound, StorageFull, Unavailable
from darkroom.transform.sniff import HEAD_BYTES, sniff

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from obstore import Attributes, GetResult, ObjectMeta
    from obstore.store import ObjectStore, S3Config, S3Credential

    from darkroom.aws import Credentials

UNKNOWN_TYPE = "application/octet-stream"
LEFTOVER_SECONDS = 3600
"""A staged file older than this belongs to a process that died: no put takes an hour."""

_SEGMENT = re.compile(r"[A-Za-z0-9._,:=-]{1,200}")
_LONGEST_KEY = 1024
_CHUNK = 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_PLACING_TRIES = 100

NO_ROOM = "there is no room left for pictures; free some on the disk, by deleting images for instance, and try again"

ANSWER_SECONDS = 30
"""For one try of one request to a cloud, its body included."""
RETRIES, RETRY_SECONDS = 4, 45
"""How often a cloud is asked again that fails or is busy, and from when on it is not: a function has a minute or so."""

NAMES_AT_ONCE = 250_000
"""How many names of one folder are sorted in memory at a time: about 25 MB."""


class ObjectBucket:
    """A ``Bucket`` on any store of obstore's that is atomic and durable by itself, as clouds are."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        cache_control: Callable[[str], str] | None = None,
        tags: Callable[[str], dict[str, str]] = lambda _: {},
    ) -> None:
        """``cache_control`` says, of a key, the header that readers are given with the object by the store itself.

        ``tags`` says what a rule of the store knows the object by.
        """
        self._store = store
        self._cache_control = cache_control
        self._tags = tags

    @staticmethod
    def s3(
        name: str,
        *,
        endpoint: str | None = None,
        region: str | None = None,
        credentials: Callable[[], Credentials] | None = None,
        answer_seconds: float = ANSWER_SECONDS,
        cache_control: Callable[[str], str] | None = None,
        tags: Callable[[str], dict[str, str]] = lambda _: {},
    ) -> S3Bucket:
        """Return the bucket of S3 called ``name``, at ``endpoint`` where that is not AWS's own.

        Unless given, region and credentials are those of the environment variables, as a function has them.
        ``answer_seconds`` is for one try of one request, its body included.
        """
        config: S3Config = {}
        if endpoint is not None:
            config["endpoint"] = endpoint
        if region is not None:
            config["region"] = region
        store = S3Store(
            name,
            config=config,
            credential_provider=None if credentials is None else partial(_credential, credentials),
            client_options={
                "timeout": timedelta(seconds=answer_seconds),
                "connect_timeout": timedelta(seconds=5),
                "allow_http": endpoint is not None and endpoint.startswith("http:"),
            },
            retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
        )
        return S3Bucket(store, cache_control=cache_control, tags=tags)

    @staticmethod
    def memory() -> ObjectBucket:
        """Return a bucket that lasts as long as the process: for tests, and for deployments that may forget."""
        return ObjectBucket(MemoryStore())

    @staticmethod
    def folder(folder: Path, *, reserve: int = 0) -> FolderBucket:
        """Return the bucket that lies in ``folder``, and leaves ``reserve`` bytes of its disk to others."""
        return FolderBucket(folder, reserve=reserve)

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        content_type: str,
        create_only: bool = False,
        lasting: bool = True,  # noqa: ARG002 # a cloud makes no difference
        told: Mapping[str, str] | None = None,
    ) -> Stat:
        _check(key)
        size = len(body) if isinstance(body, bytes) else body.stat().st_size
        attributes: Attributes = {"Content-Type": content_type}
        if self._cache_control is not None:
            attributes["Cache-Control"] = self._cache_control(key)
        for name, text in (told or {}).items():
            attributes[name] = text
        with _translated(key):
            result = obstore.put(
                self._store,
                key,
                body,
                attributes=attributes,
                tags=self._tags(key) or None,
                mode="create" if create_only else "overwrite",
                use_multipart=False,
            )
        return Stat(key=key, bytes=size, etag=_unquoted(result["e_tag"]), modified=datetime.now(UTC))

    def get(self, key: str) -> Stored:
        _check(key)
        with _found(key):
            result = obstore.get(self._store, key)
            body = bytes(result.bytes())
            return Stored(stat=_stat(result.meta), content_type=self._content_type(result, body), body=body)

    def _content_type(self, result: GetResult, body: bytes) -> str:  # noqa: ARG002 # a folder has only the body to go by
        return result.attributes.get("Content-Type", UNKNOWN_TYPE)

    def open(self, key: str) -> tuple[Stat, BinaryIO]:
        _check(key)
        file = _scratch_file()
        try:
            with _found(key):
                result = obstore.get(self._store, key)
                for chunk in result.stream(min_chunk_size=_CHUNK):
                    file.write(chunk)
                file.seek(0)
                return _stat(result.meta), file
        except BaseException:
            file.close()
            raise

    def stat(self, key: str) -> Stat:
        _check(key)
        with _found(key):
            return _stat(obstore.head(self._store, key))

    def delete(self, key: str) -> None:
        _check(key)
        with suppress(NotFound), _found(key):
            obstore.delete(self._store, key)

    def list(self, prefix: str) -> Iterator[Stat]:
        _check_prefix(prefix)
        with _translated(prefix):
            for page in obstore.list(self._store, prefix or None):
                yield from map(_stat, page)

    def roots(self) -> tuple[str, ...]:
        with _translated("the list of all objects"):
            level = obstore.list_with_delimiter(self._store)
        folders = (f"{folder}/" for folder in level["common_prefixes"])
        return tuple(sorted([*folders, *(found["path"] for found in level["objects"])]))

    def check(self) -> None:
        with _translated("the list of all objects"):
            next(iter(obstore.list(self._store, chunk_size=1)), None)


def _credential(credentials: Callable[[], Credentials]) -> S3Credential:
    current = credentials()
    return {
        "access_key_id": current.key,
        "secret_access_key": current.secret,
        "token": current.token,
        "expires_at": current.until,
    }


class S3Bucket(ObjectBucket):
    """A ``Bucket`` on S3."""

    def list(self, prefix: str) -> Iterator[Stat]:
        for stat in super().list(prefix):
            # A listing may know more of the time than the header of an object says.
            yield dataclasses.replace(stat, modified=stat.modified.replace(microsecond=0))


class FolderBucket(ObjectBucket):
    """A ``Bucket`` in a folder, shared by all processes that open it. The file system has to know hard links.

    An object is a file under its key. It is written under a name that no key can have (``put#123``, which obstore does
    not list either), brought to the disk, and only then given its own name.
    """

    def __init__(self, folder: Path, *, reserve: int = 0) -> None:
        """Open ``folder``, making it when there is none, and clear away what dead processes left half-written.

        With less than ``reserve`` bytes free on its disk nothing is put any more: that much is left to those who have
        to write something down before they can delete.
        """
        self._folder = folder.absolute()
        self._reserve = reserve
        self._durable: set[Path] = set()
        with _translated(folder.name):
            missing = [level for level in (self._folder, *self._folder.parents) if not level.exists()]
            self._folder.mkdir(parents=True, exist_ok=True)
            for level in missing:
                _sync_folder(level.parent)
            for staged in self._folder.glob("put#*"):
                with suppress(FileNotFoundError):
                    if time.time() - staged.stat().st_ctime > LEFTOVER_SECONDS:
                        staged.unlink()
            super().__init__(LocalStore(self._folder))

    def put(
        self,
        key: str,
        body: bytes | Path,
        *,
        content_type: str,  # noqa: ARG002 # told from the bytes when read
        create_only: bool = False,
        lasting: bool = True,
        told: Mapping[str, str] | None = None,  # noqa: ARG002 # no reader is given an object by a folder
    ) -> Stat:
        _check(key)
        target = self._folder / key
        staged = self._folder / f"put#{secrets.randbits(60)}"
        with _translated(key):
            self._check_room(len(body) if isinstance(body, bytes) else 0)  # what is a file already takes no more
            try:
                facts = _stage(body, staged, lasting=lasting)
                self._place(staged, target, create_only=create_only)
            finally:
                staged.unlink(missing_ok=True)
            if lasting:
                self._make_durable(target.parent)
        return _file_stat(key, facts)

    def _place(self, staged: Path, target: Path, *, create_only: bool) -> None:
        for tries_left in reversed(range(_PLACING_TRIES)):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                if create_only:
                    _link(staged, target)
                else:
                    staged.replace(target)
            except (FileNotFoundError, FileExistsError):  # a delete found the folder empty and removed it just then
                if not tries_left:
                    raise
            else:
                return

    def _make_durable(self, folder: Path) -> None:
        """Bring the name of a new object to the disk, and those of the folders it lies in.

        Every time, because whoever made a folder may not have come to it yet; but a folder directly under the bucket's
        is never removed, so doing it once is enough.
        """
        while folder != self._folder:
            with suppress(FileNotFoundError):  # the object was deleted meanwhile, and its folder with it
                _sync_folder(folder)
            if folder in self._durable:
                return
            if folder.parent == self._folder:
                self._durable.add(folder)
            folder = folder.parent
        _sync_folder(folder)

    def open(self, key: str) -> tuple[Stat, BinaryIO]:
        _check(key)
        with _found(key):
            try:
                # Unbuffered, so that the position of the file is also that of its descriptor.
                file = (self._folder / key).open("rb", buffering=0)
            except (IsADirectoryError, NotADirectoryError) as error:
                raise FileNotFoundError from error
            return _file_stat(key, os.fstat(file.fileno())), file

    def delete(self, key: str) -> None:
        _check(key)
        path = self._folder / key
        with _translated(key), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()
        for folder in path.parents:
            if self._folder in {folder, folder.parent}:
                return
            try:
                folder.rmdir()
            except OSError:
                return

    def list(self, prefix: str) -> Iterator[Stat]:
        _check_prefix(prefix)
        self._check_folder()  # a folder that went away is not an empty bucket
        with _translated(prefix):
            yield from self._listed(prefix)

    def _listed(self, prefix: str) -> Iterator[Stat]:
        for name in self._names(prefix):
            key = f"{prefix}{name}"
            if name.endswith("/"):
                yield from self._listed(key)
                continue
            try:
                facts = os.stat(f"{self._folder}/{key}")  # noqa: PTH116 # a Path for each of a million costs seconds
            except FileNotFoundError:  # deleted since its folder was read
                continue
            yield _file_stat(key, facts)

    def roots(self) -> tuple[str, ...]:
        self._check_folder()
        with _translated("the list of all objects"):
            return tuple(self._names(""))

    def _names(self, prefix: str) -> Iterator[str]:
        """Yield the names in a folder in the order of keys, those of folders with a slash at their end.

        A system tells them in no order. What is too many to be sorted in memory is sorted in parts on the disk.
        """
        with ExitStack() as files:
            written = []
            try:
                with os.scandir(self._folder / prefix) as entries:
                    known = (entry for entry in entries if _SEGMENT.fullmatch(entry.name))
                    names = (f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in known)
                    while len(part := sorted(islice(names, NAMES_AT_ONCE))) == NAMES_AT_ONCE:
                        file = files.enter_context(tempfile.TemporaryFile("w+", dir=self._folder, newline="\n"))
                        file.writelines(f"{name}\n" for name in part)
                        file.seek(0)
                        written.append(line.rstrip("\n") for line in file)
            except (FileNotFoundError, NotADirectoryError):
                return
            yield from merge(part, *written)

    def check(self) -> None:
        self._check_folder()
        with _translated("anything"):
            self._check_room(0)

    def _check_room(self, length: int) -> None:
        """Raise ``StorageFull`` unless there is room for so many bytes beside the reserve."""
        disk = os.statvfs(self._folder)
        if disk.f_bavail * disk.f_frsize - length < self._reserve:
            raise StorageFull(NO_ROOM)

    def _check_folder(self) -> None:
        if not os.access(self._folder, os.R_OK | os.W_OK | os.X_OK):
            msg = f"the folder {self._folder.name} is not there or may not be written to; give it back and try again"
            raise Unavailable(msg)

    def _content_type(self, result: GetResult, body: bytes) -> str:  # noqa: ARG002 # a folder keeps no attributes
        found = sniff(body[:HEAD_BYTES])
        return UNKNOWN_TYPE if found is None else found.content_type


def _stage(body: bytes | Path, staged: Path, *, lasting: bool) -> os.stat_result:
    """Bring ``body`` under the name ``staged`` and, if it is to last, its bytes to the disk."""
    if isinstance(body, Path):
        try:
            body.rename(staged)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.copyfile(body, staged)
            body.unlink()
    else:
        staged.write_bytes(body)
    descriptor = os.open(staged, os.O_RDONLY)
    try:
        # The tag of a file is made from its number, time and length. The clock of the file system may stand still
        # while a number is given to the next file, so the time is the system clock's.
        now = time.time_ns()
        os.utime(descriptor, ns=(now, now))
        if lasting:
            os.fsync(descriptor)
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


def _link(staged: Path, target: Path) -> None:
    try:
        os.link(staged, target)
    except FileExistsError as error:
        msg = f"there is an object under {target.name} already; it stays as it is"
        raise AlreadyExists(msg) from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _scratch_file() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("object"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)


def _stat(meta: ObjectMeta) -> Stat:
    return Stat(key=meta["path"], bytes=meta["size"], etag=_unquoted(meta["e_tag"]), modified=meta["last_modified"])


def _file_stat(key: str, facts: os.stat_result) -> Stat:
    """Make of an open file what obstore's folder store makes of a path: number, microseconds and length in hex."""
    microseconds = facts.st_mtime_ns // 1000
    return Stat(
        key=key,
        bytes=facts.st_size,
        etag=f"{facts.st_ino:x}-{microseconds:x}-{facts.st_size:x}",
        modified=datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(microsecond=microseconds % 1_000_000),
    )


def _unquoted(etag: str | None) -> str:
    return (etag or "").strip('"')


def _check(key: str) -> None:
    segments = key.split("/")
    if len(key) > _LONGEST_KEY or not all(_SEGMENT.fullmatch(s) and s not in {".", ".."} for s in segments):
        msg = f"{key!r} is no object key"
        raise ValueError(msg)


def _check_prefix(prefix: str) -> None:
    if prefix:
        if not prefix.endswith("/"):
            msg = f"{prefix!r} is no prefix: it does not end with a slash"
            raise ValueError(msg)
        _check(prefix[:-1])


@contextmanager
def _translated(key: str) -> Iterator[None]:
    """Turn what a store or the system raises into errors of ours."""
    try:
        yield
    except AlreadyExistsError as error:
        msg = f"there is an object under {key} already; it stays as it is"
        raise AlreadyExists(msg) from error
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull(NO_ROOM) from error
        msg = f"the bucket does not answer for {key} ({error.strerror or error}); try again"
        raise Unavailable(msg) from error
    except BaseError as error:
        msg = f"the bucket does not answer for {key} ({str(error).partition(chr(10))[0]}); try again"
        raise Unavailable(msg) from error


@contextmanager
def _found(key: str) -> Iterator[None]:
    """Like ``_translated``, where a missing file or object means that there is none under ``key``."""
    with _translated(key):
        try:
            yield
        except FileNotFoundError as error:
            msg = f"there is no object {key}"
            raise NotFound(msg) from error
