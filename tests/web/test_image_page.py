"""One image in a browser: changed in place, pointed into, copied from, deleted and not deleted."""

import io
import uuid

import httpx
import pytest
from PIL import Image

import pictures
from browser import all_copied, until, violations
from darkroom.client import Client, Labels
from darkroom.web.views import size as size_of
from landscapes import landscape
from patience import eventually


@pytest.fixture
def api(gallery):
    with httpx.Client(base_url=gallery.url, trust_env=False) as client:
        yield client


@pytest.fixture
def image(gallery):
    """A small image of its own, tagged a and b, in the album Box."""
    with Client(gallery.url) as client:
        body = pictures.jpeg(400, 300, comment=uuid.uuid4().bytes)
        made = client.upload(body, Labels(tags=("a", "b"), album="Box"), filename="mine.jpg", wait=60)
    yield made.raw
    httpx.delete(f"{gallery.url}/v1/images/{made.id}", trust_env=False)


@pytest.fixture
def url(gallery, image):
    return f"{gallery.url}/images/{image['id']}"


def now(api, image):
    return api.get(f"/v1/images/{image['id']}").json()


def test_tags_title_and_album_are_changed_where_they_stand(api, image, url, open_page):
    page = open_page(url)
    page.get_by_role("checkbox", name="a", exact=True).uncheck()
    eventually(lambda: now(api, image)["tags"] == ["b"], what="a tag less")
    page.get_by_role("checkbox", name="a", exact=True).check()
    eventually(lambda: now(api, image)["tags"] == ["b", "a"], what="the tag again")
    page.fill("#more", "Night, A")
    page.keyboard.press("Enter")
    page.get_by_role("checkbox", name="Night").wait_for()
    assert now(api, image)["tags"] == ["b", "a", "Night"]
    page.fill("#title", "A <b>title</b>")
    page.keyboard.press("Tab")
    eventually(lambda: now(api, image)["title"] == "A <b>title</b>", what="the title")
    until(page, "document.querySelector('h1').textContent === 'A <b>title</b>'")
    page.fill("#album", "")
    page.keyboard.press("Tab")
    eventually(lambda: now(api, image)["album"] is None, what="no album")
    until(page, "document.getElementById('saved').textContent === 'saved'")
    page.fill("#more", "x" * 65)
    page.complaints.expected.append("422")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('saved').textContent.includes('64')")


def test_without_scripts_a_form_changes_them(api, image, url, open_page):
    page = open_page(url, scripts=False)
    page.get_by_role("checkbox", name="a", exact=True).uncheck()
    page.fill("#more", "c, d")
    page.fill("#title", "By form")
    page.get_by_role("button", name="Save").click()
    page.wait_for_load_state()
    found = now(api, image)
    assert (found["tags"], found["title"], found["album"]) == (["b", "c", "d"], "By form", "Box")


def test_a_form_does_not_overwrite_what_somebody_changed_meanwhile(api, image, url, open_page):
    page = open_page(url, scripts=False)
    page.complaints.expected.append("412")
    api.patch(f"/v1/images/{image['id']}", json={"title": "Theirs"})
    page.fill("#title", "Mine")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("heading", name="That did not work").wait_for()
    assert now(api, image)["title"] == "Theirs"


@pytest.mark.parametrize("scripts", [True, False])
def test_the_focal_point_is_set_by_pointing(api, image, url, open_page, scripts):
    page = open_page(url, scripts=scripts)
    page.get_by_text("Focal point").click()
    target = page.locator("#focus input[type=image]")
    box = target.bounding_box()
    target.click(position={"x": box["width"] / 4, "y": box["height"] / 2})
    eventually(lambda: now(api, image)["focus"], what="a focal point")
    x, y = now(api, image)["focus"]
    assert (x, y) == (pytest.approx(0.25, abs=0.02), pytest.approx(0.5, abs=0.02))
    page.goto(url)
    assert "25 % from the left, 50 % from the top" in page.locator("details.box summary").first.inner_text()
    page.locator("details.box summary").first.click()
    page.get_by_role("button", name="Without a focal point").click()
    eventually(lambda: now(api, image)["focus"] is None, what="no focal point")


