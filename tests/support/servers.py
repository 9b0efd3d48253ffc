"""Real servers for tests: ``darkroom serve`` as a process of its own, on a free loopback port.

Use the fixtures ``server`` (keyless) and ``keyed_server``, one of each for the whole run of tests, and tell images
apart by what you upload; or ``serving`` for a server that a test wants to itself.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

START_SECONDS = 30.0
STOP_SECONDS = 20.0


@dataclass(frozen=True)
class Served:
    """A running server. ``key`` is the admin key it printed, if any; ``said`` is the file of its output."""

    url: str
    data: Path
    process: subprocess.Popen[bytes]
    said: Path
    key: str | None


def free_port() -> int:
    """Return a loopback port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with no other Darkroom settings than ``settings`` (``workers="1"``)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM_")}
    return kept | {f"DARKROOM_{name.upper()}": value for name, value in settings.items()}


def command(folder: Path, port: int, *, keys: bool) -> list[str]:
    """Return how a server on ``folder``/data is started."""
    given = [sys.executable, "-m", "darkroom", "serve", "--port", str(port), "--data", str(folder / "data")]
    return given if keys else [*given, "--no-keys"]


@contextmanager
def serving(
    folder: Path,
    *,
    keys: bool = False,
    port: int | None = None,
    through: tuple[str, ...] = (),
    health: int = 200,
    **settings: str,
) -> Iterator[Served]:
    """Run a server on ``folder``/data until the end of the ``with``; ``settings`` as for ``clean_environment``.

    It has started once it says that its health is ``health``. ``through`` are words to put in front of the command,
    such as ``nohup``. The log has what earlier servers on ``folder`` said, too.
    """
    port = port or free_port()
    said = folder / "server.log"
    began_at = said.stat().st_size if said.exists() else 0
    with said.open("ab") as output:
        process = subprocess.Popen(
            [*through, *command(folder, port, keys=keys)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=clean_environment(**settings),
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        greeting = _wait_until_started(process, url, said, began_at, health)
        key = _key_in(greeting) if keys else None
        yield Served(url=url, data=folder / "data", process=process, said=said, key=key)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Tell a server to stop; if it will not, end all of its own process group."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_started(process: subprocess.Popen[bytes], url: str, said: Path, began_at: int, health: int) -> str:
    """Return what the server has said by the time it answers, from ``began_at`` on."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False) as client:
        while process.poll() is None and time.monotonic() < deadline:
            text = said.read_bytes()[began_at:].decode()
            try:
                # What answers before the greeting is what is left of an earlier server on this port.
                if "Darkroom serves" in text and client.get(f"{url}/healthz").status_code == health:
                    return text
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    pytest.fail(f"the server did not start (exit status {process.poll()}):\n{said.read_text()}")


def refusal(folder: Path, *, port: int | None = None, through: tuple[str, ...] = (), **settings: str) -> str:
    """Start a server as ``serving`` does that must refuse to start, and return what it says on standard error."""
    done = subprocess.run(
        [*through, *command(folder, port or free_port(), keys=True)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=clean_environment(**settings),
        timeout=START_SECONDS,
        check=False,
    )
    assert done.returncode == 1, done
    assert done.stdout == "", "it greeted, and then it refused"
    return done.stderr


def _key_in(said: str) -> str | None:
    return next((word for word in said.split() if word.startswith("dk_")), None)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A keyless server that keeps originals."""
    with serving(tmp_path_factory.mktemp("server"), workers="1", originals="keep") as served:
        yield served


@pytest.fixture(scope="session")
def keyed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that asks for keys, and removes originals as it does unless told otherwise."""
    with serving(tmp_path_factory.mktemp("keyed-server"), keys=True, workers="1") as served:
        yield served
