"""Transformations tried in a browser: the result as one changes the options, and its signed address taken away."""

import io
import re
import uuid
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

import pictures
from browser import all_copied, until, violations
from darkroom.client import Client, Labels
from landscapes import landscape

FIGURES = "document.getElementById('figures')?.textContent"


@pytest.fixture(scope="module")
def image(gallery):
    """A landscape of 1500 by 1000, its focal point at the lower right."""
    with Client(gallery.url) as client:
        made = client.upload(landscape(32), Labels(title="Tried"), filename="tried.jpg", wait=60)
        client.patch(made.id, {"focus": (0.9, 0.8)})
        yield made
        client.delete(made.id)


@pytest.fixture
def url(gallery, image):
    return f"{gallery.url}/images/{image.id}/playground"


def get(address):
    return httpx.get(address, trust_env=False)


def address_on(page):
    return page.input_value("#snippet-address")


def opened(body):
    return Image.open(io.BytesIO(body))


def size_of(body):
    return opened(body).size


def test_the_result_is_shown_while_one_changes_options(gallery, image, open_page):
    page = open_page(f"{gallery.url}/images/{image.id}")
    page.get_by_role("link", name="Try transformations").click()
    page.wait_for_url("**/playground**")
    until(page, f"{FIGURES}.startsWith('640 × 400')")
    page.fill("input[name=width]", "300")
    until(page, f"{FIGURES}.startsWith('300 × 400')")
    page.select_option("select[name=ext]", "png")
    page.check("input[name=grayscale]")
    until(page, f"{FIGURES}.includes('as PNG in')")
    told = page.locator("#figures").inner_text()
    assert re.search(r"^300 × 400, [\d.]+ kB as PNG in \d+ ms: \d+ % of the original's bytes$", told)
    assert parse_qs(urlsplit(page.url).query) == {
        "width": ["300"],
        "height": ["400"],
        "fit": ["cover"],
        "ext": ["png"],
        "grayscale": ["1"],
    }
    answer = get(address_on(page))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert size_of(answer.content) == (300, 400)
    assert f"{len(answer.content) / 1000:.3g} kB" in told
    assert page.evaluate("document.getElementById('picture').naturalWidth") == 300
    page.reload()
    until(page, f"{FIGURES}.includes('300 × 400')")
    assert page.input_value("input[name=width]") == "300"


OPTIONS = {
    "width": "200",
    "height": "160",
    "fit": "contain",
    "gravity": "northeast",
    "dpr": "1.5",
    "crop": "100:100:800:800",
    "rotate": "90",
    "flip": "h",
    "blur": "1.5",
    "sharpen": "0.5",
    "background": "ff8800",
    "grayscale": "1",
    "enlarge": "1",
    "quality": "70",
    "ext": "jpg",
    "expires_in": "3600",
}


def test_without_scripts_every_option_is_a_field_of_one_form(url, open_page):
    page = open_page(url, scripts=False)
    for name, value in OPTIONS.items():
        field = page.locator(f"[name={name}]")
        if field.evaluate("field => field.type") == "checkbox":
            field.check()
        elif field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**quality=70**")
    address = address_on(page)
    for name, value in OPTIONS.items():
        if name not in {"ext", "expires_in"}:
            assert f"{name}={value}" in address
    assert ",exp=" in address
    assert address.endswith(".jpg")
    answer = get(address)
    assert answer.status_code == 200
    assert size_of(answer.content) == (300, 240)
    assert int(re.search(r"max-age=(\d+)", answer.headers["cache-control"])[1]) <= 3600
    assert page.locator("#picture").get_attribute("src") in address
    assert "300 × 240" in page.locator("#figures").inner_text()
    assert "bitonal" in page.content()


def test_without_scripts_the_bytes_are_told_once_it_is_made(url, open_page):
    page = open_page(f"{url}?width=211&ext=webp", scripts=False)
    answer = get(address_on(page))
    page.get_by_role("button", name="Show").click()
    page.wait_for_load_state()
    assert f"{len(answer.content) / 1000:.3g} kB as WEBP" in page.locator("#figures").inner_text()


