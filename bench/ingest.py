"""How much processor time it takes to make the variants of one photo, next to sharp, to Pillow and to the floor.

    python bench/ingest.py [--photo FILE] [--rounds 9]

Needs ``npm ci`` in this folder once. Every method runs in a process of its own, pinned to one and the same core, with
one encoder at a time, and makes the three default sizes in one format with the same settings. The methods take turns,
the first turn does not count, and the medians are printed. ``ours`` is what a worker of the service runs, facts
included (checksum, EXIF, placeholder, colour), with the allocator's settings that the service gives its workers.
``sharp`` and Pillow are as they come; sharp has one pipeline for each size, as its documentation shows. ``floor`` is
each step alone, from memory to memory, with our allocator's settings. A fresh process for each format keeps the peaks
of memory apart.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from PIL import Image

import pictures
from darkroom.transform import jail
from darkroom.transform.color import main_colors
from darkroom.transform.exif import read_exif
from darkroom.transform.placeholder import thumbhash

PEERS = Path(__file__).resolve().parent / "ingest_peers"
SIDES = (1920, 1080, 320)
QUALITY = {"jpeg": 80, "webp": 80, "avif": 60, "default": 0}
SETTINGS = {
    "jpeg": "JPEG baseline, quality 80, 4:2:0, optimised Huffman tables",
    "webp": "WebP effort 4, quality 80",
    "avif": "AVIF effort 0, quality 60, 4:2:0, 8 bits",
}
TARGETS = {"jpeg": 1.5, "webp": 1.10, "avif": 1.15}
ALLOCATOR = jail._MALLOC  # noqa: SLF001  # what the service starts its workers with
METHODS = {
    "ours": (sys.executable, "ours.py"),
    "sharp": ("node", "with_sharp.mjs"),
    "Pillow": (sys.executable, "with_pillow.py"),
    "floor": (sys.executable, "floor.py"),
}

Turn = dict[str, Any]


def measure(
    methods: tuple[str, ...], photo: str, form: str, rounds: int, cores: set[int]
) -> tuple[dict[str, Turn], list[str]]:
    """Let methods take turns on ``cores``. Return medians and peaks by name, and what each method runs."""
    task = json.dumps({"photo": photo, "format": form, "sides": SIDES, "quality": QUALITY[form]})
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    processes = {
        name: subprocess.Popen(
            [*METHODS[name], task],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PEERS,
            env={**os.environ, **({"GLIBC_TUNABLES": ALLOCATOR} if name in {"ours", "floor"} else {})},
        )
        for name in methods
    }
    os.sched_setaffinity(0, everywhere)
    try:
        versions = [f"{name}: {answer(process)['versions']}" for name, process in processes.items()]
        turns: dict[str, list[Turn]] = {name: [] for name in methods}
        for _ in range(rounds + 1):
            for name, process in processes.items():
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
                turns[name].append(answer(process))
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
    return {name: summary(found) for name, found in turns.items()}, versions


def answer(process: subprocess.Popen[str]) -> Turn:
    """Read the next line of a process."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit("a peer ended early; see its message above (sharp needs `npm ci` in the bench folder)")
    found: Turn = json.loads(line)
    return found


def summary(turns: list[Turn]) -> Turn:
    """Return medians and the spread of the processor time without the first turn, and the peak of memory."""
    cpu = sorted(turn["cpu"] for turn in turns[1:])
    wall = statistics.median(turn["wall"] for turn in turns[1:])
    return {**turns[-1], "cpu": statistics.median(cpu), "least": cpu[0], "most": cpu[-1], "wall": wall}


def facts_cost(photo: str, rounds: int) -> float:
    """Return the milliseconds of processor time that the facts take."""
    content = Path(photo).read_bytes()
    with Image.open(photo) as opened:
        exif = opened.info.get("exif", b"")
        opened.thumbnail((32, 32))
        sketch = opened.convert("RGBA")
    times = []
    for _ in range(rounds):
        before = time.process_time()
        hashlib.sha256(content).hexdigest()
        read_exif(exif)
        thumbhash(*sketch.size, sketch.tobytes())
        main_colors(sketch.tobytes())
        times.append((time.process_time() - before) * 1000)
    return statistics.median(times)


def generated(folder: str) -> str:
    """Make an 8-megapixel photo, the same every time: soft shapes, edges and grain."""
    path = Path(folder) / "generated.jpg"
    path.write_bytes(pictures.encode(pictures.photo(3264, 2448), "JPEG", quality=90, exif=pictures.camera_exif()))
    return str(path)


def machine() -> str:
    """Return what this runs on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f}"


def report(photo: str, rounds: int) -> None:
    """Measure and print."""
    cores = os.sched_getaffinity(0)
    core = max(cores)
    with Image.open(photo) as opened:
        print(f"photo     {opened.width}x{opened.height}, {Path(photo).stat().st_size} bytes")
    print(f"machine   {machine()}")
    print(f"method    pinned to core {core}; {rounds} rounds in turns, medians; inside {SIDES} pixels")
    for form, settings in SETTINGS.items():
        found, versions = measure(tuple(METHODS), photo, form, rounds, {core})
        if form == "jpeg":
            print(f"versions  {'; '.join(versions)}")
        ours = found["ours"]
        print(f"\n{settings:60}{'CPU ms':>8}{'min-max':>12}{'wall ms':>9}{'to ours':>9}{'peak MB':>9}  bytes")
        for name, row in found.items():
            spread = f"{row['least']:.0f}-{row['most']:.0f}"
            ratio = row["cpu"] / ours["cpu"]
            numbers = f"{row['cpu']:8.1f}{spread:>12}{row['wall']:9.1f}{ratio:9.2f}{row['peak']:9.0f}"
            print(f"  {name:58}{numbers}  {row['bytes']}")
        print(
            f"  sharp takes {found['sharp']['cpu'] / ours['cpu']:.2f} times as long (target {TARGETS[form]:.2f}); "
            f"ours is {100 * (ours['cpu'] / found['floor']['cpu'] - 1):.0f} % over the floor (target 10) "
            f"and takes {ours['peak'] / found['sharp']['peak']:.2f} of sharp's memory (target 1)"
        )
    print(
        f"\nfacts (checksum, EXIF, placeholder, colour): {facts_cost(photo, rounds):.1f} ms CPU, in all of ours above"
    )
    for where in ({core}, cores):
        row = measure(("ours",), photo, "default", rounds, where)[0]["ours"]
        print(
            f"default recipes, AVIF and JPEG in three sizes, on {len(where)} core(s): "
            f"{row['cpu']:.0f} ms CPU, {row['wall']:.0f} ms wall, peak {row['peak']:.0f} MB"
        )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", help="a JPEG to measure with; without it one is generated")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report(str(Path(asked.photo).resolve()) if asked.photo else generated(folder), asked.rounds)


if __name__ == "__main__":
    main()
