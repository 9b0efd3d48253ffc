"""Each layer of the jail alone, in a process of its own: it holds by itself, so that none relies on another."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import hostile
from darkroom.transform import sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    World = dict[str, dict[str, object]]

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
FILES = ("read_file", "write_file", "list_folder", "remove_file", "execute", "read_environment")
NETWORK = ("connect", "connect_local", "listen", "send_datagram")
PROCESSES = ("signal_process", "trace", "read_memory_of", "change_limits_of")
SYSTEM = ("fork_bomb", "change_namespaces", "mount", "run_written_code", "look_at_file")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Everything there is to get at, by attempt: its name and its arguments."""
    secret, victim_file = tmp_path / "catalog.sqlite", tmp_path / "other.jpg"
    secret.write_bytes(b"secret")
    victim_file.write_bytes(b"another picture")
    with (
        subprocess.Popen(["sleep", "60"]) as victim,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as local,
    ):
        name = f"darkroom-test-{os.getpid()}-{time.monotonic_ns()}"
        local.bind("\0" + name)
        local.listen()
        port = server.getsockname()[1]
        yield {
            "read_file": {"path": str(secret)},
            "read_environment": {"path": f"/proc/{victim.pid}/environ"},
            "write_file": {"path": str(tmp_path / "new")},
            "list_folder": {"path": str(tmp_path)},
            "remove_file": {"path": str(victim_file)},
            "look_at_file": {"path": str(secret)},
            "execute": {},
            "connect": {"port": port},
            "connect_local": {"name": name},
            "listen": {},
            "send_datagram": {"port": port},
            "signal_process": {"process": victim.pid},
            "trace": {"process": victim.pid},
            "read_memory_of": {"process": victim.pid, "address": stack_of(victim.pid)},
            "change_limits_of": {"process": victim.pid},
            "fork_bomb": {},
            "fork_without_end": {},
            "change_namespaces": {},
            "mount": {"path": str(tmp_path)},
            "run_written_code": {},
        }
        victim.kill()


def stack_of(process: int) -> int:
    maps = Path(f"/proc/{process}/maps").read_text().splitlines()
    return next(int(line.split("-")[0], 16) for line in maps if line.endswith("[stack]"))


def behind(layer: str, attempt: str, arguments: dict[str, object]) -> str:
    """Return what the attempt said behind that layer alone."""
    paths = [str(Path(hostile.__file__).parent), str(Path(sandbox.__file__).parents[2])]
    finished = subprocess.run(
        [sys.executable, hostile.__file__, layer, json.dumps({"attempt": attempt, **arguments})],
        env={"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if finished.stdout == "absent\n":
        pytest.skip(f"{layer} is not to be had here")
    return finished.stdout.strip() or f"ended with {finished.returncode}: {finished.stderr[-300:]}"


@AS_ROOT
@pytest.mark.parametrize("attempt", [*FILES, *NETWORK, *PROCESSES, *SYSTEM])
def test_every_attempt_succeeds_without_a_jail(attempt: str, world: World) -> None:
    assert behind("none", attempt, world[attempt]) == "escaped"


@pytest.mark.parametrize("attempt", [*FILES, *NETWORK, *PROCESSES, *SYSTEM])
def test_the_filter_of_system_calls_stops_everything(attempt: str, world: World) -> None:
    assert behind("seccomp", attempt, world[attempt]).startswith("denied: EPERM")


@pytest.mark.parametrize("attempt", [*FILES, "connect", "connect_local", "signal_process", "trace", "mount"])
def test_landlock_stops_files_connections_and_signals(attempt: str, world: World) -> None:
    assert behind("landlock", attempt, world[attempt]) in {"denied: EACCES", "denied: EPERM"}


@AS_ROOT
@pytest.mark.parametrize("attempt", ["read_environment", *PROCESSES, "mount"])
def test_nobody_reaches_into_the_processes_of_others(attempt: str, world: World) -> None:
    assert behind("unprivileged", attempt, world[attempt]) in {"denied: EACCES", "denied: EPERM"}


@pytest.mark.parametrize("attempt", ["connect", "connect_local", "send_datagram"])
def test_a_network_of_its_own_leads_nowhere(attempt: str, world: World) -> None:
    assert behind("namespaces", attempt, world[attempt]) in {"denied: ENETUNREACH", "denied: ECONNREFUSED"}


@pytest.mark.parametrize("taken", ["rlimits", "unprivileged", "namespaces", "landlock", "seccomp"])
@pytest.mark.parametrize("attempt", [*FILES, *NETWORK, *PROCESSES, "mount", "fork_without_end"])
def test_nothing_that_is_taken_away_hangs_on_one_layer(taken: str, attempt: str, world: World) -> None:
    if (taken, attempt) == ("seccomp", "listen"):
        pytest.skip("where Landlock knows no ports, it may listen in its own empty network")
    assert behind(f"all but {taken}", attempt, world[attempt]).startswith("denied")


def test_the_limits_bound_open_files() -> None:
    assert behind("rlimits", "open_without_end", {}) == "denied: EMFILE"


def test_the_limits_let_no_byte_into_a_file(world: World) -> None:
    assert behind("rlimits", "write_file", world["write_file"]) == "denied: EFBIG"


@pytest.mark.parametrize("attempt", ["fill_memory", "fill_shared_memory"])
def test_the_limits_bound_memory(attempt: str) -> None:
    assert behind("rlimits", attempt, {}) in {"denied: ENOMEM", "denied: EAGAIN"}


def test_the_limits_bound_processor_time() -> None:
    began = time.monotonic()
    assert behind("rlimits", "spin", {}).startswith("ended with -24")  # SIGXCPU
    assert time.monotonic() - began < 20


def test_threads_can_be_made_behind_the_filter() -> None:
    assert behind("seccomp", "many_threads", {"count": 4}) == "escaped"
