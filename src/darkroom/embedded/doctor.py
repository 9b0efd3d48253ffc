"""Whether this machine can run the service as it is set up, and how safely: looked at and tried, nothing is changed."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom import settings as configuration
from darkroom.embedded import wire
from darkroom.embedded.layout import Layout
from darkroom.errors import BadConfiguration, DarkroomError
from darkroom.transform.recipes import load_recipes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from darkroom.settings import Settings

ROOM_BYTES = 1024**3
"""Less than this above the reserve, and a person should know."""
CLOCK_SECONDS = 2.0
"""How far the clocks of this machine and of the data folder's disk may be apart."""
RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""A clock that shows an earlier moment is wrong."""
SLOW_SECONDS = 0.1
"""A disk that takes longer to make 4 KiB durable makes every upload wait for it several times."""
DESCRIPTORS_EACH = 4
DESCRIPTORS_BESIDES = 256
"""Open files of one HTTP process: for each upload and its connection, and for all else."""
_WAL_RESET = (
    "has a fault by which, very rarely, two processes that write at the same moment damage a database "
    "(sqlite.org/wal.html#walresetbug); 3.51.3, 3.50.7 and 3.44.6 have not. Keep backups, or use another Python"
)
_TELLING = ("THREADSAFE", "DEFAULT_SYNCHRONOUS", "DEFAULT_WAL_SYNCHRONOUS", "MAX_MMAP_SIZE", "MAX_VARIABLE_NUMBER")
"""The options of SQLite that matter here, out of some fifty."""
_SHARED_DISKS = ("nfs", "cifs", "smb", "9p", "fuse", "ceph", "gluster")


class Health(StrEnum):
    """``FAULT`` is what has to be put right, ``WARNING`` what a person should know."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at, and a sentence for a person."""

    subject: str
    health: Health
    detail: str


def examine(**overrides: object) -> Iterator[Finding]:
    """Yield what is found, one after the other; ``overrides`` are those of ``settings.load``."""
    settings, finding = _settings(overrides)
    yield finding
    for look in (_python, _machine, _memory, _open_files, _clock):
        yield look(settings)
    yield from _sqlite()
    yield from _folder(settings)
    yield from _libraries()
    yield from _jail(settings)


def _ok(subject: str, detail: str) -> Finding:
    return Finding(subject=subject, health=Health.OK, detail=detail)


def _warning(subject: str, detail: str) -> Finding:
    return Finding(subject=subject, health=Health.WARNING, detail=detail)


def _fault(subject: str, detail: str) -> Finding:
    return Finding(subject=subject, health=Health.FAULT, detail=detail)


# ------------------------------------------------------------------ settings and machine


def _settings(overrides: dict[str, object]) -> tuple[Settings, Finding]:
    """Return the settings, or where they are wrong the defaults, so that the rest can be looked at."""
    try:
        settings = configuration.load(**overrides)
        recipes = load_recipes(settings.recipes)
    except BadConfiguration as error:
        finding = _fault("settings", f"{error.detail}. The rest is looked at with the defaults.")
        return configuration.from_mapping({}, data=overrides.get("data")), finding
    given = configuration.given()
    said = f"set in the environment: {', '.join(given)}" if given else "none is set in the environment"
    if settings.default_image is not None and not os.access(settings.default_image, os.R_OK):
        return settings, _fault("settings", f"DARKROOM_DEFAULT_IMAGE: {settings.default_image} cannot be read")
    return settings, _ok("settings", f"valid; {said}; variants: {', '.join(recipe.name for recipe in recipes)}")


def _python(_: Settings) -> Finding:
    return _ok("python", f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}")


def _machine(_: Settings) -> Finding:
    user = "root; each decoding process becomes a user of its own" if os.geteuid() == 0 else f"user {os.geteuid()}"
    kernel = f"{platform.system()} {platform.release()}, {platform.machine()}"
    return _ok("machine", f"{kernel}, {len(os.sched_getaffinity(0))} processors, {user}")


def _memory(settings: Settings) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and (text := limit.read_text().strip()).isdigit():
        total = min(total, int(text))
    most = settings.render_memory_bytes
    said = f"{_size(total)}; each of {settings.processors} decoding processes may take up to {_size(most)}"
    if most > total:
        return _warning(
            "memory",
            f"{said}, so the largest pictures end by the kernel's hand; set DARKROOM_RENDER_MEMORY_BYTES lower",
        )
    if most * settings.processors > 2 * total:
        return _warning("memory", f"{said}, together more than twice what there is; set DARKROOM_RENDER_WORKERS lower")
    return _ok("memory", said)


def _open_files(settings: Settings) -> Finding:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = DESCRIPTORS_EACH * settings.max_simultaneous_uploads + DESCRIPTORS_BESIDES
    if limit < needed:
        return _fault(
            "open files", f"{limit} at a time are allowed, a process may need {needed}; raise the limit (ulimit -n)"
        )
    return _ok("open files", f"{limit} at a time are allowed, a process may need {needed}")


