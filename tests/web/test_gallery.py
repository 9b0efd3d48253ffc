"""The gallery and its search, in a browser, with scripts and without."""

import dataclasses
import re
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

import pictures
from browser import PHONE, until, violations
from darkroom import names
from darkroom.catalog.sqlite import SqliteCatalog
from darkroom.client import Client, Labels
from darkroom.model import Failure, State


def names_on(page):
    return page.locator("#tiles > li > a").evaluate_all("links => links.map(link => link.getAttribute('aria-label'))")


def boxes_of(page):
    return page.locator("#tiles > li").evaluate_all("tiles => tiles.map(tile => tile.getBoundingClientRect().toJSON())")


def test_every_picture_is_shown_newest_first_in_rows_that_fill_the_width(gallery, open_page):
    page = open_page(gallery.url)
    assert names_on(page)[:3] == ["Summit", "Bay", "Heath"]
    until(page, "[...document.images].every(image => image.complete && image.naturalWidth)")
    rows = {}
    for box in boxes_of(page):
        rows.setdefault(round(box["y"]), []).append(box)
    assert len(rows) > 1
    width = page.locator("#tiles").bounding_box()["width"]
    for row in list(rows.values())[:-1]:
        assert sum(box["width"] for box in row) + 6 * (len(row) - 1) == pytest.approx(width, abs=2)
        assert max(box["height"] for box in row) - min(box["height"] for box in row) < 6


def test_a_phone_is_given_small_files_and_never_scrolls_sideways(gallery, open_page):
    page = open_page(gallery.url, phone=True)
    until(page, "document.querySelector('#tiles img').currentSrc")
    taken = page.locator("#tiles img").first.evaluate("image => image.currentSrc")
    assert taken.endswith("/small.avif")
    # Of files that are larger than any screen shows a tile none is offered.
    assert "/medium.avif 720w" in page.locator("#tiles source").first.get_attribute("srcset")
    assert "large" not in page.locator("#tiles source").first.get_attribute("srcset")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_without_scripts_all_is_there(gallery, open_page):
    page = open_page(f"{gallery.url}/?limit=4", scripts=False)
    seen = names_on(page)
    while page.locator("#following").count():
        page.locator("#following").click()
        page.wait_for_load_state()
        seen += names_on(page)
    assert seen == ["Summit", "Bay", "Heath", "Moor", "Coast", "Dunes", "Valley", "Ridge", "Fjord", "Dawn"]


def test_with_scripts_it_goes_on_by_itself(gallery, open_page):
    page = open_page(f"{gallery.url}/?limit=4")
    until(page, "document.querySelectorAll('#tiles > li').length === 10")
    assert page.locator("#following").count() == 0
    assert names_on(page)[-1] == "Dawn"
    assert "10 images are shown" in page.locator("#announce").inner_text()


def test_every_page_of_it_has_an_address(gallery, open_page):
    page = open_page(f"{gallery.url}/?limit=4", scripts=False)
    address = page.locator("#following").get_attribute("href")
    assert address == page.locator("a[rel=next]").get_attribute("href")
    other = open_page(f"{gallery.url}{address}")
    until(other, "document.querySelectorAll('#tiles > li').length === 6")
    assert names_on(other)[0] == "Coast"
    other.get_by_role("link", name="Back to the newest").click()
    other.wait_for_url(f"{gallery.url}/?limit=4")


def test_a_search_is_an_address_and_each_criterion_can_be_taken_away(gallery, open_page):
    page = open_page(gallery.url)
    page.fill("#q", "dawn")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?q=dawn*")
    assert names_on(page) == ["Dawn"]
    page.get_by_text("Filters").click()
    page.fill("input[name=tag]", "sea")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_url(re.compile("tag=sea"))
    assert "Nothing is like that" in page.content()
    page.get_by_label("Without “dawn”").click()
    page.wait_for_url(re.compile(r"\?tag=sea$"))
    assert len(names_on(page)) == 5


