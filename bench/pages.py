"""What the first page of a large gallery weighs, and how soon it is seen.

    python bench/pages.py [--images 10000] [--loads 10]

Method. A data folder with so many images, of which the newest 60, those of the first page, are real: drawn landscapes
uploaded through the service; the others are written into the catalog, as older ones. Debian's chromium, headless, 1280
by 800, opens the gallery with an empty cache, each time in a new context, the first time not counted. Bytes are those
of the bodies as they came, of everything but pictures: the page as it is, what lies beside it compressed. Largest
contentful paint is the browser's own. Beside it the same of an empty gallery: what browser, machine and load take.

The targets are less than 100 KB, and less than 1 s on an idle machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))

from browser import DESKTOP, chromium, until
from darkroom import names
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.client import Client, Labels
from landscapes import landscape
from machine import print_load, print_machine
from servers import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PAGE = 60
SEEN = """() => new Promise(resolve => {
    new PerformanceObserver(list => resolve(list.getEntries().at(-1).startTime))
        .observe({type: "largest-contentful-paint", buffered: true});
})"""
LOADED = """[...performance.getEntriesByType("resource"), ...performance.getEntriesByType("navigation")]
    .filter(one => one.initiatorType !== "img")
    .map(one => [one.name.replace(location.origin, ""), one.encodedBodySize])"""


def main() -> None:
    """Fill a library, look at it, and print what was seen."""
    arguments = argparse.ArgumentParser(description="the first page of a large gallery")
    arguments.add_argument("--images", type=int, default=10_000)
    arguments.add_argument("--loads", type=int, default=10)
    chosen = arguments.parse_args()
    print_machine()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for name in ("empty", "full"):
            (Path(folder) / name).mkdir()
        with serving(Path(folder) / "empty") as served:
            empty, _ = looked_at(browser, served.url, chosen.loads)
        with serving(Path(folder) / "full") as served:
            fill(served.url)
        deepen(Path(folder) / "full" / "data" / "catalog.sqlite3", chosen.images - PAGE)
        with serving(Path(folder) / "full") as served:
            full, weights = looked_at(browser, served.url, chosen.loads)
    print(f"{chosen.images} images, {chosen.loads} loads")
    for name, length in sorted(weights.items(), key=lambda item: -item[1]):
        print(f"  {name:<26}{length:>9,} bytes")
    print(f"  {'together':<26}{sum(weights.values()):>9,} bytes\n")
    print("largest contentful paint    median      best     worst, ms")
    for name, times in (("an empty gallery", empty), (f"{chosen.images} images", full)):
        print(f"  {name:<22}{statistics.median(times):>10.0f}{min(times):>10.0f}{max(times):>10.0f}")
    print_load()


def fill(url: str) -> None:
    """Upload what the first page shows."""
    with Client(url) as client:
        for number in range(PAGE):
            labels = Labels(tags=("hills", f"tag {number % 12}"), album="Drawn", title=f"Landscape {number}")
            client.upload(landscape(number), labels, filename=f"landscape-{number}.jpg", wait=60)


def deepen(path: Path, count: int) -> None:
    """Write older images into the catalog, like the ones that are there."""
    catalog = SqliteCatalog(path)
    patterns = catalog.walk("", PAGE)
    for number in range(count):
        pattern = patterns[number % len(patterns)]
        moment = pattern.uploaded_at - timedelta(days=1, minutes=number)
        image_id = names.new_id(moment, number.to_bytes(names.RANDOM_BYTES))
        catalog.create(dataclasses.replace(pattern, id=image_id, uploaded_at=names.moment_of(image_id), version=1))
    catalog.close()


def looked_at(browser: Browser, url: str, loads: int) -> tuple[list[float], dict[str, int]]:
    """Return the moments at which the page was seen, and what each of its files weighs."""
    times: list[float] = []
    weights: dict[str, int] = {}
    for number in range(loads + 1):
        context: Any = browser.new_context(viewport=DESKTOP)
        page = context.new_page()
        page.goto(url)
        until(page, "[...document.images].every(image => image.complete || image.loading === 'lazy')")
        page.wait_for_timeout(200)
        if number:
            times.append(page.evaluate(SEEN))
        weights = dict(page.evaluate(LOADED))
        context.close()
    return times, weights


if __name__ == "__main__":
    main()
