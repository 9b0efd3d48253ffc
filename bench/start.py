"""How soon the service answers, and what it costs to have it there.

    python bench/start.py [--starts 5] [--uploads 20]

Method. Start: from the moment `darkroom serve` is executed to the first `200` from `/healthz`, asked every five
milliseconds on a new connection, default settings but for the port; first on a new data folder each (keys, databases
and default images are made), then on one that is there. The median counts. Memory: PSS (pages that are shared count
in parts) of all processes together, from /proc/*/smaps_rollup, after a start and again after so many photos of 8
megapixels were worked on, two seconds after the last one. Processor: what all processes use together in ten seconds
in which nobody asks for anything. Figures of the jailed processes need root, because they cannot be looked into.

Targets: an answer within 2 s; less than 250 MB when idle.
"""

from __future__ import annotations

import argparse
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import httpx

import pictures
import processes
from machine import print_load, print_machine
from patience import eventually, ready
from servers import clean_environment, command, free_port, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

MEGABYTE = 1_000_000
SETTLE_SECONDS = 2.0
IDLE_SECONDS = 10.0


def main() -> None:
    """Read the command line and print everything."""
    arguments = argparse.ArgumentParser(description="how soon the service answers, and what it costs when idle")
    arguments.add_argument("--starts", type=int, default=5)
    arguments.add_argument("--uploads", type=int, default=20)
    chosen = arguments.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        starts(Path(name), chosen.starts)
        costs(Path(name), chosen.uploads)
    print_load()


@contextmanager
def started(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int, float]]:
    """Give a service on ``folder``/data, its port, and the seconds until it answered."""
    port = free_port()
    began = time.monotonic()
    process = subprocess.Popen(
        command(folder, port, keys=True),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(keys="true"),
        start_new_session=True,
    )
    try:
        while not answers(port):
            if process.poll() is not None:
                sys.exit("the service did not start")
            time.sleep(0.005)
        yield process, port, time.monotonic() - began
    finally:
        stop(process)


def answers(port: int) -> bool:
    """Tell whether the service answers that it is well."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def starts(folder: Path, count: int) -> None:
    """Start the service over and over, and print how long it took to answer."""
    print("From the command to the first 200")
    for name, fresh in (("a new data folder", True), ("one that is there", False)):
        seconds = []
        for number in range(count):
            home = folder / f"start-{number if fresh else 0}"
            home.mkdir(exist_ok=True)
            with started(home) as (_, _, took):
                seconds.append(took)
        each = " ".join(f"{took:.2f}" for took in seconds)
        print(f"  {name:20} median {statistics.median(seconds):.2f} s   ({each})")
    print()


def costs(folder: Path, uploads: int) -> None:
    """Print what the service holds and uses while nobody asks for anything."""
    home = folder / "costs"
    home.mkdir()
    body = pictures.encode(pictures.photo(3264, 2448), "JPEG", quality=90)
    port = free_port()
    process = subprocess.Popen(
        command(home, port, keys=False),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
        start_new_session=True,
    )
    try:
        eventually(lambda: answers(port), what="an answer")
        service = eventually(lambda: processes.service(process.pid), what="all processes")
        time.sleep(SETTLE_SECONDS)
        before = memory(service)
        used = sum(each.cpu_seconds for each in service)
        time.sleep(IDLE_SECONDS)
        idle = (sum(each.cpu_seconds for each in service) - used) / IDLE_SECONDS
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            for _ in range(uploads):
                ready(client, body)
        time.sleep(SETTLE_SECONDS)
        after = memory(eventually(lambda: processes.service(process.pid), what="all processes"))
    finally:
        stop(process)
    print(f"Memory (PSS, MB){'' if os.geteuid() == 0 else ', without the jailed processes: that takes root'}")
    print(f"  {'':24}{'idle':>10}{f'after {uploads} photos':>18}")
    for name in before:
        print(f"  {name:24}{before[name] / MEGABYTE:10.1f}{after[name] / MEGABYTE:18.1f}")
    print(f"  {'all together':24}{sum(before.values()) / MEGABYTE:10.1f}{sum(after.values()) / MEGABYTE:18.1f}")
    print(f"Processor time when idle: {100 * idle:.1f} % of one processor\n")


def memory(service: processes.Service) -> dict[str, int]:
    """Return the bytes that each kind of process holds."""
    groups = {
        "the one that starts all": [service.main],
        f"HTTP workers ({len(service.http_workers)})": service.http_workers,
        "processor": [service.processor],
        "zygote of the jail": [service.zygote],
        f"jailed ({len(service.jailed)})": service.jailed,
    }
    return {name: sum(each.memory for each in members) for name, members in groups.items()}


if __name__ == "__main__":
    main()
