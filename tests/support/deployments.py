"""The deployments that every flow is tried on, with the same assertions: in memory, one machine, AWS in the emulator.

A deployment is an HTTP client whose relative urls reach the API and delivery.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from darkroom.model import OriginalPolicy
from deployed import deploying
from patience import eventually
from servers import clean_environment, free_port, serving, stop

SUPPORT = Path(__file__).parent


@contextmanager
def client_of(url: str) -> Iterator[httpx.Client]:
    """Give a client of a server on loopback."""
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        yield client


@contextmanager
def in_memory(_request: pytest.FixtureRequest, folder: Path, originals: OriginalPolicy) -> Iterator[httpx.Client]:
    """Run the service with every port's in-memory implementation, in a process of its own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(port)]
    process = subprocess.Popen(
        [*command, "memory_server:app"],
        cwd=SUPPORT,
        env=clean_environment()
        | {"MEMORY_FOLDER": str(folder), "MEMORY_URL": url, "MEMORY_ORIGINALS": originals.value},
        start_new_session=True,
    )
    try:
        with client_of(url) as client:
            eventually(lambda: _answers(client), what="the in-memory service answering")
            yield client
    finally:
        stop(process)


@contextmanager
def embedded(_request: pytest.FixtureRequest, folder: Path, originals: OriginalPolicy) -> Iterator[httpx.Client]:
    """Run the real service as a person would."""
    with serving(folder, originals=originals.value, workers="2") as served, client_of(served.url) as client:
        yield client


@contextmanager
def aws(request: pytest.FixtureRequest, _folder: Path, originals: OriginalPolicy) -> Iterator[httpx.Client]:
    """Deploy the real template with the real packages, every permission enforced."""
    emulator, packages = request.getfixturevalue("emulator"), request.getfixturevalue("packages")
    with deploying(emulator, packages, Originals=originals.value) as stack:
        stack.make_defaults()
        with stack.client(stack.new_key()) as client:
            yield client


@contextmanager
def aws_shim(request: pytest.FixtureRequest, _folder: Path, originals: OriginalPolicy) -> Iterator[httpx.Client]:
    """As ``aws``, with our reading of what the emulator lacks of CloudFront (``shimmed.py``): no evidence of AWS."""
    emulator, packages = request.getfixturevalue("shimmed_emulator"), request.getfixturevalue("packages")
    with deploying(emulator, packages, Originals=originals.value) as stack:
        stack.make_defaults()
        stack.make_first_secret()
        with stack.client(stack.new_key()) as client:
            yield client


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


DEPLOYMENTS = {"memory": in_memory, "embedded": embedded, "aws": aws}

ON_DEMAND = {"memory": in_memory, "embedded": embedded, "aws-shim": aws_shim}
"""Those that pictures are made on by their addresses."""
