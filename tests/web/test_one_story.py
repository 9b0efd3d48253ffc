"""What somebody does with three photos, from dropping them to deleting one, in one sitting."""

import io

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from browser import drop, throttle, until
from darkroom.client import Client
from landscapes import landscape
from patience import eventually
from servers import serving

NAMES = ("one.jpg", "two.jpg", "three <b>.jpg")


@pytest.fixture
def served(tmp_path):
    (tmp_path / "server").mkdir()
    with serving(tmp_path / "server", workers="1", originals="keep") as served:
        yield served


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(landscape(60 + number).ljust(300_000, b"\0"))
    return [folder / name for name in NAMES]


def tiles(page):
    return page.locator("#tiles > li > a").evaluate_all("links => links.map(link => link.getAttribute('aria-label'))")


def difference(one, other):
    """How much two pictures of one size differ, a channel on average."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean)


def cut_around_its_point(page, photo):
    """A portrait of a landscape whose focal point is at its left shows its left."""
    page.get_by_role("link", name="Try transformations").click()
    page.wait_for_url("**/playground**")
    page.select_option("select[name=ext]", "png")
    page.fill("input[name=width]", "200")
    page.fill("input[name=height]", "300")
    until(page, "document.getElementById('figures')?.textContent.startsWith('200 × 300')")
    until(page, "document.getElementById('figures').textContent.includes('as PNG')")
    body = httpx.get(page.input_value("#snippet-address"), trust_env=False).content
    cut, whole = Image.open(io.BytesIO(body)).convert("RGB"), Image.open(photo).resize((450, 300))
    left, right = whole.crop((0, 0, 200, 300)), whole.crop((250, 0, 450, 300))
    assert difference(cut, left) < difference(cut, right) / 2


def test_three_photos_from_drop_to_delete(served, photos, open_page):
    page = open_page(served.url, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("link", name="Add images").click()

    # dropped, on their way, and ready
    page.wait_for_url("**/add")
    until(page, "document.getElementById('drop').classList.contains('with-scripts')")
    throttle(page, 300_000)
    drop(page, "#drop", photos)
    eventually(lambda: page.locator(".upload").count() == 3, what="three uploads")
    until(page, "[...document.querySelectorAll('.preview img')].every(image => image.naturalWidth && !image.hidden)")
    page.get_by_role("button", name="Upload").click()
    until(page, "(bar => bar.value > 0 && bar.value < 1)(document.getElementById('all'))")
    throttle(page, -1)
    eventually(lambda: page.locator(".upload[data-state=ready]").count() == 3, what="three ready")

    # seen in the gallery, tagged, found
    page.get_by_role("link", name="Gallery").click()
    page.wait_for_url(f"{served.url}/")
    assert set(tiles(page)) == set(NAMES)
    until(page, "[...document.querySelectorAll('#tiles img')].every(image => image.naturalWidth)")
    page.get_by_role("checkbox", name="Select one.jpg").click()
    page.get_by_role("checkbox", name="Select two.jpg").click()
    page.fill("#deed-tags", "holiday")
    page.get_by_role("button", name="Add tags").click()
    page.get_by_text("2 of 2 images done").first.wait_for()
    page.fill("#q", "tag:holiday one")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=**")
    assert tiles(page) == ["one.jpg"]

    # opened, copied, pointed into
    page.locator("#tiles a").click()
    page.wait_for_url("**/images/*")
    page.get_by_text("Use it elsewhere").click()
    page.get_by_role("button", name="Copy Address").click()
    page.get_by_role("button", name="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert httpx.get(copied, trust_env=False).headers["content-type"] == "image/jpeg"
    page.get_by_text("Focal point").click()
    target = page.locator("#focus input[type=image]")
    area = target.bounding_box()
    target.click(position={"x": area["width"] / 5, "y": area["height"] / 2})
    image_id = page.url.rpartition("/")[2]
    with Client(served.url) as client:
        eventually(lambda: client.get(image_id).raw["focus"], what="a focal point")
        assert client.get(image_id).raw["focus"] == pytest.approx([0.2, 0.5], abs=0.03)

    cut_around_its_point(page, photos[0])
    page.goto(f"{served.url}/images/{image_id}")

    # deleted, and not; and deleted
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("alert").wait_for()
    page.goto(served.url)
    eventually(lambda: httpx.get(copied, trust_env=False).status_code == 404, what="its picture gone")
    page.reload()
    assert set(tiles(page)) == set(NAMES[1:])
