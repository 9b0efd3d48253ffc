"""What the jail costs: time next to the same work in this process, time to kill and replace, memory.

    python bench/jail.py [PHOTO]          # a picture of about 8 megapixels; without one it is made
    python bench/jail.py --largest        # peak memory of a worker for the largest picture of each format

Method. Overhead: the same photo is rendered by the default recipes in this process, by a jailed worker that is kept,
and by a fresh jailed worker for each picture, in turns, so that whatever else the machine does hits all alike; the
figure is the median of the differences within a turn. Processor time is that of this process and all below it, over
as many renders in a row. Killing: a decoder hangs with 256 MiB in its hands; from the moment its time is up until its
caller has the error, and until another worker has answered. Memory: PSS (proportional, shared pages divided among
those who share them) of the zygote and its workers, from /proc.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

import bombs
import pictures
from darkroom.errors import Refused, RenderFailed, UnreadableImage
from darkroom.model import Format
from darkroom.transform import Limits, Order, Rendered
from darkroom.transform.jail import Allowance, JailedTransform
from darkroom.transform.recipes import DEFAULT_RECIPES
from machine import print_machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

MEBIBYTE = 1024 * 1024
HANG = b"hang"
TIME_UP = 0.3
KEPT = Allowance(images=200)
FRESH = Allowance(images=1)
"""As the service runs unless told otherwise."""
ALL_FORMATS = Order(recipes=DEFAULT_RECIPES)
WITH_SVG = replace(ALL_FORMATS, limits=Limits(svg=True))
ONLY_JPEG = Order(recipes=tuple(replace(each, formats=(Format.JPEG,)) for each in DEFAULT_RECIPES))


def hang_or_refuse(original: BinaryIO, order: Order) -> Rendered:  # noqa: ARG001  # as every decoder is called
    """Stand in for a decoder: hang with much memory in use, or refuse at once."""
    if original.read() == HANG:
        held = b"\1" * (256 * MEBIBYTE)
        time.sleep(3600 + len(held))
    raise UnreadableImage("refused")


def main() -> None:
    """Read the command line and print what it asks for."""
    arguments = argparse.ArgumentParser(description="what the jail costs")
    arguments.add_argument("photo", nargs="?", type=Path, help="a picture of about 8 megapixels")
    arguments.add_argument("--turns", type=int, default=15)
    arguments.add_argument("--largest", action="store_true", help="peak memory for the largest picture of each format")
    chosen = arguments.parse_args()
    print_machine()
    print_layers()
    if chosen.largest:
        largest()
        return
    content = chosen.photo.read_bytes() if chosen.photo else pictures.encode(pictures.photo(3264, 2448), "JPEG")
    with tempfile.NamedTemporaryFile() as photo:
        photo.write(content)
        photo.flush()
        overhead("JPEG only", Path(photo.name), ONLY_JPEG, chosen.turns)
        overhead("AVIF and JPEG (default)", Path(photo.name), ALL_FORMATS, chosen.turns)
        memory(Path(photo.name))
    killing()


def print_layers() -> None:
    """Say what jail it was measured in."""
    with closing(JailedTransform(1)) as pool:
        print(f"layers: {', '.join(pool.active_layers())}\n")


def overhead(title: str, photo: Path, order: Order, turns: int) -> None:
    """Print the time of one picture in this process and in the jail."""
    from darkroom.transform.inline import InlineTransform  # noqa: PLC0415  # a zygote imports this file and has no threads

    inline = InlineTransform()
    with closing(JailedTransform(1, allowance=KEPT)) as kept, closing(JailedTransform(1, allowance=FRESH)) as fresh:
        ways = {"inline": inline.render, "kept": kept.render, "fresh": fresh.render}
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(turns + 2):  # the first two warm up
            for name, render in ways.items():
                time.sleep(0.05)
                seconds = timed(photo, order, render)
                if turn >= 2:
                    taken[name].append(seconds)
    processor = {
        "inline": processor_seconds(photo, order, turns, inline.render),
        "kept": jailed_processor_seconds(photo, order, turns, KEPT),
        "fresh": jailed_processor_seconds(photo, order, turns, FRESH),
    }
    print(f"{title}: milliseconds for one picture, {turns} turns")
    print(f"{'':34}{'median':>8}{'least':>8}{'over inline':>13}{'processor':>11}{'over inline':>13}")
    labels = {"inline": "in this process", "kept": "jailed, worker kept", "fresh": "jailed, fresh each (default)"}
    for name, label in labels.items():
        more = statistics.median(one - other for one, other in zip(taken[name], taken["inline"], strict=True))
        times = (statistics.median(taken[name]), min(taken[name]), more)
        row = (*times, processor[name], processor[name] - processor["inline"])
        first, second, third, fourth, fifth = (seconds * 1e3 for seconds in row)
        print(f"  {label:32}{first:8.1f}{second:8.1f}{third:13.1f}{fourth:11.1f}{fifth:13.1f}")
    print()


def timed(photo: Path, order: Order, render: Callable[[BinaryIO, Order], Rendered]) -> float:
    """Return the seconds of one render."""
    with photo.open("rb") as original:
        began = time.perf_counter()
        render(original, order)
        return time.perf_counter() - began


def processor_seconds(photo: Path, order: Order, turns: int, render: Callable[[BinaryIO, Order], Rendered]) -> float:
    """Return the processor time of one render in this process."""
    began = processor_now()
    for _ in range(turns):
        timed(photo, order, render)
    return (processor_now() - began) / turns


def jailed_processor_seconds(photo: Path, order: Order, turns: int, allowance: Allowance) -> float:
    """Measure over a whole pool's life, because the time of processes counts once they are reaped; less its start."""
    began = processor_now()
    JailedTransform(1, allowance=allowance).close()
    start = processor_now() - began
    with closing(JailedTransform(1, allowance=allowance)) as pool:
        for _ in range(turns):
            timed(photo, order, pool.render)
    return (processor_now() - began - 2 * start) / turns


