"""What the functions on AWS cost, as far as it can be measured on this machine.

    python bench/aws.py [--photo FILE] [--rounds 5] [--largest]

Method. The packages are built for this machine and its Python, and unpacked; each figure is of a fresh interpreter that
sees nothing but a package and the standard library. All times are processor time of that process (user and system, all
threads), which is what Lambda's memory buys: 1,769 MB are one virtual processor. Start: everything a function imports
before its first event, and the clients it makes of AWS services; without bytecode, and with. Photo: facts and default
recipes through the jail, as the function does it, a fresh process for each of four photos; the processor time of all
processes, less that of a jail that is started and stopped; the median of all rounds. It is measured with the C library
left as it is, with what glibc 2.34 (Amazon Linux 2023) knows of the settings that the jail asks for, and with all of
them. Peak RSS: of the largest decoding process; `--largest` also renders the largest picture that the limits allow.

Targets: start of the transform function under 600 ms; a photo of 8 megapixels at most 0.25 GB-s with JPEG alone and at
most 0.625 GB-s with AVIF (effort 0) and JPEG; transform.zip at most 30 MB.

Not measured here: this processor is not Graviton, and Lambda's start also fetches and unpacks the package.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(FOLDER / "tests" / "support"), str(FOLDER / "infra")]

import package  # noqa: E402 # found by the line above, as the next ones
import pictures  # noqa: E402
from machine import print_load, print_machine  # noqa: E402

GIGABYTES_OF_ONE_PROCESSOR = 1769 / 1024
TARGETS: dict[str, float | None] = {"jpeg": 0.25, "webp": None, "avif jpeg": 0.625, "avif webp jpeg": None}
START_TARGET = 0.6

BEGIN = """
import json, resource, sys, time
sys.path[:] = [sys.argv[1], *(each for each in sys.path if "site-packages" not in each)]
def spent():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
"""

STARTS = {
    "transform": BEGIN
    + """
import botocore.session, obstore
import darkroom.service, darkroom.settings, darkroom.dynamodb, darkroom.bucket.objects
import darkroom.transform.inline, darkroom.transform.recipes
session = botocore.session.get_session()
for service in ("dynamodb", "sqs"):
    session.create_client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
print(json.dumps(spent()))
""",
    "api": BEGIN
    + """
