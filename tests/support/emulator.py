"""AWS on this machine, for tests: an emulator (ministack) as a process of its own, on a free loopback port.

Use the fixture ``emulator``, one for each process of the tests, and tell apart what you make in it by name; or
``emulating`` for an emulator that a test wants to itself. Permissions are enforced: the root key, which ``Emulator``
uses, may everything, and what ``Emulator.allowing`` returns may what it says and nothing else.

It runs in ``.venv-emulator``, which ``make test`` installs, under whichever Python that was made with, and it runs
Lambda functions under that Python too, whatever ``Runtime`` they name.
"""

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import httpx
import pytest

from servers import free_port

SHIMMED = Path(__file__).with_name("shimmed.py")
PYTHON = Path(__file__).parents[2] / ".venv-emulator" / "bin" / "python"
REGION = "eu-west-1"
ACCOUNT = "000000000000"
START_SECONDS = 30.0
STOP_SECONDS = 2.0
_HEALTH = "/_ministack/health"


@dataclass(frozen=True)
class Credentials:
    """What signs a request: the root key's, or those of a role."""

    key: str = "test"
    secret: str = "test"
    token: str | None = None

    def environment(self) -> dict[str, str]:
        """Return them as the variables that every AWS tool reads."""
        given = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return given if self.token is None else given | {"AWS_SESSION_TOKEN": self.token}


ROOT = Credentials()


@dataclass(frozen=True)
class Emulator:
    """A running emulator. ``said`` is the file of its output."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]
    said: Path

    def client(self, service: str, credentials: Credentials = ROOT, **config: Any) -> Any:
        """Return a boto3 client that speaks to the emulator; close it. ``config`` as for ``botocore.Config``."""
        return self.session(credentials).client(
            service, endpoint_url=self.url, config=botocore.config.Config(**{"proxies": {}} | config)
        )

    def session(self, credentials: Credentials = ROOT) -> boto3.Session:
        """Return a boto3 session with these credentials."""
        return boto3.Session(
            aws_access_key_id=credentials.key,
            aws_secret_access_key=credentials.secret,
            aws_session_token=credentials.token,
            region_name=REGION,
        )

    def environment(self, credentials: Credentials = ROOT) -> dict[str, str]:
        """Return the variables with which another process's AWS tools speak to the emulator."""
        return credentials.environment() | {"AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": REGION}

    def allowing(self, *statements: dict[str, Any]) -> Credentials:
        """Return credentials of a new role that may what the statements of an IAM policy allow, and nothing else.

        A statement is ``{"Action": ..., "Resource": ...}``.
        """
        name = f"role-{secrets.token_hex(8)}"
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        iam, sts = self.client("iam"), self.client("sts")
        try:
            role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
            allowed = [{"Effect": "Allow"} | statement for statement in statements]
            if allowed:
                iam.put_role_policy(RoleName=name, PolicyName="allowed", PolicyDocument=_policy(*allowed))
            given = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        finally:
            iam.close()
            sts.close()
        return Credentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@contextmanager
def emulating(folder: Path, *, shim: bool = False, **settings: str) -> Iterator[Emulator]:
    """Run an emulator that keeps its files in ``folder`` until the end of the ``with``.

    ``settings`` are its environment's, in capitals, such as ``AUTH="false"`` or ``USE_SSL="1"``. With ``shim`` it
    follows rules of CloudFront too that are only our reading of AWS: say so in the name of what is tested with it.
    """
    if not PYTHON.exists():
        pytest.fail("the AWS emulator is not installed: run `make .venv-emulator/.installed`, or `make test`")
    port = free_port()
    for name in ("tmp", "state"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    said = folder / "emulator.log"
    with said.open("ab") as output:
        process = subprocess.Popen(
            [PYTHON, SHIMMED] if shim else [PYTHON, "-m", "ministack"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=_environment(folder, port) | settings,
            start_new_session=True,
        )
    try:
        scheme = "https" if settings.get("USE_SSL") == "1" else "http"
        url = f"{scheme}://127.0.0.1:{port}"
        _wait_until_started(process, url, said)
        yield Emulator(url=url, folder=folder, process=process, said=said)
    finally:
        _stop(process)


def _environment(folder: Path, port: int) -> dict[str, str]:
    """Return what the emulator is started with; the functions it runs see this too, so it is no more than needed."""
    return {
        "PATH": f"{PYTHON.parent}:{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder / "tmp"),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "state" / "s3"),
        # Unless told so, it listens to the whole network.
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        # Its client puts the account before the host's name, and no such name is known here: with a user before it, the
        # account is put before that.
        "AWS_ENDPOINT_URL_CLOUDFRONT_KEYVALUESTORE": f"http://user@127.0.0.1:{port}",
        "LOG_LEVEL": "WARNING",
    }


def _wait_until_started(process: subprocess.Popen[bytes], url: str, said: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False, verify=False) as client:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                if client.get(f"{url}{_HEALTH}").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    pytest.fail(f"the emulator did not start (exit status {process.poll()}):\n{said.read_text()}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Tell it to stop; with connections kept alive it may not, so then end all of its own process group."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    # Workers that run functions are its children, and may outlive it.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator for all tests of this process."""
    with emulating(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def shimmed_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """As ``emulator``, with the rules of ``shimmed.py``."""
    with emulating(tmp_path_factory.mktemp("shimmed-emulator"), shim=True) as running:
        yield running