@pytest.mark.parametrize("scripts", [True, False])
def test_it_is_cut_around_the_focal_point_until_another_is_pointed_at(url, open_page, scripts):
    page = open_page(f"{url}?width=200&height=300&fit=cover&ext=png", scripts=scripts)
    page.get_by_text("the focal point, 90 % from the left and 80 % from the top").wait_for()
    around = get(address_on(page)).content
    target = page.locator("#options input[type=image]")
    box = target.bounding_box()
    target.click(position={"x": box["width"] / 10, "y": box["height"] / 2})
    page.get_by_text("the point 10 % from the left and 50 % from the top").wait_for()
    x, y = map(float, page.input_value("[name=gravity]").split(":"))
    assert (x, y) == (pytest.approx(0.1, abs=0.02), pytest.approx(0.5, abs=0.02))
    pointed = get(address_on(page)).content
    assert around != pointed
    whole = opened(landscape(32)).resize((450, 300))
    assert nearness(whole.crop((250, 0, 450, 300)), around) < nearness(whole.crop((0, 0, 200, 300)), around)
    assert nearness(whole.crop((0, 0, 200, 300)), pointed) < nearness(whole.crop((250, 0, 450, 300)), pointed)


def nearness(expected, body):
    """How much two pictures differ, a byte on average."""
    a, b = expected.convert("RGB").tobytes(), opened(body).convert("RGB").tobytes()
    return sum(abs(x - y) for x, y in zip(a, b, strict=True)) / len(a)


WRONG = [
    ("width=9000", "width", "8192"),
    ("width=many", "width", "whole number"),
    ("height=0", "height", "1"),
    ("quality=101", "quality", "100"),
    ("gravity=up", "gravity", "attention"),
    ("crop=1:2", "crop", "0:0:640:480"),
    ("crop=9000:9000:10:10", "crop", "1500×1000"),
    ("background=red", "background", "ffffff"),
    ("blur=200", "blur", "0.3"),
    ("sharpen=0", "sharpen", "0.1"),
    ("dpr=2", "dpr", "give one of them"),
    ("width=8000&dpr=2", "dpr", "8192"),
    ("rotate=45", "rotate", "270"),
    ("flip=x", "flip", "must be"),
    ("fit=big", "fit", "cover"),
    ("ext=bmp", "ext", "avif"),
    ("expires_in=7", "expires_in", "3600"),
    ("width=1,kid=abc", "width", "comma"),
    ("kid=abc", "kid", "no option"),
    ("colour=red", "colour", "background"),
    ("at.x=far&at.y=1", "point", "picture"),
    ("width=<script>alert(1)</script>", "width", "whole number"),
]


@pytest.mark.parametrize(("query", "name", "told"), WRONG, ids=[query for query, _, _ in WRONG])
def test_what_is_wrong_is_named_in_words(url, query, name, told):
    answer = get(f"{url}?{query}")
    assert answer.status_code == 422
    problem = answer.text.partition('id="problem" role="alert">')[2].partition("</p>")[0]
    assert problem.startswith(f"{name} ")
    assert told in problem
    assert "<script>alert" not in answer.text
    assert "/t/" not in answer.text.partition("<main")[2].replace("text/", "")


def test_a_value_that_is_wrong_is_marked_and_what_was_shown_stays_in_sight(url, open_page):
    page = open_page(f"{url}?width=320")
    page.complaints.expected.append("422")
    until(page, f"{FIGURES}.startsWith('320 × ')")
    page.fill("input[name=crop]", "0:0:")
    page.get_by_role("alert").wait_for()
    assert "crop must be" in page.get_by_role("alert").inner_text()
    assert page.locator("[aria-invalid]").get_attribute("name") == "crop"
    assert page.locator("#picture").is_visible()
    assert page.locator("#snippet-address").count() == 0
    assert violations(page) == []
    page.fill("input[name=crop]", "0:0:500:500")
    until(page, f"{FIGURES}?.startsWith('320 × 320')")
    assert page.locator("[aria-invalid]").count() == 0
    assert page.get_by_role("alert").count() == 0


def test_what_shows_it_elsewhere_is_copied(url, open_page):
    page = open_page(f"{url}?width=640&sharpen=1", permissions=["clipboard-read", "clipboard-write"])
    until(page, f"{FIGURES}.includes(' ms')")
    copied = all_copied(page)
    assert get(copied["Address"]).status_code == 200
    assert copied["Markdown"] == f"![Tried]({copied['Address']})"
    candidates = [each.rsplit(" ", 1) for each in copied["srcset"].split(", ")]
    assert len(candidates) > 1
    for address, width in candidates:
        answer = get(address)
        assert answer.status_code == 200
        assert f"{size_of(answer.content)[0]}w" == width
    page.evaluate("html => { document.getElementById('main').innerHTML = html; }", copied["HTML"])
    until(page, "document.querySelector('main img').naturalWidth > 0")


def test_an_address_of_fixed_height_or_pixel_ratio_has_no_srcset(url):
    for query in ("width=640&height=400", "width=640&dpr=2", "height=300"):
        assert "snippet-srcset" not in get(f"{url}?{query}").text
    html = get(f"{url}?width=300&dpr=2").text
    assert "width=&#34;300&#34; height=&#34;200&#34;" in html