def test_the_box_takes_the_line_that_the_command_line_takes(gallery, open_page):
    page = open_page(gallery.url)
    page.fill("#q", 'tag:sea orientation:landscape "moor"')
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=tag"))
    assert names_on(page) == []
    page.fill("#q", "tag:sea orientation:landscape album:drawn coast")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("coast"))
    assert names_on(page) == ["Coast"]


def test_suggestions_say_how_many_there_are(gallery, open_page):
    page = open_page(gallery.url)
    told = page.locator("#tags option").all_text_contents()
    assert {"hills (10)", "sea (5)", "land (5)"} <= set(told)


@pytest.mark.parametrize(
    "address", ["?min_width=wide", "?colour=red", "?cursor=nonsense", "?uploaded_after=soon", "?limit=0", "?q=tag:"]
)
def test_a_search_that_cannot_be_is_said_on_a_page(gallery, open_page, address):
    answer = httpx.get(f"{gallery.url}/{address}", trust_env=False)
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    name = address[1:].partition("=")[0]
    assert (name if name != "q" else "tag:") in answer.text


def test_a_placeholder_is_there_until_the_picture_has_come(gallery, open_page):
    page = open_page(gallery.url, before=lambda page: page.route("**/i/**", lambda route: None))
    until(page, "document.querySelector('#tiles img').style.backgroundImage.startsWith('url(\"data:image/png')")
    page.unroute_all()
    page.goto(gallery.url)
    until(page, "[...document.images].every(i => i.complete && i.naturalWidth && !i.style.backgroundImage)")


@pytest.fixture
def catalog(gallery):
    """The catalog of the gallery's server, to hold images in a state that they pass through in a moment."""
    catalog = SqliteCatalog(gallery.data / "catalog.sqlite3")
    yield catalog
    catalog.close()


@pytest.fixture
def held(catalog):
    """Two images that stay in processing, newer than all others."""
    pattern = catalog.walk("", 1)[0]
    made = []
    for number in range(2):
        image_id = names.new_id(datetime.now(UTC) + timedelta(hours=1), uuid.uuid4().bytes[: names.RANDOM_BYTES])
        new = {"id": image_id, "uploaded_at": names.moment_of(image_id), "version": 1, "title": f"Held {number}"}
        made.append(catalog.create(dataclasses.replace(pattern, **new, state=State.PROCESSING, variants=())))
    yield made
    for image in made:
        catalog.forget(image.id)


def test_what_is_being_processed_becomes_a_picture_or_says_why_not(gallery, catalog, held, open_page):
    page = open_page(gallery.url)
    tiles = [page.locator(f'li[data-id="{image.id}"]') for image in held]
    for tile in tiles:
        assert "is being processed" in tile.inner_text()
    assert violations(page) == []
    tiles[0].get_by_role("checkbox").check()
    tiles[1].get_by_role("link").focus()
    variants = catalog.walk("", 1)[0].variants
    catalog.replace(dataclasses.replace(held[0], state=State.READY, variants=variants), version=1)
    error = Failure(code="unreadable-image", detail="it is damaged")
    catalog.replace(dataclasses.replace(held[1], state=State.FAILED, error=error), version=1)
    tiles[0].locator("img").wait_for()
    until(page, f"document.querySelector('li[data-id=\"{held[0].id}\"] img').naturalWidth > 0")
    tiles[1].get_by_text("failed: it is damaged").wait_for()
    assert tiles[0].get_by_role("checkbox").is_checked()  # what was selected stays so
    assert tiles[1].get_by_role("link").evaluate("link => link === document.activeElement")


def test_a_new_upload_is_shown_when_it_is_ready(gallery, open_page):
    with Client(gallery.url) as client:
        image = client.upload(pictures.jpeg(1600, 1200, comment=uuid.uuid4().bytes), filename="late.jpg", wait=60)
        client.reprocess(image.id)
        page = open_page(gallery.url)
        page.wait_for_selector(f'li[data-id="{image.id}"][data-state="ready"] img')
        client.delete(image.id)


