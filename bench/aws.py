"""What the functions on AWS cost, as far as it can be measured on this machine.

    python bench/aws.py [--photo FILE] [--rounds 5] [--largest]

Method. The packages are built for this machine and its Python, and unpacked; each figure is of a fresh interpreter that
sees nothing but a package and the standard library. All times are processor time of that process (user and system, all
threads), which is what Lambda's memory buys: 1,769 MB are one virtual processor. Start: everything a function imports
before its first event, and the clients it makes of AWS services; without bytecode, and with. Photo: facts and default
recipes from one decode, in the process itself, the first round not counted; the median counts. Peak RSS: of the
process, after all rounds; `--largest` also renders the largest picture that the limits allow.

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
import dataclasses, io
from darkroom.model import Format
from darkroom.transform import Order
from darkroom.transform.inline import InlineTransform
from darkroom.transform.recipes import DEFAULT_RECIPES
formats, rounds = sys.argv[3], int(sys.argv[4])
quality = {Format.AVIF: 60, Format.WEBP: 80, Format.JPEG: 80}
chosen = tuple(Format(name) for name in formats.split())
recipes = tuple(dataclasses.replace(each, formats=chosen, quality=quality) for each in DEFAULT_RECIPES)
body = open(sys.argv[2], "rb").read()
times = []
for number in range(rounds + 1):
    before = spent()
    made = InlineTransform().render(io.BytesIO(body), Order(recipes=recipes))
    if number or not rounds:
        times.append(spent() - before)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
slots = {f"{each.variant}.{each.extension}": len(each.body) for each in made.slots}
print(json.dumps({"seconds": times, "peak": peak, "slots": slots}))
"""
)


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
        bare = statistics.median(float(_run(script, folder / kind)) for _ in range(rounds))
        compiled = statistics.median(float(_run(script, folder / kind, bytecode=True)) for _ in range(rounds))
        goal = f" (target {START_TARGET * 1000:.0f})" if kind == "transform" else ""
        print(f"{kind} start: {bare * 1000:.0f} ms without bytecode, {compiled * 1000:.0f} ms with it{goal}")
    if photo is None:
        photo = folder / "photo.jpg"
        photo.write_bytes(pictures.encode(pictures.photo(3264, 2448), "JPEG", quality=90, exif=pictures.camera_exif()))
    for formats, goal_seconds in TARGETS.items():
        found = _run(RENDER, folder / "transform", photo, formats, rounds, bytecode=True)
        seconds = statistics.median(found["seconds"])
        goal = "" if goal_seconds is None else f" (target {goal_seconds})"
        print(
            f"photo, {formats}: {seconds:.3f} s of processor = {seconds * GIGABYTES_OF_ONE_PROCESSOR:.3f} GB-s{goal}, "
            f"{sum(found['slots'].values()) / 1e3:.0f} kB made, "
            f"peak RSS {found['peak'] / 1024:.0f} MB"
        )
        print("  " + ", ".join(f"{name} {size / 1e3:.1f} kB" for name, size in found["slots"].items()))
    if largest:
        large = folder / "large.jpg"
        large.write_bytes(pictures.encode(pictures.scene(10_000, 10_000), "JPEG", quality=90, progressive=True))
        found = _run(RENDER, folder / "transform", large, "avif jpeg", 0, bytecode=True)
        print(f"100 megapixels, progressive: {found['seconds'][0]:.1f} s, peak RSS {found['peak'] / 1024:.0f} MB")


def _run(script: str, folder: Path, *arguments: object, bytecode: bool = False) -> Any:  # noqa: ANN401 # JSON
    # The bytecode of a package is not found where it is looked for in another place.
    elsewhere = [] if bytecode else ["-X", f"pycache_prefix={folder}/none"]
    command: list[str | Path] = [sys.executable, "-I", "-S", "-B", *elsewhere, "-c", script, folder]
    command += map(str, arguments)
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
