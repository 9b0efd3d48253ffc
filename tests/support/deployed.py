"""The whole AWS stack in the emulator: the real template and the packages for this machine, deployed once a process."""

import fcntl
import functools
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

import package
from darkroom.access import Scope
from darkroom.access.dynamodb import DynamoAccess, DynamoSecrets
from darkroom.serverless.stack import Stack, Status
from darkroom.service import utc_now
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

    @contextmanager
    def client(self, key: str | None = None) -> Iterator[httpx.Client]:
        """Give a client whose relative urls reach the API, with a key, and delivery by the distribution.

        In the emulator all hosts are one address, told apart by the header ``Host``.
        """
        hosts = {
            "/i/": {"Host": self.outputs["DistributionDomain"], "X-Forwarded-Proto": "https"},
            "/v1/": {"Host": urlsplit(self.outputs["ApiEndpoint"]).netloc},
        }
        if "IiifApiEndpoint" in self.outputs:
            hosts["/iiif/"] = {"Host": urlsplit(self.outputs["IiifApiEndpoint"]).netloc}
        if key is not None:
            hosts["/v1/"]["Authorization"] = f"Bearer {key}"
        hosts["/healthz"] = hosts["/v1/"]

        def at_its_host(request: httpx.Request) -> None:
            for prefix, headers in hosts.items():
                if request.url.path.startswith(prefix):
                    request.headers.update(headers)

        with httpx.Client(
            base_url=self.emulator.url, trust_env=False, timeout=60, event_hooks={"request": [at_its_host]}
        ) as client:
            yield client

    def new_key(self, owner: str = "local") -> str:
        """Make an API key with all scopes, as `darkroom aws deploy` does, and return its text."""
        access = DynamoAccess(self.stack._clients("dynamodb"), self.outputs["KeysTableName"], utc_now)
        try:
            return access.add(owner, "tests", frozenset(Scope))[1]
        finally:
            access.close()

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Call a function, by the name of its output, and return what it returns."""
        answer = self.stack._clients("lambda").invoke(
            FunctionName=self.outputs[function], Payload=json.dumps(event).encode()
        )
        told = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, told
        return told

    def resource(self, logical_id: str) -> str:
        """Return the name that a resource of the template has got."""
        found = self.stack._clients("cloudformation").describe_stack_resource(
            StackName=self.stack.name, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    @contextmanager
    def configured(
        self, function: str, *, timeout: int | None = None, memory: int | None = None, **variables: str
    ) -> Iterator[None]:
        """Have a function, by its logical id, run with other settings until the end of the ``with``."""
        client, name = self.stack._clients("lambda"), self.resource(function)
        found = client.get_function_configuration(FunctionName=name)
        before = {"Timeout": found["Timeout"], "MemorySize": found["MemorySize"], "Environment": found["Environment"]}
        after = {
            "Timeout": timeout or found["Timeout"],
            "MemorySize": memory or found["MemorySize"],
            "Environment": {"Variables": found["Environment"]["Variables"] | variables},
        }
        client.update_function_configuration(FunctionName=name, **after)
        try:
            yield
        finally:
            client.update_function_configuration(FunctionName=name, **before)

    def make_first_secret(self) -> None:
        """Make what addresses are signed with and have CloudFront know it, as `darkroom aws deploy` does."""
        self.add_secret("local")
        self.invoke("SecretsFunctionName", {})

    def add_secret(self, owner: str) -> None:
        """Make what addresses are signed with, and tell nobody."""
        secrets_ = DynamoSecrets(self.stack._clients("dynamodb"), self.outputs["SecretsTableName"], utc_now)
        try:
            secrets_.add(owner)
        finally:
            secrets_.close()

    def make_defaults(self) -> None:
        """Have the default images made, as `darkroom aws deploy` does."""
        self.invoke("TransformFunctionName", {"darkroom": "shelve-defaults"})


class Clients:
    """Clients of the emulator's services, one of each."""

    def __init__(self, emulator: Emulator, leaving: ExitStack) -> None:
        @functools.cache
        def of(service: str) -> Any:
            return leaving.enter_context(_closing(emulator.client(service, s3={"addressing_style": "path"})))

        self._of = of

    def __call__(self, service: str, /) -> Any:
        return self._of(service)


@contextmanager
def _closing(client: Any) -> Iterator[Any]:
    try:
        yield client
    finally:
        client.close()


ASKED = {"RequireTls": "false", "SearchKinds": "words,camera,colors,likeness"}
"""The emulator speaks HTTP alone; and what the flows look for, which a stage keeps only where it is asked to."""


@contextmanager
def deploying(emulator: Emulator, folder: Path, **parameters: str) -> Iterator[Deployed]:
    """Deploy what is packaged in ``folder`` under a name of its own; deleted at the end."""
    with ExitStack() as leaving:
        clients = Clients(emulator, leaving)
        bucket = f"packages-{secrets.token_hex(6)}"
        clients("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        stack = Stack(f"darkroom-{secrets.token_hex(4)}", clients, poll_seconds=0.1)
        plan = stack.plan(folder, ASKED | {"PublicUrl": emulator.url} | parameters, bucket)
        assert plan.creates
        status: Status = stack.carry_out(plan)
        yield Deployed(emulator, stack, dict(status.outputs))
        stack.destroy()


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything packaged for the machine and the Python of the emulator, once for a whole run of tests.

    Of processes that run tests at the same time the first one makes it, and the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "packages"
    with (shared / "packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            made = tmp_path_factory.mktemp("packages")
            package.package(made, HERE)
            made.rename(folder)
    return folder
