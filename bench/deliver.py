"""How fast pictures are delivered, next to nginx on the same files.

    python bench/deliver.py [--seconds 4] [--rounds 4]

Method. nginx with one worker, `sendfile`, no access log, its open-file cache on and the same response headers as ours;
`darkroom serve` with one HTTP worker as a person starts it, whose deliveries are logged as one line in ten seconds.
Both serve the same bytes on loopback. wrk, one thread, 32 connections, asks one after the other, nginx, ours, nginx,
ours …, for several rounds; a figure is the median of its rounds, a ratio the median of the ratios within a round, so
that whatever else the machine does hits both alike. Nothing is pinned; CPU is what the server's processes used for one
request, kernel included, and hardly depends on what else runs.

Hot: the same picture again and again. 304: the same with its etag in If-None-Match. Result: a picture made by a signed
address before, so ours verifies whose address that is as well. Cold: 500 pictures in turn, ours
with the hot cache switched off (so each request reads bucket and catalog), nginx without its open-file cache; the
files are in the page cache for both.

Exits with a status other than 0 only when it cannot measure.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import httpx

import pictures
from darkroom.bucket.objects import FolderBucket
from darkroom.embedded.layout import Layout
from darkroom.names import asset_key
from patience import eventually, ready
from servers import free_port, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTIONS = 32
COLD_PICTURES = 500
WARM_UP_SECONDS = 1
SIZES = {"75k": 75 * 1024, "10k": 10 * 1024}

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000000;
    types {{ image/jpeg jpg; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    add_header Cache-Control "public, max-age=86400, s-maxage=31536000";
    add_header X-Content-Type-Options nosniff;
    add_header Access-Control-Allow-Origin *;
    add_header Cross-Origin-Resource-Policy cross-origin;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/root;
        {cache}
    }}
}}
"""

NEXT_PICTURE = """
local picture = 0
request = function()
    picture = (picture + 1) % {pictures}
    return wrk.format("GET", "{prefix}cold-" .. picture .. ".jpg")
end
"""


@dataclass(frozen=True)
class Server:
    """Something that delivers, with the process whose CPU is counted together with all it has started."""

    url: str
    process_id: int


@dataclass(frozen=True)
class Run:
    """What one run of wrk has measured; milliseconds, and microseconds of CPU for each request."""

    per_second: float
    median: float
    p99: float
    cpu: float


class CannotMeasureError(Exception):
    """Something is missing or does not answer as it must."""


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description="delivery next to nginx")
    arguments.add_argument("--seconds", type=int, default=4, help="of each run of wrk")
    arguments.add_argument("--rounds", type=int, default=4)
    chosen = arguments.parse_args()
    try:
        measure(chosen.seconds, chosen.rounds)
    except CannotMeasureError as error:
        sys.exit(f"cannot measure: {error}")


