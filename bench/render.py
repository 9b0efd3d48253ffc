"""How many pictures a second are made by address, next to thumbor and sharp; and what it pays to keep a rendition.

    python bench/render.py [--rounds 7] [--formats jpg png webp avif]
    python bench/render.py --kept      the same request from a rendition and from an original of 8 megapixels
    python bench/render.py --costs     what decoding and encoding a pixel takes: for transform/sources.py

Needs ``make .venv-bench/.installed``, and ``npm ci`` in this folder once.

Method, that of the published benchmark of image servers (imgproxy/image-servers-benchmark): fit inside 512×512, JPEG
quality 80, PNG, WebP quality 75, AVIF quality 65, from twenty pictures about 2,000 pixels wide in the same format; two
virtual users with connections of their own, all caches off. ``ours`` is the service with everything it does for such a
request: signature, ledger, jail, and a result stored, compared and read back, since every request is for a picture
that it has not made before (``background`` makes another result of the same work). It keeps originals, and no rendition
that would be a cheaper source. ``thumbor`` has the settings of that benchmark, and reads from a folder; ``sharp`` is
behind nothing but node's http server. The three take turns with all pictures, the first turn does not count; the ratio
is the median of those within a turn. ``ours, kept`` lets its decoding processes live on for many pictures, which gives
up that one cannot reach another (``DARKROOM_RENDER_RECYCLE``). CPU is the processor time of all processes of a peer for
each picture. Scores are SSIMULACRA2 of each output against a Lanczos resize of the source by Pillow.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import httpx
from PIL import Image

from darkroom.edge.signatures import path_of, sign
from machine import print_load, print_machine
from patience import ready
from render_peers import costs, kept, originals
from servers import free_port, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HERE = Path(__file__).resolve().parent
PEERS = HERE / "render_peers"
VENV = HERE.parent / ".venv-bench"
USERS = 2
SIDE = 512
QUALITY = {"jpg": 80, "png": None, "webp": 75, "avif": 65}
KINDS = {"jpg": "jpeg", "png": "png", "webp": "webp", "avif": "avif"}
TARGETS = {
    "thumbor": {"jpg": 1.25, "png": 1.4, "webp": 1.4, "avif": 1.0},
    "sharp": dict.fromkeys(QUALITY, 0.9),
}
TARGET_OF_KEPT = 1.5
TICKS = os.sysconf("SC_CLK_TCK")
RECIPE = '[variants.tiny]\nwidth = 32\nheight = 32\nformats = ["jpeg"]\n'
LARGE = '[variants.large]\nwidth = 1920\nheight = 1920\nformats = ["jpeg"]\n'
START_SECONDS = 30.0


@dataclass
class Peer:
    """Something that makes pictures: where it listens, and what it is asked for."""

    name: str
    address: str
    path: Callable[[int], str]
    """Of the picture of this number, for a result that it has not made before."""
    process: int
    """Whose processor time counts, with that of all it starts."""
    rates: list[float] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)
    """Milliseconds of processor time for each picture."""


# ------------------------------------------------------------------ the three


@contextmanager
def ours(
    folder: Path, sources: Sequence[Path], ext: str, *, name: str = "ours", recipe: str = RECIPE, recycle: int = 1
) -> Iterator[Peer]:
    """Run the service with all pictures uploaded; ``recycle`` is how many pictures a decoding process lives for."""
    folder.mkdir(parents=True)
    recipes = folder / "recipes.toml"
    recipes.write_text(recipe)
    settings: dict[str, Any] = {
        "recipes": str(recipes),
        "originals": "keep",
        "render_workers": "1",
        "hot_cache_bytes": "0",
        "max_post_bytes": str(64 * 1024 * 1024),
        "log_level": "warning",
        "render_recycle": str(recycle),
    }
    with (
        serving(folder, **settings) as served,
        httpx.Client(base_url=served.url, trust_env=False, timeout=60) as client,
    ):
        ids = [ready(client, source.read_bytes(), filename=source.name)["id"] for source in sources]
        kid, _, text = client.post("/v1/secrets", json={"owner": "local"}).json()["secret"].partition(".")
        secret = base64.urlsafe_b64decode(text + "=")
        quality = "" if QUALITY[ext] is None else f"quality={QUALITY[ext]},"
        numbers = itertools.count()

        def path(number: int) -> str:
            options = f"width={SIDE},height={SIDE},{quality}background={next(numbers):06x},kid={kid}"
            return path_of(ids[number], options, sign(secret, ids[number], options, ext), ext)

        yield Peer(name, served.url.removeprefix("http://"), path, served.process.pid)


@contextmanager
def thumbor(sources: Sequence[Path], ext: str) -> Iterator[Peer]:
    """Run thumbor in the settings of the published benchmark."""
    port, quality = free_port(), QUALITY[ext] or 80
    command = [str(VENV / "bin" / "thumbor"), "--conf", str(PEERS / "thumbor.conf"), "--ip", "127.0.0.1"]
    environment = {**os.environ, "RENDER_SOURCES": str(sources[0].parent)}
    command += ["--port", str(port), "--log-level", "ERROR"]
    with _running(command, port, "/healthcheck", environment) as process:
        filters = f"filters:format({KINDS[ext]}):quality({quality})"
        yield Peer(
            "thumbor",
            f"127.0.0.1:{port}",
            lambda number: f"/unsafe/fit-in/{SIDE}x{SIDE}/{filters}/{sources[number].name}",
            process,
        )


@contextmanager
def sharp(sources: Sequence[Path], ext: str) -> Iterator[Peer]:
    """Run sharp behind node's http server."""
    port = free_port()
    command = ["node", str(PEERS / "with_sharp.mjs"), str(sources[0].parent), str(port)]
    with _running(command, port, "/", dict(os.environ)) as process:
        yield Peer(
            "sharp",
            f"127.0.0.1:{port}",
            lambda number: f"/{KINDS[ext]}/{QUALITY[ext] or 0}/{sources[number].name}",
            process,
        )


