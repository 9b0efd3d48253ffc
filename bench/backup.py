"""How fast a library is backed up and restored, next to `cp -a` of the same data folder.

    python bench/backup.py [--images 1000] [--rounds 3] [--folder DIR]

Method. A data folder is made up: for each image a ready document, six objects of 5 to 60 kB and a kept original of
200 kB, all of bytes by chance, so that nothing is equal or can be packed. Then, in turns, for several rounds, each time
into a new folder on the same disk: `cp -a`; `cp -a` followed by `sync -f`, so that the copy is on the disk as a backup
is when it ends; `darkroom backup` of everything; the same again with nothing new; again with one image in a hundred
new; `darkroom restore --check`; `darkroom restore`. All files are in the page cache, for all alike. A figure is the
median of its rounds. Ours are whole commands: the start of Python and its imports, which the last line gives, is in
every one of them.

Exits with a status other than 0 only when it cannot measure.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from darkroom import ledger, names
from darkroom.model import Facts, Format, Image, Original, Shelved, Source, State
from homes import Home

OBJECT_BYTES = (5_000, 10_000, 20_000, 25_000, 40_000, 60_000)
ORIGINAL_BYTES = 200_000
NEW_SHARE = 100
DARKROOM = (sys.executable, "-m", "darkroom")


def fill(home: Home, count: int, chance: random.Random) -> None:
    """Put so many images into the data folder."""
    for number in range(count):
        image_id = names.new_id(home.service.clock(), home.service.randomness(names.RANDOM_BYTES))
        shelved = []
        for place, length in enumerate(OBJECT_BYTES):
            body = chance.randbytes(length)
            write(home.layout.assets / names.asset_prefix(image_id) / f"v{place}.jpg", body)
            shelved.append(Shelved(name=f"v{place}.jpg", checksum=ledger.checksum(body)))
        body = chance.randbytes(ORIGINAL_BYTES)
        write(home.layout.uploads / names.original_key(image_id), body)
        source = Source(
            format=Format.JPEG,
            width=4,
            height=3,
            bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            has_alpha=False,
            frames=1,
        )
        home.service.catalog.create(
            Image(
                id=image_id,
                owner="local",
                state=State.READY,
                filename=f"{number}.jpg",
                uploaded_at=names.moment_of(image_id),
                original=Original.KEPT,
                facts=Facts(source=source, placeholder="", color="#000000"),
                objects=tuple(shelved),
            )
        )


def write(path: Path, body: bytes) -> None:
    """Write a file, and its folder when there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)


def timed(*command: object) -> tuple[float, int]:
    """Run a command; return its seconds and its greatest memory in kB, of which it is asked now and then."""
    began = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    memory = 0
    while process.poll() is None:
        memory = max(memory, peak_of(process.pid))
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"{command} ended with {process.returncode}")
    return seconds, memory


def peak_of(pid: int) -> int:
    """Return the greatest memory of a process so far, in kB; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


class Bench:
    """The rounds, and what was measured in them."""

    def __init__(self, folder: Path, images: int) -> None:
        self.folder = folder
        self.images = images
        self.chance = random.Random(1)  # noqa: S311 # bytes that cannot be packed, nothing secret
        self.home = Home(folder / "data")
        self.data = self.home.layout.root
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.memory: dict[str, int] = defaultdict(int)
        fill(self.home, images, self.chance)

    def measure(self, name: str, *command: object) -> None:
        """Run a command and keep its figures under a name."""
        seconds, memory = timed(*command)
        self.seconds[name].append(seconds)
        self.memory[name] = max(self.memory[name], memory)

    def round(self) -> None:
        """Measure everything once."""
        copy, vault, restored = self.folder / "copy", self.folder / "backups", self.folder / "restored"
        backup = (*DARKROOM, "backup", vault, "--data", self.data)
        os.sync()
        self.measure("cp -a", "cp", "-a", self.data, copy)
        shutil.rmtree(copy)
        os.sync()
        self.measure("cp -a && sync -f", "sh", "-c", f"cp -a '{self.data}' '{copy}' && sync -f '{copy}'")
        shutil.rmtree(copy)
        os.sync()
        self.measure("backup, all new", *backup)
        self.measure("backup, nothing new", *backup)
        fill(self.home, max(1, self.images // NEW_SHARE), self.chance)
        self.measure("backup, 1 % new", *backup)
        self.measure("restore --check", *DARKROOM, "restore", vault, "--check")
        os.sync()
        self.measure("restore", *DARKROOM, "restore", vault, "--data", restored)
        shutil.rmtree(vault)
        shutil.rmtree(restored)
        self.measure("(start of Python)", *DARKROOM, "backup", "--help")

    def show(self) -> None:
        """Print the table."""
        count = sum(len(files) for _, _, files in os.walk(self.data))
        size = sum(path.stat().st_size for path in self.data.rglob("*") if path.is_file())
        print(f"{count} files, {size / 1e6:.0f} MB")
        print()
        reference = statistics.median(self.seconds["cp -a && sync -f"])
        heads = ("seconds", "least", "most", "MB/s", "files/s", "x cp+sync", "MB memory")
        print(f"{'':<20}", *(f"{head:>9}" for head in heads))
        for name, found in self.seconds.items():
            seconds = statistics.median(found)
            print(
                f"{name:<20} {seconds:>9.2f} {min(found):>9.2f} {max(found):>9.2f} {size / 1e6 / seconds:>9.0f}"
                f" {count / seconds:>9.0f} {seconds / reference:>9.2f} {self.memory[name] / 1000:>9.0f}"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Backup and restore next to cp -a.")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to put a few gigabytes for the time of the bench")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        bench = Bench(Path(folder), given.images)
        for _ in range(given.rounds):
            bench.round()
        bench.home.close()
        kind = subprocess.run(
            ["stat", "-f", "-c", "%T", folder], capture_output=True, text=True, check=True
        ).stdout.strip()
        print(f"{platform.machine()}, {os.cpu_count()} processors, {platform.system()} {platform.release()}, {kind};")
        load = os.getloadavg()[1]
        print(f"Python {platform.python_version()}, Darkroom {version('darkroom')}; load average {load:.1f}")
        print(f"{given.images} images, median of {given.rounds} rounds in turns")
        bench.show()


if __name__ == "__main__":
    main()