def measure(seconds: int, rounds: int) -> None:
    """Start both servers, twice, and print a table."""
    for program in ("nginx", "wrk"):
        if shutil.which(program) is None:
            msg = f"{program} is not installed"
            raise CannotMeasureError(msg)
    print_machine()
    print(f"{rounds} rounds of {seconds} s, {CONNECTIONS} connections\n")
    print("| what | server | requests/s | p50 ms | p99 ms | CPU µs | ratio of requests/s | ratio of p99 |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    with both(hot=True) as (peer, ours, prefix, root):
        compare("hot 75 KB", peer, ours, f"{prefix}75k.jpg", seconds, rounds)
        compare("hot 10 KB", peer, ours, f"{prefix}10k.jpg", seconds, rounds)
        compare("304", peer, ours, f"{prefix}75k.jpg", seconds, rounds, conditional=True)
        result = made_by_address(ours, root)
        compare("hot result", peer, ours, result, seconds, rounds)
    with both(hot=False) as (peer, ours, prefix, _), tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(NEXT_PICTURE.format(pictures=COLD_PICTURES, prefix=prefix))
        script.flush()
        compare("cold 75 KB", peer, ours, f"{prefix}cold-0.jpg", seconds, rounds, script=script.name)


@contextlib.contextmanager
def both(*, hot: bool) -> Iterator[tuple[Server, Server, str, Path]]:
    """Run nginx and our service over the same pictures; also give what their paths begin with, and nginx's folder."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        hot_cache = "134217728" if hot else "0"
        served = stack.enter_context(serving(folder, workers="1", hot_cache_bytes=hot_cache))
        with httpx.Client(base_url=served.url, trust_env=False, timeout=30) as client:
            image_id = ready(client, pictures.jpeg(64, 48))["id"]
        root = folder / "nginx" / "root"
        names = SIZES if hot else {f"cold-{number}": SIZES["75k"] for number in range(COLD_PICTURES)}
        assets = FolderBucket(Layout(served.data).assets)
        for variant, length in names.items():
            body = pictures.jpeg(16, 16) + os.urandom(length)
            key = asset_key(image_id, variant, "jpg")
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).write_bytes(body[:length])
            assets.put(key, body[:length], content_type="image/jpeg")
        peer = stack.enter_context(nginx(folder / "nginx", hot=hot))
        yield peer, Server(served.url, served.process.pid), f"/i/{image_id}/", root


def made_by_address(ours: Server, root: Path) -> str:
    """Have a picture of about 75 KB made by a signed address, lay it into nginx's folder too, and return its path."""
    with httpx.Client(base_url=ours.url, trust_env=False, timeout=30) as client:
        image_id = ready(client, pictures.encode(pictures.photo(1200, 900), "JPEG", quality=90))["id"]
        asked = {"id": image_id, "options": "width=540,quality=90", "ext": "jpg"}
        path: str = urlsplit(client.post("/v1/sign", json=asked).json()["url"]).path
        body = client.get(path).content
    (root / path[1:]).parent.mkdir(parents=True)
    (root / path[1:]).write_bytes(body)
    return path


@contextlib.contextmanager
def nginx(folder: Path, *, hot: bool) -> Iterator[Server]:
    """Run nginx on ``folder``/root."""
    port = free_port()
    cache = "open_file_cache max=1000;" if hot else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, cache=cache))
    folder.chmod(0o755)
    folder.parent.chmod(0o755)  # nginx reads as another user when it is started by root
    process = subprocess.Popen(["nginx", "-c", configuration, "-e", folder / "error.log"])
    try:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(trust_env=False) as client:
            eventually(lambda: answers(client, url), what="nginx answering")
        yield Server(url, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def answers(client: httpx.Client, url: str) -> bool:
    """Tell whether somebody listens at ``url``."""
    try:
        return client.get(url).status_code > 0
    except httpx.TransportError:
        return False


def compare(
    what: str,
    peer: Server,
    ours: Server,
    path: str,
    seconds: int,
    rounds: int,
    *,
    conditional: bool = False,
    script: str | None = None,
) -> None:
    """Print two rows: nginx and ours on the same path, in turns."""
    options: dict[str, list[str]] = {}
    bodies = set()
    for server in (peer, ours):
        answer = httpx.get(server.url + path, trust_env=False)
        if answer.status_code != 200:
            msg = f"{server.url}{path} answers {answer.status_code}"
            raise CannotMeasureError(msg)
        bodies.add(answer.content)
        options[server.url] = ["-s", script] if script else []
        if conditional:
            options[server.url] += ["-H", f"If-None-Match: {answer.headers['etag']}"]
    if len(bodies) != 1:
        msg = f"the two servers deliver different bytes for {path}"
        raise CannotMeasureError(msg)
    for server in (peer, ours):
        run(server, path, WARM_UP_SECONDS, options[server.url])
    turns = [[run(server, path, seconds, options[server.url]) for server in (peer, ours)] for _ in range(rounds)]
    rates = statistics.median(mine.per_second / theirs.per_second for theirs, mine in turns)
    delays = statistics.median(mine.p99 / theirs.p99 for theirs, mine in turns)
    print(row(what, "nginx", [theirs for theirs, _ in turns], "", ""))
    print(row(what, "ours", [mine for _, mine in turns], f"{rates:.2f}", f"{delays:.1f}"), flush=True)


def row(what: str, server: str, runs: list[Run], rates: str, delays: str) -> str:
    """Return a line of the table: medians over the rounds."""
    per_second = statistics.median(each.per_second for each in runs)
    median = statistics.median(each.median for each in runs)
    p99 = statistics.median(each.p99 for each in runs)
    cpu = statistics.median(each.cpu for each in runs)
    return f"| {what} | {server} | {per_second:,.0f} | {median:.2f} | {p99:.2f} | {cpu:.1f} | {rates} | {delays} |"


def run(server: Server, path: str, seconds: int, options: list[str]) -> Run:
    """Let wrk ask for some seconds."""
    before = cpu_seconds(server.process_id)
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *options, server.url + path]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    used = cpu_seconds(server.process_id) - before
    requests = re.search(r"(\d+) requests in", said)
    if requests is None or "Non-2xx" in said or "Socket errors" in said:
        msg = f"wrk on {server.url}{path} says:\n{said}"
        raise CannotMeasureError(msg)
    return Run(
        per_second=float(found(r"Requests/sec:\s+([\d.]+)", said)),
        median=milliseconds(found(r"\n\s+50%\s+(\S+)", said)),
        p99=milliseconds(found(r"\n\s+99%\s+(\S+)", said)),
        cpu=used / int(requests[1]) * 1e6,
    )


def found(pattern: str, text: str) -> str:
    """Return the first group of ``pattern`` in what wrk has printed."""
    match = re.search(pattern, text)
    if match is None:
        msg = f"wrk printed something else than usual:\n{text}"
        raise CannotMeasureError(msg)
    return match[1]


def milliseconds(text: str) -> float:
    """Read a duration as wrk prints it: ``754.00us``, ``1.45ms``, ``2.00s``."""
    for unit, factor in (("us", 0.001), ("ms", 1.0), ("s", 1000.0)):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * factor
    msg = f"wrk printed the duration {text}"
    raise CannotMeasureError(msg)


def cpu_seconds(process_id: int) -> float:
    """Return the CPU time, user and kernel, of a process and of all it has started that still run."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    total = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    for task in Path(f"/proc/{process_id}/task").iterdir():
        total += sum(cpu_seconds(int(child)) for child in (task / "children").read_text().split())
    return total


def print_machine() -> None:
    """Print what the figures were measured on and with."""
    models = re.findall(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    nginx_version = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.strip()
    wrk_version = subprocess.run(["wrk", "-v"], capture_output=True, text=True, check=False).stdout.splitlines()[0]
    ours = ", ".join(f"{package} {version(package)}" for package in ("darkroom", "granian", "uvloop"))
    print(f"{time.strftime('%Y-%m-%d')}, {models[0] if models else platform.machine()}, {os.cpu_count()} processors,")
    print(f"Linux {platform.release()}, load before {os.getloadavg()[0]:.1f}")
    print(f"Python {platform.python_version()}, {ours}; {nginx_version}; {wrk_version.split(' [')[0]}")


if __name__ == "__main__":
    main()
