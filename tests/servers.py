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
    """A running server. ``key`` is the admin key it printed, ``None`` without keys; ``said`` is its output, a file."""

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


@contextmanager
def serving(folder: Path, *, keys: bool = False, port: int | None = None, **settings: str) -> Iterator[Served]:
    """Run a server on ``folder``/data until the end of the ``with``; ``settings`` as for ``clean_environment``."""
    port = port or free_port()
    said = folder / "server.log"
    command = [sys.executable, "-m", "darkroom", "serve", "--port", str(port), "--data", str(folder / "data")]
    with said.open("ab") as output:
        process = subprocess.Popen(
            command if keys else [*command, "--no-keys"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=clean_environment(**settings),
            start_new_session=True,
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_healthy(process, url, said)
        yield Served(url=url, data=folder / "data", process=process, said=said, key=_key_in(said) if keys else None)
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


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str, said: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get(f"{url}/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    pytest.fail(f"the server did not start (exit status {process.poll()}):\n{said.read_text()}")


def _key_in(said: Path) -> str:
    return next(word for word in said.read_text().split() if word.startswith("dk_"))


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