@contextmanager
def _running(command: list[str], port: int, health: str, environment: dict[str, str]) -> Iterator[int]:
    """Run a peer until the end of the ``with``, from when it answers; give its process id."""
    process = subprocess.Popen(command, env=environment, cwd=HERE)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{port}{health}", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                msg = f"{command[0]} did not start; this needs `make .venv-bench/.installed` and `npm ci`"
                raise SystemExit(msg)
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


# ------------------------------------------------------------------ asking


def turn(peer: Peer, count: int) -> None:
    """Ask for all pictures once, by ``USERS`` at a time, and write down how many there were a second."""
    numbers = iter(range(count))
    lock = threading.Lock()
    wrong: list[str] = []

    def user() -> None:
        connection = http.client.HTTPConnection(peer.address, timeout=60)
        while True:
            with lock:
                number = next(numbers, None)
                path = None if number is None else peer.path(number)
            if path is None:
                break
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                wrong.append(f"{peer.name}: {answer.status} {body[:200]!r}")
        connection.close()

    users = [threading.Thread(target=user) for _ in range(USERS)]
    before, began = spent_by(peer.process), time.perf_counter()
    for each in users:
        each.start()
    for each in users:
        each.join()
    seconds = time.perf_counter() - began
    if wrong:
        raise SystemExit(wrong[0])
    peer.rates.append(count / seconds)
    peer.spent.append(1000 * (spent_by(peer.process) - before) / count)


def spent_by(process: int) -> float:
    """Return the seconds of processor time of a process, of those it started, and of those of them that ended."""
    children: dict[int, list[int]] = {}
    spent: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            number = int(path.parent.name)
            children.setdefault(int(fields[1]), []).append(number)
            spent[number] = sum(map(int, fields[11:15])) / TICKS
    total, left = 0.0, [process]
    while left:
        number = left.pop()
        total += spent.get(number, 0.0)
        left += children.get(number, [])
    return total


def fetched(peer: Peer, number: int) -> bytes:
    """Return one picture."""
    return httpx.get(f"http://{peer.address}{peer.path(number)}", trust_env=False, timeout=60).content


# ------------------------------------------------------------------ what is printed


def against_peers(folder: Path, formats: Sequence[str], rounds: int) -> None:
    """Measure and print the table."""
    photographs = _photographs()
    print(f"{rounds} rounds of {originals.COUNT} pictures, {USERS} users\n")
    print(
        f"  {'':6}{'':16}{'a second':>9}{'CPU ms':>8}{'ours, of its rate':>19}{'ours kept':>11}{'target':>8}"
        f"{'bytes':>9}{'score':>7}{'worst':>7}"
    )
    for ext in formats:
        home = folder / ext
        sources = _encoded(home / "sources", photographs, ext)
        with ExitStack() as stack:
            peers = [
                stack.enter_context(ours(home / "ours", sources, ext)),
                stack.enter_context(ours(home / "kept", sources, ext, name="ours, kept", recycle=1000)),
                stack.enter_context(thumbor(sources, ext)),
                stack.enter_context(sharp(sources, ext)),
            ]
            for _ in range(rounds + 1):
                for peer in peers:
                    turn(peer, len(sources))
            for peer in peers:
                _print_row(home, peer, peers[:2], ext, sources)


def _print_row(folder: Path, peer: Peer, ours_: Sequence[Peer], ext: str, sources: Sequence[Path]) -> None:
    bodies = [fetched(peer, number) for number in range(len(sources))]
    scores = scored(folder, bodies, sources)
    compared, target = " " * 30, TARGETS.get(peer.name, {}).get(ext)
    if target is not None:
        fresh, kept_ = (ratio(one, peer) for one in ours_)
        compared = f"{fresh:19.2f}{kept_:11.2f}"
    print(
        f"  {ext:6}{peer.name:16}{statistics.median(peer.rates[1:]):9.1f}{statistics.median(peer.spent[1:]):8.1f}"
        f"{compared}{'' if target is None else f'{target:.2f}':>8}"
        f"{statistics.mean(map(len, bodies)):9.0f}{statistics.mean(scores):7.1f}{min(scores):7.1f}",
        flush=True,
    )


