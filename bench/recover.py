"""How long the service takes to recover from a kill with many images in its queue, next to working undisturbed.

    python bench/recover.py [--images 1000]

Method. The same pictures (1000×750, JPEG, each its own by a comment) are uploaded by the simple door while the
processor is held (SIGSTOP), until all of them wait in the queue. Then, on a data folder of its own each:

- undisturbed: the processor goes on; the time until the last one is ready;
- killed: the processor goes on, and after two seconds every process is killed at once (SIGKILL), with pictures in hand.
  The service is started again: the time to its first answer, to the first picture that is ready after that, and until
  the last one is. The pictures that were in hand come back when their leases have run out, after ten seconds.

Then every image must be ready, and `darkroom audit` must agree. Default settings but for the port.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import httpx

import pictures
import processes
from machine import print_load, print_machine
from outages import Machine
from patience import eventually

LONGEST_SECONDS = 3_600
RUN_SECONDS = 2.0
UPLOADERS = 4


def main() -> None:
    """Read the command line, measure and print."""
    arguments = argparse.ArgumentParser(description="how long the service takes to recover from a kill")
    arguments.add_argument("--images", type=int, default=1_000)
    count = arguments.parse_args().images
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        undisturbed = measure(Path(name) / "undisturbed", count, killed=False)
        killed = measure(Path(name) / "killed", count, killed=True)
    print(f"{count} images in the queue")
    print(f"undisturbed: all ready after {undisturbed['all']:.1f} s, {count / undisturbed['all']:.1f} a second")
    print(f"killed with {killed['left']:.0f} left, and started again: first answer after {killed['answer']:.2f} s,")
    print(f"  first picture ready after {killed['first']:.2f} s, all after {killed['all']:.1f} s")
    expected = killed["left"] * undisturbed["all"] / count
    print(f"  what was left takes {expected:.1f} s undisturbed: ratio {killed['all'] / expected:.2f}; none lost")
    print_load()


def measure(folder: Path, count: int, *, killed: bool) -> dict[str, float]:
    """Return the seconds from the beginning of work, or from the start after the kill, to what the keys say."""
    folder.mkdir()
    machine = Machine(folder, log_level="warning")
    machine.start()
    try:
        service = eventually(lambda: processes.service(machine.pid), what="all processes")
        service.processor.kill(signal.SIGSTOP)
        with httpx.Client(base_url=machine.url, trust_env=False, timeout=60) as client:
            ids = upload(client, count)
            began = time.monotonic()
            service.processor.kill(signal.SIGCONT)
            found: dict[str, float] = {}
            if killed:
                time.sleep(RUN_SECONDS)
                machine.cut_off()
                began = time.monotonic()
                machine.start()
                found = {"answer": time.monotonic() - began, "left": float(waiting(client))}
                eventually(lambda: made(client), seconds=60, what="the first picture")
                found["first"] = time.monotonic() - began
            eventually(lambda: waiting(client) == 0, seconds=LONGEST_SECONDS, what="the end of the queue")
            found["all"] = time.monotonic() - began
            states = {client.get(f"/v1/images/{image_id}").json()["state"] for image_id in ids}
            if states != {"ready"}:
                sys.exit(f"not all images are ready: {states}")
    finally:
        machine.stop()
    subprocess.run([sys.executable, "-m", "darkroom", "audit", "--data", machine.data], check=True, capture_output=True)
    return found


def upload(client: httpx.Client, count: int) -> list[str]:
    """Upload so many different pictures and return their ids."""
    picture = pictures.photo(1000, 750)

    def send(number: int) -> str:
        body = pictures.encode(picture, "JPEG", quality=85, comment=b"%d" % number)
        answer = client.post("/v1/images", content=body, headers={"content-type": "image/jpeg"})
        answer.raise_for_status()
        return str(answer.json()["id"])

    with ThreadPoolExecutor(UPLOADERS) as uploaders:
        return list(uploaders.map(send, range(count)))


def waiting(client: httpx.Client) -> int:
    """Return how many events are to be worked on yet, those in hand too."""
    wanted = {f'darkroom_queue_events{{state="{state}"}}' for state in ("waiting", "leased")}
    return sum(int(value) for name, value in figures(client) if name in wanted)


def made(client: httpx.Client) -> bool:
    """Tell whether a picture has become ready since the start."""
    return any(value > 0 for name, value in figures(client) if name.startswith("darkroom_transforms_total{"))


def figures(client: httpx.Client) -> list[tuple[str, float]]:
    """Return the figures of the running service by name and labels."""
    lines = client.get("/metrics").text.splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return [(name, float(value)) for name, _, value in pairs]


if __name__ == "__main__":
    main()