def processor_now() -> float:
    """Return the processor time of this process and of all that it has reaped."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def memory(photo: Path) -> None:
    """Print the memory of a pool before and after work."""
    print("PSS in MiB, two workers: zygote, worker, worker, together")
    for label, allowance in (("kept", KEPT), ("a fresh one each", FRESH)):
        with closing(JailedTransform(2, allowance=allowance)) as pool:
            print_memory(f"{label}, just started", pool)
            for _ in range(4):
                timed(photo, ALL_FORMATS, pool.render)
            try_bytes(pool, b"")  # waits until a worker that is just being forked has entered the jail
            print_memory(f"{label}, idle after 4 pictures", pool)
    print()


def print_memory(label: str, pool: JailedTransform) -> None:
    """Print the memory of each process of a pool, and of all."""
    shares = [proportional(process) for process in pool.processes()]
    print(f"  {label:32}{''.join(f'{share:8.1f}' for share in [*shares, sum(shares)])}")


def proportional(process: int) -> float:
    """Return the PSS of a process in MiB."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def killing() -> None:
    """Print how long it takes to be rid of a worker that hangs."""
    allowance = Allowance(seconds=TIME_UP)
    killed, replaced = [], []
    with closing(JailedTransform(1, allowance=allowance, render="jail:hang_or_refuse")) as pool:
        for _ in range(7):
            began = time.perf_counter()
            try_bytes(pool, HANG)
            killed.append(time.perf_counter() - began - TIME_UP)
            try_bytes(pool, b"")
            replaced.append(time.perf_counter() - began - TIME_UP)
    print(f"a hanging worker that holds 256 MiB, after its time is up, {len(killed)} times: milliseconds")
    print(f"{'':34}{'median':>8}{'most':>8}")
    for label, seconds in (("its caller has the error", killed), ("another worker has answered", replaced)):
        print(f"  {label:32}{statistics.median(seconds) * 1e3:8.1f}{max(seconds) * 1e3:8.1f}")