def test_what_has_failed_says_why(gallery, open_page):
    with Client(gallery.url) as client:
        image = client.upload(pictures.jpeg(300, 200)[:900], filename="half.jpg", wait=60)
        page = open_page(gallery.url)
        assert "damaged" in page.locator(f'li[data-id="{image.id}"]').inner_text()
        assert violations(page) == []
        client.delete(image.id)


def test_a_screen_reader_is_told_what_there_is(gallery, open_page):
    page = open_page(f"{gallery.url}/?tag=sea")
    tree = page.locator("body").aria_snapshot()
    for part in (
        "search:",
        'combobox "Search: words',
        'navigation "Pages"',
        "main:",
        'heading "Images found" [level=1]',
        'list "Searched for"',
        'link "Without tag sea"',
        'link "Summit"',
        'checkbox "Select Summit"',
    ):
        assert part in tree, tree


def test_it_is_walked_through_by_keys(gallery, open_page):
    page = open_page(gallery.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.locator("#tiles a").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Bay"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Dawn"
    page.keyboard.press("Enter")
    page.wait_for_url("**/images/*")


HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'`"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_use_it(gallery, open_page, scheme, phone):
    page = open_page(gallery.url, phone=phone, color_scheme=scheme)
    assert violations(page) == []
    page.get_by_text("Filters").click()
    assert violations(page) == []
    page.goto(f"{gallery.url}/?tag=sea&q=fjord")
    assert violations(page) == []
    page.locator("#tiles a").first.click()
    page.wait_for_url("**/images/*")
    assert violations(page) == []


def test_no_text_from_a_stranger_is_anything_but_text(gallery, open_page):
    with Client(gallery.url) as client:
        labels = Labels(tags=(HOSTILE[:60],), album=HOSTILE[:60], title=HOSTILE)
        image = client.upload(pictures.jpeg(90, 60, comment=uuid.uuid4().bytes), labels, filename=HOSTILE, wait=60)
        try:
            page = open_page(gallery.url)
            page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
            assert names_on(page)[0] == HOSTILE
            page.locator("#tiles a").first.click()
            page.wait_for_url("**/images/*")
            assert page.locator("h1").inner_text() == HOSTILE
            page.complaints.expected.append("422")  # the line is none
            page.goto(f"{gallery.url}/?q={HOSTILE}&tag={HOSTILE[:60]}")
            assert page.locator("script:not([src])").count() == 0
            assert page.locator("img[onerror]").count() == 0
        finally:
            client.delete(image.id)


def test_pages_let_nothing_in_from_elsewhere_and_are_small(gallery):
    with httpx.Client(base_url=gallery.url, trust_env=False) as client:
        page = client.get("/", params={"limit": 200})
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        addressed = {"/" + name for name in re.findall(r'(?:src|href)="/(static/[^"]+)"', page.text)}
        imported = ("thumbhash.js", "api.js", "jobs.js", "undo.js")
        addressed |= {name.replace("gallery.js", other) for name in addressed for other in imported}
        together = len(page.content) + sum(len(client.get(name).content) for name in addressed)
        assert together < 100_000
        sheet = next(name for name in addressed if name.endswith("/pages.css"))
        found = client.get(sheet)
        assert "immutable" in found.headers["cache-control"]
        assert client.get(sheet, headers={"if-none-match": found.headers["etag"]}).status_code == 304
        assert found.headers["content-encoding"] == "gzip"
        whole = client.get(sheet, headers={"accept-encoding": "identity"})
        assert (whole.content, "content-encoding" in whole.headers) == (found.content, False)
        assert whole.headers["etag"] != found.headers["etag"]
        assert "content-encoding" not in page.headers  # beside a token, that would tell of it
        earlier = client.get("/static/0123456789abcdef/pages.css")  # a page of another release, still open somewhere
        assert (earlier.content, earlier.headers["cache-control"]) == (found.content, "no-cache")
        assert client.get(sheet.replace("pages.css", "pages.py")).status_code == 404
        assert client.get("/static/../pages.py").status_code == 404


def test_there_is_no_page_of_an_image_that_is_not_there(gallery):
    answer = httpx.get(f"{gallery.url}/images/{'0' * 26}", trust_env=False)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "there is no image of this id" in answer.text
