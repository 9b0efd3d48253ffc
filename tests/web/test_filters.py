"""The filters of the gallery: every criterion by a field, as an address, and as a chip that takes it away."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from PIL import Image

import pictures
from browser import violations
from darkroom.client import Client, Labels
from patience import eventually
from servers import serving

TODAY = datetime.now(UTC).date()
NEXT_WEEK = (TODAY + timedelta(days=7)).isoformat()
HOSTILE = "<img src=x onerror=alert(1)>"
LAST_WEEK = (TODAY - timedelta(days=7)).isoformat()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A camera's picture, an orange one, a tall one, and one that failed."""
    with serving(tmp_path_factory.mktemp("filters"), workers="1") as served:
        with Client(served.url) as client:
            photo = pictures.jpeg(400, 300, exif=pictures.camera_exif())
            orange = pictures.encode(Image.new("RGB", (120, 120), "#ff8800"), "PNG")
            for body, name, tags in (
                (photo, "camera.jpg", ("sea", "trip")),
                (orange, "orange.png", ("sea",)),
                (pictures.webp(60, 200), "tall.webp", ()),
                (pictures.jpeg(300, 200)[:900], "broken.jpg", ()),
            ):
                client.upload(body, Labels(tags=tags, album="All" if tags else None), filename=name, wait=60)
        yield served


def shown(page):
    return set(page.locator("#tiles > li").evaluate_all("tiles => tiles.map(tile => tile.innerText.split('\\n')[0])"))


def asked(page):
    return parse_qsl(urlsplit(page.url).query, keep_blank_values=True)


def filters(page):
    page.get_by_text("Filters", exact=True).click()
    return page.locator(".panel")


def apply(page):
    page.get_by_role("button", name="Apply").click()


def chip(page, words):
    return page.get_by_role("link", name=f"Without {words}", exact=True)


@pytest.mark.parametrize(
    ("fill", "expected", "words", "found"),
    [
        ({"Width from": "150"}, ("min_width", "150"), "at least 150 px wide", {"camera.jpg"}),
        ({"Width to": "100"}, ("max_width", "100"), "at most 100 px wide", {"tall.webp"}),
        ({"Height from": "250"}, ("min_height", "250"), "at least 250 px high", {"camera.jpg"}),
        ({"Height to": "150"}, ("max_height", "150"), "at most 150 px high", {"orange.png"}),
        ({"Uploaded from": NEXT_WEEK}, ("uploaded_after", NEXT_WEEK), None, set()),
        ({"Taken from": "2024-01-01"}, ("taken_after", "2024-01-01"), "taken from 1 January 2024", {"camera.jpg"}),
        ({"Camera": "brightbox one"}, ("camera", "brightbox one"), "camera brightbox one", {"camera.jpg"}),
        ({"Colour, as rrggbb": "ff8800"}, ("color", "ff8800"), "near #ff8800", {"orange.png"}),
        ({"Album": "all"}, ("album", "all"), "album all", {"camera.jpg", "orange.png"}),
        ({"Tag": "trip"}, ("tag", "trip"), "tag trip", {"camera.jpg"}),
    ],
)
def test_a_field_is_a_criterion_and_a_chip(served, open_page, fill, expected, words, found):
    page = open_page(served.url, scripts=False)
    filters(page)
    for label, value in fill.items():
        page.locator(".panel").get_by_label(label, exact=True).fill(value)
    apply(page)
    page.wait_for_url("**/?*")
    assert asked(page) == [expected]  # and nothing empty, so that it can be sent to somebody
    assert shown(page) == found
    if words:
        chip(page, words).click()
        page.wait_for_url(f"{served.url}/")
        assert len(shown(page)) == 4


@pytest.mark.parametrize("scripts", [True, False])
def test_choices_are_ticked_and_kept(served, open_page, scripts):
    page = open_page(served.url, scripts=scripts)
    panel = filters(page)
    panel.get_by_label("PNG").check()
    panel.get_by_label("WEBP").check()
    panel.get_by_label("Orientation").select_option("square")
    panel.get_by_label("File size from").select_option("any")
    panel.get_by_label("Uploaded from").fill(LAST_WEEK)
    apply(page)
    page.wait_for_url("**/?format=png**")
    assert asked(page) == [
        ("format", "png"),
        ("format", "webp"),
        ("orientation", "square"),
        ("uploaded_after", LAST_WEEK),
    ]
    assert shown(page) == {"orange.png"}
    panel = filters(page)
    assert panel.get_by_label("PNG").is_checked()
    assert not panel.get_by_label("JPEG").is_checked()
    assert panel.get_by_label("Uploaded from").input_value() == LAST_WEEK
    panel.get_by_label("Orientation").select_option("any")
    apply(page)
    page.wait_for_url(re.compile("uploaded_after=[^&]*$"))
    assert shown(page) == {"orange.png", "tall.webp"}
    page.fill("#q", "tall")  # the box searches within the filters
    page.keyboard.press("Enter")
    page.wait_for_url("**q=tall**")
    assert shown(page) == {"tall.webp"}
    chip(page, "WEBP").click()
    page.wait_for_url(re.compile("format=png&uploaded"))
    assert shown(page) == set()


