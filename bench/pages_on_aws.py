"""What the pages add to the function of the API on AWS: to its package, to its start, and what the first page takes.

    python bench/pages_on_aws.py [--rounds 9]

Method. ``api.zip`` is built for this machine and its Python, and unpacked, with bytecode. Each start is a fresh
interpreter that sees nothing but the package and the standard library, makes everything that the function keeps from
one request to the next, and answers events of API Gateway for which it need not ask AWS: for ``/v1/images`` without a
key, and for ``/signin`` twice. "Without pages" is the same package with nothing in the place of ``darkroom.web``. The
two take turns. Times are processor time (user and system, all threads), medians of all rounds: what Lambda's memory
buys, and fairly steady on a busy machine, where both are slower alike.

Not measured here: this processor is not Graviton, and Lambda's start also fetches and unpacks the package.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "infra"))

import package  # found by the line above
from aws import BEGIN, run
from machine import print_load, print_machine

OURS = re.compile(r"darkroom/(web|cost)/|(?i:jinja2|markupsafe)")
"""What is in the package for the pages alone."""

START = (
    BEGIN
    + """
import os, types
sys.stdout, out = sys.stderr, sys.stdout # what the function writes down
os.environ |= {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "eu-west-1"}
given = "TABLE RESULTS_TABLE UPLOADS_BUCKET ASSETS_BUCKET KEYS_TABLE SECRETS_TABLE SECRETS_FUNCTION".split()
os.environ |= {f"DARKROOM_{name}": "bench" for name in given}
os.environ |= {"DARKROOM_EVENTS_QUEUE_URL": "https://sqs.example/q", "DARKROOM_PUBLIC_URL": "https://api.example"}
os.environ |= {"DARKROOM_ASSETS_URL": "https://pictures.example", "DARKROOM_LOG_LEVEL": "error"}
if sys.argv[2] == "without":
    from fastapi import APIRouter
    instead = {
        "rendering": {"Renderer": lambda *_: None},
        "session": {"SignedIn": lambda app, _: app},
        "site": {"Site": lambda **_: types.SimpleNamespace(routes=lambda _: APIRouter())},
    }
    for name, members in instead.items():
        sys.modules[f"darkroom.web.{name}"] = module = types.ModuleType(name)
        vars(module).update(members)
from darkroom.serverless import api
api._made()
times = [spent()]
for path, status in (("/v1/images", 401), *([("/signin", 200)] * 2 if sys.argv[2] == "with" else [])):
    event = {"version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {"host": "api.example"}}
    http = {"method": "GET", "path": path, "sourceIp": "192.0.2.1"}
    event |= {"requestContext": {"http": http, "stage": "$default"}, "isBase64Encoded": False}
    before = spent()
    answer = api.handler(event, types.SimpleNamespace(aws_request_id="bench"))
    assert answer["statusCode"] == status, answer
    times.append(spent() - before)
print(json.dumps(times), file=out)
"""
)


def main() -> None:
    """Build, start by turns, and print."""
    parser = argparse.ArgumentParser(description="what the pages add to the function of the API")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print_machine()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        target = package.Target("x86_64", f"{sys.version_info.major}.{sys.version_info.minor}")
        package.package(folder / "packages", target, kinds=("api",))
        with zipfile.ZipFile(folder / "packages" / "api.zip") as archive:
            archive.extractall(folder / "api")
            of_pages = [each for each in archive.infolist() if OURS.match(each.filename)]
            print(
                f"api.zip: {(folder / 'packages' / 'api.zip').stat().st_size / 1e6:.2f} MB, of which for the pages "
                f"{sum(each.compress_size for each in of_pages) / 1e6:.2f} MB "
                f"({sum(each.file_size for each in of_pages) / 1e6:.2f} MB unzipped)"
            )
        found: dict[str, list[list[float]]] = {"without": [], "with": []}
        for _ in range(rounds):
            for which, times in found.items():
                times.append(run(START, folder / "api", which, bytecode=True))
    without = statistics.median(each[0] for each in found["without"])
    start, refused, first, second = (statistics.median(each) for each in zip(*found["with"], strict=True))
    shares = [more[0] / less[0] - 1 for less, more in zip(found["without"], found["with"], strict=True)]
    print(f"start: {without * 1000:.0f} ms without pages, {start * 1000:.0f} ms with them")
    print(f"the pages add {100 * statistics.median(shares):.1f} % (medians of turns)")
    print(f"first answer to a program: {refused * 1000:.0f} ms")
    print(f"first page: {first * 1000:.0f} ms, again: {second * 1000:.0f} ms")
    print_load()


if __name__ == "__main__":
    main()