def ratio(one: Peer, other: Peer) -> float:
    """Return the median of the ratios of rates within a turn, without the first."""
    return statistics.median(a / b for a, b in zip(one.rates[1:], other.rates[1:], strict=True))


def from_kept(folder: Path, rounds: int) -> None:
    """Print what it pays to keep a rendition, and what that costs in quality."""
    photographs = _photographs()
    pictures = list(originals.large_ones(photographs))
    sources = []
    for number, picture in enumerate(pictures):
        sources.append(folder / f"{number}.jpg")
        picture.save(sources[-1], "JPEG", quality=90)
    with (
        ours(folder / "kept", sources, "jpg", name="kept", recipe=LARGE) as large,
        ours(folder / "original", sources, "jpg", name="original") as original,
    ):
        for _ in range(rounds + 1):
            for peer in (large, original):
                turn(peer, len(sources))
    print(f"  JPEG inside {SIDE}×{SIDE} by the service, {rounds} rounds of {len(sources)}, {USERS} users")
    for peer in (large, original):
        rate, spent = statistics.median(peer.rates[1:]), statistics.median(peer.spent[1:])
        print(f"    from the {peer.name:10}{rate:8.1f} a second{spent:8.1f} ms of processor time each")
    print(f"    ratio of the rates {ratio(large, original):.2f} (target {TARGET_OF_KEPT})\n")
    kept.report_times(pictures[1])
    print("\n  SSIMULACRA2 of a result against a lossless one from the original: mean (worst)")
    print(f"    {'made':26}" + "".join(f"{width:>14}" for width in kept.WIDTHS))
    pairs = kept.pairs_to_score(folder, pictures)
    for name in dict.fromkeys(name for name, _ in pairs):
        scores = [scores_of(pairs[name, width]) for width in kept.WIDTHS]
        print(f"    {name:26}" + "".join(f"{statistics.mean(each):7.1f} ({min(each):.1f})" for each in scores))


def scored(folder: Path, bodies: Sequence[bytes], sources: Sequence[Path]) -> list[float]:
    """Return SSIMULACRA2 of each output against a Lanczos resize of its source."""
    pairs = []
    for number, (body, source) in enumerate(zip(bodies, sources, strict=True)):
        made, reference = folder / f"made-{number}.png", folder / f"reference-{number}.png"
        with Image.open(io.BytesIO(body)) as picture:
            size = picture.size
            picture.convert("RGB").save(made)
        with Image.open(source) as whole:
            whole.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(reference)
        pairs.append((reference, made))
    return scores_of(pairs)


def scores_of(pairs: Sequence[tuple[Path, Path]]) -> list[float]:
    """Return SSIMULACRA2 of pairs of files, the reference first."""
    asked = "".join(json.dumps([str(each) for each in pair]) + "\n" for pair in pairs)
    command = [str(VENV / "bin" / "python"), str(PEERS / "score.py")]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def _photographs() -> Path:
    """Return the folder of scikit-image's photographs."""
    code = "import importlib.util; print(importlib.util.find_spec('skimage').submodule_search_locations[0])"
    python = VENV / "bin" / "python"
    if not python.exists():
        raise SystemExit("this needs `make .venv-bench/.installed`")
    return (
        Path(subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True).stdout.strip())
        / "data"
    )


def _encoded(folder: Path, photographs: Path, ext: str) -> list[Path]:
    folder.mkdir(parents=True)
    kind, options = originals.ENCODERS[ext]
    paths = []
    for number, picture in enumerate(originals.all_of_them(photographs)):
        paths.append(folder / f"{number:02}.{ext}")
        picture.save(paths[-1], kind, **options)
    return paths


def _versions() -> str:
    code = "from importlib.metadata import version as v; print('thumbor', v('thumbor'), 'on Pillow', v('pillow'))"
    peers = _said([str(VENV / "bin" / "python"), "-c", code])
    code = "const v = require('sharp').versions; console.log('sharp', v.sharp, 'on libvips', v.vips, process.version)"
    return f"{peers}; {_said(['node', '-e', code])}"


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=HERE).stdout.strip()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--formats", nargs="+", default=list(QUALITY), choices=list(QUALITY))
    parser.add_argument("--kept", action="store_true")
    parser.add_argument("--costs", action="store_true")
    asked = parser.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.costs:
            costs.report(list(itertools.islice(originals.large_ones(_photographs()), 2)))
        elif asked.kept:
            from_kept(folder, asked.rounds)
        else:
            print(_versions())
            against_peers(folder, asked.formats, asked.rounds)
    print_load()


if __name__ == "__main__":
    main()