def _clock(_: Settings) -> Finding:
    now = datetime.now(UTC)
    if now < RELEASED:
        return _fault("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC is before this release; ids and tickets would be wrong")
    return _ok("clock", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _sqlite() -> Iterator[Finding]:
    engine = wire.database_engine()
    if not engine.is_new_enough:
        yield _fault("sqlite", f"{engine.version}; at least {engine.least} is needed")
    elif engine.may_lose_writes:
        yield _warning("sqlite", f"{engine.version} {_WAL_RESET}")
    else:
        yield _ok("sqlite", engine.version)
    health = _ok if engine.is_threadsafe else _fault
    yield health("sqlite options", ", ".join(option for option in engine.options if option.startswith(_TELLING)))


# ------------------------------------------------------------------ the data folder


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data.resolve()
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield _fault(
            "data folder", f"nothing can be written in {there}; set DARKROOM_DATA to a folder that can be used"
        )
        return
    if there != folder:
        yield _ok("data folder", f"{folder} is made at the first start")
    else:
        yield _ok(
            "data folder", f"{folder}, {'with images' if Layout(folder).catalog.is_file() else 'still without images'}"
        )
    folder = there
    yield _disk(folder, settings)
    yield _kind_of_disk(folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as trials:
            for subject, attempt in _TRIALS.items():
                yield _tried(subject, attempt, Path(trials))
    except OSError as error:
        yield _fault("data folder", f"nothing can be written in {folder} ({error.strerror})")


def _disk(folder: Path, settings: Settings) -> Finding:
    free = shutil.disk_usage(folder).free
    said = f"{_size(free)} free"
    if free < settings.reserve_bytes:
        return _fault(
            "disk space", f"{said}, less than the {_size(settings.reserve_bytes)} kept in reserve: nothing is taken in"
        )
    if free < settings.reserve_bytes + ROOM_BYTES:
        return _warning("disk space", f"{said}; soon nothing is taken in any more")
    return _ok("disk space", said)


def _kind_of_disk(folder: Path) -> Finding:
    kind = _file_system(folder)
    if kind.startswith(_SHARED_DISKS):
        return _warning(
            "file system", f"{kind}: SQLite is not safe there when several machines or unreliable locks are involved"
        )
    return _ok("file system", kind or "unknown")


def _file_system(folder: Path) -> str:
    """Return its kind, by the mount that is nearest above the folder (proc(5), mountinfo)."""
    mounts = Path("/proc/self/mountinfo")
    if not mounts.is_file():
        return ""
    nearest, kind = -1, ""
    for line in mounts.read_text().splitlines():
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].replace("\\040", " "))
        if folder.is_relative_to(point) and len(point.parts) >= nearest:
            nearest, kind = len(point.parts), after.split()[0]
    return kind


def _tried(subject: str, attempt: Callable[[Path], str | None], folder: Path) -> Finding:
    """Say how an attempt ended; one that returns a sentence has worked, but not well."""
    began = time.perf_counter()
    try:
        doubt = attempt(folder)
    except (OSError, DarkroomError) as error:
        reason = error.detail if isinstance(error, DarkroomError) else error.strerror
        return _fault(subject, f"does not work in the data folder: {reason}")
    taken = f"{1000 * (time.perf_counter() - began):.1f} ms"
    return _ok(subject, f"works, {taken}") if doubt is None else _warning(subject, f"{doubt} ({taken})")


def _fsync(folder: Path) -> str | None:
    began = time.perf_counter()
    with (folder / "durable").open("wb") as file:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return "a slow disk: uploads wait for it" if time.perf_counter() - began > SLOW_SECONDS else None


def _hard_link(folder: Path) -> None:
    (folder / "one").write_bytes(b"x")
    os.link(folder / "one", folder / "other")


def _database(folder: Path) -> None:
    wire.try_database(folder / "trial.sqlite3")


def _same_clock(folder: Path) -> str | None:
    written = folder / "now"
    written.write_bytes(b"x")
    apart = abs(written.stat().st_mtime - time.time())
    return f"the clock of the disk is {apart:.0f} seconds off" if apart > CLOCK_SECONDS else None


_TRIALS: dict[str, Callable[[Path], str | None]] = {
    "fsync": _fsync,
    "hard links": _hard_link,
    "database": _database,
    "clock of the disk": _same_clock,
}


# ------------------------------------------------------------------ decoding


def _libraries() -> Iterator[Finding]:
    for library in wire.native_libraries():
        if library.is_fixed is None:
            yield _warning(
                library.name,
                f"nobody can tell its version here; it has to be {library.at_least} or later: {library.because}",
            )
        elif not library.is_fixed:
            yield _fault(
                library.name, f"{library.version} has known holes; {library.at_least} closes {library.because}"
            )
        else:
            yield _ok(library.name, library.version or "of the system")


def _jail(settings: Settings) -> Iterator[Finding]:
    required = set(settings.jail_layers)
    try:
        trial = wire.try_jail(settings)
    except DarkroomError as error:
        yield _fault("jail", error.detail)
        return
    for name, meaning in trial.layers.items():
        if name in trial.active:
            known = f" (version {trial.landlock} of its interface)" if name == "landlock" else ""
            yield _ok(f"jail: {name}", meaning + known)
        else:
            health = _fault if name in required else _warning
            yield health(
                f"jail: {name}", f"missing: {trial.obstacles.get(name, 'for no known reason')}. It means: {meaning}"
            )
    if unknown := sorted(required - trial.layers.keys()):
        yield _fault("jail", f"DARKROOM_JAIL_LAYERS: {', '.join(unknown)}: no such layer")
    if not {"landlock", "seccomp"} & set(trial.active):
        yield _fault(
            "jail", "neither landlock nor seccomp holds: a decoder that was taken over can read files of others"
        )
    yield _ok("decoding", f"a picture was rendered in the jail in {1000 * trial.seconds:.0f} ms")


def _size(count: int) -> str:
    return f"{count / 1024**3:.1f} GiB" if count >= 1024**3 else f"{count / 1024**2:.0f} MiB"