def test_what_is_larger_than_what_is_kept_says_so(keyed_server):
    with Client(keyed_server.url, keyed_server.key) as client:
        body = pictures.jpeg(3000, 2000, comment=uuid.uuid4().bytes)
        image = client.upload(body, filename="large.jpg", wait=60)
    headers = {"authorization": f"Bearer {keyed_server.key}"}
    url = f"{keyed_server.url}/images/{image.id}/playground"
    page = httpx.get(f"{url}?width=2500", headers=headers, trust_env=False).text
    assert "the largest file that is kept, 1920 × 1280" in page
    assert "Made of" not in httpx.get(f"{url}?width=500", headers=headers, trust_env=False).text


def test_a_picture_that_cannot_be_had_is_said(url, open_page):
    page = open_page(f"{url}?width=123")
    page.complaints.expected += ["503", "Failed to load"]
    until(page, f"{FIGURES}.includes(' ms')")
    problem = '{"detail": "the picture is being made; ask again"}'
    page.route("**/t/width=124**", lambda route: route.fulfill(status=503, body=problem))
    page.fill("input[name=width]", "124")
    until(page, f"{FIGURES} === 'the picture is being made; ask again'")
    page.route("**/t/width=125**", lambda route: route.abort())
    page.fill("input[name=width]", "125")
    until(page, f"{FIGURES} === 'The service does not answer.'")


def test_whoever_may_look_may_sign_and_no_secret_is_in_the_page(keyed_server, open_page):
    with Client(keyed_server.url, keyed_server.key) as admin:
        image = admin.upload(landscape(33), filename="a.jpg", wait=60)
        secret = admin.add_secret("local").secret
        reader = admin.add_key("tries", owner="local", scopes=["read"])
        other = admin.add_key("other", owner="somebody", scopes=["read"])
    url = f"{keyed_server.url}/images/{image.id}/playground"
    page = open_page(url)
    page.fill("#key", reader.key)
    page.get_by_role("button", name="Sign in").click()
    until(page, f"{FIGURES}.includes(' ms')")
    address = address_on(page)
    assert f"kid={secret.partition('.')[0]}" in address
    assert get(address).status_code == 200
    everything = page.content() + get_with(url + "/result", reader.key).text
    assert secret.partition(".")[2] not in everything
    assert reader.key not in everything
    assert get_with(url, other.key).status_code == 404
    assert get(url).status_code == 303


def get_with(url, key):
    return httpx.get(url, headers={"authorization": f"Bearer {key}"}, trust_env=False)


def test_an_image_without_a_picture_has_no_playground(gallery):
    with Client(gallery.url) as client:
        broken = client.upload(pictures.jpeg(300, 200)[:900], filename="half.jpg", wait=60)
        page = get(f"{gallery.url}/images/{broken.id}")
        assert "playground" not in page.text
        assert get(f"{gallery.url}/images/{broken.id}/playground").status_code == 404
        client.delete(broken.id)
    assert get(f"{gallery.url}/images/{'0' * 26}/playground").status_code == 404


HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}'`"


def test_no_text_from_a_stranger_is_anything_but_text(gallery, open_page):
    with Client(gallery.url) as client:
        body = pictures.jpeg(400, 300, comment=uuid.uuid4().bytes)
        image = client.upload(body, Labels(title=HOSTILE), filename=HOSTILE, wait=60)
        page = open_page(f"{gallery.url}/images/{image.id}/playground?width=320")
        page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
        until(page, f"{FIGURES}.includes(' ms')")
        assert HOSTILE in page.locator("h1").inner_text()
        page.evaluate(
            "html => { document.getElementById('main').innerHTML = html; }", page.input_value("#snippet-html")
        )
        until(page, "document.querySelector('main img').naturalWidth > 0")
        assert page.locator("main img").get_attribute("alt") == HOSTILE
        assert page.locator("img[onerror]").count() == 0
        assert page.locator("script:not([src])").count() == 0
        client.delete(image.id)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desk", "phone"])
def test_everybody_can_use_it(url, open_page, scheme, phone):
    page = open_page(url, phone=phone, color_scheme=scheme)
    until(page, f"{FIGURES}.includes(' ms')")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_on_a_phone_the_result_stays_in_sight_while_one_tries(url, open_page):
    page = open_page(url, phone=True)
    until(page, f"{FIGURES}.includes(' ms')")
    page.locator("input[name=quality]").scroll_into_view_if_needed()
    box = page.locator("#picture").bounding_box()
    assert box["y"] >= 0
    assert box["y"] + box["height"] < 844
