"""Takes the pictures of the pages for docs/pictures/: ``make screenshots``. Look at each before you commit it."""

from __future__ import annotations

import io
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

import pictures
from browser import DESKTOP, PHONE, SECONDS, chromium, throttle, until
from darkroom import names
from darkroom.client import Client, Labels
from darkroom.events import EdgePurge
from darkroom.events.sqlite import SqliteQueue
from darkroom.service import utc_now
from landscapes import landscape
from patience import eventually
from servers import Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
TITLES = ("Dawn", "Fjord", "Ridge", "Valley", "Dunes", "Coast", "Moor", "Heath", "Bay", "Summit", "Delta", "Strand")
LOOKS = (("light", DESKTOP), ("dark", DESKTOP), ("phone", PHONE))


def give_up(data: Path) -> None:
    """Bury an event, as it is after its last try."""
    data.mkdir()
    queue = SqliteQueue(data / "queue.sqlite3", utc_now)
    queue.publish(EdgePurge(image_id=names.new_id(utc_now(), bytes(names.RANDOM_BYTES)), names=("small.jpg",)))
    (lease,) = queue.lease(1, 60)
    queue.bury(lease, "the edge answered 403")
    queue.close()


def fill(url: str) -> str:
    """Upload what the pages show, and return the id of one image."""
    with Client(url) as client:
        for number, name in enumerate(TITLES):
            labels = Labels(tags=("hills", "sea" if number % 2 else "land"), album="Drawn", title=name)
            body = landscape(number + 3)
            image = client.upload(body, labels, filename=f"{name.lower()}.jpg", wait=60)
        broken = client.upload(pictures.jpeg(300, 200)[:900], filename="IMG_2024.jpg", wait=60)
        assert broken.state == "failed"
        client.patch(image.id, {"focus": (0.62, 0.4)})
    return image.id


def add(page: Page, url: str) -> None:
    """Show uploads in all states."""
    page.goto(f"{url}/add")
    files = [(f"IMG_{4100 + number}.jpg", landscape(40 + number)) for number in range(4)]
    files.insert(1, ("IMG_4098.jpg", pictures.jpeg(300, 200)[:900]))
    files.append(("panorama.jpg", landscape(45).ljust(6_000_000, b"\0")))
    page.set_input_files(
        "#file", [{"name": name, "mimeType": "image/jpeg", "buffer": body} for name, body in files[:3]]
    )
    page.fill("#tags-of-all", "hills, trip")
    page.fill("#album-of-all", "Drawn")
    page.click("#begin")
    eventually(lambda: page.locator(".upload[data-state=ready]").count() == 2, what="two uploads")
    throttle(page, 900_000)
    page.set_input_files(
        "#file", [{"name": name, "mimeType": "image/jpeg", "buffer": body} for name, body in files[:2:-1]]
    )
    page.wait_for_timeout(3000)
    page.evaluate("scrollTo(0, 0)")


def search(page: Page, url: str) -> None:
    """Show a search by several criteria."""
    page.goto(f"{url}/?q=tag:hills&format=jpeg&min_width=1000&uploaded_after=2026-01-01&color=4f6d8f")
    until(page, "[...document.images].every(image => image.complete || image.loading === 'lazy')")
    page.wait_for_timeout(300)


def select(page: Page, url: str) -> None:
    """Show some images selected, after they were given a tag."""
    page.goto(url)
    page.click(".selecting")
    for number in (1, 2, 4):
        page.locator(".tile").nth(number).click()
    page.fill("#deed-tags", "favourites")
    page.click("button[value=add_tags]")
    page.get_by_text("3 of 3 images done").wait_for()
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    until(page, "[...document.images].every(image => image.complete || image.loading === 'lazy')")
    page.wait_for_timeout(300)


def transform(page: Page, url: str, image_id: str) -> None:
    """Show a transformation that is tried."""
    page.goto(f"{url}/images/{image_id}/playground?width=640&height=360&fit=cover&sharpen=0.8&quality=60&ext=webp")
    until(page, "document.getElementById('figures').textContent.includes(' ms')")
    page.wait_for_timeout(300)


def take(page: Page, name: str) -> None:
    """Take a picture."""
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.save(FOLDER / f"page-{name}.webp", quality=80, method=6)


@contextmanager
def started(folder: Path) -> Iterator[Served]:
    """Run a service that has something to show."""
    give_up(folder / "data")
    with serving(folder, originals="keep") as served:
        yield served


def main() -> int:
    """Take them all."""
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as served:
        image_id = fill(served.url)
        paths = {"gallery": "/", "image": f"/images/{image_id}"}
        with chromium() as browser:
            for look, viewport in LOOKS:
                scheme = "dark" if look == "dark" else "light"
                context = browser.new_context(viewport=viewport, color_scheme=scheme, has_touch=look == "phone")
                context.set_default_timeout(SECONDS)
                page = context.new_page()
                for name, path in paths.items():
                    page.goto(served.url + path)
                    until(page, "[...document.images].every(image => image.complete || image.loading === 'lazy')")
                    page.wait_for_timeout(300)
                    take(page, f"{name}-{look}")
                for summary in page.locator("details.box summary").all():
                    summary.click()
                page.locator("#focus").scroll_into_view_if_needed()
                page.wait_for_timeout(300)
                take(page, f"change-{look}")
                transform(page, served.url, image_id)
                take(page, f"transform-{look}")
                page.goto(f"{served.url}/operator")
                page.wait_for_timeout(300)
                take(page, f"operator-{look}")
                search(page, served.url)
                take(page, f"search-{look}")
                page.click("#filters summary")
                page.wait_for_timeout(300)
                take(page, f"filters-{look}")
                select(page, served.url)
                take(page, f"select-{look}")
                add(page, served.url)
                take(page, f"add-{look}")
                context.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
