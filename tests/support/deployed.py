"""The whole AWS stack in the emulator: the real template and the packages for this machine, deployed once a process."""

import functools
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import package
from darkroom.serverless.stack import Stack, Status
from emulator import REGION, Emulator

HERE = package.Target("x86_64", f"{sys.version_info.major}.{sys.version_info.minor}")


@dataclass(frozen=True)
class Deployed:
    """A stack in the emulator."""

    emulator: Emulator
    stack: Stack
    outputs: dict[str, str]

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask the distribution, as a reader's browser does."""
        with httpx.Client(base_url=self.emulator.url, trust_env=False) as client:
            host = {"Host": self.outputs["DistributionDomain"], "X-Forwarded-Proto": "https"}
            return client.get(path, headers=host | {"Accept": "*/*"} | headers)


class Clients:
    """Clients of the emulator's services, one of each."""

    def __init__(self, emulator: Emulator, leaving: ExitStack) -> None:
        @functools.cache
        def of(service: str):
            return leaving.enter_context(_closing(emulator.client(service, s3={"addressing_style": "path"})))

        self._of = of

    def __call__(self, service: str, /):
        return self._of(service)


@contextmanager
def _closing(client) -> Iterator[object]:
    try:
        yield client
    finally:
        client.close()


@contextmanager
def deploying(emulator: Emulator, folder: Path, **parameters: str) -> Iterator[Deployed]:
    """Deploy what is packaged in ``folder`` under a name of its own; deleted at the end."""
    with ExitStack() as leaving:
        clients = Clients(emulator, leaving)
        bucket = f"packages-{secrets.token_hex(6)}"
        clients("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        stack = Stack(f"darkroom-{secrets.token_hex(4)}", clients, poll_seconds=0.1)
        plan = stack.plan(folder, {"RequireTls": "false"} | parameters, bucket)
        assert plan.creates
        status: Status = stack.carry_out(plan)
        yield Deployed(emulator, stack, dict(status.outputs))
        stack.destroy()


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything packaged for the machine and the Python of the emulator."""
    folder = tmp_path_factory.mktemp("packages")
    package.package(folder, HERE)
    return folder