def test_state_order_and_tags(served, open_page):
    page = open_page(f"{served.url}/?state=failed&order=oldest")
    assert shown(page) == {"broken.jpg"}
    panel = filters(page)
    assert panel.get_by_label("failed").is_checked()
    panel.get_by_label("failed").uncheck()
    panel.get_by_label("Tag", exact=True).fill("sea")
    apply(page)
    page.wait_for_url("**tag=sea**")
    assert asked(page) == [("tag", "sea"), ("order", "oldest")]
    panel = filters(page)
    panel.get_by_label("Another tag").fill("trip")
    apply(page)
    page.wait_for_url("**tag=trip**")
    assert shown(page) == {"camera.jpg"}
    panel = filters(page)
    panel.get_by_label("sea", exact=True).uncheck()
    panel.get_by_label("trip", exact=True).uncheck()
    panel.get_by_label("without tags").check()
    apply(page)
    page.wait_for_url("**untagged=1**")
    assert shown(page) == {"tall.webp", "broken.jpg"}


@pytest.mark.parametrize("scripts", [True, False])
def test_a_colour_is_taken_from_the_pictures_that_are_shown(served, open_page, scripts):
    page = open_page(f"{served.url}/?tag=sea&color=123456", scripts=scripts)
    assert shown(page) == set()
    page.goto(f"{served.url}/?tag=sea")
    filters(page).get_by_role("button", name=re.compile("Colour #ff8[78]0")).click()
    page.wait_for_url("**color=ff8**")
    assert shown(page) == {"orange.png"}
    assert [name for name, _ in asked(page)] == ["tag", "color"]
    assert page.locator(".chips circle").get_attribute("fill").startswith("#ff8")


def test_any_colour_is_chosen_where_the_browser_shows_them(served, open_page):
    page = open_page(served.url)
    filters(page).get_by_label("Choose a colour").fill("#ff8800")
    apply(page)
    page.wait_for_url("**/?color=ff8800")
    assert shown(page) == {"orange.png"}


def test_cameras_of_the_pictures_that_are_shown_are_suggested(served, open_page):
    page = open_page(served.url)
    assert page.locator("#cameras option").evaluate_all("all => all.map(one => one.value)") == ["Brightbox One"]
    page.goto(f"{served.url}/?format=png")
    assert page.locator("#cameras option").count() == 0


def suggested(page):
    return page.locator("#lines option").evaluate_all("options => options.map(option => [option.value, option.label])")


def test_tags_and_albums_are_suggested_while_the_line_is_typed(served, open_page):
    with Client(served.url) as client:
        odd = client.upload(pictures.png(30, 30), Labels(tags=('se "a" day', HOSTILE)), filename="odd.png", wait=60)
    page = open_page(served.url)
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.locator("#q").press_sequentially("camera tag:SE")
    sea, day = ["camera tag:sea", "camera tag:sea (2)"], [r'camera tag:"se \"a\" day"', 'camera tag:se "a" day (1)']
    eventually(lambda: suggested(page) == [day, sea], what="tags")
    for value, found in ((sea[0], {"camera.jpg"}), (day[0].removeprefix("camera "), {"odd.png"})):
        page.fill("#q", value)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert shown(page) == found
    page.fill("#q", "al")
    eventually(lambda: suggested(page) == [["album:All", "album:All (2)"]], what="an album for a word")
    page.fill("#q", 'tag:"<')
    eventually(lambda: [one[0] for one in suggested(page)] == [f'tag:"{HOSTILE}"'], what="a hostile tag")
    page.fill("#q", "camera nothing")
    eventually(lambda: suggested(page) == [], what="no suggestion")
    assert violations(page) == []
    with Client(served.url) as client:
        client.delete(odd.id)


def test_the_words_of_the_line_are_chips_too(served, open_page):
    page = open_page(f'{served.url}/?q=camera tag:sea taken_after:2024-01-01 "jpg"')
    assert shown(page) == {"camera.jpg"}
    chip(page, "tag sea").click()
    page.wait_for_url(re.compile("q=camera"))
    assert page.input_value("#q") == 'camera taken_after:2024-01-01 "jpg"'
    chip(page, "“camera”").wait_for()
    chip(page, "“jpg”").wait_for()


def test_what_cannot_be_searched_for_stays_in_the_box_with_the_reason(served, open_page):
    page = open_page(f"{served.url}/?q=colour:red sea", before=lambda page: page.complaints.expected.append("422"))
    assert "there is no colour" in page.get_by_role("alert").filter(has_text="colour").inner_text()
    assert page.input_value("#q") == "colour:red sea"
    assert violations(page) == []


def test_what_a_form_left_empty_is_not_in_the_address(served):
    with httpx.Client(base_url=served.url, trust_env=False) as client:
        answer = client.get("/?q=&tag=sea&tag=&tag=sea&color=111111&color=222222&min_width=+")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?tag=sea&color=222222")
        assert client.get(answer.headers["location"]).status_code == 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_use_it(served, open_page, scheme, phone):
    address = "?q=sea&tag=sea&format=png&color=ff8800&uploaded_before=2020-01-01T10:00:00Z&max_bytes=77"
    page = open_page(f"{served.url}/{address}", phone=phone, color_scheme=scheme)
    assert violations(page) == []
    filters(page)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    apply(page)  # what no field shows as it is stays
    page.wait_for_load_state()
    assert dict(asked(page))["uploaded_before"] == "2020-01-01T10:00:00Z"
    assert dict(asked(page))["max_bytes"] == "77"