def test_what_shows_it_elsewhere_is_copied(api, gallery, image, url, open_page):
    page = open_page(url, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_text("Use it elsewhere").click()
    large = f"{gallery.url}/i/{image['id']}/large.jpg"
    copied = all_copied(page)
    assert copied["Address"] == large
    assert copied["Markdown"] == f"![mine.jpg]({large})"
    assert copied["srcset"].startswith(f"{gallery.url}/i/{image['id']}/small.jpg 320w, ")
    assert api.get(large).status_code == 200
    page.evaluate("html => { document.getElementById('main').innerHTML = html; }", copied["HTML"])
    until(page, "document.querySelector('main img').naturalWidth > 0")
    assert page.locator("main img").evaluate("image => image.currentSrc").endswith(".avif")


def test_every_file_has_its_format_size_bytes_and_address(image, url, open_page):
    page = open_page(url, permissions=["clipboard-read", "clipboard-write"])
    rows = page.locator(".variants tbody tr")
    assert rows.count() == len(image["variants"])
    for row, variant in zip(rows.all(), image["variants"], strict=True):
        told = row.locator("td").all_inner_texts()[:4]
        size = f"{variant['width']} × {variant['height']}"
        assert told == [variant["name"], variant["format"], size, size_of(variant["bytes"])]
        row.get_by_role("button").click()
        row.get_by_text("Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == variant["url"]


def test_what_the_camera_said_is_told_but_not_where_it_stood(gallery, open_page):
    with Client(gallery.url) as client:
        body = pictures.jpeg(300, 200, exif=pictures.camera_exif(place=True))
        made = client.upload(body, filename="camera.jpg", wait=60)
        page = open_page(f"{gallery.url}/images/{made.id}", scripts=False)
        facts = page.locator(".facts").inner_text()
        exposure = "1/120 s, f/1.8, ISO 100, 26.0 mm"
        for told in ("JPEG, 300 × 200", "2024-05-17 09:31:02", "Brightbox One", "Brightbox 26mm f/1.8", exposure):
            assert told in facts
        text = page.content().lower()
        assert not [word for word in ("48.85", "48.0", "2.29", "17.0", "gps", "latitude", "location") if word in text]
        client.delete(made.id)


def test_it_is_deleted_unless_that_is_undone(api, image, url, open_page):
    page = open_page(url)
    page.get_by_role("link", name="Delete").click()
    assert "10 seconds" in page.get_by_role("alert").inner_text()
    assert violations(page) == []
    page.get_by_role("button", name="Undo").click()
    page.wait_for_timeout(300)
    assert page.get_by_role("button", name="Undo").count() == 0
    assert now(api, image)["id"] == image["id"]
    page.get_by_role("link", name="Delete").click()
    page.wait_for_url("**/")
    assert api.get(f"/v1/images/{image['id']}").status_code == 404


def test_whoever_leaves_the_page_has_meant_it(api, gallery, image, url, open_page):
    page = open_page(url)
    page.get_by_role("link", name="Delete").click()
    page.goto(f"{gallery.url}/add")
    eventually(lambda: api.get(f"/v1/images/{image['id']}").status_code == 404, what="the delete")


def test_without_scripts_it_is_asked_first(api, image, url, open_page):
    page = open_page(url, scripts=False)
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("link", name="Keep it").click()
    assert now(api, image)["id"] == image["id"]
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete it").click()
    page.wait_for_load_state()
    assert api.get(f"/v1/images/{image['id']}").status_code == 404


@pytest.fixture
def copies(gallery):
    """Four images of one picture: the largest, two of the same bytes, and one smaller and worse; and a hostile name."""
    whole = landscape(77)
    with Image.open(io.BytesIO(whole)) as opened:
        less = pictures.encode(opened.resize((opened.width // 2, opened.height // 2)), "JPEG", quality=55)
    with Client(gallery.url) as client:
        made = [
            client.upload(body, Labels(title=title), filename=f"{title[:9]}.jpg", wait=60)
            for title, body in (("Whole", whole), ("Again", whole), (HOSTILE, less))
        ]
        yield made
        for one in made:
            client.delete(one.id)


def test_images_like_it_are_beside_it(gallery, copies, open_page):
    page = open_page(f"{gallery.url}/images/{copies[0].id}")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.get_by_role("heading", name="Images like this one").wait_for()
    tiles = page.locator(".alike li")
    assert [one.split("\n") for one in tiles.all_inner_texts()] == [
        ["Again", "the same file"],
        [HOSTILE, "nearly the same"],
    ]
    until(page, "[...document.querySelectorAll('.alike img')].every(image => image.naturalWidth)")
    assert page.locator("img[onerror]").count() == 0
    assert violations(page) == []
    tiles.first.get_by_role("link").click()
    page.wait_for_url(f"**/images/{copies[1].id}")


def test_without_scripts_they_have_a_page(gallery, copies, open_page):
    page = open_page(f"{gallery.url}/images/{copies[0].id}", scripts=False)
    page.get_by_role("link", name="Look for images like this one").click()
    assert page.locator(".alike li").count() == 2
    with_scripts = open_page(page.url)
    assert violations(with_scripts) == []


def test_of_an_image_like_no_other_nothing_is_said(gallery, open_page):
    with Client(gallery.url) as client:
        made = client.upload(pictures.webp(64, 300), filename="alone.webp", wait=60)
        page = open_page(f"{gallery.url}/images/{made.id}")
        with page.expect_response("**/similar"):
            page.reload()
        page.wait_for_timeout(200)
        assert "like this one" not in page.locator("main").inner_text()
        answer = httpx.get(f"{gallery.url}/images/{made.id}/similar", trust_env=False)
        assert "There are none" in answer.text
        client.delete(made.id)


@pytest.mark.parametrize("scripts", [True, False])
def test_all_files_are_made_anew(api, image, url, open_page, scripts):
    page = open_page(url, scripts=scripts)
    page.get_by_role("button", name="Make all files anew").click()
    eventually(lambda: now(api, image)["version"] > image["version"] + 1, what="another render")
    page.wait_for_selector(".one[data-state=ready]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_use_it(api, image, url, open_page, scheme, phone):
    api.patch(f"/v1/images/{image['id']}", json={"focus": [0.2, 0.3]})
    page = open_page(url, phone=phone, color_scheme=scheme)
    for summary in page.locator("details.box summary").all():
        summary.click()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


HOSTILE = '"><img src=x onerror=alert(1)>'


def test_no_text_from_a_stranger_is_anything_but_text(gallery, open_page):
    with Client(gallery.url) as client:
        labels = Labels(tags=(HOSTILE,), album=HOSTILE, title=HOSTILE)
        body = pictures.jpeg(300, 200, exif=pictures.camera_exif(model=HOSTILE), comment=uuid.uuid4().bytes)
        made = client.upload(body, labels, filename=HOSTILE, wait=60)
        page = open_page(f"{gallery.url}/images/{made.id}")
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        assert page.locator(".facts").inner_text().count(HOSTILE) == 4  # file, album, camera and lens
        page.fill("#more", "<script>alert(2)</script>")
        page.keyboard.press("Enter")
        page.get_by_role("checkbox", name="alert(2)").wait_for()
        assert page.locator("img[onerror]").count() == 0
        assert page.locator("script:not([src])").count() == 0
        page.get_by_text("Use it elsewhere").click()
        html = page.locator("textarea").nth(2).input_value()
        assert "<img src=x" not in html
        client.delete(made.id)


@pytest.mark.parametrize(("path", "data"), [("", {"title": "x" * 501}), ("/focus", {"at.x": "far", "at.y": "1"})])
def test_what_a_form_may_not_send_is_said_on_a_page(gallery, image, path, data):
    answer = httpx.post(f"{gallery.url}/images/{image['id']}{path}", data=data, trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