def try_bytes(pool: JailedTransform, content: bytes) -> None:
    """Have bytes rendered that cannot be."""
    with tempfile.TemporaryFile() as original:
        original.write(content)
        original.flush()
        try:
            pool.render(original, ALL_FORMATS)
        except (RenderFailed, Refused):
            return


def largest() -> None:
    """Print the peak of a worker's memory. The HEIC is one tile of plain samples over and over, for want of time."""
    import PIL.Image  # noqa: PLC0415  # as above

    PIL.Image.MAX_IMAGE_PIXELS = None
    flat = pictures.scene(10_000, 10_000)
    made: dict[str, Callable[[], bytes]] = {
        "JPEG": lambda: pictures.encode(flat, "JPEG", quality=90),
        "JPEG, progressive": lambda: pictures.encode(flat, "JPEG", quality=90, progressive=True),
        "JPEG, progressive, CMYK": lambda: pictures.encode(flat.convert("CMYK"), "JPEG", quality=90, progressive=True),
        "JPEG, 100 scans": lambda: bombs.jpeg_of_many_scans(10_000, 10_000, scans=100),
        "PNG": lambda: pictures.encode(flat, "PNG", compress_level=1),
        "PNG, alpha": lambda: pictures.encode(with_alpha(flat), "PNG", compress_level=1),
        "PNG, grey of 16 bits": lambda: pictures.encode(flat.convert("I;16"), "PNG", compress_level=1),
        "WebP": lambda: pictures.encode(flat, "WEBP", quality=60, method=0),
        "WebP, lossless, alpha": lambda: pictures.encode(with_alpha(flat), "WEBP", lossless=True, quality=0, method=0),
        "WebP, 100 frames of 1 megapixel": lambda: pictures.animated_webp(1_000, 1_000, frames=100),
        "GIF": lambda: pictures.encode(flat.quantize(64), "GIF"),
        "GIF, 100 frames of 1 megapixel": lambda: pictures.animated_gif(1_000, 1_000, frames=100),
        "TIFF, LZW": lambda: pictures.encode(flat, "TIFF", compression="tiff_lzw"),
        "AVIF": lambda: pictures.encode(flat, "AVIF", speed=10, quality=60),
        "AVIF, whole colour, alpha": lambda: pictures.encode(
            with_alpha(flat), "AVIF", speed=10, quality=60, subsampling="4:4:4"
        ),
        "HEIC, 98 megapixels in tiles": lambda: bombs.heic_grid(10, 10, 992),
        "SVG, where it is switched on": lambda: pictures.svg(10_000, 10_000),
    }
    print(f"one worker, default recipes and limits, {KEPT.memory_bytes // MEBIBYTE} MiB allowed, 100 megapixels")
    print(f"{'':34}{'peak MiB':>10}{'file MiB':>10}{'seconds':>10}")
    for label, make in made.items():
        content = make()
        with closing(JailedTransform(1, allowance=KEPT)) as pool, tempfile.TemporaryFile() as original:
            original.write(content)
            original.flush()
            began = time.perf_counter()
            try:
                pool.render(original, WITH_SVG)
                outcome = ""
            except Exception as error:  # noqa: BLE001  # told in the table
                outcome = f"  {type(error).__name__}: {error}"
            seconds = time.perf_counter() - began
            peak = peak_of(pool.processes()[-1])
        print(f"  {label:32}{peak:10.0f}{len(content) / MEBIBYTE:10.1f}{seconds:10.2f}{outcome}", flush=True)


def with_alpha(picture: Image) -> Image:
    """Return a picture that is half transparent."""
    clear = picture.copy()
    clear.putalpha(128)
    return clear


def peak_of(process: int) -> float:
    """Return the most memory that a process had resident at a time, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main()