import botocore.session, obstore
import darkroom.service, darkroom.settings, darkroom.dynamodb, darkroom.bucket.objects, darkroom.http.app
session = botocore.session.get_session()
for service in ("dynamodb", "s3", "sqs"):
    session.create_client(service, region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
print(json.dumps(spent()))
""",
}

RENDER = (
    BEGIN
    + """
import dataclasses
from darkroom.model import Format
from darkroom.transform import Order, jail
from darkroom.transform.recipes import DEFAULT_RECIPES
photo, formats, rounds, count, malloc, memory = sys.argv[2:]
tunables = [each for each in jail._MALLOC.split(":") if malloc == "all" or "hugetlb" not in each]
jail._MALLOC = "" if malloc == "none" else ":".join(tunables)
formats = tuple(map(Format, formats.split()))
recipes = tuple(dataclasses.replace(each, formats=formats) for each in DEFAULT_RECIPES)
allowance = jail.Allowance(memory_bytes=int(memory) * 1024 * 1024)
def everything():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent() + used.ru_utime + used.ru_stime, used.ru_minflt
slots = {}
def photos(number):
    before = everything()
    pool = jail.JailedTransform(1, allowance=allowance)
    with open(photo, "rb") as file:
        for _ in range(number):
            file.seek(0)
            made = pool.render(file, Order(recipes=recipes))
            slots.update((f"{each.variant}.{each.extension}", len(each.body)) for each in made.slots)
    pool.close()
    return [after - earlier for earlier, after in zip(before, everything())]
photos(1)
each = []
for _ in range(int(rounds)):
    idle, busy = photos(0), photos(int(count))
    each.append([(more - less) / int(count) for less, more in zip(idle, busy)])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
seconds, faults = zip(*each)
print(json.dumps({"seconds": seconds, "faults": faults, "peak": peak, "slots": slots}))
"""
)
MALLOC = {"none": "without settings", "2.34": "with those of glibc 2.34", "all": "with large pages too (2.35)"}
"""Settings of the C library that the jail asks for; a library takes those that it knows."""
MEMORY_MEBIBYTES = 1769 - 320
"""What the function leaves a decoding process, as ``serverless/wire.py`` says."""


def main() -> None:
    """Read the command line and print everything."""
    parser = argparse.ArgumentParser(description="what the functions on AWS cost, as far as this machine can tell")
    parser.add_argument("--photo", type=Path, help="a photo; without, one of 8 megapixels is made")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--largest", action="store_true", help="render 100 megapixels too (takes a minute)")
    given = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), given.photo, given.rounds, largest=given.largest)
    print_load()


def measure(folder: Path, photo: Path | None, rounds: int, *, largest: bool) -> None:
    """Build, unpack, and print a line for each figure."""
    target = package.Target("x86_64", f"{sys.version_info.major}.{sys.version_info.minor}")
    package.package(folder / "packages", target)
    for kind, script in STARTS.items():
        path = folder / "packages" / f"{kind}.zip"
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder / kind)
            unzipped = sum(each.file_size for each in archive.infolist())
        print(f"{kind}.zip: {path.stat().st_size / 1e6:.1f} MB, {unzipped / 1e6:.1f} MB unzipped")
        bare = statistics.median(float(run(script, folder / kind)) for _ in range(rounds))
        compiled = statistics.median(float(run(script, folder / kind, bytecode=True)) for _ in range(rounds))
        goal = f" (target {START_TARGET * 1000:.0f})" if kind == "transform" else ""
        print(f"{kind} start: {bare * 1000:.0f} ms without bytecode, {compiled * 1000:.0f} ms with it{goal}")
    if photo is None:
        photo = folder / "photo.jpg"
        photo.write_bytes(pictures.encode(pictures.photo(3264, 2448), "JPEG", quality=90, exif=pictures.camera_exif()))
    for formats, goal_seconds in TARGETS.items():
        for malloc, meaning in MALLOC.items():
            found = run(
                RENDER, folder / "transform", photo, formats, rounds, 4, malloc, MEMORY_MEBIBYTES, bytecode=True
            )
            seconds, faults = statistics.median(found["seconds"]), statistics.median(found["faults"])
            print(
                f"photo, {formats}, {meaning}: {seconds:.3f} s of processor = "
                f"{seconds * GIGABYTES_OF_ONE_PROCESSOR:.3f} GB-s (target {goal_seconds}), {faults:.0f} page faults, "
                f"peak RSS {found['peak'] / 1024:.0f} MB"
            )
    if largest:
        large = folder / "large.jpg"
        large.write_bytes(pictures.encode(pictures.scene(10_000, 10_000), "JPEG", quality=90, progressive=True))
        arguments = (large, "avif jpeg", 1, 1, "2.34", MEMORY_MEBIBYTES)
        found = run(RENDER, folder / "transform", *arguments, bytecode=True)
        print(f"100 megapixels, progressive: {found['seconds'][0]:.1f} s, peak RSS {found['peak'] / 1024:.0f} MB")


def run(script: str, folder: Path, *arguments: object, bytecode: bool = False) -> Any:  # noqa: ANN401 # JSON
    """Return what a script prints that sees nothing but a package, and the standard library."""
    # The bytecode of a package is not found where it is looked for in another place.
    elsewhere = [] if bytecode else ["-X", f"pycache_prefix={folder}/none"]
    command: list[str | Path] = [sys.executable, "-I", "-S", "-B", *elsewhere, "-c", script, folder]
    command += map(str, arguments)
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
