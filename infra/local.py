"""The whole AWS stack on this machine: the real template and packages, deployed into an emulator, behind one address.

    make aws-local                # PORT=8001

In the emulator the API and the distribution are one address, told apart by the header ``Host``; a browser and curl
cannot choose that. So a small proxy in front chooses it by the path, as a domain of one's own would.
"""

from __future__ import annotations

import argparse
import platform
import re
import signal
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

import package

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from emulator import REGION, Emulator, emulating  # noqa: E402 # the tests' emulator is this one's

if TYPE_CHECKING:
    from collections.abc import Mapping

STAGE = "local"
DELIVERED = "/i/"
PATIENCE_SECONDS = 60.0
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "content-length", "host"})


def main() -> None:
    """Package, start, deploy, and wait to be stopped."""
    parser = argparse.ArgumentParser(description="Run the AWS stack in an emulator on this machine.")
    parser.add_argument("--port", type=int, default=8001, help="where it is reached on the loopback interface")
    port = parser.parse_args().port
    stopped = threading.Event()
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda *_: stopped.set())
    with tempfile.TemporaryDirectory(prefix="darkroom-aws-") as folder:
        print("Packaging for this machine …", flush=True)
        packages = Path(folder) / "packages"
        machine = "arm64" if platform.machine() == "aarch64" else platform.machine()
        here = package.Target(machine, f"{sys.version_info.major}.{sys.version_info.minor}")
        package.package(packages, here)
        # The emulator lacks some of CloudFront that pictures by their addresses take: our reading of AWS stands in.
        with emulating(Path(folder) / "emulator", shim=True) as emulator:
            url = f"http://127.0.0.1:{port}"
            print(f"Deploying into the emulator at {emulator.url} …", flush=True)
            key = deploy(emulator, packages, url)
            with Front(port, emulator, outputs(emulator)):
                introduce(url, key)
                stopped.wait()
    print("Stopped; nothing was kept.")


def deploy(emulator: Emulator, packages: Path, url: str) -> str:
    """Deploy as an operator would, and return the first key."""
    given = {"RequireTls": "false", "PublicUrl": url, "AssetsUrl": url}
    command = [
        sys.executable,
        "-m",
        "darkroom",
        "aws",
        "deploy",
        "--stage",
        STAGE,
        "--packages",
        str(packages),
        "--yes",
    ]
    for name, value in given.items():
        command += ["--set", f"{name}={value}"]
    ran = subprocess.run(
        command,
        env={"PATH": str(Path(sys.executable).parent), "AWS_REGION": REGION} | emulator.environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    found = re.search(r"keep it\.\n(\S+)", ran.stdout)
    if ran.returncode != 0 or found is None:
        sys.exit(f"{ran.stdout}\nThe stack was not deployed; what the emulator said: {emulator.said}")
    return found[1]


def outputs(emulator: Emulator) -> dict[str, str]:
    """Return what the stack says of itself."""
    client = emulator.client("cloudformation")
    try:
        (stack,) = client.describe_stacks(StackName=f"darkroom-{STAGE}")["Stacks"]
    finally:
        client.close()
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def introduce(url: str, key: str) -> None:
    """Say where everything is and what to try first."""
    print(
        f"""
The AWS stack runs at {url}, for this machine only, until you press Ctrl-C.
  pages              {url}/
  API and its page   {url}/v1/variants   {url}/docs
  pictures           {url}/i/…
  key                {key}   (also to sign in with)

Upload a photo:
  curl -F file=@photo.jpg -H 'Prefer: wait=20' -H 'Authorization: Bearer {key}' {url}/v1/images
or
  DARKROOM_KEY={key} {Path(sys.executable).parent}/darkroom put photo.jpg --server {url}

Any size of it, by a signed address:
  DARKROOM_KEY={key} {Path(sys.executable).parent}/darkroom url ID width=640 height=360 fit=cover --server {url}
""",
        flush=True,
    )


class Front:
    """A proxy on loopback that gives each request the host it is for."""

    def __init__(self, port: int, emulator: Emulator, told: Mapping[str, str]) -> None:
        hosts = {
            True: {"Host": told["DistributionDomain"], "X-Forwarded-Proto": "https"},
            False: {"Host": urlsplit(told["ApiEndpoint"]).netloc},
        }
        client = httpx.Client(base_url=emulator.url, trust_env=False, timeout=PATIENCE_SECONDS)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                """Pass on what was asked and what is answered."""
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
                headers |= hosts[self.path.startswith(DELIVERED)]
                given = client.request(self.command, self.path, content=body, headers=headers)
                self.send_response(given.status_code)
                for name, value in given.headers.multi_items():
                    if name not in _HOP_BY_HOP | {"content-encoding", "date", "server"}:
                        self.send_header(name, _without_tls(name, value))
                length = given.headers.get("content-length") if self.command == "HEAD" else str(len(given.content))
                self.send_header("content-length", length or "0")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(given.content)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Keep the terminal for what a person has to read."""

        self._client = client
        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._client.close()


def _without_tls(name: str, value: str) -> str:
    """Return a header's value as a browser takes it that is told it over plain HTTP, on this machine."""
    return value.replace("; Secure", "") if name == "set-cookie" else value


if __name__ == "__main__":
    main()
